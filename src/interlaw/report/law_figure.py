"""R* against the budget: intervals, edges of the grid, both efficient intervals, and the law through the optima."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from interlaw import laws
from interlaw.plain import Json
from interlaw.report import look
from interlaw.report.figure import BUDGET_ON, Drawing, Panel
from interlaw.report.loss_figure import DIAMOND, LossPanel, draw_loss, interval_rows, star_ends, star_note
from interlaw.report.marks import Spec, interval_bars, layered, log_axis, marks
from interlaw.report.wording import shape_name
from interlaw.size import UNEVEN, format_range, format_share, format_size

MARGIN = 1.6  # of both axes, as a factor: room for the marks of the first and last budget
BESIDE = 8  # pixels between the bar of R* and the green bar: half of the gold bar, and a gap
NUM_SIZES = 21  # of the law's line, which is straight: its band is not
POWERS = {10.0**power: format_size(10.0**power) for power in range(2, 14)}  # ticks of an axis over many sizes
MOST_SIZES = 8  # ticks: more would overlap in a panel of 300 pixels


def grid_of(fit: laws.BudgetFit) -> tuple[float, float]:
    """The smallest and the largest ratio tried."""
    ratios = [point.ratio for point in fit.points]
    return min(ratios), max(ratios)


def law_line(fit: laws.LawFit) -> tuple[laws.LinePoint, ...]:
    """R*(N) of the joint law from the first to the last budget with an optimum; nothing where the law has none."""
    optima = [each.params_mean for each in fit.budgets if each.r_star.value is not None]
    if fit.law is None or fit.law.status != "optimum" or len(optima) < 2:
        return ()
    return tuple(fit.law.ratio(float(size)) for size in np.geomspace(optima[0], optima[-1], NUM_SIZES))


def law_message(fit: laws.LawFit) -> str:
    """Whether R* moves with the budget."""
    stability = fit.stability
    if stability is None or stability.gamma is None:
        return "R* is known at fewer than two budgets, which cannot tell whether it moves"
    slope = f"R* goes as N^{stability.gamma:.2f}"
    interval = f" ({format_range(stability.low, stability.high, form='.2g')})" if stability.low is not None else ""
    words = {"stable": "R* stays put", "moves": "R* moves with size"}
    return f"{words.get(stability.verdict, 'These budgets cannot tell whether R* moves')}: {slope}{interval}"


def draw_law(fit: laws.LawFit) -> Drawing:
    """The fit's own budgets: R*, intervals, the joint law."""
    ends = [end for each in fit.budgets for end in grid_of(each)]
    sizes = {each.params_mean: size_text(each) for each in fit.budgets}
    tried = [{**_place(each), "low": grid_of(each)[0], "high": grid_of(each)[1]} for each in fit.budgets]
    chart = layered(
        size_axis((min(sizes) / MARGIN, max(sizes) * MARGIN), sizes),
        log_axis("ratio", "R = depth / width", limits=(min(ends) / MARGIN, max(ends) * MARGIN)),
        *line_layers(law_line(fit)),
        marks(tried, "rule", x="params", y="low", y2="high", where=BUDGET_ON, color=look.FAINT, strokeWidth=look.THIN),
        *_near(fit.budgets),
        *star_layers(fit.budgets),
    )
    caption = (
        f"Orange diamond and bar: R* with its {fit.confidence:.0%} interval, an arrow where no bound is known; hollow "
        "triangle: the loss still falls at that end of the grid; hollow circle: best shape tried, no optimum. Gold: "
        f"loss within {format_share(fit.delta)} of the best; green: efficient interaction; grey: shapes tried; blue: "
        "the law of all budgets together with its interval, drawn between budgets that have an optimum."
    )
    panel = Panel(chart=chart, title="Best depth / width against budget", **look.ALONE)
    return Drawing(message=law_message(fit), caption=caption, panels=(panel,))


def draw_fit(fit: laws.LawFit) -> Drawing:
    """The panels of the loss and, with several budgets, of the law; a fit knows shapes, not their seeds."""
    panels = [LossPanel(fit=each) for each in fit.budgets]
    loss = draw_loss(panels, loss_unit="as in the table", confidence=fit.confidence)
    if len(fit.budgets) < 2:
        return loss
    law, beside = draw_law(fit), loss.panels[0]
    last = replace(law.panels[0], note="grey: shapes tried; blue: the law", width=beside.width, height=beside.height)
    return replace(loss, message=law.message, panels=(*loss.panels, last))


def size_text(fit: laws.BudgetFit) -> str:
    """The size of a budget's shapes: as its heading says where the budget counts their parameters."""
    counts = fit.kind == "params" if fit.kind else abs(fit.budget / fit.params_mean - 1) < UNEVEN
    return format_size(fit.budget if counts else fit.params_mean)


def size_axis(limits: tuple[float, float], ticks: Mapping[float, str] = POWERS) -> Spec:
    """N, in words such as 3M, at the budgets themselves or at powers of ten."""
    inside = [tick for tick in ticks if limits[0] <= tick <= limits[1]]
    kept = inside[:: math.ceil(len(inside) / MOST_SIZES) or 1]
    words = f"{json.dumps([ticks[tick] for tick in kept])}[indexof({json.dumps(kept)}, datum.value)]"
    return log_axis("params", "N, parameters", limits=limits, ticks=kept, labelExpr=words)


def line_layers(line: Sequence[laws.LinePoint]) -> list[Spec]:
    """The joint law with its band."""
    if not line:
        return []
    values = [vars(each) for each in line]
    return [
        marks(values, "area", x="params", y="low", y2="high", color=look.FIT, opacity=look.TINT, clip=True),
        marks(values, "line", x="params", y="ratio", color=look.FIT, clip=True),
    ]


def _place(fit: laws.BudgetFit) -> dict[str, float]:
    return {"params": fit.params_mean, "budget": fit.budget}


def _near(fits: Sequence[laws.BudgetFit]) -> list[Spec]:
    """The loss interval around R*, and the interaction interval beside it."""
    gold: list[Json] = []
    green: list[Json] = []
    for fit in fits:
        for kept, rows in zip((gold, green), interval_rows(fit), strict=True):
            kept += [{**row, **_place(fit), "said": f"{size_text(fit)}: {row['said']}"} for row in rows]
    shown: Spec = {"x": "params", "y": "low", "y2": "high", "said": True, "where": BUDGET_ON}
    return [
        marks(gold, "rule", **shown, color=look.GOOD, opacity=look.HALF, strokeWidth=look.BROAD),
        marks(green, "rule", **shown, color=look.INTERACTION, strokeWidth=look.BAR, xOffset=-BESIDE, x2Offset=-BESIDE),
    ]


def star_layers(fits: Sequence[laws.BudgetFit]) -> list[Spec]:
    """R* with its interval; a hollow mark where there is none."""
    optima, hollow = [], []
    for fit in fits:
        star, of, (low, high) = fit.r_star, _place(fit), grid_of(fit)
        said = f"{size_text(fit)}: {star_note(fit)}"
        if star.value is not None:
            optima.append({**of, **star_ends(fit, (low, high)), "ratio": star.value, "said": said})
            continue
        said += f"; best shape tried: {shape_name(fit.best.depth, fit.best.width)}"
        edges = {"low": (low, "triangle-down", look.BEST), "high": (high, "triangle-up", look.BEST)}
        at, form, colour = edges.get(star.edge or "", (fit.best.ratio, "circle", look.MUTED))
        hollow.append({**of, "ratio": at, "form": form, "colour": colour, "said": said})
    shown: Spec = {"x": "params", "y": "ratio", "said": True, "where": BUDGET_ON}
    as_named = {"type": "nominal", "scale": None, "legend": None}
    looks: Spec = {"shape": {"field": "form", **as_named}, "stroke": {"field": "colour", **as_named}}
    empty: Spec = {**looks, "fill": look.SURFACE, "fillOpacity": 1, "size": look.LARGE, "strokeWidth": look.LINE}
    return [
        *interval_bars(optima, along="y", across="params", color=look.BEST, where=BUDGET_ON),
        marks(optima, "point", **shown, **DIAMOND),
        marks(hollow, "point", **shown, **empty),
    ]
