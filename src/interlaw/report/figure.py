"""What a figure is: panels, each a chart. One definition for the page, files and notebooks.

A figure of a run registers here in one line, `register(Figure(...))`; a result's chart in `charts.py`.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from interlaw.plain import Json, plain
from interlaw.registry import Registry
from interlaw.report.look import LETTER, OF_THREE, TINT, TITLE_LETTER, VEGA_CONFIG
from interlaw.report.marks import Spec, when
from interlaw.report.results import Analysis, RunResults, by_treatment

# What the page's reader chooses; a notebook and a file show everything. `chosen` is a shape, `trial` one of its trials,
# the others hold what is switched off.
PARAMS: Json = {"chosen": "", "trial": "", "off_budgets": [], "off_seeds": []}
IS_CHOSEN = "(!chosen || datum.shape == chosen) && (!trial || !datum.key || datum.key == trial)"
BUDGET_ON, SEED_ON = (f"indexof(off_{each}s, datum.{each}) < 0" for each in ("budget", "seed"))
DIGITS = 6  # of the plotted numbers of a page: finer than any screen
BETWEEN = 60  # pixels that axes and gaps take of a panel's place
LEAST_LETTERS = 30  # of a line: a narrow figure becomes wider by its title rather than tall by it


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One drawing of a figure.

    Attributes:
        chart: A Vega-Lite specification without size, such as `layered` gives, or an Altair chart.
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
    width: int = OF_THREE["width"]
    height: int = OF_THREE["height"]


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """Panels with what they say together.

    Attributes:
        message: What the figure shows, in a sentence: its title.
        caption: What the marks mean.
        panels: One or more.
        columns: Panels side by side in a file.
        shared: Whether colours and forms mean the same in every panel, so that one legend serves a file.
        aligned: Whether the axes of a column of panels stand below each other in a file.
    """

    message: str
    caption: str
    panels: tuple[Panel, ...]
    columns: int = 3  # panels of 300 pixels fill the page of about 1000
    shared: bool = True
    aligned: bool = True


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


def params(room: float | None = None) -> list[Spec]:
    """The parameters of a chart: the reader's choices, with nothing chosen, and its room across in pixels."""
    across = {"name": "room", "expr": "width"} if room is None else {"name": "room", "value": room}
    return [across, *({"name": name, "value": value} for name, value in PARAMS.items())]


def chosen_opacity() -> Spec:
    """Opacity of a mark that stands for a shape or a trial: faint while another one is chosen."""
    return when(IS_CHOSEN, 1.0, other=TINT)


def specification(drawing: Drawing) -> Spec:
    """A drawing as one Vega-Lite specification, with its message above and its caption below the message."""
    panels = drawing.panels
    columns = min(drawing.columns, len(panels))
    charts = [{**_chart(panel), "width": panel.width, "height": panel.height} for panel in panels]
    for chart, panel in zip(charts, panels, strict=True) if len(panels) > 1 else ():  # one has the figure's title
        # from the plot's edge, where panels of a column meet: their labels differ in width
        chart["title"] = {"text": panel.title, "frame": "group", **({"subtitle": panel.note} if panel.note else {})}
    width = columns * (panels[0].width + BETWEEN)
    title = {
        "text": lines_of(drawing.message, width, letter=TITLE_LETTER),
        "subtitle": lines_of(drawing.caption, width, letter=LETTER),
        "fontSize": 16,  # a third larger than a panel's title
        "subtitleFontSize": 11,
        "subtitlePadding": 6,
        "offset": 16,  # a line's room below
    }
    together: Spec = charts[0] if len(charts) == 1 else {"concat": charts, "columns": columns}
    if not drawing.aligned:
        together["align"] = "none"
    if not drawing.shared:
        together["resolve"] = {"scale": {"color": "independent", "shape": "independent"}}
    room = width if drawing.shared else panels[0].width  # of a legend that each panel has, or one that all share
    whole: Spec = plain({**together, "title": title, "params": params(room), "config": VEGA_CONFIG})
    return whole


def _chart(panel: Panel) -> Spec:
    """A panel's specification; another package may draw it with Altair."""
    if isinstance(panel.chart, dict):
        return panel.chart
    chart: Spec = panel.chart.to_dict(validate=False)
    datasets = chart.pop("datasets", {})
    for unused in ("$schema", "config"):
        chart.pop(unused, None)
    for each in (chart, *chart.get("layer", ())):
        name = each.get("data", {}).get("name")
        if name in datasets:
            each["data"] = {"values": datasets[name]}
    return chart


def lines_of(text: str, width: float, *, letter: float) -> list[str]:
    """Lines that fit so many pixels."""
    return textwrap.wrap(text, max(LEAST_LETTERS, int(width / letter))) or [""]


def once_a_treatment(
    draw: Callable[[RunResults, list[Analysis]], Drawing | None],
) -> Callable[[RunResults], Drawing | None]:
    """A run's figure from that of one learning-rate treatment: its panels side by side, each says whose it is."""

    def draw_all(results: RunResults) -> Drawing | None:
        treated = by_treatment(results.analyses)
        drawn = {name: drawing for name in treated if (drawing := draw(results, treated[name])) is not None}
        if not drawn:
            return None
        several = len(treated) > 1
        panels = tuple(
            replace(
                panel,
                title=f"{panel.title}, {name}" if several else panel.title,
                belongs={**panel.belongs, "treatment": name},
            )
            for name, drawing in drawn.items()
            for panel in drawing.panels
        )
        messages = [f"{name}: {each.message}" if several else each.message for name, each in drawn.items()]
        return replace(next(iter(drawn.values())), message="; ".join(messages), panels=panels)

    return draw_all


def page_specification(panel: Panel) -> Spec:
    """A panel for the page: as wide as its place; its title stands in the page's own words; each table of rows once."""
    chart = _chart(panel)
    datasets: Json = {}
    names: dict[int, str] = {}
    layers = []
    for layer in chart.get("layer", ()):
        values = layer.get("data", {}).get("values")
        if values is not None:
            name = names.setdefault(id(values), f"rows{len(names)}")
            datasets[name] = values
            layer = {**layer, "data": {"name": name}}
        layers.append(layer)
    return {
        **chart,
        **({"layer": layers, "datasets": {name: rounded(rows) for name, rows in datasets.items()}} if layers else {}),
        "width": "container",
        "height": panel.height,
        "description": panel.title,
        "params": params(),
    }


def rounded(value: Any, *, kept: bool = False) -> Any:
    """Numbers to so many digits, what JSON lacks as null; a budget names what belongs to it and stays as it is.

    Example:
        >>> rounded({"budget": 1234567.0, "loss": [2.123456789, 1234567.0, 3], "null": float("nan")})
        {'budget': 1234567.0, 'loss': [2.12346, 1234570.0, 3], 'null': None}
    """
    if isinstance(value, float):
        return value if kept else float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: rounded(item, kept=key == "budget") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    return value
