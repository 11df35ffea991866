"""One look for every figure: colours by role (safe for colour-blind readers), round ticks, Vega's settings."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import cycle
from typing import TypedDict

import numpy as np

from interlaw.plain import Json


class Size(TypedDict):
    """Pixels of a panel."""

    width: int
    height: int


# Roles carry colour, not budgets: measured, fitted, best, as good as the best, efficient in interaction.
INK = "#1d2733"
MUTED = "#66717e"
FAINT = "#c3cad2"
GRID = "#edf0f3"
FIT = "#0b67a3"
BEST = "#c8430b"
GOOD = "#e9a820"
INTERACTION = "#00866a"
SURFACE = "#ffffff"

# Dark where the loss is lowest; the lightness goes one way, so that it survives print and colour blindness.
LOSS_RAMP = ("#12264f", "#2f5d9b", "#5f9ac4", "#a6c9dd", "#e3e6cf")
# Shallow is light, deep is dark; no step is too light for a white page.
DEPTH_RAMP = ("#c9b35b", "#9aa05f", "#5f8a73", "#2f6f86", "#23507f", "#1a2f5c")
# Blue below, pale at nothing, red above; both ends equally far from the middle.
SIGNED_RAMP = ("#0b3c66", "#3f83b8", "#b5d3e6", "#f7f5f0", "#f2c3a4", "#d0602f", "#7f2204")
# Okabe and Ito's order of colours, in shades that keep a contrast of 3 on white; lines also differ in their dashes.
SERIES = ("#0b67a3", "#c8430b", "#00866a", "#8a4fa3", "#a07400", "#3f9bd0", "#1d2733", "#b0577f")
# One a data set or published line, by its name, beside a run's own orange and blue: searched for the largest least
# difference in CIELAB under normal sight and three kinds of colour blindness, with a contrast of 3 on white and on
# the dark page (where ink turns light).
DATASETS = {
    "Sun byte-level GPT": "#8424fc",
    "Gemstones": "#b43c48",
    "mlfoundations grid": INK,
    "Levine": "#64a03c",
    "CompleteP": "#846078",
    "Chinchilla shapes": "#3ca0b4",
    "MobileLLM": "#f050a0",
    "nanochat": "#b4189c",
    "Marin": "#b478dc",
    "Depth scaling of Chinchilla data": "#c850f0",
    "SoViT (vision)": "#8c8c64",
}
# One colour a verdict on a claim.
VERDICTS = {"holds": INTERACTION, "opposite": BEST, "negligible": FIT, "cannot tell": MUTED}
# Pixels drawn and left out, in turn: each pattern is told from the others at the length of a legend's symbol.
DASHES = ([1, 0], [7, 3], [2, 2], [8, 3, 2, 3], [3, 5], [12, 3], [5, 2, 1, 2, 1, 2])
SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "triangle-right", "triangle-left")

# By taste, the same in every figure: half or twice of each reads as well. Pixels across lines, square pixels of marks.
HAIR, THIN, LINE, BOLD, BAR, BROAD = 0.8, 1.2, 1.6, 2.2, 6, 14
SMALL, DOT, LARGE = 25, 45, 75  # square pixels
TINT, FAINTLY, HALF = 0.18, 0.3, 0.5  # opacity of bands behind the data, and of what stands beside it
# A panel in a file, pixels: one that stands alone, one of two and one of three in a row of about 1000, a flat one.
ALONE: Size = {"width": 560, "height": 340}
OF_TWO, OF_THREE = Size(width=440, height=320), Size(width=300, height=260)
FLAT = Size(width=560, height=200)
TITLE_LETTER, LETTER = 8.2, 6.1  # pixels that a letter takes at 16 bold and at 11, on average over English text

FONT = "Liberation Sans, Arial, Helvetica, sans-serif"

# Letters of 11 to 13 pixels read at arm's length, on a page and on a slide; the gaps are a letter or two.
CONFIG: Json = {
    "background": SURFACE,
    "font": FONT,
    "view": {"stroke": None},
    "title": {
        "anchor": "start", "color": INK, "fontSize": 13, "offset": 8, "subtitleColor": MUTED, "subtitleFontSize": 11,
    },
    "axis": {
        "domainColor": MUTED, "tickColor": MUTED, "gridColor": GRID, "labelColor": MUTED, "titleColor": INK,
        "labelFontSize": 11, "titleFontSize": 12, "titleFontWeight": "normal", "titlePadding": 8, "labelOverlap": True,
        "labelFlush": False,  # labels stay at their ticks, those at the ends too
    },
    "mark": {"opacity": 1},  # Vega-Lite draws dots and ticks at .7, which looks faded
    "axisX": {"grid": False},
    "axisY": {"domain": False, "ticks": False},
    "legend": {
        "labelColor": INK, "titleColor": MUTED, "labelFontSize": 11, "titleFontSize": 11, "titleFontWeight": "normal",
        "labelLimit": 260, "titleLimit": 320, "symbolStrokeWidth": 1.5, "symbolOpacity": 1, "symbolSize": 80,
        "orient": "bottom",
    },
    "concat": {"spacing": 22},
    "text": {"color": INK, "fontSize": 11},
}  # fmt: skip
# legends below each other: Vega has the setting, the schema of Vega-Lite 6, by which Altair checks, does not
LEGENDS = {"layout": {"bottom": {"direction": "vertical", "anchor": "start"}}}
VEGA_CONFIG = {**CONFIG, "legend": {**CONFIG["legend"], **LEGENDS}}


def dataset_colours(names: Iterable[str]) -> list[str]:
    """The colours of data sets and published lines; those of other packages take the series' colours.

    Example:
        >>> dataset_colours(["Gemstones", "another"])
        ['#b43c48', '#0b67a3']
    """
    others = cycle(SERIES)
    return [DATASETS.get(name) or next(others) for name in names]


def padded(values: Iterable[float | None], *, log: bool = False, margin: float = 0.06) -> tuple[float, float]:
    """The range of some values with a margin on both sides, in the axis' own measure; 6% hold a mark of any size.

    Example:
        >>> padded([0.0, 1.0], margin=0.1), padded([1.0, 100.0], log=True, margin=0.5)
        ((-0.1, 1.1), (0.1, 1000.0))
    """
    known = [value for value in values if value is not None and math.isfinite(value) and (value > 0 or not log)]
    low, high = min(known), max(known)
    if low == high:  # half of it to each side, so that ticks have room
        half = 0.5 * (abs(low) or 1.0)
        return (low / 1.5, high * 1.5) if log else (low - half, high + half)
    if log:
        factor = (high / low) ** margin
        return float(f"{low / factor:.6g}"), float(f"{high * factor:.6g}")
    return float(f"{low - margin * (high - low):.6g}"), float(f"{high + margin * (high - low):.6g}")


TICKS = 5  # of a linear axis, about
LOG_TICKS = 6  # of a logarithmic one at most: more labels meet in a panel of 300 pixels
NARROW = 4  # a factor that holds few numbers of a series such as 1, 2, 5


def nice_ticks(low: float, high: float, *, most: int = LOG_TICKS) -> list[float]:
    """Round numbers inside [low, high] for a logarithmic axis: even steps where it is narrow.

    Example:
        >>> nice_ticks(0.011, 0.3), nice_ticks(2.2, 3.6)
        ([0.02, 0.03, 0.05, 0.1, 0.2, 0.3], [2.5, 3.0, 3.5])
    """
    if high / low < NARROW:
        power = 10.0 ** math.floor(math.log10((high - low) / most))
        for factor in (1, 2, 5, 10, 20):
            step = factor * power
            first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)  # rounding may miss an end
            if last - first + 1 <= most:
                return [float(f"{place * step:.6g}") for place in range(first, last + 1)]
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1, 1.5, 2, 3, 4, 5, 6, 8), (1, 2, 3, 5), (1, 2, 5), (1, 3), (1,)):  # of a decade, ever fewer
        ticks = [float(f"{step * 10.0**power:.3g}") for power in decades for step in steps]
        inside = [tick for tick in ticks if low <= tick <= high]
        if len(inside) <= most:
            break
    stride = math.ceil(len(inside) / most) if inside else 1
    return inside[::stride]


def ramp(count: int) -> list[str]:
    """So many shades from shallow to deep.

    Example:
        >>> ramp(1), len(ramp(9))
        (['#1a2f5c'], 9)
    """
    stops = [[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in DEPTH_RAMP]  # #rrggbb
    at = np.linspace(len(stops) - 1, 0, count)[::-1]  # from the deep end, which a single shade is
    mixed = [np.interp(at, range(len(stops)), channel).round().astype(int) for channel in zip(*stops, strict=True)]
    return [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in zip(*mixed, strict=True)]
