"""A recommendation that is a range: shapes for a budget, with the evidence for and against each."""

from interlaw.recommendation.assumptions import assumptions
from interlaw.recommendation.candidate import Candidate
from interlaw.recommendation.evidence import LawOpinion, law_opinions, similar_models
from interlaw.recommendation.export import hf_config
from interlaw.recommendation.interval import RatioInterval
from interlaw.recommendation.optima import Optimum, fit_optima, measured_optima, published_optima, write_optima
from interlaw.recommendation.penalty import Penalty
from interlaw.recommendation.pooling import Pool, Prediction, pool
from interlaw.recommendation.recommendation import Recommendation, recommend
from interlaw.recommendation.survey import Evidence, Source, gather_evidence, measured_pool

__all__ = [
    "Candidate",
    "Evidence",
    "LawOpinion",
    "Optimum",
    "Penalty",
    "Pool",
    "Prediction",
    "RatioInterval",
    "Recommendation",
    "Source",
    "assumptions",
    "fit_optima",
    "gather_evidence",
    "hf_config",
    "law_opinions",
    "measured_optima",
    "measured_pool",
    "pool",
    "published_optima",
    "recommend",
    "similar_models",
    "write_optima",
]
