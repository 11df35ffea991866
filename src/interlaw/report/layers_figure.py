"""Layer by layer: a heat map of every layer, and the same quantities over depth with their intervals.

A layer's place has two parts: its role (`blocks.*.up`, the name without the block's number) and its depth (the number).
Layers without a number stand before the first block or after the last.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np

from interlaw.errors import InterlawError
from interlaw.interaction import LayerInteraction, Layers
from interlaw.report.figure import Drawing, Panel, chart_of, whole
from interlaw.report.look import (
    DASHES,
    INK,
    SERIES,
    SHAPES,
    SIGNED_RAMP,
    SURFACE,
    cycled,
    legend,
    linear_y,
    rows,
)
from interlaw.report.saving import write_chart

if TYPE_CHECKING:
    from numpy.typing import NDArray

BEFORE, AFTER = "in", "out"
MOST_NUMBERED = 16  # columns of a heat map with room for numbers in their cells
CELL = 24  # pixels of a row
WIDTH = 330

CAPTION = (
    "Above: each layer by its role (rows) and block (columns); red exceeds what chance gives, blue falls below. Below: "
    "the same quantities over blocks, with the interval of the AOFE-ratio; the thin line of a role's colour is its "
    "chance level. W^T W: the weights that read the layer's input; agreement: its cosine with the AGOP there."
)
# quantity: (title, unit of its colours)
HEATS = {
    "excess": "Interaction above chance",
    "weights_excess": "Superposition of W^T W above chance",
    "nfa": "Agreement of W^T W with the AGOP",
}
# quantity: (its chance level, title)
LINES: dict[str, tuple[str | None, str]] = {
    "aofe_ratio": ("null", "AOFE-ratio at the layer's input"),
    "weights_ratio": ("weights_null", "AOFE-ratio of W^T W"),
    "nfa": (None, "cosine of W^T W and AGOP"),
}


@dataclass(frozen=True, kw_only=True)
class LayerGrid:
    """Layers as roles (rows) by depths (columns); NaN where a role has no layer.

    Attributes:
        roles: Names of the rows, as short as can be told apart.
        depths: Names of the columns: block numbers, "in" before the first and "out" after the last.
        values: By quantity: "aofe_ratio" at the layer's input with "low" and "high" of its interval, its "null" and
            "excess"; "weights_ratio" of W^T W, its "weights_null" and "weights_excess"; "nfa" and "nfa_centered".
    """

    roles: tuple[str, ...]
    depths: tuple[str, ...]
    values: dict[str, NDArray[np.float64]]


def layer_grid(layers: Sequence[LayerInteraction]) -> LayerGrid:
    """The numbers drawn."""
    places = [split_name(row.name) for row in layers]
    numbers = sorted({number for _, number in places if number is not None})
    numbered = [place for place, (_, number) in enumerate(places) if number is not None]
    first = numbered[0] if numbered else len(layers)
    columns = [
        str(number) if number is not None else BEFORE if place < first else AFTER
        for place, (_, number) in enumerate(places)
    ]
    depths = tuple(name for name in (BEFORE, *map(str, numbers), AFTER) if name in columns)
    roles = tuple(dict.fromkeys(role for role, _ in places))
    values = {name: np.full((len(roles), len(depths)), np.nan) for name in _quantities(layers[0])} if layers else {}
    for row, (role, _), column in zip(layers, places, columns, strict=True):
        for name, value in _quantities(row).items():
            values[name][roles.index(role), depths.index(column)] = value
    return LayerGrid(roles=short_names(roles), depths=depths, values=values)


def split_name(name: str) -> tuple[str, int | None]:
    """Role and depth: the first number among a module's names is its depth.

    Example:
        >>> split_name("blocks.3.attention.out"), split_name("head")
        (('blocks.*.attention.out', 3), ('head', None))
    """
    parts = name.split(".")
    for place, part in enumerate(parts):
        if part.isdigit():
            return ".".join([*parts[:place], "*", *parts[place + 1 :]]), int(part)
    return name, None


def short_names(roles: Sequence[str]) -> tuple[str, ...]:
    """Roles without what stands before the block's number, unless two would read the same.

    Example:
        >>> short_names(["tokens", "blocks.*.up", "*"])
        ('tokens', 'up', 'layer')
    """
    short = [role.rpartition("*.")[2] if role.rpartition("*.")[1] else role.replace("*", "layer") for role in roles]
    return tuple(one if short.count(one) == 1 else role for one, role in zip(short, roles, strict=True))


def _quantities(row: LayerInteraction) -> dict[str, float]:
    """One layer's numbers by name."""
    found, weights = row.interaction, row.superposition
    return {
        "aofe_ratio": found.aofe_ratio.value,
        "low": found.aofe_ratio.low,
        "high": found.aofe_ratio.high,
        "null": found.null_ratio,
        "excess": found.excess_ratio,
        "weights_ratio": weights.aofe_ratio,
        "weights_null": weights.null_ratio,
        "weights_excess": weights.excess_ratio,
        "nfa": row.nfa,
        "nfa_centered": row.nfa_centered,
    }


def draw_layers(grid: LayerGrid, *, whose: str) -> Drawing:
    """Heat maps of what exceeds chance and of agreement, then levels over depth with intervals.

    Args:
        grid: The numbers.
        whose: The model's name, for the title.
    """
    reach = _reach(grid.values["excess"], grid.values["weights_excess"])
    heats = [
        Panel(
            chart=_heat(grid, name, most=1.0 if name == "nfa" else reach),
            title=title,
            width=WIDTH,
            height=CELL * len(grid.roles),
        )
        for name, title in HEATS.items()
    ]
    lines = [
        Panel(chart=_lines(grid, name, chance, title), title=title, width=WIDTH, height=230)
        for name, (chance, title) in LINES.items()
    ]
    return Drawing(message=layers_message(grid, whose=whose), caption=CAPTION, panels=(*heats, *lines))


def layers_message(grid: LayerGrid, *, whose: str) -> str:
    """Where interaction stands out most."""
    excess = grid.values["excess"]
    row, column = np.unravel_index(int(np.nanargmax(excess)), excess.shape)
    place = grid.depths[column]
    where = {BEFORE: "before the blocks", AFTER: "after the blocks"}.get(place, f"in block {place}")
    return f"{whose}: interaction exceeds chance most at {grid.roles[row]} {where} ({excess[row, column]:+.2f})"


def grid_rows(grid: LayerGrid, *names: str) -> list[dict[str, Any]]:
    """The plotted numbers: one row a layer."""
    found = []
    for row, role in enumerate(grid.roles):
        for column, depth in enumerate(grid.depths):
            values = {name: float(grid.values[name][row, column]) for name in names}
            if not math.isnan(values[names[0]]):
                found.append({"role": role, "depth": depth, **values})
    return found


def _heat(grid: LayerGrid, name: str, *, most: float) -> Any:
    """One quantity of every layer, from -most to most, with its number where there is room."""
    values = [
        {**row, "label": f"{row[name]:z.2f}", "said": f"{row['role']}, {_block(row['depth'])}: {row[name]:z.3f}"}
        for row in grid_rows(grid, name)
    ]
    base = alt.Chart(rows(values)).encode(x=_depth_axis(grid), y=alt.Y("role:N", sort=list(grid.roles), title=None))
    scale = alt.Scale(domain=[-most, most], range=list(SIGNED_RAMP), interpolate="rgb")
    key = alt.Legend(title=None, orient="right", gradientLength=CELL * len(grid.roles) - 10, values=[-most, 0, most])
    cells = base.mark_rect(stroke=SURFACE, strokeWidth=1.5)
    heat = cells.encode(color=alt.Color(f"{name}:Q", scale=scale, legend=key), tooltip="said:N", description="said:N")
    if len(grid.depths) > MOST_NUMBERED:
        return alt.layer(heat).resolve_scale(color="independent")
    strong = f"abs(datum.{name}) > {0.6 * most}"
    words = base.mark_text(fontSize=10, aria=False)
    numbers = words.encode(text="label:N", color=alt.condition(strong, alt.value(SURFACE), alt.value(INK)))
    return alt.layer(heat, numbers).resolve_scale(color="independent")


def _lines(grid: LayerGrid, name: str, chance: str | None, title: str) -> Any:
    """One line a role; intervals where they are known, chance as a thin line."""
    names = [name, *([chance] if chance else []), *(["low", "high"] if name == "aofe_ratio" else [])]
    values = [
        {**row, "said": f"{row['role']}, {_block(row['depth'])}: {row[name]:z.3f}" + _beside(row, chance)}
        for row in grid_rows(grid, *names)
    ]
    base = alt.Chart(rows(values))
    looks = _looks(grid.roles)
    least = min(0.0, float(np.nanmin(grid.values[name])))
    x, y = _depth_axis(grid), linear_y(name, title, (least - 0.03, 1.03), format=".1f")
    layers = [
        base.mark_line(strokeWidth=1.6, aria=False).encode(x=x, y=y, color=looks["color"], strokeDash=looks["dash"])
    ]
    if name == "aofe_ratio":
        spans = base.mark_rule(strokeWidth=1.4, opacity=0.6, aria=False)
        layers.append(spans.encode(x=x, y="low:Q", y2="high:Q", color=looks["color"]))
    if chance:
        thin = base.mark_line(strokeWidth=0.8, opacity=0.8, aria=False)
        layers.append(thin.encode(x=x, y=f"{chance}:Q", color=looks["color"]))
    marks = base.mark_point(filled=True, size=36 if len(grid.depths) <= MOST_NUMBERED else 14, opacity=1)
    marks = marks.encode(x=x, y=y, color=looks["color"], shape=looks["shape"], tooltip="said:N", description="said:N")
    return alt.layer(*layers, marks).resolve_scale(color="shared")


def _looks(roles: Sequence[str]) -> dict[str, Any]:
    """Colour, dashes and form by role: three ways to tell them apart."""
    key = legend(None, column=140) if len(roles) > 1 else None
    options: dict[str, Any] = {"sort": list(roles), "legend": key}
    scales = {
        name: alt.Scale(domain=list(roles), range=cycled(values, len(roles)))
        for name, values in (("color", SERIES), ("dash", DASHES), ("shape", SHAPES))
    }
    return {
        "color": alt.Color("role:N", scale=scales["color"], **options),
        "dash": alt.StrokeDash("role:N", scale=scales["dash"], **options),
        "shape": alt.Shape("role:N", scale=scales["shape"], **options),
    }


def _depth_axis(grid: LayerGrid) -> alt.X:
    """Block numbers in order; those that would overlap are left out."""
    axis = alt.Axis(labelAngle=0, labelOverlap=True, title="block", grid=False)
    return alt.X("depth:O", sort=list(grid.depths), axis=axis)


def _block(depth: str) -> str:
    return {BEFORE: "before the first block", AFTER: "after the last block"}.get(depth, f"block {depth}")


def _beside(row: dict[str, Any], chance: str | None) -> str:
    return f" (by chance {row[chance]:.3f})" if chance else ""


def write_layers_figure(path: str | Path, layers: Sequence[LayerInteraction], *, title: str) -> Path:
    """Writes the figure as PNG, SVG or PDF, by the name's ending.

    Raises:
        InterlawError: When the ending is none of these, there are no layers, or the file cannot be written.
    """
    if not layers:
        raise InterlawError("expected layers to draw, found none; leave --layer out to take all")
    return write_chart(path, whole(draw_layers(layer_grid(layers), whose=title)))


@chart_of.register
def layers_chart(layers: Layers) -> Any:
    """The chart of what `measure_layers` gives."""
    return whole(draw_layers(layer_grid(layers), whose="The network"))


def _reach(*values: NDArray[np.float64]) -> float:
    """The end of a scale around 0: the largest magnitude, rounded up to a tenth."""
    return max(0.1, math.ceil(10 * max(float(np.nanmax(np.abs(one))) for one in values)) / 10)
