"""The vocabulary of every figure, as Vega-Lite's own JSON: axes, legends, layers of marks, intervals.

Plain dicts and not Altair's classes, which copy and check every number several times: they took a third of the time
that the page of a thousand trials needed. Altair comes in where a notebook asks for a chart, and checks it (`whole`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle, islice
from typing import Any, Literal, TypeAlias

from interlaw.plain import Json
from interlaw.report.look import BOLD, LARGE, LETTER, LOG_TICKS, TICKS, nice_ticks

Spec: TypeAlias = Json  # of Vega-Lite: a chart, a layer, an axis or a channel
NO_ROWS: tuple[Json, ...] = ()  # of layers that only say how axes and legends look
LINE_SYMBOLS: Spec = {"symbolType": "stroke", "symbolSize": 400}  # of a legend: 20 pixels long, so that dashes show
SYMBOL = 40  # pixels of a legend's symbol and the gaps on both sides; a line's symbol is as long as 20
# what a place needs beside its field; the second end of an interval has the measure of the first
PLACES = {
    **dict.fromkeys(("x", "y", "order"), "quantitative"),
    **dict.fromkeys(("detail", "text"), "nominal"),
    **dict.fromkeys(("x2", "y2"), ""),
}
SIGN: Spec = {"field": "sign", "type": "nominal", "scale": None}  # a form that each row names itself
# of an interval's end by axis: a cap, and the arrows of an end without a bound
ENDS = {
    "x": ("M-0.25,-1H0.25V1H-0.25Z", "triangle-left", "triangle-right"),
    "y": ("M-1,-0.25H1V0.25H-1Z", "triangle-down", "triangle-up"),
}


def marks(
    values: Sequence[Mapping[str, Any]],
    kind: str,
    *,
    said: bool = False,
    where: str = "",
    flatten: Sequence[str] = (),
    **looks: Any,
) -> Spec:
    """One layer: marks of a kind, one a row (a line: one a group of rows).

    Args:
        values: The rows; layers that are given the same list share it on a page.
        kind: Vega-Lite's name of the mark.
        said: Whether pointing at a row shows its `said`; else the mark is hidden from screen readers.
        where: A condition on `datum` that rows are drawn under.
        flatten: Fields that hold lists, one mark for each entry.
        looks: Places (`x`, `y2`, `detail`, ...) name a field; channels such as `told_apart` and `when` are dicts; what
            is left belongs to the mark itself: its colour, its size.

    Example:
        >>> layer = marks([{"ratio": 0.1}], "rule", x="ratio", color="#c8430b")
        >>> layer["mark"], layer["encoding"]
        ({'type': 'rule', 'color': '#c8430b', 'aria': False}, {'x': {'field': 'ratio', 'type': 'quantitative'}})
    """
    mark: Spec = {"type": kind}
    encoding: Spec = {}
    for name, look in looks.items():
        if isinstance(look, dict):
            encoding[name] = look
        elif name in PLACES:
            encoding[name] = {"field": look, **({"type": PLACES[name]} if PLACES[name] else {})}
        else:
            mark[name] = look
    if said:
        encoding |= {name: {"field": "said", "type": "nominal"} for name in ("tooltip", "description")}
    else:
        mark["aria"] = False
    transform = [*([{"filter": where}] if where else []), *([{"flatten": list(flatten)}] if flatten else [])]
    return {
        "data": {"values": values},
        "mark": mark,
        "encoding": encoding,
        **({"transform": transform} if transform else {}),
    }


def layered(x: Spec, y: Spec, *layers: Spec, **options: Any) -> Spec:
    """Layers over one pair of axes, the first below; of axes of numbers they name only the field."""
    return {"layer": [marks(NO_ROWS, "point", x=x, y=y), *layers], **options}


def log_axis(
    field: str,
    title: str,
    *,
    limits: tuple[float, float],
    most: int = LOG_TICKS,
    ticks: Sequence[float] = (),
    **axis: Any,
) -> Spec:
    """A logarithmic axis with at most so many round ticks, or with the given ones; long numbers as 3e7."""
    is_short = limits[0] >= 1e-4 and limits[1] <= 1e5  # with at most four zeros
    words = {"format": ".3~r"} if is_short else {"format": ".3~e", "labelExpr": "replace(datum.label, '+', '')"}
    shown = list(ticks) or nice_ticks(*limits, most=most)
    return {
        "field": field,
        "type": "quantitative",
        "scale": {"type": "log", "domain": list(limits), "nice": False},
        "axis": {"values": shown, "title": title, **words, **axis},
    }


def linear_axis(field: str, title: str | None, *, limits: tuple[float, float], **axis: Any) -> Spec:
    """A linear axis that ends where the limits say."""
    return {
        "field": field,
        "type": "quantitative",
        "scale": {"domain": list(limits), "nice": False, "zero": False},
        "axis": {"tickCount": TICKS, "title": title, **axis},
    }


def name_axis(field: str, names: Sequence[str], **axis: Any) -> Spec:
    """An axis of names, in their order."""
    return {
        "field": field,
        "type": "nominal",
        "sort": list(names),
        "axis": {"title": None, "labelFlush": False, "labelLimit": 0, **axis},  # names are never cut
    }


def legend(title: str | None = None, **options: Any) -> Spec:
    """A legend below its panel."""
    return {"title": title, "orient": "bottom", "direction": "horizontal", **options}


def legend_columns(names: Iterable[object]) -> Spec:
    """As many columns of names as fit the panel; `room` is a parameter of every chart: pixels across."""
    column = SYMBOL + math.ceil(LETTER * max(len(str(name)) for name in names))
    return {"expr": f"max(1, floor(room / {column}))"}


def told_apart(field: str, names: Iterable[object], *, looks: Sequence[Any], key: Spec | None = None) -> Spec:
    """A channel that tells names apart: colours, forms or dashes, from the start again where they end."""
    domain = list(names)
    scale = {"domain": domain, "range": list(islice(cycle(looks), len(domain)))}
    shown = None if key is None else {"columns": legend_columns(domain), **key}
    return {"field": field, "type": "nominal", "scale": scale, "sort": None, "legend": shown}


def shaded(field: str, domain: Sequence[float], *, colours: Sequence[str], key: Spec | None, **scale: Any) -> Spec:
    """A channel of colours that go from one number to another."""
    return {
        "field": field,
        "type": "quantitative",
        "scale": {"domain": list(domain), "range": list(colours), **scale},
        "legend": key,
    }


def when(test: str, value: Any, *, other: Any) -> Spec:
    """A channel with one value where a condition on `datum` holds, and another elsewhere."""
    return {"condition": {"test": test, "value": value}, "value": other}


def interval_bars(
    values: Sequence[Mapping[str, Any]],
    *,
    along: Literal["x", "y"],
    across: str | Spec,
    color: str | Spec,
    width: float = BOLD,
    where: str = "",
) -> list[Spec]:
    """Intervals as bars with caps; an arrow where the data give no bound.

    Args:
        values: Rows with `low` and `high` (where the bar ends), `said`, the field `across`, and `low_open` and
            `high_open`, True where there is no bound (False where left out).
        along: The axis that the interval lies on.
        across: The field of the other axis, or the axis.
        color: As a mark's own, or a channel.
        width: Pixels across the bar.
        where: As in `marks`.
    """
    other = "y" if along == "x" else "x"
    cap, *arrows = ENDS[along]
    ends = [
        {**row, "end": row[end], "sign": arrow if row.get(f"{end}_open") else cap}
        for row in values
        for end, arrow in zip(("low", "high"), arrows, strict=True)
    ]
    places: Spec = {along: "low", f"{along}2": "high", other: across}
    at_end: Spec = {along: "end", other: across}
    look: Spec = {"where": where, "color": color}
    return [
        marks(values, "rule", **places, **look, said=True, strokeWidth=width),
        marks(ends, "point", **at_end, **look, shape=SIGN, size=LARGE, filled=True),
    ]
