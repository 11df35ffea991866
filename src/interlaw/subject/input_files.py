"""Files of inputs: arrays as NumPy writes them on any machine, labels, and texts as their documents."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from interlaw.errors import InterlawError, near_path

if TYPE_CHECKING:
    from torch import Tensor

# What separates documents in files of many, as most tokenizers of language models write it.
END_OF_TEXT = "<|endoftext|>"
LONGEST_NAME = 255  # characters of a file's name on usual file systems


def read_array(path: Path) -> Tensor:
    """A .npy file as a tensor; real numbers in single precision, as weights are."""
    import numpy as np
    import torch

    try:
        array = np.load(path, allow_pickle=False)
    except Exception as error:  # numpy raises many kinds over a damaged header
        raise InterlawError(
            f"expected a NumPy array in {path}, found {_found(error)}; write it with numpy.save"
        ) from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub" or array.ndim < 1:
        raise InterlawError(f"expected an array of numbers in {path}, found {getattr(array, 'dtype', type(array))}")
    if array.dtype.kind == "f":
        with np.errstate(over="ignore"):  # what is too large becomes infinite, and that is refused
            tensor = torch.from_numpy(array.astype(np.float32, order="C"))
        if not bool(tensor.isfinite().all()):
            raise InterlawError(f"expected finite numbers in {path}, found NaN or infinity; remove those rows")
        return tensor
    if array.dtype == np.uint64 and array.size and array.max() > np.iinfo(np.int64).max:
        raise InterlawError(f"expected whole numbers below 2^63 in {path}, found {array.max()}; write smaller ones")
    return torch.from_numpy(array.astype(np.int64, order="C"))


def read_labels(path: Path, *, count: int) -> list[Any]:
    """One label a sample: an array in a .npy file, or lines of text."""
    labels: list[Any] = read_array(path).tolist() if path.suffix == ".npy" else read_text(path).split()
    if len(labels) != count:
        raise InterlawError(f"expected one group a sample in {path}, found {len(labels)} groups for {count} samples")
    return labels


def require_text(path: Path) -> Path:
    """The path of a text, unless it is the text itself.

    Raises:
        InterlawError: It has more characters than a path, or characters that no path has.
    """
    written = str(path)
    try:
        exists = path.exists()
    except OSError:  # too long a name
        exists = False
    if not exists and (len(written) > LONGEST_NAME or not written.isprintable()):
        raise InterlawError(
            f"expected the path of a text file or a folder, found {len(written):,} characters that begin with "
            f"{written[:30]!r}; text= takes a path: write the text into a file, and give its path"
        )
    return path


def documents_of(path: Path) -> list[str]:
    """The documents of a text: the files of a folder, and within a file what stands between end-of-text marks."""
    files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
    if not files:
        raise InterlawError(f"expected text files in the folder {path}, found none")
    parts = [part for file in files for part in read_text(file).split(END_OF_TEXT)]
    return [part for part in parts if part.strip()] or parts[:1]


def read_text(path: Path) -> str:
    """A text file."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InterlawError(
            f"expected a text file at {path}, found {_found(error)}; check the path{near_path(path)}"
        ) from error


def _found(error: Exception) -> str:
    return "nothing" if isinstance(error, FileNotFoundError) else str(getattr(error, "strerror", None) or error)


def embedded_text() -> str:
    """The held-out part of the text that every machine has, a few hundred kilobytes of it."""
    from interlaw.tasks import EMBEDDED, open_corpus

    return bytes(open_corpus(EMBEDDED).tokens("validation")[: 2**19]).decode("utf-8", errors="replace")
