"""Learning curves: validation loss against training data, one panel a budget, shaded by depth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from interlaw.report.figure import IS_CHOSEN, Drawing, Figure, Panel
from interlaw.report.look import frame, legend, log_x, log_y, padded, ramp, rows
from interlaw.report.loss_figure import shape_key
from interlaw.report.results import RunResults
from interlaw.report.wording import Units, budget_text, shape_name

MOST_POINTS = 60


@dataclass(frozen=True, kw_only=True)
class LearningCurve:
    """One trial's validation losses.

    Attributes:
        key: The trial.
        budget: Nominal budget.
        budget_kind: What it counts.
        treatment: How its learning rate was chosen.
        depth: Layers.
        width: d_model.
        seed: Seed.
        units: Tokens (or samples) trained on at each validation.
        val_loss: In the unit of the task's loss.
    """

    key: str
    budget: float
    budget_kind: str
    treatment: str
    depth: int
    width: int
    seed: int
    units: tuple[float, ...]
    val_loss: tuple[float, ...]


def learning_curves(results: RunResults) -> tuple[LearningCurve, ...]:
    """Numbers to plot of every final trial, thinned to MOST_POINTS; losses that are not finite left out."""
    found = []
    for row in results.table.to_dict(orient="records"):
        curve = results.curves[row["key"]]
        if not len(curve) or row["stage"] != "final":
            continue
        finite = curve[curve["val_loss"].map(math.isfinite)]
        stride = max(1, math.ceil(len(finite) / MOST_POINTS))
        kept = finite.iloc[(len(finite) - 1) % stride :: stride]
        found.append(
            LearningCurve(
                key=str(row["key"]),
                budget=float(row["budget"]),
                budget_kind=str(row["budget_kind"]),
                treatment=str(row["treatment"]),
                depth=int(row["depth"]),
                width=int(row["width"]),
                seed=int(row["seed"]),
                units=tuple(kept["units"].astype(float)),
                val_loss=tuple(kept["val_loss"].astype(float)),
            )
        )
    return tuple(found)


def draw_curves(curves: Sequence[LearningCurve], *, units: Units) -> Drawing:
    """Both axes logarithmic; deeper is darker."""
    depths = sorted({curve.depth for curve in curves})
    losses = padded([loss for curve in curves for loss in curve.val_loss], log=True)
    panels = []
    treatments = list(dict.fromkeys(curve.treatment for curve in curves))
    for budget, treatment in sorted(
        {(curve.budget, curve.treatment) for curve in curves}, key=lambda each: (treatments.index(each[1]), each[0])
    ):
        members = [curve for curve in curves if (curve.budget, curve.treatment) == (budget, treatment) and curve.units]
        if not members:
            continue
        suffix = f", {treatment}" if len(treatments) > 1 else ""
        panels.append(
            Panel(
                chart=_chart(members, depths, losses, units),
                title=budget_text(budget, members[0].budget_kind) + suffix,
                belongs={"budget": budget, "treatment": treatment},
            )
        )
    caption = "One line a trial: validation loss while it trains. Deeper is darker. Both axes are logarithmic."
    return Drawing(message=_message(curves), caption=caption, panels=tuple(panels))


def _message(curves: Sequence[LearningCurve]) -> str:
    """How many curves still fell at their end."""
    falling = sum(len(each.val_loss) > 1 and each.val_loss[-1] <= min(each.val_loss) for each in curves)
    return f"{falling} of {len(curves)} trials have their lowest validation loss at the end of training"


def _chart(members: Sequence[LearningCurve], depths: Sequence[int], losses: tuple[float, float], units: Units) -> Any:
    limits = padded([unit for curve in members for unit in curve.units if unit > 0], log=True, margin=0.02)
    x = log_x("units", f"training {units.data}", limits, most=5, format=".3~s")
    values = [
        {
            "units": curve.units,
            "loss": tuple(float(f"{loss:.5g}") for loss in curve.val_loss),
            "depth": str(curve.depth),
            "seed": curve.seed,
            "key": curve.key,
            "shape": shape_key(curve.budget, curve.depth, curve.width),
            "said": f"{shape_name(curve.depth, curve.width)}, seed {curve.seed}: {curve.val_loss[-1]:.4g} at the end",
        }
        for curve in members
    ]
    scale = alt.Scale(domain=[str(depth) for depth in depths], range=ramp(len(depths)))
    lines = (
        alt.Chart(rows(values))
        .transform_filter("indexof(off_seeds, datum.seed) < 0")
        .transform_flatten(["units", "loss"])
        .mark_line(strokeWidth=1.4, cursor="pointer", clip=True)
        .encode(
            x="units:Q",
            y="loss:Q",
            color=alt.Color("depth:N", scale=scale, sort=None, legend=legend("layers", column=45, symbolType="stroke")),
            detail="key:N",
            tooltip="said:N",
            description="said:N",
            opacity=alt.condition(IS_CHOSEN, alt.value(0.9), alt.value(0.1)),
        )
    )
    return alt.layer(frame(x, log_y("loss", f"validation loss ({units.loss})", losses)), lines)


def curves_of_run(results: RunResults) -> Drawing | None:
    """The figure of a run; nothing where no validation loss was kept."""
    curves = [curve for curve in learning_curves(results) if curve.units]
    return draw_curves(curves, units=results.units) if curves else None


CURVES = Figure(name="learning-curves", title="Learning curves", draw=curves_of_run)
