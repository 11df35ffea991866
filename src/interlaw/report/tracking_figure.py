"""Interaction while a network trains: with its interval and its level by chance, and the loss below."""

from __future__ import annotations

from typing import Any

import altair as alt

from interlaw.report.figure import Drawing, Panel, chart_of, whole
from interlaw.report.look import FIT, INTERACTION, MUTED, frame, linear_y, padded, rows
from interlaw.report.wording import number
from interlaw.tracking import Point, Tracker

MEASURED, CHANCE = "AOFE-ratio", "by chance"


def tracking_rows(tracker: Tracker, view: str) -> list[dict[str, Any]]:
    """The plotted numbers of a view: two rows a step, without steps that could not be measured."""
    found = []
    for point in (each for each in tracker.points if each.view == view and not each.reason):
        measured = {"value": point.interaction, "low": point.low, "high": point.high}
        for what, values in ((MEASURED, measured), (CHANCE, {"value": point.null})):
            found.append({"step": point.step, "what": what, **values, "said": _said(point.step, what, values["value"])})
    return found


def draw_tracking(tracker: Tracker) -> Drawing:
    """A panel a view, and the loss below where it is known.

    Args:
        tracker: One with at least one measurement.
    """
    views = list(dict.fromkeys(point.view for point in tracker.points if not point.reason))
    steps = [point.step for point in tracker.points] + list(tracker.losses)
    x = alt.X(
        "step:Q",
        scale=alt.Scale(domain=[min(steps), max(*steps, min(steps) + 1)], nice=False),
        axis=alt.Axis(title="optimizer steps", tickCount=6, tickMinStep=1, format="~s"),
    )
    panels = [_view_panel(tracker, view, x) for view in views]
    if tracker.losses:
        panels.append(_loss_panel(tracker.losses, x))
    caption = "Band: interval over samples. Dashed: what a random basis gives for the same spectrum."
    return Drawing(message=_message(tracker, views), caption=caption, panels=tuple(panels), columns=1, shared=False)


def _view_panel(tracker: Tracker, view: str, x: Any) -> Panel:
    values = tracking_rows(tracker, view)
    ends = [row.get(name) for row in values for name in ("value", "low", "high")]
    y = linear_y("value", "share of energy off the diagonal", padded(ends))
    names = [MEASURED, CHANCE]
    color = alt.Color(
        "what:N", scale=alt.Scale(domain=names, range=[INTERACTION, MUTED]), legend=alt.Legend(title=None)
    )
    dash = alt.StrokeDash("what:N", scale=alt.Scale(domain=names, range=[[1, 0], [6, 3]]), legend=None)
    base, known = alt.Chart(rows(values)), alt.Chart(rows(row for row in values if row["what"] == MEASURED))
    chart = alt.layer(
        frame(x, y),
        known.mark_area(opacity=0.18, color=INTERACTION).encode(x="step:Q", y="low:Q", y2="high:Q"),
        base.mark_line().encode(x="step:Q", y="value:Q", color=color, strokeDash=dash),
        base.mark_point(filled=True, size=45, opacity=1).encode(
            x="step:Q", y="value:Q", color=color, tooltip="said:N", description="said:N"
        ),
    )
    return Panel(chart=chart, title=f"interaction, {view} view", width=460, height=190)


def _loss_panel(losses: dict[int, float], x: Any) -> Panel:
    values = [{"step": step, "loss": loss, "said": _said(step, "loss", loss)} for step, loss in sorted(losses.items())]
    y = linear_y("loss", "training loss", padded(losses.values()))
    base = alt.Chart(rows(values))
    chart = alt.layer(
        frame(x, y),
        base.mark_line(color=FIT).encode(x="step:Q", y="loss:Q"),
        base.mark_point(filled=True, size=30, opacity=1, color=FIT).encode(
            x="step:Q", y="loss:Q", tooltip="said:N", description="said:N"
        ),
    )
    return Panel(chart=chart, title="training loss", width=460, height=150)


def _said(step: int, what: str, value: float) -> str:
    return f"step {step}, {what}: {number(value)}"


def _message(tracker: Tracker, views: list[str]) -> str:
    """Where interaction stood at the first and at the last measurement of each view."""
    said = []
    for view in views:
        points = [point for point in tracker.points if point.view == view and not point.reason]
        said.append(f"{view} view: interaction {_against(points[0])}, {_against(points[-1])}")
    return "; ".join(said)


def _against(point: Point) -> str:
    """A point's ratio and that of chance."""
    return f"{point.interaction:.3f} at step {point.step} (by chance {point.null:.3f})"


@chart_of.register
def tracking_chart(tracker: Tracker) -> Any:
    """The chart of `il.track` and of the Trainer's callback.

    Raises:
        ValueError: Nothing was measured yet.
    """
    if all(point.reason for point in tracker.points):
        raise ValueError("expected a tracker with measurements, found none; call it with the steps of a training first")
    return whole(draw_tracking(tracker))
