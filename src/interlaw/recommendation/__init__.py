"""A recommendation that is a range: shapes for a budget, with the evidence for and against each."""

from interlaw.recommendation.assumptions import assumptions
from interlaw.recommendation.candidate import Candidate
from interlaw.recommendation.evidence import LawOpinion, law_opinions, similar_models
from interlaw.recommendation.export import hf_config
from interlaw.recommendation.interval import RatioInterval
from interlaw.recommendation.penalty import Penalty
from interlaw.recommendation.recommendation import Recommendation, recommend

__all__ = [
    "Candidate",
    "LawOpinion",
    "Penalty",
    "RatioInterval",
    "Recommendation",
    "assumptions",
    "hf_config",
    "law_opinions",
    "recommend",
    "similar_models",
]
