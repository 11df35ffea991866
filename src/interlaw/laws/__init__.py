"""Laws of loss against depth and width, with their uncertainty. Needs NumPy and SciPy only."""

from interlaw.laws.claim import Claim
from interlaw.laws.compare import RivalForm
from interlaw.laws.compute_optimum import ComputeOptimum, compute_optima
from interlaw.laws.fit import LawFit, fit_law
from interlaw.laws.joint_law import JointLaw, LinePoint
from interlaw.laws.published import LAWS, SIZE_TOLERANCE, PublishedLaw, published_laws, published_slopes
from interlaw.laws.result import BudgetFit, InteractionInterval, Stability
from interlaw.laws.stability import equivalence
from interlaw.laws.surface import SurfaceOptimum, surface_optima
from interlaw.laws.together import FittedTable, judge_together
from interlaw.laws.treatments import TreatedBudget, TreatmentComparison, TreatmentDifference, compare_treatments
from interlaw.laws.verdict import Verdict, status_text, verdict

__all__ = [
    "LAWS",
    "SIZE_TOLERANCE",
    "BudgetFit",
    "Claim",
    "ComputeOptimum",
    "FittedTable",
    "InteractionInterval",
    "JointLaw",
    "LawFit",
    "LinePoint",
    "PublishedLaw",
    "RivalForm",
    "Stability",
    "SurfaceOptimum",
    "TreatedBudget",
    "TreatmentComparison",
    "TreatmentDifference",
    "Verdict",
    "compare_treatments",
    "compute_optima",
    "equivalence",
    "fit_law",
    "judge_together",
    "published_laws",
    "published_slopes",
    "status_text",
    "surface_optima",
    "verdict",
]
