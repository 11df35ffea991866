"""A measurement on disk: the numbers as JSON, K, H and traces beside them as npz."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import numpy as np
import torch
from pydantic import ValidationError

from interlaw import files
from interlaw.errors import InterlawError, first_problem
from interlaw.interaction.grams import Grams
from interlaw.interaction.result import Interaction

_ARCHIVE_ERRORS = (zipfile.BadZipFile, zlib.error, NotImplementedError, RecursionError, MemoryError)


def save(measurement: Interaction, path: str | Path) -> Path:
    """Writes `path` (.json) and, when the measurement has its Gram matrices, the same name with .npz.

    Returns:
        The path of the JSON file.

    Raises:
        InterlawError: The place cannot be written.
    """
    path = Path(path)
    if path.is_dir():
        raise InterlawError(
            f"expected a file name for the measurement, found the folder {path}; add one, such as x.json"
        )
    path = path.with_suffix(".json")
    if measurement.grams is not None:
        content = io.BytesIO()
        arrays = {name: torch.as_tensor(value).cpu().numpy() for name, value in vars(measurement.grams).items()}
        np.savez_compressed(content, **arrays)  # type: ignore[arg-type]  # NumPy's stub takes them for its own option
        files.save(path.with_suffix(".npz"), content.getvalue())
    files.save(path, (json.dumps({"interlaw": _version(), **measurement.to_dict()}, indent=1) + "\n").encode())
    return path


def _version() -> str | None:
    """Version of the package that writes; None where it runs without being installed."""
    try:
        return metadata.version("interlaw")
    except metadata.PackageNotFoundError:
        return None


def load(path: str | Path) -> Interaction:
    """Reads what `save` wrote; without the .npz the measurement has no Gram matrices.

    Raises:
        InterlawError: The file is missing or no measurement.
    """
    path = Path(path).with_suffix(".json")
    try:
        measurement = Interaction.from_dict(json.loads(path.read_text()))
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        said = "nothing" if isinstance(error, FileNotFoundError) else f"{type(error).__name__}: {error}"
        said = first_problem(error) if isinstance(error, ValidationError) else said
        raise InterlawError(
            f"expected a measurement in {path}, found {said}; give a file that `save` or `interlaw measure --out` wrote"
        ) from error
    beside = path.with_suffix(".npz")
    if not beside.exists():
        return measurement
    return replace(measurement, grams=_read_grams(beside))


def _read_grams(path: Path) -> Grams:
    try:
        with np.load(path, allow_pickle=False) as archive:
            tensors = {name: torch.from_numpy(archive[name]).double() for name in Grams.__dataclass_fields__}
        return Grams(dim=int(tensors.pop("dim")), **tensors)
    except (OSError, ValueError, KeyError, TypeError, EOFError, RuntimeError, *_ARCHIVE_ERRORS) as error:
        raise InterlawError(
            f"expected a measurement's matrices in {path}, found {type(error).__name__}: {error}; delete the file to "
            "read the measurement without them"
        ) from error
