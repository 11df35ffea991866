"""What the learning-rate treatment does: loss against R under each, a panel a budget, and R* side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import altair as alt

from interlaw.laws import TreatedBudget, TreatmentComparison, TreatmentDifference
from interlaw.report.figure import Drawing, Figure, Panel, chosen_opacity, whole
from interlaw.report.interval_marks import interval_bars
from interlaw.report.look import SERIES, SHAPES, SURFACE, cycled, frame, legend, linear_y, log_x, padded, rows
from interlaw.report.loss_figure import shape_key
from interlaw.report.results import RunResults, treatments_compared
from interlaw.report.saving import write_chart
from interlaw.report.wording import Units, budget_text, number, shape_name, span

CEILING = 0.3  # losses above the panel's best by more than this are drawn at its top
ROW = 0.075  # of the axis: the height of one interval below the curves
VERDICTS = {"moves": "R* moves", "same": "the same choice of shape", "cannot tell": "cannot be told apart"}


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


def draw_treatments(comparison: TreatmentComparison, *, budget_kind: str, units: Units) -> Drawing:
    """Curves and shape means above, R* with its interval below, for each budget."""
    panels = treatment_panels(comparison, budget_kind=budget_kind)
    names = list(dict.fromkeys(each.treatment for panel in panels for each in panel.treated))
    x_limits = padded([point.ratio for panel in panels for each in panel.treated for point in each.points], log=True)
    drawn = tuple(
        Panel(
            chart=_chart(panel, names, x_limits, units),
            title=panel.title,
            belongs={"budget": panel.treated[0].budget},
            width=340,
            height=300,
        )
        for panel in panels
    )
    caption = (
        f"Marks and curves: loss under each treatment. Bars below: R* with its {comparison.confidence:.0%} interval, "
        "an arrow where no bound is known; hollow: the loss still falls at that end of the grid."
    )
    return Drawing(message=treatments_message(comparison.differences), caption=caption, panels=drawn)


def treatments_message(differences: Sequence[TreatmentDifference]) -> str:
    """Whether the treatment moves R*, over all pairs and budgets."""
    verdicts = [each.verdict for each in differences]
    moved = verdicts.count("moves")
    if moved:
        return f"The learning-rate treatment moves R* in {moved} of {len(verdicts)} comparisons"
    if verdicts and verdicts.count("same") == len(verdicts):
        return "R* is the same under every learning-rate treatment"
    return "Whether the learning-rate treatment moves R* cannot be told"


def difference_texts(comparison: TreatmentComparison, *, budget_kind: str) -> list[str]:
    """One sentence a pair of treatments and budget."""
    found = []
    for each in comparison.differences:
        where = f"{budget_text(each.budget, budget_kind)}, from {each.first} to {each.second}: "
        if each.factor is None:
            said = "no two optima to compare"
        else:
            interval = span(each.low, each.high)
            said = f"R* times {number(each.factor, digits=3)} ({interval}): {VERDICTS.get(each.verdict, each.verdict)}"
        gain = "" if each.loss_change is None else f"; lowest loss {each.loss_change:+.2%}"
        found.append(where + said + gain)
    return found


def write_treatments_figure(
    path: str | Path, comparison: TreatmentComparison, *, budget_kind: str, units: Units
) -> Path:
    """Writes the figure as PNG, SVG or PDF, by the name's ending.

    Raises:
        InterlawError: When the ending is none of these, or the file cannot be written.
    """
    return write_chart(path, whole(draw_treatments(comparison, budget_kind=budget_kind, units=units)))


def _chart(panel: TreatmentPanel, names: Sequence[str], x_limits: tuple[float, float], units: Units) -> Any:
    losses = [point.adjusted for each in panel.treated for point in each.points]
    low, high = min(losses), min(max(losses), min(losses) * (1 + CEILING))
    reach = max(high - low, 1e-3 * low)
    room = ROW * (len(panel.treated) + 1)
    floor = low - reach * room / (1 - room) - 0.03 * reach
    y_limits = (floor, high + 0.08 * reach)
    looks = _looks(names)
    rung = (y_limits[1] - floor) * ROW
    layers = [
        frame(log_x("ratio", "R = depth / width", x_limits), linear_y("loss", f"test loss ({units.loss})", y_limits))
    ]
    layers += _curves(panel.treated, looks)
    layers.append(_points(panel.treated, looks, high))
    layers += _stars(
        panel.treated,
        looks,
        x_limits,
        [floor + rung * (len(names) - names.index(each.treatment) - 0.3) for each in panel.treated],
    )
    return alt.layer(*layers)


def _looks(names: Sequence[str]) -> dict[str, Any]:
    """Colour and form by treatment, one legend for both."""
    key = legend("learning rate", column=110)
    colors = alt.Scale(domain=list(names), range=cycled(SERIES, len(names)))
    forms = alt.Scale(domain=list(names), range=cycled(SHAPES, len(names)))
    return {
        "color": alt.Color("treatment:N", scale=colors, sort=None, legend=key),
        "shape": alt.Shape("treatment:N", scale=forms, sort=None, legend=key),
    }


def _curves(treated: Sequence[TreatedBudget], looks: dict[str, Any]) -> list[Any]:
    """Fitted curves of those with an optimum, with their bands."""
    values = [
        {
            "treatment": each.treatment,
            "ratio": each.curve.ratio[i],
            "loss": each.curve.loss[i],
            "low": None if each.curve.low is None else each.curve.low[i],
            "high": None if each.curve.high is None else each.curve.high[i],
        }
        for each in treated
        if each.curve is not None and each.r_star.value is not None
        for i in range(len(each.curve.ratio))
    ]
    base = alt.Chart(rows(values))
    band = base.transform_filter("datum.low !== null").mark_area(opacity=0.1, clip=True, aria=False)
    return [
        band.encode(x="ratio:Q", y="low:Q", y2="high:Q", color=looks["color"]),
        base.mark_line(strokeWidth=2, clip=True, aria=False).encode(x="ratio:Q", y="loss:Q", color=looks["color"]),
    ]


def _points(treated: Sequence[TreatedBudget], looks: dict[str, Any], high: float) -> Any:
    values = [
        {
            "treatment": each.treatment,
            "ratio": point.ratio,
            "loss": min(point.adjusted, high),
            "shape": shape_key(each.budget, point.depth, point.width),
            "said": f"{each.treatment}: {shape_name(point.depth, point.width)}, loss {number(point.loss)}",
        }
        for each in treated
        for point in each.points
    ]
    marks = alt.Chart(rows(values)).mark_point(size=45, filled=True, cursor="pointer")
    return marks.encode(
        x="ratio:Q", y="loss:Q", tooltip="said:N", description="said:N", opacity=chosen_opacity(0.9), **looks
    )


def _stars(
    treated: Sequence[TreatedBudget], looks: dict[str, Any], x_limits: tuple[float, float], heights: Sequence[float]
) -> list[Any]:
    """R* with its interval on the floor, or the edge of the grid that the loss falls towards."""
    optima, edges = [], []
    for each, height in zip(treated, heights, strict=True):
        star = each.r_star
        of = {"treatment": each.treatment, "loss": height}
        ratios = [point.ratio for point in each.points]
        if star.value is not None:
            ends = {
                "low": max(star.low or x_limits[0], x_limits[0]),
                "high": min(star.high or x_limits[1], x_limits[1]),
            }
            said = f"{each.treatment}: R* = {number(star.value, digits=2)} ({span(star.low, star.high, digits=2)})"
            optima.append(
                {
                    **of,
                    **ends,
                    "low_open": star.low is None,
                    "high_open": star.high is None,
                    "ratio": star.value,
                    "said": said,
                }
            )
        elif star.edge is not None:
            side = "shallow" if star.edge == "low" else "deep"
            said = f"{each.treatment}: no R*, the loss still falls at the {side} end"
            edges.append({**of, "ratio": min(ratios) if star.edge == "low" else max(ratios), "said": said})
    marks = {"x": "ratio:Q", "y": "loss:Q", "tooltip": "said:N", "description": "said:N", **looks}
    return [
        *interval_bars(optima, along="x", across="loss", color=looks["color"]),
        alt.Chart(rows(optima)).mark_point(size=60, filled=True, opacity=1).encode(**marks),
        alt.Chart(rows(edges)).mark_point(size=60, fill=SURFACE, strokeWidth=1.8, opacity=1).encode(**marks),
    ]


def treatments_of_run(results: RunResults) -> Drawing | None:
    """The figure of a run that has several treatments."""
    if len({each.treatment for each in results.analyses}) < 2:
        return None
    kind = str(results.table["budget_kind"].iloc[0])
    return draw_treatments(treatments_compared(results), budget_kind=kind, units=results.units)


TREATMENTS = Figure(name="treatments", title="Learning-rate treatments compared", draw=treatments_of_run)
