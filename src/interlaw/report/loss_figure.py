"""Loss against depth / width, a panel a budget: seeds, means, the fitted curve, R* and both efficient intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from interlaw import laws
from interlaw.plain import Json
from interlaw.report import look
from interlaw.report.figure import SEED_ON, Drawing, Panel, chosen_opacity
from interlaw.report.marks import SIGN, Spec, interval_bars, layered, linear_axis, log_axis, marks, when
from interlaw.report.results import Analysis, RunResults
from interlaw.report.wording import budget_text, number, shape_name
from interlaw.size import format_range, format_ratio, format_share

# the scale reaches over at least this above the best mean, twice what the fit takes in, and over at least this part of
# each panel's shapes; what lies above is an arrow at the top, so that one bad shape does not flatten the rest
LEAST_REACH, LEAST_SHOWN = 0.2, 0.75
LEAST_SPAN = 0.01  # of the best loss: a scale of less would show the noise of seeds as differences
TURNS = ("optimum", "open")  # what is said of an R* whose curve is drawn: it turns inside the grid
ROOM_BELOW = 0.3  # of the reach above: for R* with its interval and the interaction bar
ROOM_ABOVE = 0.04  # so that the highest mark stands inside its panel
MARGIN = 1.35  # of the axis of R beyond the shapes tried, as a factor: room for bars that have no bound
FEW_TICKS = 5  # of R, whose labels are long
DIGIT = 0.02  # of the axis that a digit of a number of layers takes: 6 of a panel's 300 pixels
BEYOND = "triangle-up"  # what lies above the scale
NUMBER: Spec = {"baseline": "bottom", "fontSize": 10, "color": look.MUTED}
# the mark of R* in every figure
DIAMOND: Spec = {
    "shape": "diamond", "size": look.LARGE, "filled": True, "color": look.BEST,
    "stroke": look.SURFACE, "strokeWidth": look.THIN,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class LossPanel:
    """What is drawn of one budget: means, curve, R* and intervals of the fit, and the trials behind the means.

    A row of `seeds` holds `key`, `seed`, `depth`, `width`, `ratio`, `loss`, and `adjusted`, its loss at the budget's
    mean parameters; there are none where there is only a fit.
    """

    fit: laws.BudgetFit
    seeds: tuple[Json, ...] = ()

    @property
    def places(self) -> list[tuple[float, float]]:
        """Ratio and loss of every mean and seed."""
        means = [(point.ratio, point.adjusted) for point in self.fit.points]
        return means + [(seed["ratio"], seed["adjusted"]) for seed in self.seeds]

    @property
    def lowest(self) -> float:
        """The lowest loss that is drawn, the band of the curve with it."""
        curve = self.fit.curve
        band = curve.low if curve is not None and self.fit.r_star.status in TURNS else None
        return min([*(loss for _, loss in self.places), *(band or ())])


class Limits(NamedTuple):
    """The ends of an axis of losses."""

    floor: float
    top: float


def loss_panels(analysis: Analysis) -> tuple[LossPanel, ...]:
    """The plotted numbers, one panel a budget, by size."""
    done = analysis.table[analysis.table["status"] == "done"]
    panels = []
    for fit in analysis.fit.budgets:
        of_budget = done[done["budget"] == fit.budget]
        shift = {(point.depth, point.width): point.adjusted / point.loss for point in fit.points}
        seeds: list[Any] = of_budget[["key", "seed", "depth", "width", "ratio", "loss"]].to_dict(orient="records")
        for row in seeds:
            row["adjusted"] = row["loss"] * shift.get((row["depth"], row["width"]), 1.0)
        panels.append(LossPanel(fit=fit, seeds=tuple(seeds)))
    return tuple(panels)


def loss_limits(panels: Sequence[LossPanel]) -> list[Limits]:
    """Each panel's axis: the same relative reach about its best mean, so that curvatures compare, and room around."""
    best = [min(point.adjusted for point in panel.fit.points) for panel in panels]
    losses = [[loss / low - 1 for _, loss in panel.places] for panel, low in zip(panels, best, strict=True)]
    means = [[point.adjusted / low - 1 for point in panel.fit.points] for panel, low in zip(panels, best, strict=True)]
    wanted = max(LEAST_REACH, *(float(np.quantile(each, LEAST_SHOWN, method="higher")) for each in means))
    above = max(LEAST_SPAN, min(wanted, max(map(max, losses))))
    lowest = min(panel.lowest / low for panel, low in zip(panels, best, strict=True))
    below = max(ROOM_BELOW * above, (1 + ROOM_BELOW) * (1 - lowest))
    return [Limits(floor=low * (1 - below), top=low * (1 + (1 + ROOM_ABOVE) * above)) for low in best]


def ratio_limits(panels: Sequence[LossPanel]) -> tuple[float, float]:
    """The axis of R that all panels share."""
    ratios = [ratio for panel in panels for ratio, _ in panel.places]
    return float(f"{min(ratios) / MARGIN:.4g}"), float(f"{max(ratios) * MARGIN:.4g}")


def loss_message(fits: Sequence[laws.BudgetFit]) -> str:
    """What the panels show, in a sentence."""
    stars = [fit.r_star.value for fit in fits if fit.r_star.value is not None]
    if not stars:
        turned = sum(fit.r_star.status == "open" for fit in fits)
        if not turned:
            return "No budget shows a best depth / width inside the shapes tried"
        where = "" if turned == len(fits) else f" at {turned} of {len(fits)} budgets"
        return f"The loss turns inside the shapes tried{where}, but R* is not bounded on both sides"
    missing = len(fits) - len(stars)
    rest = f"; {missing} of {len(fits)} budgets {'show' if missing > 1 else 'shows'} no optimum" if missing else ""
    return f"Loss is lowest at R = {stars_text(stars)}{rest}"


def stars_text(stars: Sequence[float]) -> str:
    """One R*, or the range of several."""
    return format_ratio(stars[0]) if len(stars) == 1 else format_range(min(stars), max(stars))


def interval_rows(fit: laws.BudgetFit) -> tuple[list[Json], list[Json]]:
    """Where the loss is as good as the best, and where interaction is most efficient; empty where that is not known."""
    loss, interaction = fit.loss_interval, fit.interaction_interval
    gold, green = [], []
    if loss is not None and fit.r_star.value is not None:
        said = f"loss within {format_share(loss.delta)} of the best: R = {format_range(loss.low, loss.high)}"
        gold.append({**_seen(loss.low, loss.high), "said": said})
    if interaction is not None and interaction.low is not None and interaction.high is not None:
        said = f"efficient interaction: R = {format_range(interaction.low, interaction.high)}"
        green.append({**_seen(interaction.low, interaction.high), "said": said})
    return gold, green


def _seen(low: float, high: float) -> Json:
    """The ends of a bar that can be seen, beside the mark of R* too: a single shape is 4% wide to each side."""
    return {"low": low, "high": high} if low < high else {"low": low / 1.04, "high": high * 1.04}


def curve_rows(fit: laws.BudgetFit | laws.TreatedBudget) -> list[Json]:
    """A budget's fitted curve, with its band where that is known."""
    curve = fit.curve
    if curve is None:
        return []
    unknown = (None,) * len(curve.ratio)
    columns = {"ratio": curve.ratio, "loss": curve.loss, "low": curve.low or unknown, "high": curve.high or unknown}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def star_note(fit: laws.BudgetFit | laws.TreatedBudget) -> str:
    """R* with its interval, or why there is none, in a few words."""
    star = fit.r_star
    if star.value is not None:
        known = "given" if star.status == "given" else format_range(star.low, star.high)
        return f"R* = {format_ratio(star.value)} ({known})"
    return f"no R*: {laws.status_text(star)}"


def star_ends(fit: laws.BudgetFit | laws.TreatedBudget, limits: tuple[float, float]) -> Json:
    """Where the bar of R* ends inside an axis, as `interval_bars` takes it."""
    star = fit.r_star
    return {
        "low": max(star.low or limits[0], limits[0]),
        "high": min(star.high or limits[1], limits[1]),
        "low_open": star.low is None,
        "high_open": star.high is None,
    }


def draw_loss(panels: Sequence[LossPanel], *, loss_unit: str, confidence: float) -> Drawing:
    """One panel a budget, all with the same relative scale."""
    x_limits, limits = ratio_limits(panels), loss_limits(panels)
    drawn = tuple(
        Panel(
            chart=_chart(panel, of_panel, x_limits=x_limits, loss_unit=loss_unit),
            title=budget_text(panel.fit.budget, panel.fit.kind),
            note=star_note(panel.fit),
            belongs={"budget": panel.fit.budget},
            **(look.OF_TWO if len(panels) == 1 else look.OF_THREE),
        )
        for panel, of_panel in zip(panels, limits, strict=True)
    )
    deltas = [panel.fit.loss_interval.delta for panel in panels if panel.fit.loss_interval is not None]
    thinned = any(len(depth_rows(panel.fit, x_limits)) < len(panel.fit.points) for panel in panels)
    caption = [
        "Dots: means over seeds (hollow: not used by the fit), above them their layers"
        + (", without those that would overlap" if thinned else ""),
        *(["dashes: single seeds"] if any(panel.seeds for panel in panels) else []),
        f"curve: fit in log R with its {confidence:.0%} band, drawn where it turns inside the grid (dashed: no R* is "
        "named); elsewhere a thin line joins the means",
        f"orange diamond and bar: R* with its {confidence:.0%} interval, an arrow where no bound is known",
    ]
    tops = [(panel, each.top) for panel, each in zip(panels, limits, strict=True)]
    if any(max(loss for _, loss in panel.places) > top or _crossings(panel.fit, top) for panel, top in tops):
        caption.append("triangles at the top: means, seeds and curves that lie above the scale; bands are cut there")
    if deltas:
        caption.append(f"gold: loss within {format_share(deltas[0])} of the best")
    if any(interval_rows(panel.fit)[1] for panel in panels):
        caption.append("green bar: shapes with the most efficient interaction, chosen without the loss")
    return Drawing(message=loss_message([each.fit for each in panels]), caption="; ".join(caption) + ".", panels=drawn)


def _chart(panel: LossPanel, limits: Limits, *, x_limits: tuple[float, float], loss_unit: str) -> Spec:
    return layered(
        log_axis("ratio", "R = depth / width", limits=x_limits, most=FEW_TICKS),
        linear_axis("loss", f"test loss ({loss_unit})", limits=limits),
        *_intervals(panel.fit, limits),
        *_curve(panel.fit, limits.top),
        _seeds(panel, limits.top),
        _means(panel.fit, limits.top),
        # above the panel, so that nothing lies under them
        marks(depth_rows(panel.fit, x_limits), "text", x="ratio", y={"value": -5}, text="depth", **NUMBER),
        *_star(panel.fit, x_limits, floor=limits.floor),
    )


def _intervals(fit: laws.BudgetFit, limits: Limits) -> list[Spec]:
    """The loss interval as a band over the whole height, the interaction interval as a bar on the floor."""
    gold, green = interval_rows(fit)
    floor = limits.floor + ROOM_ABOVE * (limits.top - limits.floor)  # on the floor, not through it
    bars = [{**row, "loss": floor} for row in green]
    shown: Spec = {"x": "low", "x2": "high", "said": True, "clip": True}
    return [
        marks(gold, "rect", **shown, color=look.GOOD, opacity=look.TINT),
        marks(bars, "rule", **shown, y="loss", color=look.INTERACTION, strokeWidth=look.BAR),
    ]


def _curve(fit: laws.BudgetFit, top: float) -> list[Spec]:
    """The fit where it turns inside the grid; elsewhere a line through the means, which claims nothing."""
    curve = fit.curve
    if curve is None or fit.r_star.status not in TURNS:
        means = [{"ratio": point.ratio, "loss": min(point.adjusted, top)} for point in fit.points]
        return [marks(means, "line", x="ratio", y="loss", color=look.MUTED, strokeWidth=look.THIN, clip=True)]
    values = curve_rows(fit)
    banded = values if curve.low is not None else []
    dash = look.DASHES[0 if fit.r_star.value is not None else 1]
    beyond = [{"ratio": ratio, "loss": top} for ratio in _crossings(fit, top)]
    return [
        marks(banded, "area", x="ratio", y="low", y2="high", color=look.FIT, opacity=look.TINT, clip=True),
        marks(values, "line", x="ratio", y="loss", color=look.FIT, strokeWidth=look.BOLD, strokeDash=dash, clip=True),
        marks(beyond, "point", x="ratio", y="loss", shape=BEYOND, filled=True, color=look.FIT, size=look.LARGE),
    ]


def _crossings(fit: laws.BudgetFit, top: float) -> list[float]:
    """The ratios at which the curve that is drawn leaves the scale."""
    curve = fit.curve
    if curve is None or fit.r_star.status not in TURNS:
        return []
    ratio, above = np.log(curve.ratio), np.array(curve.loss) - top
    at = np.flatnonzero((above[:-1] > 0) != (above[1:] > 0))
    part = above[at] / (above[at] - above[at + 1])
    return [float(each) for each in np.exp(ratio[at] + part * (ratio[at + 1] - ratio[at]))]


def _seeds(panel: LossPanel, top: float) -> Spec:
    values = [
        {
            "ratio": seed["ratio"],
            "loss": min(seed["adjusted"], top),
            "sign": "stroke" if seed["adjusted"] <= top else BEYOND,
            "seed": seed["seed"],
            "key": seed["key"],
            "shape": shape_key(panel.fit.budget, depth=seed["depth"], width=seed["width"]),
            "said": f"{shape_name(seed['depth'], seed['width'])}, seed {seed['seed']}: loss {number(seed['loss'])}",
        }
        for seed in panel.seeds
    ]
    size = when("datum.sign == 'stroke'", 2 * look.LARGE, other=look.DOT)  # a dash is as long as two marks
    stroke: Spec = {"shape": SIGN, "size": size, "strokeWidth": look.LINE, "color": look.MUTED, "cursor": "pointer"}
    words = {"field": "said", "type": "nominal"}  # to the pointer alone: a reader by keyboard walks the means
    return marks(values, "point", x="ratio", y="loss", where=SEED_ON, tooltip=words, opacity=chosen_opacity(), **stroke)


def _means(fit: laws.BudgetFit, top: float) -> Spec:
    """Means as dots; what lies above the scale as a triangle at its top."""
    values = []
    for point in fit.points:
        loss, adjusted = number(point.loss), number(point.adjusted)
        at_equal_size = "" if adjusted == loss else f"; {adjusted} at equal size"
        name = shape_name(point.depth, point.width)
        values.append({
            "ratio": point.ratio,
            "loss": min(point.adjusted, top),
            "sign": "circle" if point.adjusted <= top else BEYOND,
            "used": point.in_window,
            "shape": shape_key(fit.budget, depth=point.depth, width=point.width),
            "said": f"{name}: loss {loss}, mean of {point.num_runs}{at_equal_size}",
        })  # fmt: skip
    dot: Spec = {
        "shape": SIGN,
        "size": look.DOT,
        "stroke": look.INK,
        "strokeWidth": look.LINE,
        "fillOpacity": 1,
        "cursor": "pointer",
    }
    filled = when("datum.used", look.INK, other=look.SURFACE)
    return marks(values, "point", x="ratio", y="loss", said=True, fill=filled, opacity=chosen_opacity(), **dot)


def depth_rows(fit: laws.BudgetFit, x_limits: tuple[float, float]) -> list[Json]:
    """The numbers of layers to print, from the left; one that would overlap its neighbour is left out."""
    kept, free = [], -math.inf
    for point in sorted(fit.points, key=lambda each: each.ratio):
        place = math.log(point.ratio / x_limits[0]) / math.log(x_limits[1] / x_limits[0])
        half = DIGIT * len(str(point.depth)) / 2
        if place - half >= free:
            kept.append({"ratio": point.ratio, "depth": str(point.depth)})
            free = place + half + DIGIT / 3
    return kept


def _star(fit: laws.BudgetFit, x_limits: tuple[float, float], *, floor: float) -> list[Spec]:
    """R* with its interval below the curve's minimum; an arrow where no bound is known."""
    star, curve = fit.r_star, fit.curve
    if star.value is None:
        return []
    least = curve.loss_min if curve is not None and curve.loss_min is not None else fit.best.adjusted
    height = (floor + least) / 2
    row = {"ratio": star.value, "loss": height, "least": least, "said": star_note(fit)}
    return [
        *interval_bars([{**row, **star_ends(fit, x_limits)}], along="x", across="loss", color=look.BEST),
        marks([row], "rule", x="ratio", y="loss", y2="least", color=look.BEST),
        marks([row], "point", x="ratio", y="least", said=True, **DIAMOND),
    ]


def shape_key(budget: float, *, depth: int, width: int) -> str:
    """What names a shape of a run in every panel and in the table."""
    return f"{budget:g}:{depth}x{width}"


def loss_of_treatment(results: RunResults, analyses: Sequence[Analysis]) -> Drawing:
    """One set of panels; the losses are the same in every view."""
    fit = analyses[0].fit
    return draw_loss(loss_panels(analyses[0]), loss_unit=results.units.loss, confidence=fit.confidence)
