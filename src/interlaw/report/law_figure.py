"""R* against the budget: intervals, edges of the grid, both efficient intervals, and the law through the optima."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from interlaw.laws import BudgetFit, LawFit, LinePoint
from interlaw.report.figure import BUDGET_ON, Drawing, Figure, Panel, joined
from interlaw.report.look import BEST, FAINT, FIT, GOOD, INTERACTION, MUTED, SURFACE
from interlaw.report.loss_figure import DIAMOND, star_note
from interlaw.report.marks import Spec, interval_bars, layered, log_axis, marks
from interlaw.report.results import RunResults, by_treatment
from interlaw.report.wording import shape_name, span
from interlaw.shapes import format_size

MARGIN = 1.6  # of both axes, as a factor
BESIDE = 8  # pixels between the bar of R* and the green bar
POWERS = [10.0**power for power in range(2, 14)]  # ticks of an axis over many sizes
SIZE_LABEL = "replace(format(datum.value, '.3~s'), 'G', 'B')"  # 300k, 3M, 1B


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


def law_points(fit: LawFit) -> tuple[LawPoint, ...]:
    """The budgets, by size."""
    return tuple(
        LawPoint(
            params=each.params_mean,
            fit=each,
            grid_low=min(point.ratio for point in each.points),
            grid_high=max(point.ratio for point in each.points),
        )
        for each in fit.budgets
    )


def law_line(fit: LawFit) -> tuple[LinePoint, ...]:
    """R*(N) of the joint law from the first to the last budget with an optimum; nothing where it found no optimum."""
    optima = [each.params_mean for each in fit.budgets if each.r_star.value is not None]
    if fit.law is None or fit.law.status != "optimum" or len(optima) < 2:
        return ()
    return tuple(fit.law.ratio(float(size)) for size in np.geomspace(optima[0], optima[-1], 21))


def law_message(fit: LawFit) -> str:
    """Whether R* moves with the budget."""
    stability = fit.stability
    if stability is None or stability.gamma is None:
        return "R* is known at fewer than two budgets: whether it moves cannot be told"
    slope = f"R* goes as N^{stability.gamma:.2f}"
    interval = f" ({span(stability.low, stability.high, digits=2)})" if stability.low is not None else ""
    words = {"stable": "R* stays put", "moves": "R* moves with size"}
    return f"{words.get(stability.verdict, 'Whether R* moves cannot be told')}: {slope}{interval}"


def draw_law(fit: LawFit) -> Drawing:
    """The fit's own budgets: R*, intervals, the joint law."""
    points = law_points(fit)
    low, high = min(point.grid_low for point in points), max(point.grid_high for point in points)
    sizes = (points[0].params / MARGIN, points[-1].params * MARGIN)
    chart = layered(
        size_axis(sizes, [point.params for point in points]),
        log_axis("ratio", "R = depth / width", (low / MARGIN, high * MARGIN)),
        *line_layers(law_line(fit)),
        _tried(points),
        *_near(points),
        *star_layers(points),
    )
    caption = (
        "Orange diamond and bar: R* with its interval, an arrow where no bound is known; hollow triangle: the loss "
        "still falls at that end of the grid; hollow circle: best shape tried, no optimum. Gold: loss within "
        f"{100 * fit.delta:.2g}% of the best; green: efficient interaction; grey: shapes tried; blue: the law of all "
        "budgets together with its interval, drawn between budgets that have an optimum."
    )
    panel = Panel(chart=chart, title="Best depth / width against budget", width=520, height=340)
    return Drawing(message=law_message(fit), caption=caption, panels=(panel,))


def size_axis(limits: tuple[float, float], ticks: Sequence[float] = POWERS) -> Spec:
    """N, in words such as 3M, at the budgets themselves or at powers of ten."""
    inside = [tick for tick in ticks if limits[0] <= tick <= limits[1]]
    kept = inside[:: max(1, -(-len(inside) // 8))]
    return log_axis("params", "N, parameters", limits, ticks=kept, labelExpr=SIZE_LABEL)


def line_layers(line: Sequence[LinePoint]) -> list[Spec]:
    """The joint law with its band."""
    if not line:
        return []
    values = [{"params": each.params, "ratio": each.ratio, "low": each.low, "high": each.high} for each in line]
    return [
        marks(values, "area", x="params", y="low", y2="high", color=FIT, opacity=0.14, clip=True),
        marks(values, "line", x="params", y="ratio", color=FIT, clip=True),
    ]


def _tried(points: Sequence[LawPoint]) -> Spec:
    values = [
        {"params": point.params, "low": point.grid_low, "high": point.grid_high, "budget": point.fit.budget}
        for point in points
    ]
    return marks(values, "rule", x="params", y="low", y2="high", where=BUDGET_ON, color=FAINT, strokeWidth=1.4)


def _near(points: Sequence[LawPoint]) -> list[Spec]:
    """The loss interval around R*, and the interaction interval beside it."""
    gold, green = [], []
    for point in points:
        interval, interaction = point.fit.loss_interval, point.fit.interaction_interval
        of, size = {"params": point.params, "budget": point.fit.budget}, format_size(point.params)
        if interval is not None and point.fit.r_star.value is not None:
            said = f"{size}: loss as good as the best at R = {span(interval.low, interval.high)}"
            gold.append({**of, "low": interval.low, "high": interval.high, "said": said})
        if interaction is not None and interaction.low is not None and interaction.high is not None:
            said = f"{size}: efficient interaction at R = {span(interaction.low, interaction.high)}"
            wide = 1.03 if interaction.low == interaction.high else 1.0
            green.append({**of, "low": interaction.low / wide, "high": interaction.high * wide, "said": said})
    shown: Spec = {"x": "params", "y": "low", "y2": "high", "said": True, "where": BUDGET_ON}
    return [
        marks(gold, "rule", **shown, color=GOOD, opacity=0.4, strokeWidth=14),
        marks(green, "rule", **shown, color=INTERACTION, strokeWidth=5, xOffset=-BESIDE, x2Offset=-BESIDE),
    ]


def star_layers(points: Sequence[LawPoint]) -> list[Spec]:
    """R* with its interval; a hollow mark where there is none."""
    optima, hollow = [], []
    for point in points:
        star, of = point.fit.r_star, {"params": point.params, "budget": point.fit.budget}
        said = f"{format_size(point.params)}: {star_note(point.fit)}"
        if star.value is not None:
            ends = {"low": star.low or point.grid_low, "high": star.high or point.grid_high}
            open_ends = {"low_open": star.low is None, "high_open": star.high is None}
            optima.append({**of, **ends, **open_ends, "ratio": star.value, "said": said})
            continue
        best = f"; best shape tried: {shape_name(point.fit.best.depth, point.fit.best.width)}"
        at = {"low": point.grid_low, "high": point.grid_high}.get(star.edge or "", point.fit.best.ratio)
        form = {"low": "triangle-down", "high": "triangle-up"}.get(star.edge or "", "circle")
        colour = MUTED if form == "circle" else BEST
        hollow.append({**of, "ratio": at, "form": form, "colour": colour, "said": said + best})
    shown: Spec = {"x": "params", "y": "ratio", "said": True, "where": BUDGET_ON}
    as_named = {"type": "nominal", "scale": None, "legend": None}
    looks: Spec = {"shape": {"field": "form", **as_named}, "stroke": {"field": "colour", **as_named}}
    empty: Spec = {**looks, "fill": SURFACE, "fillOpacity": 1, "size": 90, "strokeWidth": 1.8}
    return [
        *interval_bars(optima, along="y", across="params", color=BEST, where=BUDGET_ON),
        marks(optima, "point", **shown, **{**DIAMOND, "size": 90}),
        marks(hollow, "point", **shown, **empty),
    ]


def law_of_run(results: RunResults) -> Drawing | None:
    """The figure of a run, once a treatment."""
    treated = by_treatment(results.analyses)
    return joined({treatment: draw_law(analyses[0].fit) for treatment, analyses in treated.items()})


LAW = Figure(name="best-ratio", title="Best depth / width against budget", draw=law_of_run)
