"""One look for every figure: colours by role (safe for colour-blind readers), sizes for a talk, axes with units."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Roles, not budgets, carry colour: measured, fitted, best, as good as the best, efficient in interaction.
INK = "#1d2733"
MUTED = "#66717e"
FAINT = "#c3cad2"
FIT = "#0b67a3"
BEST = "#c8430b"
GOOD = "#e9a820"
INTERACTION = "#00866a"
SURFACE = "#ffffff"

# Dark where the loss is lowest; monotone in lightness, so that it survives print and colour blindness.
LOSS_COLOURS = LinearSegmentedColormap.from_list("loss", ["#12264f", "#2f5d9b", "#5f9ac4", "#a6c9dd", "#e3e6cf"])
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p", "h", "*")

_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 10,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlecolor": INK,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "figure.facecolor": SURFACE,
    "axes.facecolor": SURFACE,
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "svg.fonttype": "path",
    "svg.hashsalt": "interlaw",
    "pdf.fonttype": 42,
    "figure.constrained_layout.w_pad": 0.09,
    "figure.constrained_layout.h_pad": 0.09,
    "lines.solid_capstyle": "round",
}


def style() -> Any:
    """A context in which figures take this look; global settings stay as they are."""
    return mpl.rc_context(_STYLE)


def panel_grid(
    num_panels: int, *, most_columns: int, panel: tuple[float, float], share_x: bool = False, share_y: bool = False
) -> tuple[Figure, list[Axes], int]:
    """A figure with one axes a panel (inches each), the axes in reading order, and the number of columns.

    The figure belongs to no window system: it needs no display and nobody has to close it.
    """
    columns = min(most_columns, num_panels)
    rows = math.ceil(num_panels / columns)
    figure = Figure(figsize=(max(panel[0] * columns, 5.2), panel[1] * rows), layout="constrained")
    grid = np.ravel(figure.subplots(rows, columns, squeeze=False, sharex=share_x, sharey=share_y))
    for axes in grid[num_panels:]:
        axes.set_axis_off()
    return figure, list(grid[:num_panels]), columns


def ratio_axis(axis: Any, low: float, high: float) -> None:
    """A log axis of ratios with ticks at 1, 2, 5 times powers of ten, thinned to at most six."""
    ticks = nice_ticks(low, high)
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: compact(value)))


def compact(value: float) -> str:
    """A tick's number, with a power of ten where it would be long.

    Example:
        >>> compact(0.05), compact(50_000), compact(2e-6)
        ('0.05', '5e4', '2e-6')
    """
    if 1e-4 <= value < 1e4:
        return f"{value:.3g}"
    mantissa, power = f"{value:.2e}".split("e")
    return f"{float(mantissa):g}e{int(power)}"


NARROW = 4  # a factor that holds few numbers of a series such as 1, 2, 5


def nice_ticks(low: float, high: float, *, most: int = 6) -> list[float]:
    """Round numbers inside [low, high] for a log axis: even steps where it is narrow.

    Example:
        >>> nice_ticks(0.011, 0.3), nice_ticks(2.2, 3.6)
        ([0.02, 0.03, 0.05, 0.1, 0.2, 0.3], [2.5, 3.0, 3.5])
    """
    if high / low < NARROW:
        for intervals in (most, most - 1):
            even = MaxNLocator(intervals, steps=[1, 2, 5, 10]).tick_values(low, high)
            inside = [float(f"{tick:.6g}") for tick in even if low <= tick <= high]
            if len(inside) <= most:
                return inside
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1, 1.5, 2, 3, 4, 5, 6, 8), (1, 2, 3, 5), (1, 2, 5), (1, 3), (1,)):
        ticks = [float(f"{step * 10.0**power:.3g}") for power in decades for step in steps]
        inside = [tick for tick in ticks if low <= tick <= high]
        if len(inside) <= most:
            break
    stride = math.ceil(len(inside) / most) if inside else 1
    return inside[::stride]
