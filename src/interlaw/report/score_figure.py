"""Published models: MMLU-Pro against R, a panel a size bin, the claimed interval shaded, guessing marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from interlaw.errors import InterlawError
from interlaw.published import SIZE_BINS, RatioPoint
from interlaw.report.figure import Drawing, Panel
from interlaw.report.look import FIT, GOOD, MUTED, SURFACE, padded
from interlaw.report.marks import Spec, layered, linear_axis, log_axis, marks, when
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
    """One panel a bin, all on the same axes.

    Raises:
        InterlawError: No model has a score.
    """
    if not panels:
        raise InterlawError("expected scored models to draw, found none; choose another protocol")
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
) -> Spec:
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
    band = {"low": interval[0], "high": interval[1]}
    colours: Spec = {"fill": when("datum.guess", SURFACE, FIT), "stroke": when("datum.guess", MUTED, FIT)}
    return layered(
        log_axis("ratio", "R = depth / width", x_limits, most=5),
        linear_axis("score", "MMLU-Pro (%)", y_limits),
        marks([band], "rect", x="low", x2="high", color=GOOD, opacity=0.2),
        marks(
            values,
            "point",
            x="ratio",
            y="score",
            said=True,
            size=45,
            strokeWidth=1.3,
            fillOpacity=0.85,
            opacity=1,
            **colours,
        ),
    )
