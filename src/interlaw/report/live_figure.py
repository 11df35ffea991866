"""Training losses of the trials that run now."""

from __future__ import annotations

from interlaw.report.figure import Drawing, Panel
from interlaw.report.look import FLAT, SERIES, SMALL
from interlaw.report.marks import Spec, layered, legend, legend_columns, linear_axis, marks

MARKS: dict[str, Spec] = {"line": {}, "point": {"filled": True, "size": SMALL}}
LONGEST = "100k parameters, 12 x 1024, seed 10"  # a name about as long as they get
NOW = "now"  # the data's name, by which the page's script puts in what the server says


def live_drawing() -> Drawing:
    """One line a running trial; a page's script fills it."""
    color = {
        "field": "trial",
        "type": "nominal",
        "scale": {"range": list(SERIES)},
        "legend": legend("trial", columns=legend_columns([LONGEST]), symbolType="stroke"),
    }
    shown: Spec = {"x": "share", "y": "loss", "color": color, "tooltip": {"field": "said", "type": "nominal"}}
    loss = linear_axis("loss", "training loss", limits=(0.0, 1.0), format="~g")
    loss["scale"] = {"zero": False}  # what runs sets the range
    chart = layered(
        linear_axis("share", "share of the steps", limits=(0.0, 1.0), format=".0%"),
        loss,
        *({**marks([], kind, **shown, **look), "data": {"name": NOW}} for kind, look in MARKS.items()),
    )
    panel = Panel(chart=chart, title="Training losses of what runs now", **FLAT)
    caption = "Losses seen while this page is open."
    return Drawing(message="Trials that run now", caption=caption, panels=(panel,))
