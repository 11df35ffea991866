"""One measurement: the AOFE-ratio with its interval, its level by chance, and what a plain average would say."""

from __future__ import annotations

from pathlib import Path

from interlaw.interaction import Interaction
from interlaw.plain import Json
from interlaw.report.figure import Drawing, Panel
from interlaw.report.look import BEST, FIT, MUTED, OF_TWO, SMALL
from interlaw.report.marks import interval_bars, layered, linear_axis, marks, name_axis, told_apart
from interlaw.report.wording import number

MEASURED, CHANCE, PLAIN = "AOFE-ratio", "by chance", "plain average"
ROW = 40  # pixels: three rows do not look lost on a page


def interaction_rows(result: Interaction) -> list[Json]:
    """The plotted numbers: a row a quantity, with the interval where there is one."""
    rows: list[Json] = [
        {"what": what, "value": each.value, "low": each.low, "high": each.high}
        for what, each in ((MEASURED, result.aofe_ratio), (CHANCE, result.null))
    ]
    rows.append({"what": PLAIN, "value": result.plugin.aofe_ratio, "low": None, "high": None})
    for row in rows:
        interval = "" if row["low"] is None else f" ({number(row['low'])} to {number(row['high'])})"
        row["said"] = f"{row['what']}: {number(row['value'])}{interval}"
    return rows


def draw_interaction(result: Interaction) -> Drawing:
    """Three rows: what was measured, chance, and the uncorrected average."""
    values = interaction_rows(result)
    ends = [end for row in values for end in (row["low"], row["high"], row["value"]) if end is not None]
    color = told_apart("what", (MEASURED, CHANCE, PLAIN), looks=(FIT, MUTED, BEST))
    names = name_axis("what", (MEASURED, CHANCE, PLAIN), domain=False, ticks=False)
    known = [row for row in values if row["low"] is not None]
    limits = (min(0.0, *ends), max(1.0, *ends))
    chart = layered(
        linear_axis("value", "share of the energy outside the diagonal", limits=limits, format=".1f", grid=True),
        names,
        *interval_bars(known, along="x", across=names, color=color),
        marks(values, "point", x="value", y=names, said=True, color=color, filled=True, size=SMALL),
    )
    panel = Panel(
        chart=chart, title="AOFE-ratio, chance and plain average", width=OF_TWO["width"], height=ROW * len(values)
    )
    excess = result.excess
    side = "above" if excess.low > 0 else "below" if excess.high < 0 else "not told apart from"
    whose = Path(result.model).name if result.model else "The network"
    message = f"{whose}: interaction is {side} chance ({excess.value:+.3f}, {excess.low:+.3f} to {excess.high:+.3f})"
    caption = (
        f"View {result.view} at {result.layer}, {result.num_clusters} clusters, D = {result.dim}. Bars: "
        f"{result.settings['level']:.0%} intervals. A plain average of few samples reads too high."
    )
    return Drawing(message=message, caption=caption, panels=(panel,))
