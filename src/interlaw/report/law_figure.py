"""R* against the budget: intervals, edges of the grid, both efficient intervals, and the law through the optima."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from interlaw import laws
from interlaw.report.figure import BUDGET_ON, Drawing, Panel
from interlaw.report.look import BEST, FAINT, FIT, GOOD, INTERACTION, MUTED, SURFACE
from interlaw.report.loss_figure import DIAMOND, LossPanel, draw_loss, star_ends, star_note
from interlaw.report.marks import Spec, interval_bars, layered, log_axis, marks
from interlaw.report.wording import budget_text, shape_name, span
from interlaw.size import format_size

MARGIN = 1.6  # of both axes, as a factor
BESIDE = 8  # pixels between the bar of R* and the green bar
POWERS = [10.0**power for power in range(2, 14)]  # ticks of an axis over many sizes
SIZE_LABEL = "replace(format(datum.value, '.3~s'), 'G', 'B')"  # 300k, 3M, 1B


def grid_of(fit: laws.BudgetFit) -> tuple[float, float]:
    """The smallest and the largest ratio tried."""
    ratios = [point.ratio for point in fit.points]
    return min(ratios), max(ratios)


def law_line(fit: laws.LawFit) -> tuple[laws.LinePoint, ...]:
    """R*(N) of the joint law from the first to the last budget with an optimum; nothing where the law has none."""
    optima = [each.params_mean for each in fit.budgets if each.r_star.value is not None]
    if fit.law is None or fit.law.status != "optimum" or len(optima) < 2:
        return ()
    return tuple(fit.law.ratio(float(size)) for size in np.geomspace(optima[0], optima[-1], 21))


def law_message(fit: laws.LawFit) -> str:
    """Whether R* moves with the budget."""
    stability = fit.stability
    if stability is None or stability.gamma is None:
        return "R* is known at fewer than two budgets: whether it moves cannot be told"
    slope = f"R* goes as N^{stability.gamma:.2f}"
    interval = f" ({span(stability.low, stability.high, form='.2g')})" if stability.low is not None else ""
    words = {"stable": "R* stays put", "moves": "R* moves with size"}
    return f"{words.get(stability.verdict, 'Whether R* moves cannot be told')}: {slope}{interval}"


def draw_law(fit: laws.LawFit) -> Drawing:
    """The fit's own budgets: R*, intervals, the joint law."""
    ends = [end for each in fit.budgets for end in grid_of(each)]
    sizes = [each.params_mean for each in fit.budgets]
    tried = [{**_place(each), **dict(zip(("low", "high"), grid_of(each), strict=True))} for each in fit.budgets]
    chart = layered(
        size_axis((sizes[0] / MARGIN, sizes[-1] * MARGIN), sizes),
        log_axis("ratio", "R = depth / width", limits=(min(ends) / MARGIN, max(ends) * MARGIN)),
        *line_layers(law_line(fit)),
        marks(tried, "rule", x="params", y="low", y2="high", where=BUDGET_ON, color=FAINT, strokeWidth=1.4),
        *_near(fit.budgets),
        *star_layers(fit.budgets),
    )
    caption = (
        "Orange diamond and bar: R* with its interval, an arrow where no bound is known; hollow triangle: the loss "
        "still falls at that end of the grid; hollow circle: best shape tried, no optimum. Gold: loss within "
        f"{100 * fit.delta:.2g}% of the best; green: efficient interaction; grey: shapes tried; blue: the law of all "
        "budgets together with its interval, drawn between budgets that have an optimum."
    )
    panel = Panel(chart=chart, title="Best depth / width against budget", width=520, height=340)
    return Drawing(message=law_message(fit), caption=caption, panels=(panel,))


def draw_fit(fit: laws.LawFit) -> Drawing:
    """The panels of the loss and, with several budgets, of the law; a fit knows shapes, not their seeds."""
    panels = [LossPanel(fit=each, seeds=(), budget_text=budget_text(each.budget, "params")) for each in fit.budgets]
    loss = draw_loss(panels, loss_unit="as in the table", confidence=fit.confidence)
    if len(fit.budgets) < 2:
        return loss
    law, beside = draw_law(fit), loss.panels[0]
    last = replace(law.panels[0], note="grey: shapes tried; blue: the law", width=beside.width, height=beside.height)
    return replace(loss, message=law.message, panels=(*loss.panels, last))


def size_axis(limits: tuple[float, float], ticks: Sequence[float] = POWERS) -> Spec:
    """N, in words such as 3M, at the budgets themselves or at powers of ten."""
    inside = [tick for tick in ticks if limits[0] <= tick <= limits[1]]
    kept = inside[:: max(1, -(-len(inside) // 8))]
    return log_axis("params", "N, parameters", limits=limits, ticks=kept, labelExpr=SIZE_LABEL)


def line_layers(line: Sequence[laws.LinePoint]) -> list[Spec]:
    """The joint law with its band."""
    if not line:
        return []
    values = [{"params": each.params, "ratio": each.ratio, "low": each.low, "high": each.high} for each in line]
    return [
        marks(values, "area", x="params", y="low", y2="high", color=FIT, opacity=0.14, clip=True),
        marks(values, "line", x="params", y="ratio", color=FIT, clip=True),
    ]


def _place(fit: laws.BudgetFit) -> dict[str, float]:
    return {"params": fit.params_mean, "budget": fit.budget}


def _near(fits: Sequence[laws.BudgetFit]) -> list[Spec]:
    """The loss interval around R*, and the interaction interval beside it."""
    gold, green = [], []
    for fit in fits:
        interval, interaction = fit.loss_interval, fit.interaction_interval
        of, size = _place(fit), format_size(fit.params_mean)
        if interval is not None and fit.r_star.value is not None:
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


def star_layers(fits: Sequence[laws.BudgetFit]) -> list[Spec]:
    """R* with its interval; a hollow mark where there is none."""
    optima, hollow = [], []
    for fit in fits:
        star, of, (low, high) = fit.r_star, _place(fit), grid_of(fit)
        said = f"{format_size(fit.params_mean)}: {star_note(fit)}"
        if star.value is not None:
            optima.append({**of, **star_ends(fit, (low, high)), "ratio": star.value, "said": said})
            continue
        best = f"; best shape tried: {shape_name(fit.best.depth, fit.best.width)}"
        at = {"low": low, "high": high}.get(star.edge or "", fit.best.ratio)
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
