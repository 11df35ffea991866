"""The chart of every result, which a notebook shows as it is; another type registers its own in one line."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

from interlaw.interaction import Interaction, Layers
from interlaw.laws import LawFit
from interlaw.recommendation import Evidence, Recommendation
from interlaw.report.evidence_figure import draw_evidence
from interlaw.report.interaction_figure import draw_interaction
from interlaw.report.law_figure import draw_fit
from interlaw.report.layers_figure import draw_layers
from interlaw.report.offline import whole
from interlaw.report.recommendation_figure import draw_recommendation
from interlaw.report.tracking_figure import draw_tracking
from interlaw.tracking import Tracker


@singledispatch
def chart_of(result: Any) -> Any:
    """The chart of a result, which a notebook shows and `.save("x.pdf")` writes.

    Args:
        result: An `Interaction`, the layers of `measure_layers`, a `LawFit`, a `Recommendation`, or another type that
            registered its chart with `@chart_of.register`.

    Returns:
        An Altair chart.

    Raises:
        TypeError: No chart is known for this type.
    """
    raise TypeError(f"expected a result that has a chart, found {type(result).__name__}; see interlaw.report.chart_of")


chart_of.register(Interaction, lambda result: whole(draw_interaction(result)))
chart_of.register(Layers, lambda layers: whole(draw_layers(layers, whose="The network")))
chart_of.register(LawFit, lambda fit: whole(draw_fit(fit)))
chart_of.register(Recommendation, lambda result: whole(draw_recommendation(result)))
chart_of.register(Evidence, lambda evidence: whole(draw_evidence(evidence)))
chart_of.register(Tracker, lambda tracker: whole(draw_tracking(tracker)))
