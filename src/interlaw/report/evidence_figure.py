"""R* against size: measured optima, their pool with its predictive interval, and what stands beside them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from interlaw.plain import Json
from interlaw.recommendation import COMMON_SIZE, Evidence
from interlaw.report import look
from interlaw.report.figure import Drawing, Panel
from interlaw.report.law_figure import size_axis
from interlaw.report.marks import LINE_SYMBOLS, Spec, layered, legend, log_axis, marks, told_apart
from interlaw.size import format_ratio, format_size

SPAN = (3e5, 3e10)  # sizes shown: those measured, and as far as the pool is asked
NUM_SIZES = 41  # of the line: eight a decade draw a smooth one
# Lines without a vote that name a ratio, and what the legend says of their standing.
BESIDE = {"claim": "one seed", "chosen": "chosen", "convention": "convention"}


def evidence_rows(evidence: Evidence) -> dict[str, list[Json]]:
    """The plotted numbers: `optima` with 68% intervals, `pool` over sizes, `beside` (lines without a vote)."""
    optima = [
        {
            "dataset": source.name,
            "params": one.params,
            "ratio": one.ratio,
            "low": one.ratio * math.exp(-one.log_stderr),
            "high": one.ratio * math.exp(one.log_stderr),
            "assumed": one.assumed,
            "said": f"{source.name}, {format_size(one.params)}: R* = {format_ratio(one.ratio)} ({one.route}"
            f"{', error assumed' if one.assumed else ''})",
        }
        for source in evidence.sources
        if source.counts
        for one in source.optima
        if one.counts and one.ratio is not None and one.log_stderr is not None
    ]
    pool = [
        {"params": one.params, "ratio": one.ratio, "low": one.low, "high": one.high}
        for one in (evidence.pool.predict(float(size)) for size in np.geomspace(*SPAN, NUM_SIZES))
    ]
    beside = [
        {
            "name": source.name,
            "line": f"{source.name.removesuffix(' shapes')}, {BESIDE[source.standing]}",
            "params": params,
            "ratio": ratio,
        }
        for source in evidence.sources
        if source.standing in BESIDE
        for params, ratio in source.line
        if SPAN[0] <= params <= SPAN[1]
    ]
    return {"optima": optima, "pool": pool, "beside": beside}


def draw_evidence(evidence: Evidence) -> Drawing:
    """One panel: dots that vote, the pool's band, dashed lines that do not vote."""
    here = evidence.pool.predict(COMMON_SIZE)
    message = (
        f"At {format_size(COMMON_SIZE)} the pool expects R* = {format_ratio(here.ratio)}, and knows it to a factor of "
        f"{here.high / here.ratio:.1f}"
    )
    caption = (
        "Dots: measured optima with 68% intervals, dashed where the error is assumed; one vote a data set. Blue: their "
        "pool with the 90% interval for a sweep not yet seen. Dashed lines, without a vote: best shapes of one seed, "
        "chosen shapes, conventions."
    )
    panel = Panel(chart=_chart(evidence_rows(evidence)), title="R* against size", **look.ALONE)
    return Drawing(message=message, caption=caption, panels=(panel,))


def _chart(values: dict[str, list[Json]]) -> Spec:
    lines = {row["line"]: row["name"] for row in values["beside"]}
    limits = look.padded(
        [row[end] for row in [*values["optima"], *values["pool"]] for end in ("low", "high")], log=True
    )
    key = legend("without a vote", **LINE_SYMBOLS)
    line, dash = (
        told_apart("line", lines, looks=looks, key=key)
        for looks in (look.dataset_colours(lines.values()), look.DASHES[1:])
    )
    return layered(
        size_axis(SPAN),
        log_axis("ratio", "R = depth / width", limits=limits),
        marks(values["pool"], "area", x="params", y="low", y2="high", color=look.FIT, opacity=look.TINT),
        marks(values["pool"], "line", x="params", y="ratio", color=look.FIT, strokeWidth=look.BOLD),
        marks(values["beside"], "line", x="params", y="ratio", stroke=line, strokeDash=dash, strokeWidth=look.THIN),
        *optima_layers(values["optima"]),
    )


def optima_layers(values: Sequence[Json]) -> list[Spec]:
    """Optima with their intervals, told apart by `dataset`."""
    names = list(dict.fromkeys(row["dataset"] for row in values))
    colour, form = (
        told_apart("dataset", names, looks=looks, key=legend()) for looks in (look.dataset_colours(names), look.SHAPES)
    )
    dot: Spec = {"color": colour, "shape": form, "size": look.LARGE, "filled": True, "stroke": look.SURFACE}
    bar: Spec = {"x": "params", "y": "low", "y2": "high", "color": colour, "strokeWidth": look.THIN}
    return [
        marks([row for row in values if not row.get("assumed")], "rule", **bar),
        marks([row for row in values if row.get("assumed")], "rule", strokeDash=look.DASHES[1], **bar),
        marks(values, "point", x="params", y="ratio", said=True, strokeWidth=look.HAIR, **dot),
    ]
