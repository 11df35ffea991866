"""From a budget to a shape to take: measured optima pooled, shapes that suit hardware, what each costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec

from interlaw.errors import MissingExtraError
from interlaw.recommendation.by_depth import depths_around, shapes_by_depth
from interlaw.recommendation.candidate import Candidate, Penalty, Timing
from interlaw.recommendation.cost import PEAK_FLOPS, Cost, Plan, count_cost
from interlaw.recommendation.dimensions import DECODERS, Dimensions, equal_budget_shapes, splits_over
from interlaw.recommendation.evidence import Evidence, Source, gather_evidence, measured_curvature, measured_pool
from interlaw.recommendation.export import hf_config
from interlaw.recommendation.opinions import LawOpinion, law_opinions, similar_models
from interlaw.recommendation.optima import Optimum, fit_optima, measured_optima, published_optima, write_optima
from interlaw.recommendation.own_law import Belief, RatioInterval, believe
from interlaw.recommendation.pooling import Pool, Prediction, pool
from interlaw.recommendation.recommendation import Recommendation, recommend
from interlaw.recommendation.wording import lines, notes_as_lines

Say = Callable[[str], None]  # told what is being timed


def time_candidates(candidates: Sequence[Candidate], *, say: Say) -> tuple[Candidate, ...]:
    """Every candidate timed on this machine (torch is loaded for it alone); see `timing.time_candidates`."""
    from interlaw.recommendation import timing

    return timing.time_candidates(candidates, say=say)


def require_timing(candidates: Sequence[Candidate]) -> None:
    """Refuses what cannot be timed on this machine.

    Raises:
        MissingExtraError: torch or transformers is not installed.
        InterlawError: Training the smallest takes more memory than is free.
    """
    if find_spec("torch") is None or find_spec("transformers") is None:
        raise MissingExtraError("timing a shape", "hf")
    from interlaw.recommendation import timing

    timing.require_room(candidates)


def timed(result: Recommendation, *, say: Say) -> Recommendation:
    """The same with every candidate timed on this machine.

    Raises:
        InterlawError: See `require_timing`.
    """
    require_timing(result.candidates)
    return replace(result, candidates=time_candidates(result.candidates, say=say))


__all__ = [
    "DECODERS",
    "PEAK_FLOPS",
    "Belief",
    "Candidate",
    "Cost",
    "Dimensions",
    "Evidence",
    "LawOpinion",
    "Optimum",
    "Penalty",
    "Plan",
    "Pool",
    "Prediction",
    "RatioInterval",
    "Recommendation",
    "Say",
    "Source",
    "Timing",
    "believe",
    "count_cost",
    "depths_around",
    "equal_budget_shapes",
    "fit_optima",
    "gather_evidence",
    "hf_config",
    "law_opinions",
    "lines",
    "measured_curvature",
    "measured_optima",
    "measured_pool",
    "notes_as_lines",
    "pool",
    "published_optima",
    "recommend",
    "require_timing",
    "shapes_by_depth",
    "similar_models",
    "splits_over",
    "time_candidates",
    "timed",
    "write_optima",
]
