"""Learning curves: validation loss against training data, one panel a budget, shaded by depth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.ticker import FixedLocator, NullLocator

from interlaw.report.results import RunResults
from interlaw.report.style import MUTED, nice_ticks, panel_grid
from interlaw.report.wording import Units, budget_text
from interlaw.shapes import format_size

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NUM_COLUMNS = 4
MOST_POINTS = 60


@dataclass(frozen=True, kw_only=True)
class LearningCurve:
    """One trial's validation losses.

    Attributes:
        key: The trial.
        budget: Nominal budget.
        budget_kind: What it counts.
        depth: Layers.
        width: d_model.
        seed: Seed.
        units: Tokens (or samples) trained on at each validation.
        val_loss: In the unit of the task's loss.
    """

    key: str
    budget: float
    budget_kind: str
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
                depth=int(row["depth"]),
                width=int(row["width"]),
                seed=int(row["seed"]),
                units=tuple(kept["units"].astype(float)),
                val_loss=tuple(kept["val_loss"].astype(float)),
            )
        )
    return tuple(found)


def draw_curves(curves: tuple[LearningCurve, ...], *, units: Units) -> Figure:
    """Both axes logarithmic; deeper is darker; each depth is named at its end once."""
    budgets = sorted({curve.budget for curve in curves})
    figure, grid, columns = panel_grid(len(budgets), most_columns=NUM_COLUMNS, panel=(3.6, 3.6), share_y=True)
    depths = sorted({curve.depth for curve in curves})
    ramp = [colormaps["cividis_r"](0.1 + 0.9 * i / max(len(depths) - 1, 1)) for i in range(len(depths))]
    for index, (axes, budget) in enumerate(zip(grid, budgets, strict=True)):
        members = [curve for curve in curves if curve.budget == budget and curve.units]
        axes.set_xscale("log")
        axes.set_yscale("log")
        for curve in members:
            axes.plot(curve.units, curve.val_loss, color=ramp[depths.index(curve.depth)], lw=1.2, alpha=0.85)
        _ticks(axes, curves, members)
        axes.set_title(budget_text(budget, next(c.budget_kind for c in curves if c.budget == budget)))
        axes.set_xlabel(f"training {units.data}")
        if index % columns == 0:
            axes.set_ylabel(f"validation loss ({units.loss})")
    scale = ScalarMappable(Normalize(0, 1), ListedColormap(ramp))
    bar = figure.colorbar(scale, ax=grid, pad=0.015, aspect=28)
    bar.set_ticks([(i + 0.5) / len(depths) for i in range(len(depths))], labels=[str(depth) for depth in depths])
    bar.set_label("layers")
    bar.ax.tick_params(length=0, labelcolor=MUTED)
    bar.outline.set_visible(False)
    return figure


def _ticks(axes: Axes, curves: tuple[LearningCurve, ...], members: list[LearningCurve]) -> None:
    """Round numbers on both axes: losses of all budgets, training data of this one."""
    losses = [loss for curve in curves for loss in curve.val_loss]
    axes.yaxis.set_major_locator(FixedLocator(nice_ticks(min(losses), max(losses))))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.3g}")
    if members:
        low, high = min(c.units[0] for c in members), max(c.units[-1] for c in members)
        axes.xaxis.set_major_locator(FixedLocator(nice_ticks(low, high, most=5)))
    axes.xaxis.set_major_formatter(lambda value, _: format_size(round(value)))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())
