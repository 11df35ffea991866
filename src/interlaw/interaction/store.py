"""A measurement on disk: the numbers as JSON, K, H and traces beside them as npz."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import torch

from interlaw.errors import InterlawError
from interlaw.interaction.grams import Grams
from interlaw.interaction.result import Interaction


def save(measurement: Interaction, path: str | Path) -> Path:
    """Writes `path` (.json) and, when the measurement has its Gram matrices, the same name with .npz.

    Returns:
        The path of the JSON file.
    """
    path = Path(path).with_suffix(".json")
    path.write_text(json.dumps(measurement.to_dict(), indent=1) + "\n")
    if measurement.grams is not None:
        grams = measurement.grams
        tensors = {field.name: getattr(grams, field.name) for field in fields(Grams) if field.name != "dim"}
        arrays = {name: tensor.cpu().numpy() for name, tensor in tensors.items()}
        np.savez_compressed(path.with_suffix(".npz"), dim=np.array(grams.dim), **arrays)
    return path


def load(path: str | Path) -> Interaction:
    """Reads what `save` wrote; without the .npz the measurement has no Gram matrices.

    Raises:
        InterlawError: The file is missing or no measurement.
    """
    path = Path(path).with_suffix(".json")
    try:
        measurement = Interaction.from_dict(json.loads(path.read_text()))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InterlawError(f"expected a measurement in {path}, found {type(error).__name__}: {error}") from error
    beside = path.with_suffix(".npz")
    if not beside.exists():
        return measurement
    with np.load(beside) as arrays:
        tensors = {name: torch.from_numpy(arrays[name]) for name in arrays.files if name != "dim"}
        return replace(measurement, grams=Grams(dim=int(arrays["dim"]), **tensors))
