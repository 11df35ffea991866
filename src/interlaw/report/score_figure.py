"""Published models: MMLU-Pro against R, a panel a size bin, the claimed interval shaded, guessing marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from matplotlib.figure import Figure

from interlaw.errors import InterlawError
from interlaw.published import SIZE_BINS, RatioPoint
from interlaw.report.saving import require_figure_name, write_figure
from interlaw.report.style import FIT, GOOD, MUTED, panel_grid, ratio_axis

TICKS = (0.005, 0.01, 0.02, 0.05, 0.1)


@dataclass(frozen=True, kw_only=True)
class ScorePanel:
    """The models of one size bin.

    Attributes:
        size_bin: The bin's name.
        ratio: R of each model.
        score: MMLU-Pro of each, percent.
        at_chance: Whether each score cannot be told from guessing.
    """

    size_bin: str
    ratio: tuple[float, ...]
    score: tuple[float, ...]
    at_chance: tuple[bool, ...]


def score_panels(points: Sequence[RatioPoint]) -> tuple[ScorePanel, ...]:
    """The scored models by size bin, smallest first; bins without any are left out."""
    panels = []
    for one in SIZE_BINS:
        chosen = [point for point in points if point.size_bin == one.name and point.score is not None]
        if chosen:
            panels.append(
                ScorePanel(
                    size_bin=one.name,
                    ratio=tuple(point.ratio for point in chosen),
                    score=tuple(point.score for point in chosen if point.score is not None),
                    at_chance=tuple(point.at_chance for point in chosen),
                )
            )
    return tuple(panels)


def draw_scores(panels: Sequence[ScorePanel], *, interval: tuple[float, float]) -> Figure:
    """Draws the panels; hollow points are no better than guessing."""
    figure, axes, _ = panel_grid(len(panels), most_columns=3, panel=(3.3, 3.2), share_x=True, share_y=True)
    ratios = [ratio for panel in panels for ratio in panel.ratio]
    low, high = min(*ratios, interval[0]) / 1.15, max(*ratios, interval[1]) * 1.15
    for place, (panel, one) in enumerate(zip(panels, axes, strict=True)):
        one.axvspan(*interval, color=GOOD, alpha=0.18, linewidth=0)
        colours = [MUTED if guess else FIT for guess in panel.at_chance]
        faces = ["none" if guess else FIT for guess in panel.at_chance]
        one.scatter(panel.ratio, panel.score, s=28, edgecolors=colours, facecolors=faces, linewidths=1.0, zorder=3)
        one.set_xscale("log")
        ratio_axis(one.xaxis, low, high)
        one.set_xticks([tick for tick in TICKS if low <= tick <= high])
        one.set_xlim(low, high)
        one.set_title(f"{panel.size_bin}, {len(panel.ratio)} models")
        one.set_xlabel("R = depth / width")
        if place == 0:
            one.set_ylabel("MMLU-Pro (%)")
    note = "shaded: the interval claimed to do better; hollow: no better than guessing"
    figure.supxlabel(note, fontsize=8, color=MUTED)
    return figure


def write_score_figure(path: str | Path, points: Sequence[RatioPoint], *, interval: tuple[float, float]) -> Path:
    """Writes the panels as PNG, SVG or PDF, by the name's ending.

    Raises:
        InterlawError: When the ending is none of these, no model has a score, or the file cannot be written.
    """
    path = require_figure_name(path)
    panels = score_panels(points)
    if not panels:
        raise InterlawError("expected scored models to draw, found none; choose another protocol")
    return write_figure(path, partial(draw_scores, panels, interval=interval))
