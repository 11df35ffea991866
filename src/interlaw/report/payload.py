"""What the page carries for its panels: the plotted numbers of every figure, as one JSON document."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from interlaw.published import published_ratio_points
from interlaw.report.curves_figure import learning_curves
from interlaw.report.document import plain
from interlaw.report.law_figure import law_line, law_points, published_lines
from interlaw.report.loss_figure import loss_limits, loss_panels, ratio_limits
from interlaw.report.plane_figure import plane_points
from interlaw.report.results import Analysis, RunResults, treatments_compared
from interlaw.report.wording import budget_text

# of the plotted numbers: finer than any screen; the run's own table keeps every digit
DIGITS = 6


def payload(results: RunResults) -> dict[str, Any]:
    """Every number of the page.

    Returns:
        trials: the run table by column; curves: the learning curves; analyses: one a treatment and view, each with its
        panels, axis limits, plane and law; comparison: of treatments, where there are several; published, models: what
        others published; units: of loss and data; budget_texts: [budget, words].
    """
    columns = {str(name): results.table[name].tolist() for name in results.table.columns}
    kinds = dict(zip(columns["budget"], columns["budget_kind"], strict=True))
    plotted = rounded({
        "curves": [asdict(curve) for curve in learning_curves(results)],
        "analyses": [_analysis(each) for each in results.analyses],
        "comparison": _comparison(results),
        "published": [asdict(each) for each in published_lines()],
        "models": [asdict(each) for each in published_ratio_points()],
        "units": asdict(results.units),
    })  # fmt: skip
    texts = [[budget, budget_text(budget, kind)] for budget, kind in kinds.items()]
    values: dict[str, Any] = plain({"trials": columns, **plotted, "budget_texts": texts})
    return values


def rounded(value: Any, *, kept: bool = False) -> Any:
    """Numbers to so many digits; a budget names what belongs to it and stays as it is.

    Example:
        >>> rounded({"budget": 1234567.0, "loss": [2.123456789, 1234567.0, 3]})
        {'budget': 1234567.0, 'loss': [2.12346, 1234570.0, 3]}
    """
    if isinstance(value, dict):
        return {key: rounded(item, kept=key == "budget") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    if isinstance(value, float) and math.isfinite(value) and not kept:
        return float(f"{value:.{DIGITS}g}")
    return value


def _comparison(results: RunResults) -> dict[str, Any] | None:
    """Every budget under every treatment, and their differences."""
    if len({each.treatment for each in results.analyses}) < 2:
        return None
    compared = treatments_compared(results)
    return {
        "confidence": compared.confidence,
        "budgets": [asdict(each) for each in compared.budgets],
        "differences": [asdict(each) for each in compared.differences],
    }


def _analysis(analysis: Analysis) -> dict[str, Any]:
    panels = loss_panels(analysis)
    return {
        "treatment": analysis.treatment,
        "view": analysis.view,
        "panels": [asdict(panel) for panel in panels],
        "loss_limits": loss_limits(panels),
        "ratio_limits": ratio_limits(panels),
        "plane": [asdict(point) for point in plane_points(analysis)],
        "law": {
            "points": [asdict(point) for point in law_points(analysis)],
            "line": [asdict(point) for point in law_line(analysis)],
        },
    }
