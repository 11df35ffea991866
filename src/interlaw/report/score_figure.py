"""Published models: MMLU-Pro against R, a panel a size bin, the claimed interval shaded, guessing marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import altair as alt

from interlaw.errors import InterlawError
from interlaw.published import SIZE_BINS, RatioPoint
from interlaw.report.figure import Drawing, Panel, whole
from interlaw.report.look import FIT, GOOD, MUTED, SURFACE, frame, linear_y, log_x, padded, rows
from interlaw.report.saving import require_figure_name, write_chart
from interlaw.report.wording import number, shape_name, span


@dataclass(frozen=True, kw_only=True)
class ScorePanel:
    """The scored models of one size bin."""

    size_bin: str
    models: tuple[RatioPoint, ...]


def score_panels(points: Sequence[RatioPoint]) -> tuple[ScorePanel, ...]:
    """The scored models by size bin, smallest first; bins without any are left out."""
    binned = [
        (one.name, tuple(point for point in points if point.size_bin == one.name and point.score is not None))
        for one in SIZE_BINS
    ]
    return tuple(ScorePanel(size_bin=name, models=models) for name, models in binned if models)


def draw_scores(panels: Sequence[ScorePanel], *, interval: tuple[float, float]) -> Drawing:
    """One panel a bin, all on the same axes."""
    x_limits = padded([*interval, *(model.ratio for panel in panels for model in panel.models)], log=True)
    _, high = padded([model.score for panel in panels for model in panel.models])
    drawn = tuple(
        Panel(
            chart=_chart(panel, interval, x_limits, (0.0, high)),
            title=f"{panel.size_bin}, {len(panel.models)} {'model' if len(panel.models) == 1 else 'models'}",
            width=260,
            height=240,
        )
        for panel in panels
    )
    scored = [model for panel in panels for model in panel.models]
    inside = sum(interval[0] <= model.ratio <= interval[1] for model in scored)
    caption = (
        f"Gold: the interval claimed to do better, R = {span(*interval)}. "
        "Hollow: a score that cannot be told from guessing."
    )
    message = f"{inside} of {len(scored)} scored models lie inside the claimed interval of R"
    return Drawing(message=message, caption=caption, panels=drawn)


def _chart(
    panel: ScorePanel, interval: tuple[float, float], x_limits: tuple[float, float], y_limits: tuple[float, float]
) -> Any:
    values = [
        {
            "ratio": model.ratio,
            "score": model.score,
            "guess": model.at_chance,
            "said": f"{model.name}: {shape_name(model.depth, model.width)}, MMLU-Pro {number(model.score, digits=3)}%"
            + (", no better than guessing" if model.at_chance else ""),
        }
        for model in panel.models
    ]
    band = alt.Chart(rows([{"low": interval[0], "high": interval[1]}])).mark_rect(color=GOOD, opacity=0.2, aria=False)
    dots = alt.Chart(rows(values)).mark_point(size=45, strokeWidth=1.3, fillOpacity=0.85, opacity=1)
    guess = "datum.guess"
    return alt.layer(
        frame(log_x("ratio", "R = depth / width", x_limits, most=5), linear_y("score", "MMLU-Pro (%)", y_limits)),
        band.encode(x="low:Q", x2="high:Q"),
        dots.encode(
            x="ratio:Q",
            y="score:Q",
            fill=alt.condition(guess, alt.value(SURFACE), alt.value(FIT)),
            stroke=alt.condition(guess, alt.value(MUTED), alt.value(FIT)),
            tooltip="said:N",
            description="said:N",
        ),
    )


def write_score_figure(path: str | Path, points: Sequence[RatioPoint], *, interval: tuple[float, float]) -> Path:
    """Writes the panels as PNG, SVG or PDF, by the name's ending.

    Raises:
        InterlawError: When the ending is none of these, no model has a score, or the file cannot be written.
    """
    path = require_figure_name(path)
    panels = score_panels(points)
    if not panels:
        raise InterlawError("expected scored models to draw, found none; choose another protocol")
    return write_chart(path, whole(draw_scores(panels, interval=interval)))
