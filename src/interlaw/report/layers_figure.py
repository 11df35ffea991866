"""Layer by layer: a heat map of every layer, and the same quantities over depth with their intervals.

A layer's place has two parts: its role (`blocks.*.up`, the name without the block's number) and its depth (the number).
Layers without a number stand before the first block or after the last.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator

from interlaw.errors import InterlawError
from interlaw.interaction import LayerInteraction
from interlaw.report.saving import write_figure
from interlaw.report.style import INK, MARKERS, MUTED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage
    from numpy.typing import NDArray

BEFORE, AFTER = "in", "out"
MOST_NUMBERED = 16  # columns of a heat map with room for numbers in their cells
MOST_TICKS = 12
LEGEND_LETTERS = 130  # that fit the width of the figure, handles included as eight
ROLE_COLOURS = ("#0b67a3", "#c8430b", "#00866a", "#e9a820", "#8a4fa3", "#5fb0d8", "#1d2733", "#b0577f")
# Blue below, white at nothing, red above; equally far from white on both sides.
SIGNED_COLOURS = LinearSegmentedColormap.from_list(
    "signed", ["#0b3c66", "#3f83b8", "#b5d3e6", "#f7f5f0", "#f2c3a4", "#d0602f", "#7f2204"]
)


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


def layer_grid(rows: Sequence[LayerInteraction]) -> LayerGrid:
    """The numbers drawn."""
    places = [split_name(row.name) for row in rows]
    numbers = sorted({number for _, number in places if number is not None})
    numbered = [place for place, (_, number) in enumerate(places) if number is not None]
    first = numbered[0] if numbered else len(rows)
    columns = [
        str(number) if number is not None else BEFORE if place < first else AFTER
        for place, (_, number) in enumerate(places)
    ]
    depths = tuple(name for name in (BEFORE, *map(str, numbers), AFTER) if name in columns)
    roles = tuple(dict.fromkeys(role for role, _ in places))
    values = {name: np.full((len(roles), len(depths)), np.nan) for name in _quantities(rows[0])} if rows else {}
    for row, (role, _), column in zip(rows, places, columns, strict=True):
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


def draw_layers(grid: LayerGrid, *, title: str) -> Figure:
    """Heat maps above (what exceeds chance, and agreement), lines over depth below (levels with intervals)."""
    height = 0.34 * len(grid.roles) + 1.1
    figure = Figure(figsize=(13.0, height + 3.9), layout="constrained")
    axes = figure.subplots(2, 3, height_ratios=(height, 3.3))
    reach = _reach(grid.values["excess"], grid.values["weights_excess"])
    maps = (
        ("excess", reach, "interaction above chance"),
        ("weights_excess", reach, "superposition of W$^T$W above chance"),
        ("nfa", 1.0, "agreement of W$^T$W with the AGOP"),
    )
    for place, (one, (name, most, heading)) in enumerate(zip(axes[0], maps, strict=True)):
        image = _heat(one, grid, grid.values[name], most=most, named=place == 0)
        one.set_title(heading)
        bar = figure.colorbar(image, ax=one, aspect=14, pad=0.02, ticks=[-most, 0, most])
        bar.outline.set_visible(False)
    lines = (
        ("aofe_ratio", "null", "AOFE-ratio at the layer's input"),
        ("weights_ratio", "weights_null", "AOFE-ratio of W$^T$W"),
        ("nfa", None, "cosine of W$^T$W and AGOP"),
    )
    for one, (name, chance, label) in zip(axes[1], lines, strict=True):
        _lines(one, grid, name, chance=chance)
        one.set_ylabel(label)
    if len(grid.roles) > 1:
        handles, labels = axes[1][0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=legend_columns(labels), frameon=False)
    figure.suptitle(title, fontsize=13, fontweight="bold", color=INK, x=0.01, ha="left")
    return figure


def write_layers_figure(path: str | Path, rows: Sequence[LayerInteraction], *, title: str) -> Path:
    """Writes the figure as PNG, SVG or PDF, by the name's ending.

    Raises:
        InterlawError: When the ending is none of these, there are no layers, or the file cannot be written.
    """
    if not rows:
        raise InterlawError("expected layers to draw, found none; leave --layer out to take all")
    return write_figure(path, lambda: draw_layers(layer_grid(rows), title=title))


def legend_columns(labels: Sequence[str]) -> int:
    """Columns of a legend: as few full rows as fit the figure's width.

    Example:
        >>> legend_columns(["up"] * 9), legend_columns(["a name of thirty letters or so"] * 9)
        (9, 3)
    """
    fit = max(1, LEGEND_LETTERS // (max(map(len, labels)) + 8))
    rows = -(-len(labels) // fit)
    return -(-len(labels) // rows)


def _reach(*values: NDArray[np.float64]) -> float:
    """The end of a scale around 0: the largest magnitude, rounded up to a tenth."""
    return max(0.1, math.ceil(10 * max(float(np.nanmax(np.abs(one))) for one in values)) / 10)


def _heat(axes: Axes, grid: LayerGrid, values: NDArray[np.float64], *, most: float, named: bool) -> AxesImage:
    """One quantity of every layer, from -most to most, with its number where there is room."""
    image = axes.imshow(values, cmap=SIGNED_COLOURS, vmin=-most, vmax=most, aspect="auto")
    axes.set_yticks(range(len(grid.roles)), grid.roles if named else [""] * len(grid.roles))
    _depth_axis(axes, grid)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_yticks(np.arange(len(grid.roles) + 1) - 0.5, minor=True)
    if len(grid.depths) <= MOST_NUMBERED:
        axes.set_xticks(np.arange(len(grid.depths) + 1) - 0.5, minor=True)
        for (row, column), value in np.ndenumerate(values):
            if np.isfinite(value):
                colour = "white" if abs(value) > 0.6 * most else INK
                axes.text(column, row, f"{value:z.2f}", ha="center", va="center", fontsize=8, color=colour)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="minor", length=0)
    return image


def _lines(axes: Axes, grid: LayerGrid, name: str, *, chance: str | None) -> None:
    """One line a role; intervals where they are known, chance dashed."""
    place = np.arange(len(grid.depths))
    size = 5 if len(grid.depths) <= MOST_NUMBERED else 3
    for row, role in enumerate(grid.roles):
        colour, marker = ROLE_COLOURS[row % len(ROLE_COLOURS)], MARKERS[row % len(MARKERS)]
        values = grid.values[name][row]
        there = np.isfinite(values)
        if name == "aofe_ratio":
            low, high = (grid.values[end][row][there] for end in ("low", "high"))
            axes.vlines(place[there], low, high, color=colour, linewidth=1.2, alpha=0.6)
        axes.plot(place[there], values[there], marker=marker, markersize=size, linewidth=1.4, color=colour, label=role)
        if chance is not None:
            axes.plot(
                place[there], grid.values[chance][row][there], "_" if there.sum() == 1 else "--", color=colour, lw=0.9
            )
    axes.set_xlim(-0.5, len(grid.depths) - 0.5)
    axes.set_ylim(min(0.0, float(np.nanmin(grid.values[name]))) - 0.03, 1.03)
    axes.set_xlabel("block" + (" (dashed: by chance)" if chance is not None else ""))
    axes.axhline(0, color=MUTED, linewidth=0.6, zorder=0)
    _depth_axis(axes, grid)


def _depth_axis(axes: Axes, grid: LayerGrid) -> None:
    """Block numbers, thinned where there are many."""
    stride = -(-len(grid.depths) // MOST_TICKS)
    ticks = list(range(0, len(grid.depths), stride))
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.set_xticks(ticks, [grid.depths[tick] for tick in ticks])
