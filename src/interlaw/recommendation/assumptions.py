"""The numbers that the explorer's page works its own evidence out from."""

from __future__ import annotations

import math
from typing import Any

from interlaw.published import PAPER_INTERVAL
from interlaw.recommendation.choice import FARTHEST
from interlaw.recommendation.opinions import PAPER, SIMILAR_SIZE_FACTOR


def assumptions() -> dict[str, Any]:
    """Factors, bounds and curvatures, as plain values.

    Example:
        >>> assumptions()["min_laws"]
        3
    """
    return {
        "agreement_factor": 1.5,
        "vision": ["sovit2023"],
        "paper": {"key": PAPER, "interval": list(PAPER_INTERVAL)},
        "similar_factor": SIMILAR_SIZE_FACTOR,
        "min_laws": 3,
        "farthest_reach": 10.0,
        "curvature": {
            "flattest": 0.03 / math.log((48 / 1600) / (6 / 4288)) ** 2,
            "sharpest": 0.02 / (0.5 * math.log(0.065 / 0.020)) ** 2,
        },
        "farthest": FARTHEST,
        "middling": 0.02,
    }
