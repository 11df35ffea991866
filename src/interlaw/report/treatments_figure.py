"""What the learning-rate treatment does: loss against R under each, a panel a budget, and R* side by side."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from interlaw.laws import TreatedBudget, TreatmentComparison
from interlaw.report.saving import write_figure
from interlaw.report.style import BEST, FIT, INK, INTERACTION, MUTED, SURFACE, panel_grid, ratio_axis
from interlaw.report.wording import Units, budget_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = (FIT, BEST, INTERACTION, MUTED, INK, "#8a5f00")
MARKS = ("o", "D", "s", "^", "v", "P")
MOST_COLUMNS = 3
CEILING = 0.3  # losses above the panel's best by more than this are left above the scale


@dataclass(frozen=True, kw_only=True)
class TreatmentPanel:
    """One budget: its minimum and curve under each treatment, in the order of the comparison."""

    title: str
    treated: tuple[TreatedBudget, ...]


def treatment_panels(comparison: TreatmentComparison, *, budget_kind: str) -> tuple[TreatmentPanel, ...]:
    """The plotted numbers, one panel a budget, by size."""
    sizes = sorted({each.budget for each in comparison.budgets})
    return tuple(
        TreatmentPanel(
            title=budget_text(size, budget_kind),
            treated=tuple(each for each in comparison.budgets if each.budget == size),
        )
        for size in sizes
    )


def draw_treatments(panels: tuple[TreatmentPanel, ...], *, units: Units, confidence: float) -> Figure:
    """Curves and shape means above, R* with its interval below, for each budget."""
    names = list(dict.fromkeys(each.treatment for panel in panels for each in panel.treated))
    looks = {name: (COLOURS[i % len(COLOURS)], MARKS[i % len(MARKS)]) for i, name in enumerate(names)}
    columns = min(MOST_COLUMNS, len(panels))
    figure, grid, _ = panel_grid(len(panels), most_columns=MOST_COLUMNS, panel=(4.4, 4.6), share_x=True)
    ratios = [point.ratio for panel in panels for each in panel.treated for point in each.points]
    for index, (axes, panel) in enumerate(zip(grid, panels, strict=True)):
        axes.set_xscale("log")
        axes.set_xlim(min(ratios) / 1.3, max(ratios) * 1.3)
        losses = [point.adjusted for each in panel.treated for point in each.points]
        low, high = min(losses), min(max(losses), min(losses) * (1 + CEILING))
        room = 0.075 * (len(panel.treated) + 1)  # for the intervals, as a part of the axis
        axes.set_ylim(low - (high - low) * room / (1 - room) - 0.03 * (high - low), high + 0.06 * (high - low))
        for place, each in enumerate(panel.treated):
            _draw_losses(axes, each, *looks[each.treatment])
            _draw_star(axes, each, *looks[each.treatment], height=0.05 + 0.065 * (len(panel.treated) - 1 - place))
        ratio_axis(axes.xaxis, *axes.get_xlim())
        axes.xaxis.set_minor_locator(NullLocator())
        axes.tick_params(labelbottom=True)
        axes.set_title(panel.title)
        axes.set_xlabel("R = depth / width")
        if index % columns == 0:
            axes.set_ylabel(f"test loss ({units.loss})")
    handles = [Line2D([], [], color=c, marker=m, lw=2, ms=6, label=name) for name, (c, m) in looks.items()]
    figure.legend(handles=handles, loc="outside upper left", ncols=len(handles), frameon=False, fontsize=9.5)
    note = f"bars: R* with its {confidence:.0%} interval; an arrow has no bound; hollow: a minimum at the grid's edge"
    figure.supxlabel(note, fontsize=8, color=MUTED, x=0.01, ha="left")
    return figure


def write_treatments_figure(
    path: str | Path, comparison: TreatmentComparison, *, budget_kind: str, units: Units
) -> Path:
    """Writes the figure as PNG, SVG or PDF, by the name's ending.

    Raises:
        InterlawError: When the ending is none of these, or the file cannot be written.
    """
    panels = treatment_panels(comparison, budget_kind=budget_kind)
    return write_figure(path, partial(draw_treatments, panels, units=units, confidence=comparison.confidence))


def _draw_losses(axes: Axes, each: TreatedBudget, colour: str, mark: str) -> None:
    """Shape means and the fitted curve; what lies above the scale as an arrow at its top."""
    top = axes.get_ylim()[1]
    shown = [point for point in each.points if point.adjusted <= top]
    axes.plot([p.ratio for p in shown], [p.adjusted for p in shown], mark, color=colour, ms=5, alpha=0.85, zorder=4)
    for point in each.points:
        if point.adjusted > top:
            axes.annotate("", (point.ratio, 1), (0, -12), ("data", "axes fraction"), "offset points",
                          arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 1})  # fmt: skip
    if each.curve is not None:
        if each.curve.low is not None and each.curve.high is not None:
            axes.fill_between(each.curve.ratio, each.curve.low, each.curve.high, color=colour, alpha=0.1, lw=0)
        axes.plot(each.curve.ratio, each.curve.loss, color=colour, lw=2, zorder=3)


def _draw_star(axes: Axes, each: TreatedBudget, colour: str, mark: str, *, height: float) -> None:
    """R* with its interval on the floor, or the edge of the grid that the loss falls towards."""
    star, floor = each.r_star, axes.get_xaxis_transform()
    left, right = axes.get_xlim()
    ends = {"low": min(p.ratio for p in each.points), "high": max(p.ratio for p in each.points)}
    if star.value is None:
        if star.edge is not None:
            axes.plot([ends[star.edge]], [height], mark, color=colour, mfc=SURFACE, ms=7, mew=1.6, transform=floor)
        return
    low, high = star.low or left, star.high or right
    axes.plot([low, high], [height, height], color=colour, lw=2, transform=floor, zorder=4)
    for end, known, arrow in ((low, star.low, "<"), (high, star.high, ">")):
        axes.plot([end], [height], "|" if known else arrow, color=colour, ms=7, mew=1.8, transform=floor, clip_on=False)
    axes.plot([star.value], [height], mark, color=colour, ms=7, mec=SURFACE, transform=floor, zorder=5)
