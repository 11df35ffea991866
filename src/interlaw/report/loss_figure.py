"""Loss against depth / width, a panel a budget: seeds, means, the fitted curve, R* and both efficient intervals."""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.patheffects import withStroke

from interlaw.laws import BudgetFit, status_text
from interlaw.report.results import Analysis
from interlaw.report.style import BEST, FIT, GOOD, INK, INTERACTION, MUTED, SURFACE, panel_grid, ratio_axis
from interlaw.report.wording import Units, budget_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_RELATIVE_SPAN = 0.35
ROOM_BELOW = 0.22
NUM_COLUMNS = 4
ROOM_FOR_LABEL = 0.55  # part of an axis; a label beside the interaction bar takes the rest


@dataclass(frozen=True, kw_only=True)
class SeedPoint:
    """One trial in its budget's panel; `adjusted` is its loss at the budget's mean parameters."""

    key: str
    seed: int
    depth: int
    width: int
    ratio: float
    loss: float
    adjusted: float


@dataclass(frozen=True, kw_only=True)
class LossPanel:
    """What is drawn of one budget.

    Attributes:
        fit: Means, curve, R* and intervals.
        seeds: The trials behind the means.
        confidence: Level of the band and of R*'s interval.
        budget_text: The budget in words.
    """

    fit: BudgetFit
    seeds: tuple[SeedPoint, ...]
    confidence: float
    budget_text: str


def loss_panels(analysis: Analysis) -> tuple[LossPanel, ...]:
    """The plotted numbers, one panel a budget, by size."""
    done = analysis.table[analysis.table["status"] == "done"]
    panels = []
    for fit in analysis.fit.budgets:
        rows = done[done["budget"] == fit.budget].to_dict(orient="records")
        shift = {(point.depth, point.width): point.adjusted / point.loss for point in fit.points}
        seeds = tuple(
            SeedPoint(
                key=str(row["key"]),
                seed=int(row["seed"]),
                depth=int(row["depth"]),
                width=int(row["width"]),
                ratio=float(row["ratio"]),
                loss=float(row["loss"]),
                adjusted=float(row["loss"]) * shift.get((int(row["depth"]), int(row["width"])), 1.0),
            )
            for row in rows
        )
        text = budget_text(fit.budget, str(rows[0]["budget_kind"]))
        panels.append(LossPanel(fit=fit, seeds=seeds, confidence=analysis.fit.confidence, budget_text=text))
    return tuple(panels)


def loss_limits(panels: tuple[LossPanel, ...]) -> list[tuple[float, float]]:
    """Each panel's axis: the same relative reach above its best loss, so that curvatures compare, and room below."""
    best = [min(seed.adjusted for seed in panel.seeds) for panel in panels]
    spans = [seed.adjusted / low - 1 for panel, low in zip(panels, best, strict=True) for seed in panel.seeds]
    span = min(max(max(spans) * 1.08, 0.01), MOST_RELATIVE_SPAN)
    return [(low * (1 - ROOM_BELOW * span), low * (1 + span)) for low in best]


def ratio_limits(panels: tuple[LossPanel, ...]) -> tuple[float, float]:
    """The axis of R that all panels share."""
    ratios = [seed.ratio for panel in panels for seed in panel.seeds]
    return min(ratios) / 1.35, max(ratios) * 1.35


def draw_loss(panels: tuple[LossPanel, ...], *, units: Units) -> Figure:
    """One panel a budget, each with the same relative scale."""
    figure, grid, columns = panel_grid(len(panels), most_columns=NUM_COLUMNS, panel=(3.6, 3.9), share_x=True)
    for index, (axes, panel, limits) in enumerate(zip(grid, panels, loss_limits(panels), strict=True)):
        axes.set_xscale("log")
        axes.set_xlim(*ratio_limits(panels))
        axes.set_ylim(*limits)
        _draw_intervals(axes, panel)
        _draw_points(axes, panel)
        _draw_curve(axes, panel)
        _draw_best(axes, panel)
        ratio_axis(axes.xaxis, *axes.get_xlim())
        axes.tick_params(labelbottom=True)
        axes.set_title(panel.budget_text)
        axes.set_xlabel("R = depth / width")
        if index % columns == 0:
            axes.set_ylabel(f"test loss ({units.loss})")
    figure.supxlabel(textwrap.fill(_caption(panels[0]), 62 * columns), fontsize=8, color=MUTED, x=0.01, ha="left")
    return figure


def _caption(panel: LossPanel) -> str:
    """What the marks are, once for all panels."""
    words = [
        "dots: mean over seeds, with the number of layers",
        "dashes: single seeds",
        f"curve: fit in log R with its {panel.confidence:.0%} bootstrap band, dashed where it names no optimum",
        "hollow: outside the fit's window",
    ]
    return "; ".join(words)


def _draw_intervals(axes: Axes, panel: LossPanel) -> None:
    """The loss interval as a band over the whole height, the interaction interval as a bar on the floor."""
    _draw_loss_interval(axes, panel)
    interaction = panel.fit.interaction_interval
    if interaction is None or interaction.low is None or interaction.high is None:
        return
    floor = axes.get_xaxis_transform()
    low, high = interaction.low, interaction.high
    if low == high:
        axes.plot([low], [0.03], "s", ms=6, color=INTERACTION, transform=floor, zorder=3, clip_on=False)
    axes.plot([low, high], [0.03, 0.03], color=INTERACTION, lw=6, solid_capstyle="butt", transform=floor, zorder=3)
    if _place(axes, high) < ROOM_FOR_LABEL:
        at, offset, side, height = high, (8, 0), "left", "center"
    elif _place(axes, low) > 1 - ROOM_FOR_LABEL:
        at, offset, side, height = low, (-8, 0), "right", "center"
    else:  # the bar takes the whole width: above it
        at, offset, side, height = low, (0, 5), "left", "bottom"
    axes.annotate(
        "interaction interval", (at, 0.03), offset, floor, "offset points",
        ha=side, va=height, fontsize=8, color=INTERACTION,
    )  # fmt: skip


def _draw_loss_interval(axes: Axes, panel: LossPanel) -> None:
    """The ratios within delta of the best, where there is an optimum."""
    interval = panel.fit.loss_interval
    if interval is None:
        return
    axes.axvspan(interval.low, interval.high, color=GOOD, alpha=0.17, lw=0, zorder=0)
    for end, is_open in ((interval.low, interval.low_open), (interval.high, interval.high_open)):
        axes.axvline(end, color=GOOD, lw=1, ls=(0, (2, 3)) if is_open else "-", zorder=0)
    middle = math.sqrt(interval.low * interval.high)
    place = _place(axes, middle)
    side = "left" if place < 0.12 else "right" if place > 0.88 else "center"
    axes.annotate(
        f"within {interval.delta:.2g} of best" if interval.delta < 0.01 else f"within {interval.delta:.0%}",
        (middle, 1), ({"left": 4, "right": -4}.get(side, 0), -4), ("data", "axes fraction"), "offset points",
        ha=side, va="top", fontsize=8, color="#8a5f00",
    )  # fmt: skip


def _place(axes: Axes, ratio: float) -> float:
    """Where a ratio lies on the logarithmic axis: 0 at its left end, 1 at its right."""
    left, right = axes.get_xlim()
    return math.log(ratio / left) / math.log(right / left)


def _draw_points(axes: Axes, panel: LossPanel) -> None:
    """Seeds as small marks, means as dots with their depth; what lies above the scale as an arrow at its top."""
    top = axes.get_ylim()[1]
    seeds = [seed for seed in panel.seeds if seed.adjusted <= top]
    axes.plot([s.ratio for s in seeds], [s.adjusted for s in seeds], "_", color=MUTED, ms=9, mew=1.2, zorder=3)
    for point in panel.fit.points:
        if point.adjusted > top:
            axes.annotate("", (point.ratio, 1), (0, -14), ("data", "axes fraction"), "offset points",
                          arrowprops={"arrowstyle": "-|>", "color": INK, "lw": 1})  # fmt: skip
            axes.annotate(f"{point.depth}: {point.adjusted:.3g}", (point.ratio, 1), (0, -16), ("data", "axes fraction"),
                          "offset points", ha="center", va="top", fontsize=8, color=MUTED)  # fmt: skip
            continue
        face = INK if point.in_window else SURFACE
        axes.plot([point.ratio], [point.adjusted], "o", color=INK, mfc=face, ms=6, zorder=4)
        axes.annotate(str(point.depth), (point.ratio, point.adjusted), (6, 5), textcoords="offset points",
                      fontsize=8, color=INK)  # fmt: skip


def _draw_curve(axes: Axes, panel: LossPanel) -> None:
    curve = panel.fit.curve
    if curve is None:
        return
    if curve.low is not None and curve.high is not None:
        axes.fill_between(np.array(curve.ratio), curve.low, curve.high, color=FIT, alpha=0.16, lw=0, zorder=1)
    line = "-" if panel.fit.r_star.value is not None else (0, (4, 2))
    axes.plot(curve.ratio, curve.loss, color=FIT, lw=2, ls=line, zorder=2)


def _draw_best(axes: Axes, panel: LossPanel) -> None:
    """R* with its interval at its loss, or what keeps it from being named."""
    star, curve = panel.fit.r_star, panel.fit.curve
    low, high = axes.get_xlim()
    if star.value is None or curve is None or curve.loss_min is None:
        axes.annotate(status_text(star), (0.5, 0.13), xycoords="axes fraction",
                      ha="center", fontsize=9, color=BEST,
                      path_effects=[withStroke(linewidth=3, foreground=SURFACE)])  # fmt: skip
        return
    height = axes.get_ylim()[0] + 0.62 * (curve.loss_min - axes.get_ylim()[0])
    axes.plot([star.value, star.value], [height, curve.loss_min], color=BEST, lw=1.2, zorder=4)
    left, right = star.low or low, star.high or high
    axes.plot([left, right], [height, height], color=BEST, lw=2, zorder=4)
    for end, side, known in ((left, "<", star.low), (right, ">", star.high)):
        axes.plot([end], [height], "|" if known else side, color=BEST, ms=8, mew=2, zorder=4, clip_on=False)
    axes.plot([star.value], [curve.loss_min], "D", color=BEST, ms=6, mec=SURFACE, zorder=5)
    axes.annotate(f"R* = {star.value:.2g}", (right, height), (6, 0), textcoords="offset points", va="center",
                  fontsize=9, fontweight="bold", color=BEST)  # fmt: skip
