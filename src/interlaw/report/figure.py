"""What a figure is: panels, each an Altair chart. One definition for the page, files and notebooks.

A figure of a run registers here in one line, `register(Figure(...))`; a result's chart in one line,
`@chart_of.register`.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import singledispatch
from typing import TYPE_CHECKING, Any

import altair as alt

from interlaw.registry import Registry
from interlaw.report.look import CONFIG

if TYPE_CHECKING:
    from interlaw.report.results import RunResults

# What the page's reader chooses; a notebook and a file show everything. `chosen` is a shape, `trial` one of its trials,
# the others hold what is switched off.
PARAMS: dict[str, Any] = {"chosen": "", "trial": "", "off_budgets": [], "off_seeds": []}
IS_CHOSEN = "(!chosen || datum.shape == chosen) && (!trial || !datum.key || datum.key == trial)"
WIDE = 450  # pixels: a panel that is wider takes a whole row of the page
DIGITS = 6  # of the plotted numbers of a page: finer than any screen
LETTER = 6.1  # pixels of one letter of a subtitle, about


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One drawing of a figure.

    Attributes:
        chart: An Altair chart without size.
        title: What it shows, in a few words.
        note: One line below the title: what its numbers say.
        belongs: The choices that it is shown for, on a page: `budget`, `view`, `treatment`.
        width: Pixels in a file; on a page it takes the room there is.
        height: Pixels.
    """

    chart: Any
    title: str
    note: str = ""
    belongs: Mapping[str, Any] = field(default_factory=dict)
    width: int = 300
    height: int = 260


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """Panels with what they say together.

    Attributes:
        message: What the figure shows, in a sentence: its title.
        caption: What the marks mean.
        panels: One or more.
        columns: Panels side by side in a file.
        shared: Whether colours and forms mean the same in every panel, so that one legend serves a file.
    """

    message: str
    caption: str
    panels: tuple[Panel, ...]
    columns: int = 3
    shared: bool = True


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure of a run.

    Attributes:
        name: Stem of its files and its anchor on the page.
        title: Its heading on the page.
        draw: From a run to a drawing; None where the run has no data for it.
    """

    name: str
    title: str
    draw: Callable[[RunResults], Drawing | None]


FIGURES: Registry[Figure] = Registry("interlaw.figures", {})


def register(figure: Figure) -> Figure:
    """Adds a figure to every report, after those that are there; one of the same name takes its place."""
    FIGURES[figure.name] = figure
    return figure


@singledispatch
def chart_of(result: Any) -> Any:
    """The chart of a result, which a notebook shows and `.save("x.pdf")` writes.

    Args:
        result: An `Interaction`, the layers of `measure_layers`, a `LawFit`, a `Recommendation`, or another type that
            registered its chart with `@chart_of.register`.

    Returns:
        An Altair chart.

    Raises:
        TypeError: No chart is known for this type.
    """
    raise TypeError(f"expected a result that has a chart, found {type(result).__name__}; see interlaw.report.chart_of")


def params(room: float | None = None) -> list[Any]:
    """The parameters of a chart: the reader's choices, with nothing chosen, and its room across in pixels."""
    across = alt.param(name="room", expr="width") if room is None else alt.param(name="room", value=room)
    return [across, *(alt.param(name=name, value=value) for name, value in PARAMS.items())]


def chosen_opacity(value: float = 1.0, *, else_value: float = 0.15) -> Any:
    """Opacity of a mark that stands for a shape or a trial: faint while another one is chosen."""
    return alt.condition(IS_CHOSEN, alt.value(value), alt.value(else_value))


def whole(drawing: Drawing) -> Any:
    """A drawing as one chart, with its message above and its caption below the message."""
    panels = drawing.panels
    columns = min(drawing.columns, len(panels))
    charts = [panel.chart.properties(width=panel.width, height=panel.height) for panel in panels]
    if len(charts) > 1:  # a figure of one panel has the figure's title
        charts = [chart.properties(title=_panel_title(panel)) for chart, panel in zip(charts, panels, strict=True)]
    width = columns * (panels[0].width + 60)
    title = alt.TitleParams(
        text=wrapped(drawing.message, width, letter=8.2),
        subtitle=wrapped(drawing.caption, width),
        fontSize=16,
        subtitleFontSize=11,
        subtitlePadding=6,
        offset=16,
    )
    joined = alt.concat(*charts, columns=columns) if len(charts) > 1 else charts[0]
    if not drawing.shared:
        joined = joined.resolve_scale(color="independent", shape="independent")
    return joined.properties(title=title).add_params(*params(width)).configure(**CONFIG)


def _panel_title(panel: Panel) -> Any:
    """A panel's heading."""
    return alt.TitleParams(text=panel.title, subtitle=panel.note) if panel.note else alt.TitleParams(text=panel.title)


def wrapped(text: str, width: float, *, letter: float = LETTER) -> list[str]:
    """Lines that fit so many pixels."""
    return textwrap.wrap(text, max(30, int(width / letter))) or [""]


def joined(drawings: Mapping[str, Drawing | None]) -> Drawing | None:
    """The drawings of several treatments as one; each panel belongs to its treatment and says so."""
    found = {name: each for name, each in drawings.items() if each is not None}
    if not found:
        return None
    several = len(drawings) > 1
    panels = tuple(
        replace(
            panel,
            title=f"{panel.title}, {name}" if several else panel.title,
            belongs={**panel.belongs, "treatment": name},
        )
        for name, drawing in found.items()
        for panel in drawing.panels
    )
    messages = [f"{name}: {each.message}" if several else each.message for name, each in found.items()]
    return replace(next(iter(found.values())), message="; ".join(messages), panels=panels)


def page_panels(drawing: Drawing) -> list[dict[str, Any]]:
    """Panels as values for a template and its script."""
    return [
        {
            "title": each.title,
            "note": each.note,
            "belongs": dict(each.belongs),
            "wide": each.width > WIDE,
            "spec": page_specification(each),
        }
        for each in drawing.panels
    ]


def page_specification(panel: Panel) -> dict[str, Any]:
    """A panel for the page: as wide as its place; its title stands in the page's own words."""
    chart = panel.chart.properties(width="container", height=panel.height, description=panel.title)
    found: dict[str, Any] = chart.add_params(*params()).to_dict(validate=False)
    for unused in ("$schema", "config"):
        found.pop(unused, None)
    if "datasets" in found:
        found["datasets"] = rounded(found["datasets"])
    return found


def rounded(value: Any, *, kept: bool = False) -> Any:
    """Numbers to so many digits; a budget names what belongs to it and stays as it is.

    Example:
        >>> rounded({"budget": 1234567.0, "loss": [2.123456789, 1234567.0, 3]})
        {'budget': 1234567.0, 'loss': [2.12346, 1234570.0, 3]}
    """
    if isinstance(value, Mapping):
        return {key: rounded(item, kept=key == "budget") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    if isinstance(value, float) and math.isfinite(value) and not kept:
        return float(f"{value:.{DIGITS}g}")
    return value
