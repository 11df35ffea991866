"""The interaction plane: AOFE against AOFE-ratio of every shape, shaded by its loss, joined to its chance level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from interlaw.report.figure import Drawing, Figure, Panel, chosen_opacity, joined
from interlaw.report.look import (
    FAINT,
    INK,
    INTERACTION,
    LOSS_RAMP,
    MUTED,
    SHAPES,
    SURFACE,
    cycled,
    frame,
    legend,
    linear_y,
    log_x,
    padded,
    rows,
)
from interlaw.report.loss_figure import shape_key
from interlaw.report.results import Analysis, RunResults, by_treatment
from interlaw.report.wording import number, shape_name
from interlaw.shapes import format_size

CAPTION = (
    "Each mark is a shape (mean over its seeds); its form is the budget, its size grows with R, dark is a low loss. "
    "Efficient is up (a high AOFE-ratio) and left (little AOFE); the green line joins the shapes that no other of "
    "their budget beats in both. Hollow marks: the AOFE-ratio that chance gives at the same dimension and effective "
    "rank. Only the distance from it, drawn in the second panel, tells of structure."
)
# the front counts as decided for a shape that lies on it so often under seed and measurement error
MARK_SIZES = (30, 150)


@dataclass(frozen=True, kw_only=True)
class PlanePoint:
    """One shape (mean over its seeds) in the plane of one view.

    Attributes:
        budget: Nominal budget.
        depth: Layers.
        width: d_model.
        ratio: R = depth / width.
        aofe: Off-diagonal energy, linear scale.
        aofe_ratio: Its share of the whole energy, 0 to 1.
        null_ratio: The share that chance gives at this dimension and effective rank; None where it was not measured.
        excess_ratio: aofe_ratio - null_ratio.
        loss_excess: Loss relative to the budget's best shape, minus 1.
        pareto: No shape of the budget has a ratio as high at an energy as low.
    """

    budget: float
    depth: int
    width: int
    ratio: float
    aofe: float
    aofe_ratio: float
    null_ratio: float | None
    excess_ratio: float | None
    loss_excess: float
    pareto: bool


def plane_points(analysis: Analysis) -> tuple[PlanePoint, ...]:
    """One view's points, by budget; none where nothing was measured."""
    found = []
    for fit in analysis.fit.budgets:
        best = min(point.adjusted for point in fit.points)
        for point in fit.points:
            if point.aofe is None or point.aofe_ratio is None or not point.aofe > 0:
                continue
            excess = point.excess_ratio
            found.append(
                PlanePoint(
                    budget=fit.budget,
                    depth=point.depth,
                    width=point.width,
                    ratio=point.ratio,
                    aofe=point.aofe,
                    aofe_ratio=point.aofe_ratio,
                    null_ratio=None if excess is None else point.aofe_ratio - excess,
                    excess_ratio=excess,
                    loss_excess=point.adjusted / best - 1,
                    pareto=bool(point.pareto),
                )
            )
    return tuple(found)


def plane_message(points: Sequence[PlanePoint]) -> str:
    """How far the best shapes stand out in interaction."""
    best = [point for point in points if point.loss_excess == 0]
    efficient = sum(point.pareto for point in best)
    if len(best) == 1:
        return f"The shape with the lowest loss is {'' if efficient else 'not '}among the efficient ones"
    return f"In {efficient} of {len(best)} budgets the shape with the lowest loss is among the efficient ones"


def draw_plane(points: Sequence[PlanePoint], *, view: str) -> Drawing:
    """The plane as it is measured, and above chance where chance is known."""
    panels = [
        Panel(
            chart=_chart(points, excess=False),
            title=f"AOFE-ratio and chance ({view})",
            belongs={"view": view},
            width=420,
            height=320,
        )
    ]
    above = [point for point in points if point.excess_ratio is not None]
    if above:
        panels.append(
            Panel(
                chart=_chart(above, excess=True),
                title=f"AOFE-ratio above chance ({view})",
                belongs={"view": view},
                width=420,
                height=320,
            )
        )
    return Drawing(message=plane_message(points), caption=CAPTION, panels=tuple(panels), columns=2)


def _chart(points: Sequence[PlanePoint], *, excess: bool) -> Any:
    budgets = sorted({point.budget for point in points})
    heights = [point.excess_ratio if excess else point.aofe_ratio for point in points]
    ends = heights + ([0.0] if excess else [point.null_ratio for point in points])
    values = [
        {
            "aofe": point.aofe,
            "height": height,
            "null": point.null_ratio,
            "budget": point.budget,
            "of": format_size(point.budget),
            "ratio": point.ratio,
            "loss": point.loss_excess,
            "front": point.pareto and not excess,
            "shape": shape_key(point.budget, point.depth, point.width),
            "said": _said(point),
        }
        for point, height in zip(points, heights, strict=True)
    ]
    x = log_x("aofe", "AOFE, off-diagonal energy", padded([point.aofe for point in points], log=True))
    y = linear_y("height", "AOFE-ratio above chance" if excess else "AOFE-ratio", padded(ends))
    base = alt.Chart(rows(values)).transform_filter("indexof(off_budgets, datum.budget) < 0")
    looks = _looks([format_size(budget) for budget in budgets], [point.ratio for point in points])
    layers = [frame(x, y)]
    if excess:
        zero = alt.Chart(rows([{"height": 0.0, "said": "what chance gives"}]))
        layers.append(zero.mark_rule(color=MUTED, strokeDash=[4, 4]).encode(y="height:Q", tooltip="said:N"))
    else:
        layers += _chance(base, looks)
        layers.append(_front(base))
    marks = base.mark_point(stroke=INK, strokeWidth=0.8, fillOpacity=1, cursor="pointer")
    fill = alt.Fill(
        "loss:Q",
        scale=alt.Scale(range=list(LOSS_RAMP), domain=[0, max(max(point.loss_excess for point in points), 1e-3)]),
        legend=legend("test loss above the budget's best", format=".0%", gradientLength=alt.ExprRef("min(160, room)")),
    )
    layers.append(
        marks.encode(
            x="aofe:Q",
            y="height:Q",
            fill=fill,
            tooltip="said:N",
            description="said:N",
            opacity=chosen_opacity(),
            **looks,
        )
    )
    return alt.layer(*layers)


def _looks(names: Sequence[str], ratios: Sequence[float]) -> dict[str, Any]:
    """Form by budget, size by R."""
    low, high = min(ratios), max(ratios)
    scale = alt.Scale(type="log", domain=[low, max(high, low * 1.001)], range=list(MARK_SIZES))
    shapes = alt.Scale(domain=list(names), range=cycled(SHAPES, len(names)))
    return {
        "shape": alt.Shape("of:N", scale=shapes, sort=None, legend=legend("budget", column=70)),
        "size": alt.Size("ratio:Q", scale=scale, legend=None),
    }


def _chance(base: Any, looks: dict[str, Any]) -> list[Any]:
    known = base.transform_filter("datum.null !== null")
    stem = known.mark_rule(color=FAINT, aria=False).encode(x="aofe:Q", y="height:Q", y2="null:Q")
    hollow = known.mark_point(stroke=MUTED, fill=SURFACE, fillOpacity=1, strokeWidth=0.8, aria=False)
    small = alt.value(26)
    return [stem, hollow.encode(x="aofe:Q", y="null:Q", shape=looks["shape"], size=small)]


def _front(base: Any) -> Any:
    """The efficient shapes of a budget, joined."""
    line = base.transform_filter("datum.front").mark_line(color=INTERACTION, strokeWidth=1.8, aria=False, point=False)
    return line.encode(x="aofe:Q", y="height:Q", detail="budget:N", order="aofe:Q")


def _said(point: PlanePoint) -> str:
    words = [
        f"{format_size(point.budget)}: {shape_name(point.depth, point.width)}",
        f"AOFE {number(point.aofe, digits=3)}, AOFE-ratio {number(point.aofe_ratio)}",
    ]
    if point.null_ratio is not None:
        words.append(f"by chance {number(point.null_ratio)}, above it {number(point.excess_ratio, digits=3)}")
    return "\n".join([*words, f"loss {point.loss_excess:.2%} above the budget's best"])


def plane_of_run(results: RunResults) -> Drawing | None:
    """The figure of a run: two panels a view, once a treatment."""
    found = {}
    for treatment, analyses in by_treatment(results.analyses).items():
        drawings = [draw_plane(points, view=each.view) for each in analyses if (points := plane_points(each))]
        found[treatment] = _views(drawings)
    return joined(found)


def _views(drawings: Sequence[Drawing]) -> Drawing | None:
    """The panels of every view; the message is that of the first."""
    if not drawings:
        return None
    panels = tuple(panel for drawing in drawings for panel in drawing.panels)
    return Drawing(message=drawings[0].message, caption=CAPTION, panels=panels, columns=2)


PLANE = Figure(name="interaction-plane", title="Interaction plane", draw=plane_of_run)
