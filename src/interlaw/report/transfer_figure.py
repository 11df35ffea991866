"""Whether one learning rate serves every shape: movement of activations, and rate curves, over width and depth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import altair as alt

from interlaw.report.figure import Drawing, Panel, whole
from interlaw.report.look import BEST, FIT, SHAPES, cycled, frame, legend, linear_y, log_x, log_y, padded, ramp, rows
from interlaw.report.saving import write_chart
from interlaw.sweep import RateCurve
from interlaw.training import CoordinateCheck

NAMES = {"standard": "standard", "mup": "muP", "completep": "CompleteP"}
MOST_EXCESS = 12.0  # per cent of loss above a shape's best that the axis shows


def movement_rows(check: CoordinateCheck) -> list[dict[str, Any]]:
    """The plotted numbers of a check: movement by size and step, of the last block and of the outputs."""
    return [
        {
            "size": size,
            "moved": moved,
            "step": step,
            "what": what,
            "said": f"{what}, {check.axis} {size}, step {step}: moved {moved:.3g}",
        }
        for what, values in (("last block", check.stream), ("outputs", check.outputs))
        for size, by_step in zip(check.sizes, values, strict=True)
        for step, moved in enumerate(by_step, start=1)
    ]


def draw_checks(checks: Sequence[CoordinateCheck]) -> Drawing:
    """Movement against size, a panel a parametrization and axis: the first steps faint, the last one strong."""
    moved = padded([row["moved"] for check in checks for row in movement_rows(check)], log=True)
    steps = len(checks[0].stream[0])
    panels = tuple(
        Panel(
            chart=_check_chart(check, moved, steps),
            title=f"{NAMES[check.parametrization]}, over {check.axis}",
            note=f"slopes {check.stream_slope:+.2f} (last block) and {check.outputs_slope:+.2f} (outputs)",
            height=220,
        )
        for check in checks
    )
    steepest = max(max(abs(check.stream_slope), abs(check.outputs_slope)) for check in checks)
    message = f"Over sizes, activations move with slopes of at most {steepest:.2f}; 0 lets one rate serve every shape"
    caption = (
        f"How far activations moved in {steps} steps (root mean square). Strong: the last step; faint: those before."
    )
    return Drawing(message=message, caption=caption, panels=panels, columns=_columns([check.axis for check in checks]))


def _check_chart(check: CoordinateCheck, moved: tuple[float, float], steps: int) -> Any:
    x = alt.X(
        "size:Q",
        scale=alt.Scale(type="log", domain=list(padded(check.sizes, log=True)), nice=False),
        axis=alt.Axis(values=list(check.sizes), format="d", title=check.axis),
    )
    base = alt.Chart(rows(movement_rows(check)))
    scale = alt.Scale(domain=["last block", "outputs"], range=[FIT, BEST])
    color = alt.Color("what:N", scale=scale, legend=legend(None, column=100))
    shape = alt.Shape("what:N", scale=alt.Scale(domain=["last block", "outputs"], range=["circle", "square"]))
    early = base.transform_filter(f"datum.step < {steps}").mark_line(strokeWidth=1, opacity=0.25, aria=False)
    last = base.transform_filter(f"datum.step == {steps}")
    return alt.layer(
        frame(x, log_y("moved", "movement (root mean square)", moved)),
        early.encode(x="size:Q", y="moved:Q", color=color, detail="step:N"),
        last.mark_line(strokeWidth=2, aria=False).encode(x="size:Q", y="moved:Q", color=color),
        last.mark_point(filled=True, size=50, opacity=1).encode(
            x="size:Q", y="moved:Q", color=color, shape=shape, tooltip="said:N", description="said:N"
        ),
    )


def draw_rate_curves(curves: Sequence[RateCurve]) -> Drawing:
    """Loss above the shape's best against the rate, a panel a parametrization and axis, one line a size."""
    groups = list(dict.fromkeys((curve.parametrization, curve.axis) for curve in curves))
    panels = []
    for parametrization, axis in groups:
        chosen = [curve for curve in curves if (curve.parametrization, curve.axis) == (parametrization, axis)]
        rates = [curve.best_rate for curve in chosen]
        panels.append(
            Panel(
                chart=_rate_chart(chosen),
                title=f"{NAMES[parametrization]}, over {axis}",
                note=f"best rates from {min(rates):.2g} to {max(rates):.2g}",
                height=240,
            )
        )
    worst = max(max(_best_rates(curves, group)) / min(_best_rates(curves, group)) for group in groups)
    message = f"The best learning rate differs between shapes by a factor of up to {worst:.2g}"
    caption = (
        "Loss above each shape's best against the learning rate; lines that leave the panel rise further. "
        "Upright lines: each shape's best rate, dotted at the edge of the rates tried. "
        "Ticks at the bottom: each seed's own best."
    )
    return Drawing(
        message=message,
        caption=caption,
        panels=tuple(panels),
        columns=_columns([axis for _, axis in groups]),
        shared=False,
    )


def _best_rates(curves: Sequence[RateCurve], group: tuple[str, str]) -> list[float]:
    return [curve.best_rate for curve in curves if (curve.parametrization, curve.axis) == group]


def rate_rows(curve: RateCurve) -> list[dict[str, Any]]:
    """The plotted numbers of one shape: loss above its best, per cent, at each rate."""
    best = min(curve.losses)
    return [
        {
            "rate": rate,
            "excess": 100 * (loss / best - 1),
            "size": str(curve.size),
            "said": f"{curve.axis} {curve.size}, rate {rate:.3g}: {100 * (loss / best - 1):.2f}% above its best",
        }
        for rate, loss in zip(curve.rates, curve.losses, strict=True)
    ]


def _rate_chart(curves: Sequence[RateCurve]) -> Any:
    sizes = [str(curve.size) for curve in curves]
    key = legend("size", column=60)
    color = alt.Color("size:N", scale=alt.Scale(domain=sizes, range=ramp(len(sizes))), sort=None, legend=key)
    shape = alt.Shape("size:N", scale=alt.Scale(domain=sizes, range=cycled(SHAPES, len(sizes))), sort=None, legend=key)
    lines = alt.Chart(rows(row for curve in curves for row in rate_rows(curve)))
    best = [{"rate": curve.best_rate, "size": str(curve.size), "edge": curve.at_edge} for curve in curves]
    seeds = [
        {"rate": rate, "size": str(curve.size), "excess": -0.5} for curve in curves for rate in curve.seed_best_rates
    ]
    limits = padded([rate for curve in curves for rate in curve.rates], log=True)
    dash = alt.condition("datum.edge", alt.value([2, 3]), alt.value([1, 0]))
    upright = alt.Chart(rows(best)).mark_rule(strokeWidth=1.2, opacity=0.6, aria=False)
    marks = lines.transform_filter(f"datum.excess <= {MOST_EXCESS}").mark_point(filled=True, size=35, opacity=1)
    return alt.layer(
        frame(
            log_x("rate", "learning rate", limits, ticks=curves[0].rates, format=".1~e"),
            linear_y("excess", "loss above the shape's best (%)", (-0.9, MOST_EXCESS), format="d"),
        ),
        upright.encode(x="rate:Q", color=color, strokeDash=dash),
        lines.mark_line(strokeWidth=1.8, clip=True, aria=False).encode(x="rate:Q", y="excess:Q", color=color),
        marks.encode(x="rate:Q", y="excess:Q", color=color, shape=shape, tooltip="said:N", description="said:N"),
        alt.Chart(rows(seeds))
        .mark_tick(thickness=1.5, size=8, aria=False)
        .encode(x="rate:Q", y="excess:Q", color=color),
    )


def write_transfer_figures(
    path: str | Path, checks: Sequence[CoordinateCheck], curves: Sequence[RateCurve]
) -> list[Path]:
    """Writes the coordinate check, and the rate curves beside it as `NAME-rates`, by the name's ending.

    Raises:
        InterlawError: When the ending is not png, svg or pdf, or a file cannot be written.
    """
    path = Path(path)
    written = [write_chart(path, whole(draw_checks(checks)))]
    if curves:
        beside = path.with_name(f"{path.stem}-rates{path.suffix}")
        written.append(write_chart(beside, whole(draw_rate_curves(curves))))
    return written


def _columns(axes: Sequence[str]) -> int:
    """Width and depth side by side where there are both."""
    return 2 if len(set(axes)) == 2 else min(3, len(axes))
