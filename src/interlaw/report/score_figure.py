"""Published models: MMLU-Pro against R, a panel a size bin, the claimed interval shaded, guessing marked."""

from __future__ import annotations

from collections.abc import Sequence

from interlaw.errors import InterlawError
from interlaw.published import SIZE_BINS, PublishedRow
from interlaw.report.figure import Drawing, Panel
from interlaw.report.look import DOT, FIT, GOOD, MUTED, SURFACE, THIN, TINT, padded
from interlaw.report.marks import Spec, layered, linear_axis, log_axis, marks, when
from interlaw.report.wording import number, shape_name
from interlaw.size import counted, format_range


def scored_by_size(points: Sequence[PublishedRow]) -> dict[str, list[PublishedRow]]:
    """The scored models by size bin, smallest first; bins without any are left out."""
    bins = {
        name: [point for point in points if point.size_bin == name and point.mmlu_pro is not None] for name in SIZE_BINS
    }
    return {name: models for name, models in bins.items() if models}


def draw_scores(points: Sequence[PublishedRow], *, interval: tuple[float, float]) -> Drawing:
    """A panel a size bin, all on the same axes.

    Raises:
        InterlawError: No model has a score.
    """
    bins = scored_by_size(points)
    scored = [model for models in bins.values() for model in models]
    if not scored:
        raise InterlawError("expected scored models to draw, found none; choose another protocol")
    limits = padded([*interval, *(model.ratio for model in scored)], log=True)
    x = log_axis("ratio", "R = depth / width", limits=limits)
    y = linear_axis("score", "MMLU-Pro (%)", limits=(0.0, padded([model.score for model in scored])[1]))
    drawn = tuple(
        Panel(chart=_chart(models, interval, x=x, y=y), title=f"{size}, {counted(len(models), 'model')}")
        for size, models in bins.items()
    )
    inside = sum(interval[0] <= model.ratio <= interval[1] for model in scored)
    caption = (
        f"Gold: the interval claimed to do better, R = {format_range(*interval)}. "
        "Hollow: a score that cannot be told from guessing."
    )
    message = f"{inside} of {len(scored)} scored models lie inside the claimed interval of R"
    return Drawing(message=message, caption=caption, panels=drawn)


def _chart(models: Sequence[PublishedRow], interval: tuple[float, float], *, x: Spec, y: Spec) -> Spec:
    values = [
        {
            "ratio": model.ratio,
            "score": model.score,
            "guess": model.at_chance,
            "said": f"{model.name}: {shape_name(model.depth, model.width)}, MMLU-Pro {number(model.score)}%"
            + (", no better than guessing" if model.at_chance else ""),
        }
        for model in models
    ]
    band = {"low": interval[0], "high": interval[1]}
    dot: Spec = {"size": DOT, "strokeWidth": THIN, "fillOpacity": 1}
    dot |= {"fill": when("datum.guess", SURFACE, other=FIT), "stroke": when("datum.guess", MUTED, other=SURFACE)}
    return layered(
        x,
        y,
        marks([band], "rect", x="low", x2="high", color=GOOD, opacity=TINT),
        marks(values, "point", x="ratio", y="score", said=True, **dot),
    )
