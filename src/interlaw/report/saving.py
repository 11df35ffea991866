"""Charts and pages as files: whole or not at all."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from interlaw.errors import InterlawError
from interlaw.files import save
from interlaw.report.figure import Drawing, specification
from interlaw.report.marks import Spec

FORMATS = ("png", "svg", "pdf")
PIXELS = 2.0  # of a PNG for each of the chart's own: sharp on a screen of today and on a slide


def require_figure_name(path: str | Path) -> Path:
    """The path of a figure whose ending names its format.

    Raises:
        InterlawError: When the ending is none of `FORMATS`.
    """
    path = Path(path)
    if path.suffix.removeprefix(".").lower() not in FORMATS:
        raise InterlawError(f"expected a figure named *.{', *.'.join(FORMATS)}, found {path.name!r}; rename it")
    return path


def write_chart(path: str | Path, chart: Drawing | Any) -> Path:
    """Writes a drawing, or an Altair chart, as PNG, SVG or PDF, by the name's ending; no network is used.

    Raises:
        InterlawError: When the ending is none of these, or the file cannot be written.
    """
    path = require_figure_name(path)
    written = specification(chart) if isinstance(chart, Drawing) else chart.to_dict()
    save(path, rendered(written, form=path.suffix.removeprefix(".").lower()))
    return path


def rendered(chart: Spec, *, form: str) -> bytes:
    """A specification as the bytes of a file."""
    import vl_convert

    if form == "svg":
        return _renumbered(vl_convert.vegalite_to_svg(chart)).encode()
    if form == "pdf":
        return bytes(vl_convert.vegalite_to_pdf(chart))
    return bytes(vl_convert.vegalite_to_png(chart, scale=PIXELS))


def _renumbered(svg: str) -> str:
    """Names of clips and gradients from 0: Vega counts on through a process, so that equal charts would differ."""
    names = dict.fromkeys(re.findall(r'id="((?:clip|gradient_?)\d+)"', svg))
    places = {name: f"{re.sub(r'[0-9]+$', '', name)}{place}" for place, name in enumerate(names)}
    return re.sub(r"\b(?:clip|gradient_?)\d+\b", lambda match: places.get(match.group(), match.group()), svg)
