"""The numbers that a recommendation rests on, gathered for a page that works it out again as one types."""

from __future__ import annotations

from typing import Any

from interlaw.published import PAPER_INTERVAL
from interlaw.recommendation.choice import FARTHEST
from interlaw.recommendation.evidence import AGREEMENT_FACTOR, PAPER, SIMILAR_SIZE_FACTOR, VISION
from interlaw.recommendation.interval import FARTHEST_REACH, MIN_LAWS
from interlaw.recommendation.penalty import FLATTEST, SHARPEST
from interlaw.recommendation.recommendation import MIDDLING


def assumptions() -> dict[str, Any]:
    """Factors, bounds and curvatures, as plain values.

    Example:
        >>> assumptions()["min_laws"]
        3
    """
    return {
        "agreement_factor": AGREEMENT_FACTOR,
        "vision": list(VISION),
        "paper": {"key": PAPER, "interval": list(PAPER_INTERVAL)},
        "similar_factor": SIMILAR_SIZE_FACTOR,
        "min_laws": MIN_LAWS,
        "farthest_reach": FARTHEST_REACH,
        "curvature": {"flattest": FLATTEST, "sharpest": SHARPEST},
        "farthest": FARTHEST,
        "middling": MIDDLING,
    }
