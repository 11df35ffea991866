"""Figures and pages as files: whole or not at all."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from interlaw.errors import InterlawError
from interlaw.files import write_atomically
from interlaw.report.style import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("png", "svg", "pdf")
# without a date in the file, the same run gives the same bytes
METADATA: dict[str, dict[str, str | None]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}


def require_figure_name(path: str | Path) -> Path:
    """The path of a figure whose ending names its format.

    Raises:
        InterlawError: When the ending is none of `FORMATS`.
    """
    path = Path(path)
    if path.suffix.removeprefix(".").lower() not in FORMATS:
        raise InterlawError(f"expected a figure named *.{', *.'.join(FORMATS)}, found {path.name!r}; rename it")
    return path


def write_figure(path: str | Path, draw: Callable[[], Figure]) -> Path:
    """Draws and writes one figure as PNG, SVG or PDF, by the name's ending.

    Raises:
        InterlawError: When the ending is none of these, or the file cannot be written.
    """
    path = require_figure_name(path)
    with style():
        save(path, rendered(draw(), form=path.suffix.removeprefix(".").lower()))
    return path


def rendered(figure: Figure, *, form: str) -> bytes:
    """A figure as the bytes of a file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format=form, metadata=METADATA[form])
    return buffer.getvalue()


def save(path: Path, content: bytes) -> None:
    """Writes a file, making its folder; a place that cannot be written is the user's to mend."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)
    except OSError as error:
        raise InterlawError(f"expected to write {str(path)!r}, found: {error.strerror}; name another place") from error
