"""The interaction plane: AOFE against AOFE-ratio of every shape, shaded by its loss, joined to its chance level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from interlaw.laws import SURE as DECIDED
from interlaw.plain import Json
from interlaw.report import look
from interlaw.report.figure import BUDGET_ON, Drawing, Panel, chosen_opacity
from interlaw.report.loss_figure import shape_key
from interlaw.report.marks import NO_ROWS, Spec, layered, legend, linear_axis, log_axis, marks, shaded, told_apart
from interlaw.report.results import Analysis, RunResults
from interlaw.report.wording import number, shape_name
from interlaw.size import counted, format_size

CAPTION = (
    "Each mark is a shape (mean over its seeds); its form is the budget, its size grows with R, dark is a low loss. "
    "Efficient is up (a high AOFE-ratio) and left (little AOFE); the green line joins the shapes that no other of "
    "their budget beats in both, and a green ring marks those that stay so in {decided:.0%} of the draws of seed and "
    "measurement error. Hollow marks: the AOFE-ratio that chance gives at the same dimension and effective rank. Only "
    "the distance from it, drawn in the second panel, shows structure."
)
KNOWN, SURE = "datum.null !== null", f"datum.probability >= {DECIDED}"
MARK_SIZES = (30, 150)  # square pixels, from the least R to the largest
RING = 2.2  # the area of a ring over that of its mark: a gap of a pixel or two
LEAST_LOSS = 1e-3  # above the best: a scale of less would paint noise


def plane_rows(analysis: Analysis) -> list[Json]:
    """The plotted numbers of one view, a row a shape (mean over its seeds); none where nothing was measured.

    `null` is the AOFE-ratio that chance gives, `excess` what lies above it; `loss` is relative to the budget's best,
    minus 1; `front` says that no shape of the budget has a ratio as high at an energy as low, `probability` how sure
    that is under seed and measurement error. None stands for what is not known.
    """
    rows = []
    for fit in analysis.fit.budgets:
        best = min(point.adjusted for point in fit.points)
        for point in fit.points:
            if point.aofe is None or point.aofe_ratio is None or not point.aofe > 0:
                continue
            excess = point.excess_ratio
            row: Json = {
                "budget": fit.budget,
                "of": format_size(fit.budget),
                **{name: getattr(point, name) for name in ("depth", "width", "ratio", "aofe", "aofe_ratio")},
                "null": None if excess is None else point.aofe_ratio - excess,
                "excess": excess,
                "loss": point.adjusted / best - 1,
                "front": bool(point.pareto),
                "probability": point.front_probability,
                "shape": shape_key(fit.budget, depth=point.depth, width=point.width),
            }
            rows.append({**row, "said": _said(row)})
    return rows


def _said(row: Mapping[str, Any]) -> str:
    words = [
        f"{row['of']}: {shape_name(row['depth'], row['width'])}",
        f"AOFE {number(row['aofe'])}, AOFE-ratio {number(row['aofe_ratio'])}",
    ]
    if row["null"] is not None:
        words.append(f"by chance {number(row['null'])}, above it {number(row['excess'])}")
    if row["probability"] is not None:
        words.append(f"efficient in {row['probability']:.0%} of the draws of seed and measurement error")
    return "\n".join([*words, f"loss {row['loss']:.2%} above the budget's best"])


def plane_message(rows: Sequence[Mapping[str, Any]]) -> str:
    """Whether the shape with the lowest loss is efficient, of the budgets where seeds and measurement decide that."""
    budgets = {row["budget"] for row in rows}
    sure = [row for row in rows if (row["probability"] or 0) >= DECIDED]
    decided = {row["budget"] for row in sure}
    if not decided:
        return "Which shapes are efficient is not determined: seeds and measurement leave it open"
    efficient = sum(row["loss"] == 0 for row in sure)
    if len(budgets) == 1:
        return f"The shape with the lowest loss is {'' if efficient else 'not '}one of the efficient ones"
    open_ = f"; {counted(len(budgets) - len(decided), 'budget')} undecided"
    return (
        f"The shape with the lowest loss is efficient in {efficient} of {len(budgets)} budgets"
        f"{open_ if decided != budgets else ''}"
    )


def draw_plane(rows: Sequence[Json], *, view: str) -> Drawing:
    """The plane as it is measured, and above chance where chance is known."""
    above = [row for row in rows if row["excess"] is not None]
    charts = {f"AOFE-ratio and chance ({view})": _measured(rows)}
    if above:
        charts[f"AOFE-ratio above chance ({view})"] = _above_chance(above)
    panels = tuple(
        Panel(chart=chart, title=title, belongs={"view": view}, **look.OF_TWO) for title, chart in charts.items()
    )
    caption = CAPTION.format(decided=DECIDED)
    return Drawing(message=plane_message(rows), caption=caption, panels=panels, columns=2)


def _measured(rows: Sequence[Json]) -> Spec:
    looks = _looks(rows)
    hollow: Spec = {
        "stroke": look.MUTED,
        "fill": look.SURFACE,
        "fillOpacity": 1,
        "strokeWidth": look.HAIR,
        "size": look.SMALL,
    }
    sizes = {**looks["size"], "scale": {**looks["size"]["scale"], "range": [RING * size for size in MARK_SIZES]}}
    ring: Spec = {"stroke": look.INTERACTION, "strokeWidth": look.LINE, "filled": False, "size": sizes}
    line: Spec = {"color": look.INTERACTION, "strokeWidth": look.LINE, "detail": "budget", "order": "aofe"}
    return layered(
        _across(rows),
        linear_axis(
            "aofe_ratio",
            "AOFE-ratio",
            limits=look.padded([row[name] for row in rows for name in ("aofe_ratio", "null")]),
        ),
        _key(looks),
        marks(rows, "rule", x="aofe", y="aofe_ratio", y2="null", where=f"{BUDGET_ON} && {KNOWN}", color=look.FAINT),
        marks(rows, "point", x="aofe", y="null", where=f"{BUDGET_ON} && {KNOWN}", shape=looks["shape"], **hollow),
        marks(rows, "line", x="aofe", y="aofe_ratio", where=f"{BUDGET_ON} && datum.front", **line),
        _shapes(rows, "aofe_ratio", looks=looks),
        marks(rows, "point", x="aofe", y="aofe_ratio", where=f"{BUDGET_ON} && {SURE}", shape=looks["shape"], **ring),
        resolve={"scale": {"size": "independent"}},
    )


def _above_chance(rows: Sequence[Json]) -> Spec:
    looks = _looks(rows)
    zero = {"excess": 0.0, "said": "what chance gives"}
    return layered(
        _across(rows),
        linear_axis("excess", "AOFE-ratio above chance", limits=look.padded([0.0, *(row["excess"] for row in rows)])),
        marks([zero], "rule", y="excess", said=True, color=look.MUTED, strokeDash=look.DASHES[1]),
        _key(looks),
        _shapes(rows, "excess", looks=looks),
    )


def _key(looks: Spec) -> Spec:
    """Nothing drawn: the first layer gives the legend its look, filled as shapes are, for hollow marks mean chance."""
    return marks(NO_ROWS, "point", shape=looks["shape"], fill=look.MUTED, stroke=look.INK)


def _across(rows: Sequence[Mapping[str, Any]]) -> Spec:
    return log_axis("aofe", "AOFE, off-diagonal energy", limits=look.padded([row["aofe"] for row in rows], log=True))


def _shapes(rows: Sequence[Json], height: str, *, looks: Spec) -> Spec:
    """A mark a shape."""
    key = legend("test loss above the budget's best", format=".0%", gradientLength={"expr": "min(160, room)"})
    mark: Spec = {
        "fill": shaded("loss", [0, max(*(row["loss"] for row in rows), LEAST_LOSS)], colours=look.LOSS_RAMP, key=key),
        "opacity": chosen_opacity(),
        "stroke": look.INK,
        "strokeWidth": look.HAIR,
        "fillOpacity": 1,
        "cursor": "pointer",
    }
    return marks(rows, "point", x="aofe", y=height, where=BUDGET_ON, said=True, **looks, **mark)


def _looks(rows: Sequence[Mapping[str, Any]]) -> Spec:
    """Form by budget, size by R."""
    ratios = [row["ratio"] for row in rows]
    low, high = min(ratios), max(ratios)
    names = [format_size(budget) for budget in sorted({row["budget"] for row in rows})]
    scale = {
        "type": "log",
        "domain": [low, high if high > low else 2 * low],  # a scale needs two ends, even of a single shape
        "range": list(MARK_SIZES),
    }
    return {
        "shape": told_apart("of", names, looks=look.SHAPES, key=legend("budget")),
        "size": {"field": "ratio", "type": "quantitative", "scale": scale, "legend": None},
    }


def plane_of_treatment(results: RunResults, analyses: Sequence[Analysis]) -> Drawing | None:
    """Two panels a view; the message is that of the first view."""
    drawings = [draw_plane(rows, view=each.view) for each in analyses if (rows := plane_rows(each))]
    panels = tuple(panel for drawing in drawings for panel in drawing.panels)
    return replace(drawings[0], panels=panels) if drawings else None
