"""An interval as a bar with caps; an arrow where the data set no bound. The same marks in every figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import altair as alt

from interlaw.report.look import rows

SIGNS = {"x": ("M0,-1V1", "triangle-left", "triangle-right"), "y": ("M-1,0H1", "triangle-down", "triangle-up")}


def interval_bars(
    values: Sequence[Mapping[str, Any]],
    *,
    along: Literal["x", "y"],
    across: str,
    color: Any,
    width: float = 2.2,
    opacity: Any = None,
) -> list[Any]:
    """Layers of bars.

    Args:
        values: Rows with `low` and `high` (where the bar ends), `low_open` and `high_open` (True where there is no
            bound), the field `across`, and `said`, the words for who points at it.
        along: The axis that the interval lies on.
        across: The field of the other axis.
        color: A colour, or an encoding of one.
        width: Pixels across the bar.
        opacity: An encoding, if any.
    """
    encoded: dict[str, Any] = {} if isinstance(color, str) else {"color": color}
    if opacity is not None:
        encoded["opacity"] = opacity
    fixed: dict[str, Any] = {"color": color} if isinstance(color, str) else {}
    other = "y" if along == "x" else "x"
    bar = alt.Chart(rows(values)).mark_rule(strokeWidth=width, **fixed)
    layers = [
        bar.encode(
            **{along: "low:Q", f"{along}2": "high:Q", other: f"{across}:Q"},
            tooltip="said:N",
            description="said:N",
            **encoded,
        )
    ]
    marks: dict[str, list[dict[str, Any]]] = {}
    for value in values:
        for end, arrow in (("low", SIGNS[along][1]), ("high", SIGNS[along][2])):
            sign = arrow if value[f"{end}_open"] else SIGNS[along][0]
            marks.setdefault(sign, []).append({**value, "end": value[end]})
    for sign, ends in marks.items():
        mark = alt.Chart(rows(ends)).mark_point(
            shape=sign, size=60, strokeWidth=2, filled=sign[0] == "t", opacity=1, aria=False, **fixed
        )
        layers.append(mark.encode(**{along: "end:Q", other: f"{across}:Q"}, **encoded))
    return layers
