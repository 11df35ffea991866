"""Whether one learning rate serves every shape: movement of activations, and rate curves, over width and depth."""

from __future__ import annotations

from collections.abc import Sequence

from interlaw.plain import Json
from interlaw.report.figure import Drawing, Panel
from interlaw.report.look import BEST, BOLD, DASHES, DOT, FAINTLY, FIT, HALF, LINE, SHAPES, THIN, padded, ramp
from interlaw.report.marks import Spec, layered, legend, linear_axis, log_axis, marks, told_apart, when
from interlaw.report.wording import treatment_text
from interlaw.sweep import RateCurve
from interlaw.training import CoordinateCheck

MOST_EXCESS = 12.0  # per cent of loss above a shape's best that the axis shows: judgement, no one trains so far off it
TICK = 8  # pixels: as long as a mark is wide
BELOW = -0.5  # per cent: where the ticks of single seeds stand, clear of the curves


def movement_rows(check: CoordinateCheck) -> list[Json]:
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
            chart=_check_chart(check, moved, steps=steps),
            title=f"{treatment_text(check.parametrization)}, over {check.axis}",
            note=f"slopes {check.stream_slope:+.2f} (last block) and {check.outputs_slope:+.2f} (outputs)",
        )
        for check in checks
    )
    steepest = max(max(abs(check.stream_slope), abs(check.outputs_slope)) for check in checks)
    message = f"Over sizes, activations move with slopes of at most {steepest:.2f}; 0 lets one rate serve every shape"
    caption = (
        f"How far activations moved in {steps} steps (root mean square). Strong: the last step; faint: those before."
    )
    return Drawing(message=message, caption=caption, panels=panels, columns=_columns([check.axis for check in checks]))


def _check_chart(check: CoordinateCheck, moved: tuple[float, float], *, steps: int) -> Spec:
    values = movement_rows(check)
    last = [row for row in values if row["step"] == steps]
    names = ("last block", "outputs")
    color, shape = told_apart("what", names, looks=(FIT, BEST), key=legend()), told_apart("what", names, looks=SHAPES)
    place: Spec = {"x": "size", "y": "moved", "color": color}
    return layered(
        log_axis("size", check.axis, limits=padded(check.sizes, log=True), ticks=check.sizes, format="d"),
        log_axis("moved", "movement (root mean square)", limits=moved),
        marks(values, "line", **place, where=f"datum.step < {steps}", detail="step", strokeWidth=THIN, opacity=FAINTLY),
        marks(last, "line", **place, strokeWidth=BOLD),
        marks(last, "point", **place, said=True, shape=shape, filled=True, size=DOT),
    )


def draw_rate_curves(curves: Sequence[RateCurve]) -> Drawing:
    """Loss above the shape's best against the rate, a panel a parametrization and axis, one line a size."""
    groups: dict[tuple[str, str], list[RateCurve]] = {}
    for curve in curves:
        groups.setdefault((curve.parametrization, curve.axis), []).append(curve)
    panels, factors = [], []
    for (parametrization, axis), chosen in groups.items():
        rates = [curve.best_rate for curve in chosen]
        factors.append(max(rates) / min(rates))
        title = f"{treatment_text(parametrization)}, over {axis}"
        note = f"best rates from {min(rates):.2g} to {max(rates):.2g}"
        panels.append(Panel(chart=_rate_chart(chosen), title=title, note=note))
    message = f"The best learning rate differs between shapes by a factor of up to {max(factors):.2g}"
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


def rate_rows(curve: RateCurve) -> list[Json]:
    """The plotted numbers of one shape: loss above its best, per cent, at each rate."""
    best = min(curve.losses)
    return [
        {
            "rate": rate,
            "excess": 100 * (loss / best - 1),
            "size": str(curve.size),
            "said": f"{curve.axis} {curve.size}, rate {rate:.3g}: {loss / best - 1:.2%} above its best",
        }
        for rate, loss in zip(curve.rates, curve.losses, strict=True)
    ]


def _rate_chart(curves: Sequence[RateCurve]) -> Spec:
    sizes = [str(curve.size) for curve in curves]
    color, shape = (told_apart("size", sizes, looks=looks, key=legend("size")) for looks in (ramp(len(sizes)), SHAPES))
    values = [row for curve in curves for row in rate_rows(curve)]
    best, seeds = [], []
    for curve, size in zip(curves, sizes, strict=True):
        best.append({"rate": curve.best_rate, "size": size, "edge": curve.at_edge})
        seeds += [{"rate": rate, "size": size, "excess": BELOW} for rate in curve.seed_best_rates]
    limits = padded([rate for curve in curves for rate in curve.rates], log=True)
    near = [row for row in values if row["excess"] <= MOST_EXCESS]
    dash = when("datum.edge", DASHES[2], other=DASHES[0])
    place: Spec = {"x": "rate", "y": "excess", "color": color}
    return layered(
        log_axis("rate", "learning rate", limits=limits, ticks=curves[0].rates, format=".1~e"),
        linear_axis("excess", "loss above the shape's best (%)", limits=(2 * BELOW, MOST_EXCESS), format="d"),
        marks(best, "rule", x="rate", color=color, strokeDash=dash, strokeWidth=THIN, opacity=HALF),
        marks(values, "line", **place, strokeWidth=LINE, clip=True),
        marks(near, "point", **place, said=True, shape=shape, filled=True, size=DOT),
        marks(seeds, "tick", **place, thickness=LINE, size=TICK),
    )


def _columns(axes: Sequence[str]) -> int:
    """Width and depth side by side where there are both."""
    return 2 if len(set(axes)) == 2 else min(3, len(axes))
