"""What a notebook shows of a chart: a picture, and the chart itself where the notebook can draw it; no network.

Altair's own default is a page that loads Vega from a server, so without a network a notebook would show nothing.
"""

from __future__ import annotations

import base64
import struct
from dataclasses import replace
from typing import Any

import altair as alt

from interlaw.report.figure import BETWEEN, Drawing, specification
from interlaw.report.look import CONFIG
from interlaw.report.saving import PIXELS, rendered

# the kind by which notebooks know a chart of this major version of Vega-Lite, as Altair names it
VEGALITE = f"application/vnd.vegalite.{alt.SCHEMA_VERSION.partition('.')[0]}+json"
CELL_WIDTH = 1000  # pixels of a notebook's cell: it shrinks what is wider, and its print with it
PNG_SIZE = slice(16, 24)  # bytes of a PNG's header that hold width and height


class _Offline:
    """Shown as a picture beside its specification, unless the reader has chosen a renderer of Altair's."""

    def save(self, fp: Any, format: str | None = None, **options: Any) -> None:
        """Altair's own, but a PNG is as sharp as every other picture of the package."""
        is_png = format == "png" or (format is None and str(fp).lower().endswith(".png"))
        if is_png and "ppi" not in options:  # who names points an inch means them
            options.setdefault("scale_factor", PIXELS)
        super().save(fp, format, **options)  # type: ignore[misc]

    def _repr_mimebundle_(self, *args: Any, **options: Any) -> Any:
        """The picture and the specification by their kind, and how wide the picture is."""
        if alt.renderers.active != "default":
            return super()._repr_mimebundle_(*args, **options)  # type: ignore[misc]
        chart = self.to_dict()  # type: ignore[attr-defined]
        picture = rendered(chart, form="png")
        width, height = (round(side / PIXELS) for side in struct.unpack(">II", picture[PNG_SIZE]))
        shown = {
            VEGALITE: chart,
            "image/png": base64.b64encode(picture).decode(),
            "text/plain": repr(self),
        }
        return shown, {"image/png": {"width": width, "height": height}}


PLAIN = (alt.ConcatChart, alt.LayerChart, alt.Chart)  # several panels, one panel, one mark
KINDS = {kind: type(f"Offline{kind.__name__}", (_Offline, kind), {}) for kind in PLAIN}


def offline(chart: Any) -> Any:
    """The chart, as one that a notebook shows without a network.

    Example:
        >>> import altair as alt
        >>> shown, _ = offline(alt.Chart(alt.InlineData(values=[])).mark_point())._repr_mimebundle_()
        >>> sorted(shown)
        ['application/vnd.vegalite.v6+json', 'image/png', 'text/plain']
    """
    object.__setattr__(chart, "__class__", KINDS.get(type(chart), type(chart)))  # Altair takes plain ones as chart data
    return chart


def whole(drawing: Drawing) -> Any:
    """A drawing as an Altair chart, for a notebook."""
    fitting = max(1, CELL_WIDTH // (max(panel.width for panel in drawing.panels) + BETWEEN))
    if drawing.aligned:  # the others have rows that belong together
        drawing = replace(drawing, columns=min(drawing.columns, fitting))
    chart = {**specification(drawing), "config": CONFIG}
    kind = alt.ConcatChart if "concat" in chart else alt.LayerChart if "layer" in chart else alt.Chart
    return offline(kind.from_dict(chart, validate=False))  # `to_dict` checks it
