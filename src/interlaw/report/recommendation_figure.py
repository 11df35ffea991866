"""A recommendation as charts: what each shape is predicted to cost, and where it stands among published laws."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import altair as alt

from interlaw.published import published_ratio_points
from interlaw.recommendation import Candidate, Recommendation
from interlaw.report.figure import Drawing, Panel, chart_of, whole
from interlaw.report.frontier_figure import draw_frontier, frontier_rows
from interlaw.report.interval_marks import interval_bars
from interlaw.report.law_figure import size_axis
from interlaw.report.look import BEST, GOOD, INK, MUTED, SURFACE, frame, linear_y, log_x, log_y, padded, rows
from interlaw.report.published_figure import model_dots, published_layers, published_lines
from interlaw.report.wording import shape_name, span
from interlaw.shapes import format_size


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
            "low_open": False,
            "high_open": False,
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
        Panel(chart=_cost(result), title="Predicted loss above the best shape", width=400, height=280),
        Panel(chart=_among(result), title="Beside published laws and models", width=560, height=320),
    )
    return Drawing(message=message, caption=caption, panels=panels, columns=1)


def _cost(result: Recommendation) -> Any:
    values = candidate_rows(result)
    x_limits = padded([result.interval.low, result.interval.high, *(row["ratio"] for row in values)], log=True)
    _, top = padded([0.0, *(row["high"] for row in values)])
    y = linear_y("penalty", "predicted loss above the best (%)", (0.0, top))
    band = rows([{"low": result.interval.low, "high": result.interval.high}])
    dots = alt.Chart(rows(values)).mark_point(size=80, stroke=SURFACE, strokeWidth=1, fillOpacity=1, cursor="pointer")
    words = alt.Chart(rows(values)).mark_text(dx=12, fontSize=10, color=MUTED, aria=False)
    return alt.layer(
        frame(log_x("ratio", "R = depth / width", x_limits), y),
        alt.Chart(band).mark_rect(color=GOOD, opacity=0.2, aria=False).encode(x="low:Q", x2="high:Q"),
        *interval_bars(values, along="y", across="ratio", color=MUTED, width=1.2),
        words.encode(x="ratio:Q", y="penalty:Q", text="depth:N"),
        dots.encode(x="ratio:Q", y="penalty:Q", fill=_pick_colour(), tooltip="said:N", description="said:N"),
    )


def _among(result: Recommendation) -> Any:
    models, lines, values = published_ratio_points(), published_lines(), candidate_rows(result)
    ratios = [*(model.ratio for model in models), *(ratio for line in lines for ratio in line.ratio)]
    sizes = [*(model.params for model in models), *(size for line in lines for size in line.params), result.params]
    limits = padded(sizes, log=True)
    powers = [10.0**power for power in range(2, 14) if limits[0] <= 10.0**power <= limits[1]]
    own = [row["ratio"] for row in values]
    bar = rows([{"params": result.params, "low": result.interval.low, "high": result.interval.high}])
    dots = alt.Chart(rows(values)).mark_point(
        shape="diamond", size=60, stroke=SURFACE, strokeWidth=0.8, fillOpacity=1, cursor="pointer"
    )
    return alt.layer(
        frame(size_axis(limits, powers), log_y("ratio", "R = depth / width", padded([*ratios, *own], log=True))),
        model_dots(models),
        *published_layers(lines),
        alt.Chart(bar)
        .mark_rule(color=GOOD, opacity=0.5, strokeWidth=14, aria=False)
        .encode(x="params:Q", y="low:Q", y2="high:Q"),
        dots.encode(x="params:Q", y="ratio:Q", fill=_pick_colour(), tooltip="said:N", description="said:N"),
    )


def _pick_colour() -> Any:
    return alt.condition("datum.pick", alt.value(BEST), alt.value(INK))


@chart_of.register
def recommendation_chart(result: Recommendation) -> Any:
    """A recommendation's chart."""
    return whole(draw_recommendation(result))
