"""Interaction while a network trains: with its interval and its level by chance, and the loss below."""

from __future__ import annotations

from collections.abc import Sequence

from interlaw.plain import Json
from interlaw.report.figure import Drawing, Panel
from interlaw.report.look import DASHES, DOT, FIT, FLAT, INTERACTION, MUTED, SMALL, TINT, padded
from interlaw.report.marks import Spec, layered, linear_axis, marks, told_apart
from interlaw.report.wording import number
from interlaw.tracking import TrackedPoint, Tracker

MEASURED, CHANCE = "AOFE-ratio", "by chance"


def tracking_rows(points: Sequence[TrackedPoint]) -> list[Json]:
    """The plotted numbers of a view: two rows a step.

    The range of chance is the interval of the excess, laid around chance: interaction lies inside exactly where its
    excess cannot be told from 0.
    """
    rows = []
    for point in points:
        measured = {"value": point.interaction, "low": point.low, "high": point.high}
        ends = {"low": point.interaction - point.excess_high, "high": point.interaction - point.excess_low}
        for what, values in ((MEASURED, measured), (CHANCE, {"value": point.null, **ends})):
            rows.append(
                {"step": point.step, "what": what, **values, "said": _said(point.step, what, value=values["value"])}
            )
    return rows


def draw_tracking(tracker: Tracker) -> Drawing:
    """A panel a view, and the loss below where it is known.

    Args:
        tracker: One with at least one measurement.

    Raises:
        ValueError: Nothing was measured yet.
    """
    views: dict[str, list[TrackedPoint]] = {}
    for point in tracker.points:
        if not point.reason:  # it was measured
            views.setdefault(point.view, []).append(point)
    if not views:
        raise ValueError("expected a tracker with measurements, found none; call it with the steps of a training first")
    steps = [point.step for point in tracker.points] + list(tracker.losses)
    limits = (min(steps), max(*steps, min(steps) + 1))
    x = linear_axis("step", "optimizer steps", limits=limits, tickMinStep=1, format="~s")
    panels = [_view_panel(points, view, x=x) for view, points in views.items()]
    if tracker.losses:
        panels.append(_loss_panel(tracker.losses, x))
    caption = (
        "Dashed: what a random basis gives for the same spectrum; grey: how far that may lie from there. Interaction "
        "within the grey cannot be told from chance. Coloured band: interval over samples alone."
    )
    message = "; ".join(
        f"{view} view: interaction {_against(points[0])}, {_against(points[-1])}" for view, points in views.items()
    )
    return Drawing(message=message, caption=caption, panels=tuple(panels), columns=1, shared=False)


def _view_panel(points: Sequence[TrackedPoint], view: str, *, x: Spec) -> Panel:
    values = tracking_rows(points)
    ends = [row.get(name) for row in values for name in ("value", "low", "high")]
    known, chance = ([row for row in values if row["what"] == what] for what in (MEASURED, CHANCE))
    color = told_apart("what", (MEASURED, CHANCE), looks=(INTERACTION, MUTED), key={"title": None})
    dash = told_apart("what", (MEASURED, CHANCE), looks=DASHES)
    chart = layered(
        x,
        linear_axis("value", "share of energy off the diagonal", limits=padded(ends)),
        marks(chance, "area", x="step", y="low", y2="high", color=MUTED, opacity=TINT),
        marks(known, "area", x="step", y="low", y2="high", color=INTERACTION, opacity=TINT),
        marks(values, "line", x="step", y="value", color=color, strokeDash=dash),
        marks(values, "point", x="step", y="value", said=True, color=color, filled=True, size=DOT),
    )
    return Panel(chart=chart, title=f"interaction, {view} view", **FLAT)


def _loss_panel(losses: dict[int, float], x: Spec) -> Panel:
    values = [
        {"step": step, "loss": loss, "said": _said(step, "loss", value=loss)} for step, loss in sorted(losses.items())
    ]
    chart = layered(
        x,
        linear_axis("loss", "training loss", limits=padded(losses.values())),
        marks(values, "line", x="step", y="loss", color=FIT),
        marks(values, "point", x="step", y="loss", said=True, color=FIT, filled=True, size=SMALL),
    )
    return Panel(chart=chart, title="training loss", **FLAT)


def _said(step: int, what: str, *, value: float) -> str:
    return f"step {step}, {what}: {number(value)}"


def _against(point: TrackedPoint) -> str:
    """A point's ratio, and whether it differs from that of chance."""
    side = "above" if point.excess_low > 0 else "below" if point.excess_high < 0 else "cannot be told from"
    return f"{point.interaction:z.3f} at step {point.step} ({side} chance, {point.null:z.3f})"
