"""A recommendation as charts: what each shape is predicted to cost, its measured latency, and published laws beside."""

from __future__ import annotations

import math
from dataclasses import replace

from interlaw import laws
from interlaw.errors import InterlawError
from interlaw.plain import Json
from interlaw.recommendation import Candidate, Recommendation
from interlaw.report import look
from interlaw.report.figure import Drawing, Panel
from interlaw.report.marks import Spec, interval_bars, layered, linear_axis, log_axis, marks, when
from interlaw.report.published_figure import among_published
from interlaw.report.wording import shape_name
from interlaw.size import format_range, format_size

NAMED = 0.15  # of an axis: what the name of a shape needs beside its mark
ROOM = 0.04  # of an axis below 0: so that marks at 0 are whole
# numbers clear of a mark of 10 pixels, and of the bar through it
ABOVE: Spec = {"dy": -13, "fontSize": 11, "color": look.MUTED}
ABOVE_RIGHT: Spec = {"dx": 13, "dy": -9, "fontSize": 10, "color": look.MUTED}
PICKED = when("datum.pick", look.BEST, other=look.INK)  # the colour of a shape: the pick stands out
SHAPE: Spec = {
    "size": look.LARGE,
    "stroke": look.SURFACE,
    "strokeWidth": look.THIN,
    "fillOpacity": 1,
    "cursor": "pointer",
    "fill": PICKED,
}


def candidate_rows(result: Recommendation) -> list[Json]:
    """The plotted numbers: a shape's ratio, size and predicted loss above the best of the budget, per cent."""
    rows = []
    for candidate in result.candidates:
        shape, penalty = candidate.shape, candidate.penalty
        rows.append({
            "shape": candidate_key(candidate),
            "depth": str(shape.depth),
            "ratio": shape.ratio,
            "params": float(shape.params),
            **{"penalty": 100 * penalty.value, "low": 100 * penalty.low, "high": 100 * penalty.high},
            "pick": candidate is result.pick,
            "said": f"{shape_name(shape.depth, shape.width)}: predicted loss {penalty.value:.2%} above the best "
            f"({penalty.low:.2%} to {penalty.high:.2%})",
        })  # fmt: skip
    return rows


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
        f"Gold: the recommended range, R = {format_range(result.interval.low, result.interval.high)}. Orange: the "
        f"pick; other dots: the other shapes, each with its {laws.Settings.confidence:.0%} interval. Lines: published "
        "laws over the sizes they speak of; grey dots: published models."
    )
    panels = (
        Panel(chart=_cost(result), title="Predicted loss above the best shape", **look.OF_TWO),
        Panel(chart=_among(result), title="Beside published laws and models", **look.OF_TWO),
    )
    return Drawing(message=message, caption=caption, panels=panels, columns=2)


def _cost(result: Recommendation) -> Spec:
    values = candidate_rows(result)
    band = {"low": result.interval.low, "high": result.interval.high}
    _, top = look.padded([0.0, *(row["high"] for row in values)])
    return layered(
        log_axis(
            "ratio",
            "R = depth / width",
            limits=look.padded([*band.values(), *(row["ratio"] for row in values)], log=True),
        ),
        linear_axis("penalty", "predicted loss above the best (%)", limits=(-ROOM * top, top)),
        marks([band], "rect", x="low", x2="high", color=look.GOOD, opacity=look.TINT),
        *interval_bars(values, along="y", across="ratio", color=look.MUTED, width=look.THIN),
        marks(values, "text", x="ratio", y="penalty", text="depth", **ABOVE_RIGHT),
        marks(values, "point", x="ratio", y="penalty", said=True, **SHAPE),
    )


def _among(result: Recommendation) -> Spec:
    values = candidate_rows(result)
    bar = {"params": result.params, "low": result.interval.low, "high": result.interval.high}
    gold: Spec = {"color": look.GOOD, "opacity": look.HALF, "strokeWidth": look.BROAD}
    return among_published(
        marks([bar], "rule", x="params", y="low", y2="high", **gold),
        marks(values, "point", x="params", y="ratio", said=True, shape="diamond", **SHAPE),
        sizes=[result.params],
        ratios=[row["ratio"] for row in values],
    )


def frontier_rows(result: Recommendation) -> list[Json]:
    """The plotted numbers, from fast to slow: milliseconds a decoded token, predicted loss above the best in per cent.

    `frontier` holds where no faster shape is predicted to lose as little.
    """
    timed = [
        (one, one.measured)
        for one in result.candidates
        # a decode too short to tell from the prompt's reading has no latency
        if one.measured is not None and math.isfinite(one.measured.decode_ms_per_token)
    ]
    rows: list[Json] = []
    for one, times in sorted(timed, key=lambda pair: pair[1].decode_ms_per_token):
        penalty = 100 * one.penalty.value
        rows.append(
            {
                "shape": one.name,
                "latency": times.decode_ms_per_token,
                "penalty": penalty,
                "pick": one is result.pick,
                "frontier": all(penalty < row["penalty"] for row in rows),
                "said": f"{shape_name(one.shape.depth, one.shape.width)}: {times.decode_ms_per_token:.3g} ms a token, "
                f"predicted loss {penalty:.2f}% above the best",
            }
        )
    return rows


def draw_frontier(result: Recommendation) -> Drawing:
    """Every timed shape; a line joins those that no other beats in both.

    Raises:
        InterlawError: Fewer than two shapes were timed.
    """
    values = frontier_rows(result)
    if len(values) < 2:
        raise InterlawError(
            f"expected at least two timed shapes for the frontier, found {len(values)}; measure them (--measure)"
        )
    fastest, pick = values[0], next((row for row in values if row["pick"]), values[0])
    saved = 1 - fastest["latency"] / pick["latency"]
    message = f"{pick['shape']} decodes fastest of these shapes"
    if saved > 0:
        message = f"{fastest['shape']} decodes a token in {saved:.0%} less time than {pick['shape']}"
    times = next(one.measured for one in result.candidates if one.measured is not None)
    caption = (
        f"{format_size(result.params)} {result.dimensions.family}, one sequence after a prompt of {times.prompt} "
        f"tokens, {times.dtype} on {times.device}. Orange: the pick; line: shapes that no other beats in both."
    )
    panel = Panel(chart=_frontier(values), title="Predicted loss against measured latency", **look.OF_TWO)
    return Drawing(message=message, caption=caption, panels=(panel,))


def _frontier(values: list[Json]) -> Spec:
    # so that the names of the outer shapes stay inside
    limits = look.padded([row["latency"] for row in values], margin=NAMED)
    _, top = look.padded([0.0, *(row["penalty"] for row in values)], margin=NAMED)
    best = [row for row in values if row["frontier"]]
    return layered(
        linear_axis("latency", "decoding one token (ms)", limits=limits),
        linear_axis("penalty", "predicted loss above the best (%)", limits=(0.0, top), format=".2f"),
        marks(best, "line", x="latency", y="penalty", color=look.FAINT, strokeWidth=look.LINE),
        marks(values, "text", x="latency", y="penalty", text="shape", **ABOVE),
        marks(values, "point", x="latency", y="penalty", said=True, **SHAPE),
    )
