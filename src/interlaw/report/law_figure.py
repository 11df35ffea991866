"""R* against the budget: intervals, edges as arrows, both efficient intervals, and what others published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator

from interlaw.laws import BudgetFit, LinePoint, published_laws, status_text
from interlaw.published import RatioPoint, published_ratio_points
from interlaw.report.results import Analysis
from interlaw.report.style import BEST, FAINT, FIT, GOOD, INTERACTION, MUTED, SURFACE, panel_grid, ratio_axis
from interlaw.shapes import format_size

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARGIN = 1.6
MOST_LABELLED = 6


@dataclass(frozen=True, kw_only=True)
class LawPoint:
    """One budget.

    Attributes:
        params: Geometric mean of the shapes' parameters.
        fit: R*, intervals, best shape.
        grid_low: Smallest ratio tried.
        grid_high: Largest.
    """

    params: float
    fit: BudgetFit
    grid_low: float
    grid_high: float


@dataclass(frozen=True, kw_only=True)
class PublishedLine:
    """What a published statement says over the sizes that it speaks of."""

    name: str
    source: str
    statement: str
    params: tuple[float, ...]
    ratio: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class LawNumbers:
    """What is drawn: the budgets, the joint law's line where it has one, published lines and models."""

    points: tuple[LawPoint, ...]
    line: tuple[LinePoint, ...]
    published: tuple[PublishedLine, ...]
    models: tuple[RatioPoint, ...]


def law_numbers(analysis: Analysis) -> LawNumbers:
    """The plotted numbers of a treatment's fit."""
    return LawNumbers(
        points=law_points(analysis),
        line=law_line(analysis),
        published=published_lines(),
        models=tuple(published_ratio_points()),
    )


def law_line(analysis: Analysis) -> tuple[LinePoint, ...]:
    """R*(N) of the joint law between the smallest and the largest budget; nothing where it found no optimum."""
    law, budgets = analysis.fit.law, analysis.fit.budgets
    if law is None or law.status != "optimum":
        return ()
    sizes = np.geomspace(budgets[0].params_mean, budgets[-1].params_mean, 21)
    return tuple(law.ratio(float(size)) for size in sizes)


def law_points(analysis: Analysis) -> tuple[LawPoint, ...]:
    """The budgets, by size."""
    return tuple(
        LawPoint(
            params=fit.params_mean,
            fit=fit,
            grid_low=min(point.ratio for point in fit.points),
            grid_high=max(point.ratio for point in fit.points),
        )
        for fit in analysis.fit.budgets
    )


def published_lines() -> tuple[PublishedLine, ...]:
    """Every published law that states a best ratio, over the range of sizes that it covers and no further."""
    lines = []
    for law in published_laws():
        stated = [size for size, _ in law.points]
        sizes = stated if len(stated) > 1 else np.unique(np.geomspace(law.params_low, law.params_high, 41))
        pairs = [(float(size), ratio) for size in sizes if (ratio := law.ratio(float(size))) is not None]
        if pairs:
            params, ratios = zip(*pairs, strict=True)
            lines.append(
                PublishedLine(name=law.name, source=law.source, statement=law.statement, params=params, ratio=ratios)
            )
    return tuple(lines)


def draw_law(numbers: LawNumbers) -> Figure:
    """The run's own budgets, near: R*, intervals, the joint law."""
    figure, (axes,), _ = panel_grid(1, most_columns=1, panel=(6.4, 4.6))
    points = numbers.points
    _frame(axes, (points[0].params / MARGIN, points[-1].params * MARGIN), _ratio_limits(points))
    _draw_line(axes, numbers.line)
    for index, point in enumerate(points):
        _draw_budget(axes, point)
        if len(points) <= MOST_LABELLED or index == len(points) - 1:
            _label_star(axes, point)
    axes.xaxis.set_major_locator(FixedLocator([point.params for point in points]))
    figure.legend(handles=_legend(numbers), loc="outside lower left", ncols=2, fontsize=8.5, frameon=False)
    return figure


def _legend(numbers: LawNumbers) -> list[Line2D]:
    """What the colours say, as far as they occur."""
    fits = [point.fit for point in numbers.points]
    found = [Line2D([], [], color=BEST, marker="D", lw=2, ms=6, label="R* with its interval; an arrow has no bound")]
    near = [fit.loss_interval.delta for fit in fits if fit.loss_interval is not None]
    if near:
        label = f"loss within {100 * near[0]:.3g}% of the best"
        found.append(Line2D([], [], color=GOOD, alpha=0.35, lw=9, label=label))
    if any(fit.interaction_interval is not None for fit in fits):
        found.append(Line2D([], [], color=INTERACTION, lw=4, label="efficient interaction"))
    if numbers.line:
        found.append(Line2D([], [], color=FIT, lw=1.5, label="law of all budgets together"))
    return [*found, Line2D([], [], color=FAINT, lw=1.2, label="shapes tried")]


def draw_law_among_published(numbers: LawNumbers) -> Figure:
    """The run's R* beside published laws (each over the sizes it speaks of) and published models."""
    figure, (axes,), _ = panel_grid(1, most_columns=1, panel=(8.2, 4.9))
    points, models = numbers.points, numbers.models
    ratios = [model.ratio for model in models]
    stars = [end for point in points for end in _star_ends(point)]
    lines = [ratio for line in numbers.published for ratio in line.ratio]
    highest = max(model.params for model in models)
    limits = (min(*stars, *lines, *ratios) / 1.5, max(*stars, *lines, *ratios) * 1.4)
    _frame(axes, (points[0].params / 2, highest * 4), limits)
    axes.plot([m.params for m in models], ratios, "o", ms=3.5, mfc=FAINT, mec=MUTED, mew=0.4, zorder=1)
    axes.annotate("published models", (highest, min(ratios)), (0, -4), textcoords="offset points", ha="right",
                  va="top", fontsize=8, color=MUTED)  # fmt: skip
    _draw_published(axes, numbers.published)
    _draw_line(axes, numbers.line)
    for point in points:
        _draw_star(axes, point, size=6)
    named = [point for point in points if point.fit.r_star.value is not None]
    if named:
        _label(axes, named[-1].params, named[-1].fit.r_star.value or 0.0, "this run", BEST)
    axes.xaxis.set_major_locator(FixedLocator([10.0**power for power in range(3, 12)]))
    return figure


def _frame(axes: Axes, params: tuple[float, float], ratios: tuple[float, float]) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(*params)
    axes.set_ylim(*ratios)
    ratio_axis(axes.yaxis, *ratios)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda value, _: format_size(float(f"{value:.3g}")))
    axes.set_xlabel("N, parameters")
    axes.set_ylabel("R = depth / width")


def _ratio_limits(points: tuple[LawPoint, ...]) -> tuple[float, float]:
    return min(point.grid_low for point in points) / 1.5, max(point.grid_high for point in points) * 1.5


def _star_ends(point: LawPoint) -> tuple[float, float]:
    """What the mark of R* spans: its interval, or the measured shape that stands for it."""
    star = point.fit.r_star
    if star.value is not None:
        return star.low or point.grid_low, star.high or point.grid_high
    ends = {"low": point.grid_low, "high": point.grid_high}
    ratio = ends.get(star.edge or "", point.fit.best.ratio)
    return ratio, ratio


def _draw_line(axes: Axes, line: tuple[LinePoint, ...]) -> None:
    """The joint law over the budgets that it was fitted to."""
    params = [point.params for point in line]
    axes.fill_between(params, [p.low for p in line], [p.high for p in line], color=FIT, alpha=0.14, lw=0, zorder=1)
    axes.plot(params, [point.ratio for point in line], color=FIT, lw=1.5, zorder=2)


def _draw_budget(axes: Axes, point: LawPoint) -> None:
    """The grid tried, the loss interval, the interaction interval beside it, R* on top."""
    fit, size = point.fit, point.params
    interval, interaction = fit.loss_interval, fit.interaction_interval
    axes.plot([size] * 2, [point.grid_low, point.grid_high], color=FAINT, lw=1.2, zorder=1)
    if interval is not None:
        ends = [interval.low, interval.high]
        axes.plot([size] * 2, ends, color=GOOD, lw=13, alpha=0.35, solid_capstyle="butt", zorder=2)
    if interaction is not None and interaction.low is not None and interaction.high is not None:
        beside, ends = size * 0.93, [interaction.low, interaction.high]
        axes.plot([beside] * 2, ends, color=INTERACTION, lw=4, solid_capstyle="butt", zorder=3)
        axes.plot([beside] * 2, ends, "s", color=INTERACTION, ms=4, zorder=3)
    _draw_star(axes, point, size=8)


def _label_star(axes: Axes, point: LawPoint) -> None:
    fit, size = point.fit, point.params
    star = fit.r_star
    if star.value is not None:
        _label(axes, size, star.value, f"R* = {star.value:.2g}", BEST)
    else:
        colour = BEST if star.status == "edge" else MUTED
        _label(axes, size, _star_ends(point)[0], status_text(star), colour)


def _draw_star(axes: Axes, point: LawPoint, *, size: float) -> None:
    """R* with its interval; an arrow where the data set no bound or the minimum is at the edge of the grid."""
    star, params = point.fit.r_star, point.params
    if star.value is not None:
        ends = _star_ends(point)
        axes.plot([params] * 2, ends, color=BEST, lw=2, zorder=4)
        for end, known, arrow in ((ends[0], star.low, "v"), (ends[1], star.high, "^")):
            axes.plot([params], [end], "_" if known else arrow, color=BEST, ms=size + 1, mew=2, zorder=4)
        axes.plot([params], [star.value], "D", color=BEST, ms=size, mec=SURFACE, zorder=5)
    elif star.status == "edge":
        axes.plot(
            [params],
            [_star_ends(point)[0]],
            "v" if star.edge == "low" else "^",
            color=BEST,
            ms=size + 2,
            mfc=SURFACE,
            mew=1.6,
            zorder=5,
        )
    else:
        axes.plot([params], [point.fit.best.ratio], "o", color=MUTED, mfc=SURFACE, ms=size - 1, zorder=4)


def _label(axes: Axes, size: float, ratio: float, text: str, colour: str) -> None:
    axes.annotate(text, (size, ratio), (11, 9), textcoords="offset points", va="center", fontsize=9, color=colour,
                  fontweight="bold", zorder=6)  # fmt: skip


def _draw_published(axes: Axes, lines: tuple[PublishedLine, ...]) -> None:
    """Thin lines, named in the right margin in the order of their ends."""
    low, high = np.log(axes.get_ylim())
    step, place = 0.045 * (high - low), -np.inf
    right = axes.get_xlim()[1]
    shown = [[pair for pair in zip(line.params, line.ratio, strict=True) if pair[0] <= right] for line in lines]
    for line, points in sorted(zip(lines, shown, strict=True), key=lambda each: each[1][-1][1]):
        params, ratios = zip(*points, strict=True)
        axes.plot(params, ratios, "-" if len(points) > 1 else ".", color=FIT, lw=1.1, alpha=0.75, zorder=2)
        place = max(np.log(ratios[-1]), place + step)
        name = np.exp(place)
        axes.plot([params[-1], right], [ratios[-1], name], color=FAINT, lw=0.6, zorder=0)
        axes.annotate(line.name, (right, float(name)), (4, 0), textcoords="offset points", va="center", fontsize=8,
                      color=FIT, annotation_clip=False)  # fmt: skip
