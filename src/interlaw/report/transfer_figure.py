"""Whether one learning rate serves every shape: movement of activations, and rate curves, over width and depth."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import FixedLocator, NullLocator

from interlaw.report.saving import write_figure
from interlaw.report.style import BEST, FIT, LOSS_COLOURS, MUTED, panel_grid
from interlaw.sweep import RateCurve
from interlaw.training import CoordinateCheck

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMES = {"standard": "standard", "mup": "muP", "completep": "CompleteP"}


def draw_checks(checks: Sequence[CoordinateCheck]) -> Figure:
    """Movement against size, a panel a parametrization and axis: the first steps faint, the last one strong."""
    figure, grid, columns = panel_grid(len(checks), most_columns=_columns(checks), panel=(3.9, 3.1), share_y=True)
    for index, (axes, check) in enumerate(zip(grid, checks, strict=True)):
        series = (("stream", check.stream, FIT, "o"), ("outputs", check.outputs, BEST, "s"))
        for name, values, colour, mark in series:
            moved = np.array(values)
            axes.plot(check.sizes, moved[:, :-1], color=colour, alpha=0.22, lw=1)
            label = "last block" if name == "stream" else "outputs"
            axes.plot(check.sizes, moved[:, -1], mark + "-", color=colour, lw=2, ms=5, label=label)
        _size_axis(axes, check.sizes, check.axis)
        axes.set_yscale("log")
        axes.set_title(f"{NAMES[check.parametrization]}, over {check.axis}")
        slopes = f"slopes {check.stream_slope:+.2f} and {check.outputs_slope:+.2f}"
        axes.annotate(slopes, (0.03, 0.97), xycoords="axes fraction", va="top", fontsize=8.5, color=MUTED)
        if index % columns == 0:
            axes.set_ylabel("movement (root mean square)")
    grid[0].legend(loc="lower right", frameon=False, fontsize=8.5)
    steps = len(checks[0].stream[0])
    figure.supxlabel(f"how far activations moved in {steps} steps; faint: the steps before", fontsize=8, color=MUTED)
    return figure


def draw_rate_curves(curves: Sequence[RateCurve]) -> Figure:
    """Loss above the shape's best against the rate, a panel a parametrization and axis, one line a size."""
    panels = list(dict.fromkeys((curve.parametrization, curve.axis) for curve in curves))
    columns = 2 if len({axis for _, axis in panels}) == 2 else min(3, len(panels))
    figure, grid, columns = panel_grid(len(panels), most_columns=columns, panel=(3.9, 3.1), share_x=True, share_y=True)
    for index, (axes, (parametrization, axis)) in enumerate(zip(grid, panels, strict=True)):
        chosen = [curve for curve in curves if (curve.parametrization, curve.axis) == (parametrization, axis)]
        for place, curve in enumerate(chosen):
            colour = LOSS_COLOURS(0.75 * place / max(len(chosen) - 1, 1))
            excess = np.array([loss / min(curve.losses) - 1 for loss in curve.losses])
            axes.plot(curve.rates, 100 * excess, "o-", color=colour, lw=1.8, ms=4, label=f"{axis} {curve.size}")
            axes.axvline(curve.best_rate, ymax=0.7, color=colour, lw=1.4, ls=":" if curve.at_edge else "--", zorder=0)
            axes.plot(curve.seed_best_rates, [-0.4] * len(curve.seed_best_rates), "|", color=colour, ms=7, mew=1.4)
        axes.set_xscale("log")
        axes.set_ylim(-0.8, 12)
        axes.tick_params(labelbottom=True)
        axes.xaxis.set_major_locator(FixedLocator(list(chosen[0].rates)))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.2g}")
        axes.set_title(f"{NAMES[parametrization]}, over {axis}")
        axes.set_xlabel("learning rate")
        axes.legend(loc="upper left", frameon=False, fontsize=8)
        if index % columns == 0:
            axes.set_ylabel("loss above the shape's best (%)")
    figure.supxlabel(
        "dashed: each shape's best rate; dotted: at the edge of the rates tried; ticks: each seed's own",
        fontsize=8,
        color=MUTED,
    )
    return figure


def write_transfer_figures(
    path: str | Path, checks: Sequence[CoordinateCheck], curves: Sequence[RateCurve]
) -> list[Path]:
    """Writes the coordinate check, and the rate curves beside it as `NAME-rates`, by the name's ending.

    Raises:
        InterlawError: When the ending is not png, svg or pdf, or a file cannot be written.
    """
    path = Path(path)
    written = [write_figure(path, partial(draw_checks, checks))]
    if curves:
        beside = path.with_name(f"{path.stem}-rates{path.suffix}")
        written.append(write_figure(beside, partial(draw_rate_curves, curves)))
    return written


def _columns(checks: Sequence[CoordinateCheck]) -> int:
    """Width and depth side by side where there are both."""
    return 2 if len({check.axis for check in checks}) == 2 else min(3, len(checks))


def _size_axis(axes: Axes, sizes: Sequence[int], name: str) -> None:
    """A log axis with a tick a size."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(list(sizes)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0f}")
    axes.set_xlabel(name)
