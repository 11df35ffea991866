"""Predicted loss against measured latency: which shapes of one budget no other beats in both."""

from __future__ import annotations

import math
from typing import Any

from interlaw.errors import InterlawError
from interlaw.recommendation import Recommendation
from interlaw.report.figure import Drawing, Panel
from interlaw.report.look import BEST, FAINT, INK, MUTED, SURFACE, padded
from interlaw.report.marks import Spec, layered, linear_axis, marks, when
from interlaw.report.wording import shape_name
from interlaw.size import format_size

PICKED = when("datum.pick", BEST, INK)  # the colour of a shape: the pick stands out


def frontier_rows(result: Recommendation) -> list[dict[str, Any]]:
    """The plotted numbers, from fast to slow: milliseconds a decoded token, predicted loss above the best in per cent.

    `frontier` holds where no faster shape is predicted to lose as little.
    """
    timed = [
        (one, one.measured)
        for one in result.candidates
        # a decode too short to tell from the prompt's reading has no latency
        if one.measured is not None and math.isfinite(one.measured.decode_ms_per_token)
    ]
    found: list[dict[str, Any]] = []
    for one, times in sorted(timed, key=lambda pair: pair[1].decode_ms_per_token):
        penalty = 100 * one.penalty.value
        found.append(
            {
                "shape": one.name,
                "latency": times.decode_ms_per_token,
                "penalty": penalty,
                "pick": one is result.pick,
                "frontier": all(penalty < row["penalty"] for row in found),
                "said": f"{shape_name(one.shape.depth, one.shape.width)}: {times.decode_ms_per_token:.3g} ms a token, "
                f"predicted loss {penalty:.2f}% above the best",
            }
        )
    return found


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
        message = f"{fastest['shape']} decodes {saved:.0%} faster than {pick['shape']}"
    times = next(one.measured for one in result.candidates if one.measured is not None)
    caption = (
        f"{format_size(result.params)} {result.dimensions.family}, one sequence after a prompt of {times.prompt} "
        f"tokens, {times.dtype} on {times.device}. Orange: the pick; line: shapes that no other beats in both."
    )
    panel = Panel(chart=_chart(values), title="Predicted loss against measured latency", width=440, height=300)
    return Drawing(message=message, caption=caption, panels=(panel,))


def _chart(values: list[dict[str, Any]]) -> Spec:
    limits = padded([row["latency"] for row in values], margin=0.12)
    _, top = padded([0.0, *(row["penalty"] for row in values)], margin=0.15)
    dot: Spec = {"size": 80, "stroke": SURFACE, "strokeWidth": 1, "fillOpacity": 1, "cursor": "pointer", "fill": PICKED}
    best = [row for row in values if row["frontier"]]
    return layered(
        linear_axis("latency", "decoding one token (ms)", limits, tickCount=6),
        linear_axis("penalty", "predicted loss above the best (%)", (0.0, top), format=".2f"),
        marks(best, "line", x="latency", y="penalty", color=FAINT, strokeWidth=1.5),
        marks(values, "text", x="latency", y="penalty", text="shape", dy=-13, fontSize=11, color=MUTED),
        marks(values, "point", x="latency", y="penalty", said=True, **dot),
    )
