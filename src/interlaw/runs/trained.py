"""A trained model back from a trial's folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load
from torch import nn

from interlaw.errors import InterlawError
from interlaw.models import build_model
from interlaw.runs.folder import TrialFolder
from interlaw.runs.spec import TrialSpec
from interlaw.training import load_weights


def load_trial(path: str | Path) -> tuple[nn.Module, TrialSpec]:
    """The trained network of a trial and its spec.

    Args:
        path: A trial's folder, DIR/trials/<key>.

    Raises:
        InterlawError: When the folder holds no finished trial, or its weights are damaged.
    """
    folder = TrialFolder(Path(path))
    spec = folder.spec()
    if not folder.weights.is_file():
        raise InterlawError(
            f"expected final weights in {folder.checkpoints}, found none; run the sweep until this trial is done"
        )
    model = build_model(spec.make_shape(), seed=spec.training.seed)
    with intact(folder):
        load_weights(model, load(folder.weights.read_bytes()))
    return model.eval(), spec


@contextmanager
def intact(folder: TrialFolder) -> Iterator[None]:
    """Turns what the weights of a trial raise where they are damaged into an error that says so."""
    try:
        yield
    except OSError as error:
        raise InterlawError(
            f"expected to read the weights of trial {folder.key}, found: {error.strerror or error}; make "
            f"{folder.weights} readable"
        ) from error
    except (SafetensorError, KeyError, RuntimeError) as error:
        raise InterlawError(
            f"expected the weights of trial {folder.key}, found a damaged file {folder.weights}; "
            "delete the trial and run its sweep again"
        ) from error
