"""The interaction plane: AOFE against AOFE-ratio of every shape, coloured by its loss, joined to its chance level."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.lines import Line2D

from interlaw.report.results import Analysis
from interlaw.report.style import FAINT, INK, INTERACTION, LOSS_COLOURS, MARKERS, MUTED, SURFACE, panel_grid, ratio_axis
from interlaw.shapes import format_size

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NUM_COLUMNS = 3
MOST_NUMBERED = 48


@dataclass(frozen=True, kw_only=True)
class PlanePoint:
    """One shape (mean over its seeds) in the plane of one view.

    Attributes:
        budget: Nominal budget.
        depth: Layers.
        width: d_model.
        ratio: R = depth / width.
        aofe: Off-diagonal energy, linear scale.
        aofe_ratio: Its share of the whole energy, 0 to 1.
        null_ratio: The share that chance gives at this dimension and effective rank; None where it was not measured.
        excess_ratio: aofe_ratio - null_ratio.
        loss_excess: Loss relative to the budget's best shape, minus 1.
        pareto: No shape of the budget has a ratio as high at an energy as low.
    """

    budget: float
    depth: int
    width: int
    ratio: float
    aofe: float
    aofe_ratio: float
    null_ratio: float | None
    excess_ratio: float | None
    loss_excess: float
    pareto: bool


@dataclass(frozen=True, kw_only=True)
class Plane:
    """One view's points."""

    view: str
    points: tuple[PlanePoint, ...]


def planes(analyses: tuple[Analysis, ...]) -> tuple[Plane, ...]:
    """The plotted numbers of every measured view; analyses must be of one treatment."""
    found = [Plane(view=each.view, points=plane_points(each)) for each in analyses]
    return tuple(plane for plane in found if plane.points)


def plane_points(analysis: Analysis) -> tuple[PlanePoint, ...]:
    """One view's points; none where nothing was measured."""
    found = []
    for fit in analysis.fit.budgets:
        best = min(point.adjusted for point in fit.points)
        for point in fit.points:
            if point.aofe is None or point.aofe_ratio is None or not point.aofe > 0:
                continue
            excess = point.excess_ratio
            found.append(
                PlanePoint(
                    budget=fit.budget,
                    depth=point.depth,
                    width=point.width,
                    ratio=point.ratio,
                    aofe=point.aofe,
                    aofe_ratio=point.aofe_ratio,
                    null_ratio=None if excess is None else point.aofe_ratio - excess,
                    excess_ratio=excess,
                    loss_excess=point.adjusted / best - 1,
                    pareto=bool(point.pareto),
                )
            )
    return tuple(found)


def over_chance(found: tuple[Plane, ...]) -> tuple[Plane, ...]:
    """The views whose chance level is known, with the points that have one."""
    known = [
        replace(plane, points=tuple(point for point in plane.points if point.excess_ratio is not None))
        for plane in found
    ]
    return tuple(plane for plane in known if plane.points)


def draw_planes(found: tuple[Plane, ...], *, excess: bool = False) -> Figure:
    """One panel a view; the colour scale is shared.

    Args:
        found: The views.
        excess: Draws the AOFE-ratio above chance, of the views that `over_chance` gives, instead of it beside chance.
    """
    figure, grid, _ = panel_grid(len(found), most_columns=NUM_COLUMNS, panel=(5.2, 4.6))
    budgets = sorted({point.budget for plane in found for point in plane.points})
    norm = Normalize(0, max(max(point.loss_excess for plane in found for point in plane.points), 1e-3))
    for axes, plane in zip(grid, found, strict=True):
        _draw_plane(axes, plane, budgets, norm, excess=excess)
    figure.legend(
        handles=_legend(budgets, excess=excess),
        loc="outside lower left",
        ncols=6,
        fontsize=8.5,
        frameon=False,
        handletextpad=0.3,
    )
    scale = ScalarMappable(norm=norm, cmap=LOSS_COLOURS)
    bar = figure.colorbar(scale, ax=grid, shrink=0.75, aspect=28, pad=0.015)
    bar.set_label("test loss above the budget's best shape")
    bar.ax.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.3g}%")
    bar.outline.set_visible(False)
    return figure


def marker_size(ratio: float, ratios: list[float]) -> float:
    """Area in square points: grows with log R from 28 to 150."""
    low, high = math.log(min(ratios)), math.log(max(ratios))
    return 28 + 122 * ((math.log(ratio) - low) / (high - low) if high > low else 0.5)


def _draw_plane(axes: Axes, plane: Plane, budgets: list[float], norm: Normalize, *, excess: bool) -> None:
    axes.set_xscale("log")
    if excess:
        axes.axhline(0, color=MUTED, ls="--", lw=1)
        axes.annotate("chance", (1, 0), (-4, 4), xycoords=("axes fraction", "data"), textcoords="offset points",
                      ha="right", fontsize=8.5, color=MUTED)  # fmt: skip
    ratios = [point.ratio for point in plane.points]
    for budget in budgets:
        members = [point for point in plane.points if point.budget == budget]
        _draw_front(axes, [point for point in members if point.pareto and not excess])
        marker = MARKERS[budgets.index(budget) % len(MARKERS)]
        for point in members:
            size = marker_size(point.ratio, ratios)
            height = point.excess_ratio if excess and point.excess_ratio is not None else point.aofe_ratio
            if point.null_ratio is not None and not excess:
                axes.plot([point.aofe] * 2, [point.aofe_ratio, point.null_ratio], color=FAINT, lw=1, zorder=1)
                axes.scatter([point.aofe], [point.null_ratio], size * 0.5, marker=marker, facecolor=SURFACE,
                             edgecolor=MUTED, lw=0.8, zorder=2)  # fmt: skip
            axes.scatter([point.aofe], [height], size, [point.loss_excess], cmap=LOSS_COLOURS, norm=norm,
                         marker=marker, edgecolor=INK, lw=0.7, zorder=3)  # fmt: skip
            if len(plane.points) > MOST_NUMBERED:
                continue
            axes.annotate(str(point.depth), (point.aofe, height), (5 + size**0.5 / 4, 3),
                          textcoords="offset points", fontsize=8, color=INK, zorder=4)  # fmt: skip
    ratio_axis(axes.xaxis, *axes.get_xlim())
    axes.set_xlabel("AOFE, off-diagonal energy  (low is efficient, log scale)")
    axes.set_ylabel("AOFE-ratio above chance" if excess else "AOFE-ratio, its share of the energy")
    axes.set_title(f"view: {plane.view}")
    if not excess:
        axes.set_title("efficient: up and left", loc="right", fontsize=8.5, fontweight="normal", color=INTERACTION)


def _draw_front(axes: Axes, front: list[PlanePoint]) -> None:
    """The efficient shapes of a budget, joined: they span its interaction interval."""
    front = sorted(front, key=lambda point: point.aofe)
    axes.plot([p.aofe for p in front], [p.aofe_ratio for p in front], color=INTERACTION, lw=1.6, alpha=0.8, zorder=2)
    for point in front:
        axes.plot([point.aofe], [point.aofe_ratio], "o", ms=17, mfc="none", mec=INTERACTION, mew=1.3, zorder=2)


def _legend(budgets: list[float], *, excess: bool) -> list[Line2D]:
    """Budgets by marker, then what hollow marks and rings are where there are any."""
    shapes = [
        Line2D(
            [],
            [],
            ls="",
            marker=MARKERS[i % len(MARKERS)],
            color=INK,
            mfc=MUTED,
            ms=7,
            label=f"budget {format_size(b)}",
        )
        for i, b in enumerate(budgets)
    ]
    hollow = Line2D([], [], ls="", marker="o", color=MUTED, mfc=SURFACE, ms=6, label="AOFE-ratio by chance")
    ring = Line2D(
        [],
        [],
        ls="-",
        marker="o",
        color=INTERACTION,
        mfc="none",
        ms=10,
        label="no shape of the budget is more efficient",
    )
    return shapes if excess else [*shapes, hollow, ring]
