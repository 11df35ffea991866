"""A run's R* beside published laws, each over the sizes it speaks of, and published dense language models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from interlaw.laws import LawFit, published_laws
from interlaw.published import RatioPoint, published_ratio_points
from interlaw.report.figure import Drawing, Figure, Panel, joined
from interlaw.report.law_figure import law_line, law_points, line_layers, size_axis, star_layers
from interlaw.report.look import DASHES, FAINT, MUTED, SERIES, padded
from interlaw.report.marks import Spec, layered, legend, log_axis, marks, told_apart
from interlaw.report.results import RunResults, by_treatment
from interlaw.report.wording import number, shape_name
from interlaw.shapes import format_size

CAPTION = (
    "Lines: published statements on the best R, each over the sizes it speaks of. Grey dots: published dense language "
    "models. Orange: R* of this run with its interval."
)


@dataclass(frozen=True, kw_only=True)
class PublishedLine:
    """What a published statement says over the sizes that it speaks of."""

    name: str
    source: str
    statement: str
    params: tuple[float, ...]
    ratio: tuple[float, ...]


def published_lines() -> tuple[PublishedLine, ...]:
    """Every published law that states a best ratio, over the range of sizes that it covers and no further."""
    lines = []
    for law in published_laws():
        stated = [size for size, _ in law.points]
        sizes = stated if len(stated) > 1 else np.unique(np.geomspace(law.params_low, law.params_high, 41))
        pairs = [(float(size), ratio) for size in sizes if (ratio := law.ratio(float(size))) is not None]
        if pairs:
            params, ratios = zip(*pairs, strict=True)
            lines.append(
                PublishedLine(name=law.name, source=law.source, statement=law.statement, params=params, ratio=ratios)
            )
    return tuple(lines)


def draw_published(fit: LawFit, *, whose: str = "this run") -> Drawing:
    """R* of a fit among published laws and models."""
    points = law_points(fit)
    found = [point for point in points if point.fit.r_star.value is not None]
    stars = [each for point in found for each in (point.fit.r_star.value, point.fit.r_star.low, point.fit.r_star.high)]
    chart = among_published(
        *line_layers(law_line(fit)),
        *star_layers(found),
        sizes=[point.params for point in points],
        ratios=[each for each in stars if each],
    )
    panel = Panel(chart=chart, title="Beside published laws and models", width=640, height=380)
    return Drawing(message=_message(points, whose), caption=CAPTION, panels=(panel,))


def among_published(*layers: Spec, sizes: Sequence[float], ratios: Sequence[float]) -> Spec:
    """Layers over what others published, on axes with room for sizes and ratios of one's own."""
    models, lines = published_ratio_points(), published_lines()
    all_sizes = [*sizes, *(model.params for model in models), *(size for line in lines for size in line.params)]
    all_ratios = [*ratios, *(model.ratio for model in models), *(ratio for line in lines for ratio in line.ratio)]
    return layered(
        size_axis(padded(all_sizes, log=True, margin=0.02)),
        log_axis("ratio", "R = depth / width", padded(all_ratios, log=True)),
        _model_dots(models),
        *_law_lines(lines),
        *layers,
    )


def _message(points: Sequence[Any], whose: str) -> str:
    stars = [point.fit.r_star.value for point in points if point.fit.r_star.value is not None]
    if not stars:
        return "Published laws name different ratios; this run names none"
    where = number(stars[0], digits=2) if len(stars) == 1 else f"{min(stars):.2g} to {max(stars):.2g}"
    return f"R* of {whose} ({where}) beside what others published"


def _law_lines(lines: Sequence[PublishedLine]) -> list[Spec]:
    """Lines told apart by colour and by dashes; a single size is a square."""
    names = [line.name for line in lines]
    values = [
        {
            "params": line.params,
            "ratio": line.ratio,
            "law": line.name,
            "said": f"{line.name}: {line.statement}\n{line.source}",
        }
        for line in lines
    ]
    dots = [{**row, "params": row["params"][0], "ratio": row["ratio"][0]} for row in values if len(row["params"]) == 1]
    key = legend("published law", column=190, symbolType="stroke", symbolSize=400)
    color = told_apart("law", names, SERIES, key)
    # eight colours, seven dashes: no pair comes twice among the first 56
    dash = told_apart("law", names, DASHES, key)
    shown: Spec = {"x": "params", "y": "ratio", "color": color, "said": True}
    return [
        marks(values, "line", **shown, flatten=("params", "ratio"), strokeDash=dash, strokeWidth=2),
        marks(dots, "point", **shown, shape="square", filled=True, size=50, opacity=1),
    ]


def _model_dots(models: Sequence[RatioPoint]) -> Spec:
    """Published models as grey dots."""
    values = [
        {
            "params": model.params,
            "ratio": model.ratio,
            "said": f"{model.name}: {format_size(model.params)}, {shape_name(model.depth, model.width)}",
        }
        for model in models
    ]
    dot: Spec = {"color": FAINT, "stroke": MUTED, "strokeWidth": 0.5, "size": 22, "opacity": 1}
    return marks(values, "circle", x="params", y="ratio", said=True, **dot)


def published_of_run(results: RunResults) -> Drawing | None:
    """The figure of a run; only for text, since nearly all that is published is about language models."""
    if results.task != "text":
        return None
    treated = by_treatment(results.analyses)
    return joined({treatment: draw_published(analyses[0].fit) for treatment, analyses in treated.items()})


PUBLISHED = Figure(name="best-ratio-published", title="Beside published laws and models", draw=published_of_run)
