"""R* against size: measured optima, their pool with its predictive interval, and what stands beside them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np

from interlaw.recommendation import Evidence
from interlaw.report.figure import Drawing, Panel, chart_of, whole
from interlaw.report.law_figure import size_axis
from interlaw.report.look import FIT, MUTED, SERIES, SHAPES, SURFACE, cycled, frame, legend, log_y, padded, rows
from interlaw.report.saving import require_figure_name, write_chart
from interlaw.shapes import format_size

SPAN = (3e5, 3e10)  # sizes shown: those measured, and as far as the pool is asked
NUM_SIZES = 41
# Lines without a vote that name a ratio, and what the legend of their standing says.
BESIDE = {"claim": "claim of the paper", "chosen": "shape that was chosen", "convention": "convention"}


def evidence_rows(found: Evidence) -> dict[str, list[dict[str, Any]]]:
    """The plotted numbers: `optima` with 68% intervals, `pool` over sizes, `beside` (lines without a vote)."""
    optima = [
        {
            "dataset": source.name,
            "params": one.params,
            "ratio": one.ratio,
            "low": one.ratio * math.exp(-one.log_stderr),
            "high": one.ratio * math.exp(one.log_stderr),
            "said": f"{source.name}, {format_size(one.params)}: R* = {one.ratio:.4f} ({one.route})",
        }
        for source in found.sources
        if source.counts
        for one in source.optima
        if one.counts and one.ratio is not None and one.log_stderr is not None
    ]
    pool = [
        {"params": one.params, "ratio": one.ratio, "low": one.low, "high": one.high}
        for one in (found.pool.predict(float(size)) for size in np.geomspace(*SPAN, NUM_SIZES))
    ]
    beside = [
        {"name": source.name, "standing": BESIDE[source.standing], "params": params, "ratio": ratio}
        for source in found.sources
        if source.standing in BESIDE
        for params, ratio in source.line
        if SPAN[0] <= params <= SPAN[1]
    ]
    return {"optima": optima, "pool": pool, "beside": beside}


def draw_evidence(found: Evidence) -> Drawing:
    """One panel: dots that vote, the pool's band, dashed lines that do not vote."""
    here = found.pool.predict(1e9)
    message = f"At 1B the pool expects R* = {here.ratio:.3f}, and knows it to a factor of {here.high / here.ratio:.1f}"
    caption = (
        "Dots: measured optima with 68% intervals, one vote a data set. Blue: their pool with the 90% interval for a "
        "sweep not yet seen. Dashed: lines without a vote."
    )
    panel = Panel(chart=_chart(evidence_rows(found)), title="R* against size", width=560, height=360)
    return Drawing(message=message, caption=caption, panels=(panel,))


def write_evidence_figure(path: str | Path, found: Evidence) -> Path:
    """Writes it as PNG, SVG or PDF, by the name's ending.

    Raises:
        InterlawError: Another ending, or a file that cannot be written.
    """
    require_figure_name(path)
    return write_chart(path, whole(draw_evidence(found)))


def _chart(values: dict[str, list[dict[str, Any]]]) -> Any:
    names = list(dict.fromkeys(row["dataset"] for row in values["optima"]))
    limits = padded([row[end] for row in [*values["optima"], *values["pool"]] for end in ("low", "high")], log=True)
    colour = alt.Color("dataset:N", scale=alt.Scale(domain=names, range=cycled(SERIES, len(names))), legend=legend())
    form = alt.Shape("dataset:N", scale=alt.Scale(domain=names, range=cycled(SHAPES, len(names))), legend=legend())
    pool, optima, beside = (alt.Chart(rows(values[name])) for name in ("pool", "optima", "beside"))
    dash = alt.StrokeDash("standing:N", scale=alt.Scale(range=[[2, 2], [8, 3, 2, 3], [5, 4]]), legend=legend())
    return alt.layer(
        frame(size_axis(SPAN, [10.0**power for power in range(6, 11)]), log_y("ratio", "R = depth / width", limits)),
        pool.mark_area(color=FIT, opacity=0.12, aria=False).encode(x="params:Q", y="low:Q", y2="high:Q"),
        pool.mark_line(color=FIT, strokeWidth=2, aria=False).encode(x="params:Q", y="ratio:Q"),
        beside.mark_line(color=MUTED, strokeWidth=1.2, aria=False).encode(
            x="params:Q", y="ratio:Q", detail="name:N", strokeDash=dash
        ),
        optima.mark_rule(strokeWidth=1.2, aria=False).encode(x="params:Q", y="low:Q", y2="high:Q", color=colour),
        optima.mark_point(size=60, filled=True, opacity=1, stroke=SURFACE, strokeWidth=0.8).encode(
            x="params:Q", y="ratio:Q", color=colour, shape=form, tooltip="said:N", description="said:N"
        ),
    )


@chart_of.register
def evidence_chart(found: Evidence) -> Any:
    """The evidence's chart."""
    return whole(draw_evidence(found))
