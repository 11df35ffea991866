"""Training losses of the trials that run now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from interlaw.report.figure import Drawing, Panel
from interlaw.report.look import SERIES, legend

NOW = "now"  # the data's name, by which the page's script puts in what the server says


def live_rows(trials: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The plotted numbers: loss by share of the steps, one row a point.

    Example:
        >>> live_rows([{"name": "2 x 16", "steps": 50, "losses": [[10, 4.5]]}])
        [{'trial': '2 x 16', 'share': 0.2, 'loss': 4.5, 'said': '2 x 16: training loss 4.5 at step 10'}]
    """
    return [
        {
            "trial": trial["name"],
            "share": step / max(trial["steps"], 1),
            "loss": loss,
            "said": f"{trial['name']}: training loss {loss:.4g} at step {step}",
        }
        for trial in trials
        for step, loss in trial["losses"]
    ]


def live_drawing() -> Drawing:
    """One line a running trial; a page's script fills it."""
    loss = alt.Y("loss:Q", scale=alt.Scale(zero=False), axis=alt.Axis(title="training loss", tickCount=5))
    share = alt.X(
        "share:Q", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(title="share of the steps", format=".0%", tickCount=5)
    )
    color = alt.Color(
        "trial:N", scale=alt.Scale(range=list(SERIES)), legend=legend("trial", column=220, symbolType="stroke")
    )
    lines = alt.Chart(alt.NamedData(name=NOW)).mark_line(point=alt.OverlayMarkDef(size=14), aria=False)
    chart = alt.layer(lines.encode(x=share, y=loss, color=color, tooltip="said:N"))
    panel = Panel(chart=chart, title="Training losses of what runs now", width=600, height=200)
    caption = "Losses seen while this page is open."
    return Drawing(message="Trials that run now", caption=caption, panels=(panel,))
