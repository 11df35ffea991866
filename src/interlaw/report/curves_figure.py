"""Learning curves: validation loss against training data, one panel a budget, shaded by depth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from interlaw.plain import Json
from interlaw.report.figure import SEED_ON, Drawing, Panel, chosen_opacity
from interlaw.report.look import THIN, padded, ramp
from interlaw.report.loss_figure import shape_key
from interlaw.report.marks import Spec, layered, legend, log_axis, marks, told_apart
from interlaw.report.results import RunResults
from interlaw.report.wording import budget_text, number, shape_name
from interlaw.size import counted
from interlaw.tasks import Units

MOST_POINTS = 60  # of a curve: finer than a panel's pixels
MOST_OF_PANEL = 3000  # points: a browser draws as many in a tenth of a second


def learning_curves(results: RunResults) -> list[Json]:
    """The plotted numbers, a row a final trial: data and loss at each validation that is finite, thinned."""
    final = results.table[results.table["stage"] == "final"]
    at_once = final.groupby(["budget", "treatment"])["key"].count().to_dict()
    curves = []
    rows: list[Any] = final[["key", "budget", "treatment", "depth", "width", "seed"]].to_dict(orient="records")
    for row in rows:
        units, losses = results.curves.get(row["key"], ((), ()))
        finite = [(unit, loss) for unit, loss in zip(units, losses, strict=True) if math.isfinite(loss)]
        most = min(MOST_POINTS, max(2, MOST_OF_PANEL // at_once[row["budget"], row["treatment"]]))
        stride = max(1, math.ceil(len(finite) / most))
        kept = finite[(len(finite) - 1) % stride :: stride]
        if kept:
            curves.append({**row, "units": [unit for unit, _ in kept], "val_loss": [loss for _, loss in kept]})
    return curves


def draw_curves(curves: Sequence[Json], *, budget_kind: str, units: Units) -> Drawing:
    """Both axes logarithmic; deeper is darker."""
    depths = sorted({curve["depth"] for curve in curves})
    losses = padded([loss for curve in curves for loss in curve["val_loss"]], log=True)
    treatments = list(dict.fromkeys(curve["treatment"] for curve in curves))
    in_order = sorted(curves, key=lambda each: (treatments.index(each["treatment"]), each["budget"]))
    panels = tuple(
        Panel(
            chart=_chart(list(members), depths, losses=losses, units=units),
            title=budget_text(budget, budget_kind) + (f", {treatment}" if len(treatments) > 1 else ""),
            belongs={"budget": budget, "treatment": treatment},
        )
        for (treatment, budget), members in groupby(in_order, key=itemgetter("treatment", "budget"))
    )
    caption = "One line a trial: validation loss while it trains. Deeper is darker. Both axes are logarithmic."
    return Drawing(message=_message(curves), caption=caption, panels=panels)


def _message(curves: Sequence[Json]) -> str:
    """How many curves still fell at their end."""
    losses = [curve["val_loss"] for curve in curves]
    falling = sum(len(each) > 1 and each[-1] <= min(each) for each in losses)
    has = "has its" if falling == 1 else "have their"
    return f"{falling} of {counted(len(curves), 'trial')} {has} lowest validation loss at the end of training"


def _chart(members: Sequence[Json], depths: Sequence[int], *, losses: tuple[float, float], units: Units) -> Spec:
    limits = padded([unit for curve in members for unit in curve["units"] if unit > 0], log=True)
    values = [
        {
            **{name: curve[name] for name in ("units", "seed", "key")},
            "loss": curve["val_loss"],
            "depth": str(curve["depth"]),
            "shape": shape_key(curve["budget"], depth=curve["depth"], width=curve["width"]),
            "said": f"{shape_name(curve['depth'], curve['width'])}, seed {curve['seed']}: "
            f"{number(curve['val_loss'][-1])} at the end",
        }
        for curve in members
    ]
    names = [str(depth) for depth in depths]
    key = legend("layers", symbolType="stroke")
    color = told_apart("depth", names, looks=ramp(len(depths)), key=key)
    line: Spec = {"color": color, "opacity": chosen_opacity(), "detail": "key", "strokeWidth": THIN}
    shown: Spec = {"x": "units", "y": "loss", "said": True, "where": SEED_ON, "flatten": ("units", "loss")}
    return layered(
        log_axis("units", f"training {units.data}", limits=limits, format=".3~s"),
        log_axis("loss", f"validation loss ({units.loss})", limits=losses),
        marks(values, "line", **shown, **line, clip=True, cursor="pointer"),
    )


def curves_of_run(results: RunResults) -> Drawing | None:
    """The figure of a run; nothing where no validation loss was kept."""
    curves = learning_curves(results)
    return draw_curves(curves, budget_kind=results.budget_kind, units=results.units) if curves else None
