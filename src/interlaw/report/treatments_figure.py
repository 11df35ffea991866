"""What the learning-rate treatment does: loss against R under each, a panel a budget, and R* side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from interlaw.laws import TreatedBudget, TreatmentComparison, TreatmentDifference
from interlaw.plain import Json
from interlaw.report import look
from interlaw.report.figure import Drawing, Panel, chosen_opacity
from interlaw.report.loss_figure import LEAST_SPAN, curve_rows, shape_key, star_ends, star_note
from interlaw.report.marks import SIGN, Spec, interval_bars, layered, legend, linear_axis, log_axis, marks, told_apart
from interlaw.report.results import RunResults
from interlaw.report.wording import budget_text, number, shape_name, treatment_text
from interlaw.size import format_range
from interlaw.tasks import Units

CEILING = 0.3  # losses above the panel's best by more than this are drawn at its top
ROOM = 0.06  # of the curves' reach: between them and the strip, and above them
ROW = 0.075  # of the axis: the height of one interval below the curves, about 20 pixels
CORNER: Spec = {"align": "left", "baseline": "bottom", "dy": -4, "color": look.MUTED}  # a gap of 4 pixels below
VERDICTS = {
    "moves": "R* moves",
    "same": "the same choice of shape",
    "cannot tell": "these runs cannot tell whether it moves",
}


def draw_treatments(comparison: TreatmentComparison, *, budget_kind: str, units: Units) -> Drawing:
    """Curves and shape means above, R* with its interval below, for each budget."""
    sizes = sorted({each.budget for each in comparison.budgets})
    names = list(dict.fromkeys(each.treatment for each in comparison.budgets))
    x_limits = look.padded([point.ratio for each in comparison.budgets for point in each.points], log=True)
    drawn = tuple(
        Panel(
            chart=_chart(
                [each for each in comparison.budgets if each.budget == size], names, x_limits=x_limits, units=units
            ),
            title=budget_text(size, budget_kind),
            belongs={"budget": size},
            **look.OF_TWO,
        )
        for size in sizes
    )
    caption = (
        f"Marks and curves: loss under each treatment. Grey strip: R* with its {comparison.confidence:.0%} "
        "interval, an arrow where no bound is known; a hollow triangle alone: the loss still falls at that end."
    )
    return Drawing(message=treatments_message(comparison.differences), caption=caption, panels=drawn)


def treatments_message(differences: Sequence[TreatmentDifference]) -> str:
    """Whether the treatment moves R*, over all pairs and budgets."""
    verdicts = [each.verdict for each in differences]
    moved = verdicts.count("moves")
    if moved:
        return f"The learning-rate treatment moves R* in {moved} of {len(verdicts)} comparisons"
    if verdicts and verdicts.count("same") == len(verdicts):
        return "R* is the same under every learning-rate treatment"
    return "These runs cannot tell whether the learning-rate treatment moves R*"


def difference_texts(comparison: TreatmentComparison | None, *, budget_kind: str) -> list[str]:
    """One sentence a pair of treatments and budget."""
    sentences = []
    for each in comparison.differences if comparison else ():
        first, second = map(treatment_text, (each.first, each.second))
        where = f"{budget_text(each.budget, budget_kind)}, from {first} to {second}: "
        if each.factor is None:
            said = "no two optima to compare"
        else:
            interval = format_range(each.low, each.high, form=".4g")
            said = f"R* times {number(each.factor)} ({interval}): {VERDICTS.get(each.verdict, each.verdict)}"
        gain = "" if each.loss_change is None else f"; lowest loss {each.loss_change:+.2%}"
        sentences.append(where + said + gain)
    return sentences


def _chart(
    treated: Sequence[TreatedBudget], names: Sequence[str], *, x_limits: tuple[float, float], units: Units
) -> Spec:
    losses = [point.adjusted for each in treated for point in each.points]
    low, high = min(losses), min(max(losses), min(losses) * (1 + CEILING))
    reach = max(high - low, LEAST_SPAN * low)
    room = ROW * (len(treated) + 1)
    strip = low - ROOM * reach
    floor = strip - reach * room / (1 - room)
    y_limits = (floor, high + ROOM * reach)
    rung = (strip - floor) / len(names)
    # colour and form by treatment, one legend for both
    shown = [treatment_text(name) for name in names]
    key = legend("learning rate")
    color, shape = (told_apart("treatment", shown, looks=looks, key=key) for looks in (look.SERIES, look.SHAPES))
    heights = {name: floor + rung * (place + 0.5) for place, name in enumerate(reversed(names))}
    optima, edges = _stars(treated, x_limits, heights=heights)
    curves, points = _curves(treated), _points(treated, high)
    banded = [row for row in curves if row["low"] is not None]
    dot: Spec = {"x": "ratio", "y": "loss", "said": True, "color": color}
    ground = [{"low": floor, "high": strip, "name": "R*"}]
    sign: Spec = {"shape": SIGN, "size": look.LARGE}
    return layered(
        log_axis("ratio", "R = depth / width", limits=x_limits),
        linear_axis("loss", f"test loss ({units.loss})", limits=y_limits, values=look.nice_ticks(strip, y_limits[1])),
        marks(ground, "rect", y="low", y2="high", color=look.FAINT, opacity=look.FAINTLY),
        marks(ground, "text", x={"value": 6}, y="low", text="name", **CORNER),
        marks(banded, "area", x="ratio", y="low", y2="high", color=color, opacity=look.TINT, clip=True),
        marks(curves, "line", x="ratio", y="loss", color=color, strokeWidth=look.BOLD, clip=True),
        marks(
            points, "point", **dot, shape=shape, size=look.DOT, filled=True, cursor="pointer", opacity=chosen_opacity()
        ),
        *interval_bars(optima, along="x", across="loss", color=color),
        marks(optima, "point", **dot, **sign, filled=True),
        marks(edges, "point", **dot, **sign, fill=look.SURFACE, strokeWidth=look.LINE),
    )


def _curves(treated: Sequence[TreatedBudget]) -> list[Json]:
    """Fitted curves of those with an optimum, with their bands."""
    return [
        {**row, "treatment": treatment_text(each.treatment)}
        for each in treated
        if each.r_star.value is not None
        for row in curve_rows(each)
    ]


def _points(treated: Sequence[TreatedBudget], high: float) -> list[Json]:
    return [
        {
            "treatment": (name := treatment_text(each.treatment)),
            "ratio": point.ratio,
            "loss": min(point.adjusted, high),
            "shape": shape_key(each.budget, depth=point.depth, width=point.width),
            "said": f"{name}: {shape_name(point.depth, point.width)}, loss {number(point.loss)}",
        }
        for each in treated
        for point in each.points
    ]


def _stars(
    treated: Sequence[TreatedBudget], x_limits: tuple[float, float], *, heights: Mapping[str, float]
) -> tuple[list[Json], list[Json]]:
    """R* with its interval on the floor, and the edges of the grid that the loss falls towards."""
    optima, edges = [], []
    for each in treated:
        star, name = each.r_star, treatment_text(each.treatment)
        of = {"treatment": name, "loss": heights[each.treatment]}
        if star.value is not None:
            said = f"{name}: {star_note(each)}"
            optima.append({**of, "sign": "diamond", "ratio": star.value, **star_ends(each, x_limits), "said": said})
        elif star.edge is not None:
            low = star.edge == "low"
            side, at, sign = ("shallow", min, "triangle-left") if low else ("deep", max, "triangle-right")
            said = f"{name}: no R*, the loss still falls at the {side} end"
            edges.append({**of, "sign": sign, "ratio": at(point.ratio for point in each.points), "said": said})
    return optima, edges


def treatments_of_run(results: RunResults) -> Drawing | None:
    """The figure of a run that has several treatments."""
    if results.comparison is None:
        return None
    return draw_treatments(results.comparison, budget_kind=results.budget_kind, units=results.units)
