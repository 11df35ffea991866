"""A run's R* beside published laws, each over the sizes it speaks of, and published dense language models."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from interlaw import laws
from interlaw.plain import Json
from interlaw.published import PublishedRow, published_models
from interlaw.report.figure import Drawing, Panel
from interlaw.report.law_figure import law_line, line_layers, size_axis, star_layers
from interlaw.report.look import ALONE, BOLD, DASHES, DOT, FAINT, HAIR, MUTED, SMALL, dataset_colours, padded
from interlaw.report.loss_figure import stars_text
from interlaw.report.marks import LINE_SYMBOLS, Spec, layered, legend, log_axis, marks, told_apart
from interlaw.report.results import Analysis, RunResults
from interlaw.report.wording import shape_name
from interlaw.size import format_size

NUM_SIZES = 41  # of a law's line: enough for a curve to look smooth


def published_lines() -> list[Json]:
    """The plotted numbers: published laws that state a best ratio, over the sizes that they cover and no further."""
    lines = []
    for law in laws.published_laws():
        stated = [size for size, _ in law.points]
        sizes = (
            stated if len(stated) > 1 else np.unique(np.geomspace(law.params_low, law.params_high, NUM_SIZES)).tolist()
        )
        pairs = [(size, ratio) for size in sizes if (ratio := law.ratio(size)) is not None]
        if pairs:
            params, ratios = map(list, zip(*pairs, strict=True))
            said = f"{law.name}: {law.statement}\n{law.source}"
            lines.append({"law": law.name, "params": params, "ratio": ratios, "said": said})
    return lines


def draw_published(fit: laws.LawFit) -> Drawing:
    """R* of a fit among published laws and models."""
    optima = [each for each in fit.budgets if each.r_star.value is not None]
    stars = [end for each in optima for end in (each.r_star.value, each.r_star.low, each.r_star.high)]
    chart = among_published(
        *line_layers(law_line(fit)),
        *star_layers(optima),
        sizes=[each.params_mean for each in fit.budgets],
        ratios=[end for end in stars if end],
    )
    panel = Panel(chart=chart, title="Beside published laws and models", **ALONE)
    caption = (
        "Lines: published statements on the best R, each over the sizes it speaks of. Grey dots: published dense "
        f"language models. Orange: R* of this run with its {fit.confidence:.0%} interval."
    )
    message = "Published laws name different ratios; this run names none"
    if known := [each.r_star.value for each in optima if each.r_star.value is not None]:
        message = f"R* of this run ({stars_text(known)}) beside what others published"
    return Drawing(message=message, caption=caption, panels=(panel,))


def among_published(*layers: Spec, sizes: Sequence[float], ratios: Sequence[float]) -> Spec:
    """Layers over what others published, on axes with room for sizes and ratios of one's own."""
    models, lines = published_models(), published_lines()
    all_sizes = [
        *sizes,
        *(model.params_total for model in models),
        *(size for line in lines for size in line["params"]),
    ]
    all_ratios = [*ratios, *(model.ratio for model in models), *(ratio for line in lines for ratio in line["ratio"])]
    return layered(
        size_axis(padded(all_sizes, log=True)),
        log_axis("ratio", "R = depth / width", limits=padded(all_ratios, log=True)),
        _model_dots(models),
        *_law_lines(lines),
        *layers,
    )


def _law_lines(values: Sequence[Json]) -> list[Spec]:
    """Lines told apart by colour and by dashes; a single size is a square."""
    names = [line["law"] for line in values]
    dots = [{**row, "params": row["params"][0], "ratio": row["ratio"][0]} for row in values if len(row["params"]) == 1]
    key = legend("published law", **LINE_SYMBOLS)
    color = told_apart("law", names, looks=dataset_colours(names), key=key)
    dash = told_apart("law", names, looks=DASHES, key=key)
    shown: Spec = {"x": "params", "y": "ratio", "color": color, "said": True}
    return [
        marks(values, "line", **shown, flatten=("params", "ratio"), strokeDash=dash, strokeWidth=BOLD),
        marks(dots, "point", **shown, shape="square", filled=True, size=DOT),
    ]


def _model_dots(models: Sequence[PublishedRow]) -> Spec:
    """Published models as grey dots."""
    values = [
        {
            "params": model.params_total,
            "ratio": model.ratio,
            "said": f"{model.name}: {format_size(model.params_total)}, {shape_name(model.depth, model.width)}",
        }
        for model in models
    ]
    dot: Spec = {"color": FAINT, "stroke": MUTED, "strokeWidth": HAIR, "size": SMALL}
    return marks(values, "circle", x="params", y="ratio", said=True, **dot)


def published_of_treatment(results: RunResults, analyses: Sequence[Analysis]) -> Drawing | None:
    """Only for text, since nearly all that is published is about language models."""
    return draw_published(analyses[0].fit) if results.task == "text" else None
