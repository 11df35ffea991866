"""A recommendation as charts: what each shape is predicted to cost, and where it stands among published laws."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from interlaw.recommendation import Candidate, Recommendation
from interlaw.report.figure import Drawing, Panel
from interlaw.report.frontier_figure import PICKED, draw_frontier, frontier_rows
from interlaw.report.look import GOOD, MUTED, SURFACE, padded
from interlaw.report.marks import Spec, interval_bars, layered, linear_axis, log_axis, marks
from interlaw.report.published_figure import among_published
from interlaw.report.wording import shape_name, span
from interlaw.size import format_size


def candidate_rows(result: Recommendation) -> list[dict[str, Any]]:
    """The plotted numbers: a shape's ratio, size and predicted loss above the best of the budget, per cent."""
    return [
        {
            "shape": candidate_key(candidate),
            "depth": str(candidate.shape.depth),
            "ratio": candidate.shape.ratio,
            "params": float(candidate.shape.params),
            "penalty": 100 * candidate.penalty.value,
            "low": 100 * candidate.penalty.low,
            "high": 100 * candidate.penalty.high,
            "pick": place == 0,
            "said": f"{shape_name(candidate.shape.depth, candidate.shape.width)}: predicted loss "
            f"{candidate.penalty.value:.2%} above the best "
            f"({candidate.penalty.low:.2%} to {candidate.penalty.high:.2%})",
        }
        for place, candidate in enumerate(result.candidates)
    ]


def candidate_key(candidate: Candidate) -> str:
    """What names a candidate in the figures and in the table."""
    return f"{candidate.shape.depth}x{candidate.shape.width}"


def draw_recommendation(result: Recommendation) -> Drawing:
    """The predictions of `draw_predictions`, after the frontier of loss against latency where shapes were timed."""
    predictions = draw_predictions(result)
    if len(frontier_rows(result)) < 2:
        return predictions
    return replace(predictions, panels=(*draw_frontier(result).panels, *predictions.panels))


def draw_predictions(result: Recommendation) -> Drawing:
    """Predicted cost of each shape, and the range among what others published."""
    pick = result.pick.shape
    message = f"{format_size(result.params)}: {shape_name(pick.depth, pick.width)} is the pick"
    caption = (
        f"Gold: the recommended range, R = {span(result.interval.low, result.interval.high)}. Orange: the pick; other "
        "dots: the other shapes, each with its range. Lines: published laws over the sizes they speak of; grey dots: "
        "published models."
    )
    panels: tuple[Panel, ...] = (
        Panel(chart=_cost(result), title="Predicted loss above the best shape", width=440, height=320),
        Panel(chart=_among(result), title="Beside published laws and models", width=440, height=320),
    )
    return Drawing(message=message, caption=caption, panels=panels, columns=2)


def _cost(result: Recommendation) -> Spec:
    values = candidate_rows(result)
    band = {"low": result.interval.low, "high": result.interval.high}
    _, top = padded([0.0, *(row["high"] for row in values)])
    dot: Spec = {"size": 80, "stroke": SURFACE, "strokeWidth": 1, "fillOpacity": 1, "cursor": "pointer", "fill": PICKED}
    return layered(
        log_axis("ratio", "R = depth / width", padded([*band.values(), *(row["ratio"] for row in values)], log=True)),
        linear_axis("penalty", "predicted loss above the best (%)", (-0.04 * top, top)),
        marks([band], "rect", x="low", x2="high", color=GOOD, opacity=0.2),
        *interval_bars(values, along="y", across="ratio", color=MUTED, width=1.2),
        marks(values, "text", x="ratio", y="penalty", text="depth", dx=13, dy=-9, fontSize=10, color=MUTED),
        marks(values, "point", x="ratio", y="penalty", said=True, **dot),
    )


def _among(result: Recommendation) -> Spec:
    values = candidate_rows(result)
    bar = {"params": result.params, "low": result.interval.low, "high": result.interval.high}
    dot: Spec = {"shape": "diamond", "size": 60, "stroke": SURFACE, "strokeWidth": 0.8, "fillOpacity": 1}
    return among_published(
        marks([bar], "rule", x="params", y="low", y2="high", color=GOOD, opacity=0.5, strokeWidth=14),
        marks(values, "point", x="params", y="ratio", said=True, fill=PICKED, cursor="pointer", **dot),
        sizes=[result.params],
        ratios=[row["ratio"] for row in values],
    )
