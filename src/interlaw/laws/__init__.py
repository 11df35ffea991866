"""Laws of loss against depth and width, with their uncertainty. Needs NumPy and SciPy only."""

from interlaw.laws.fit import LawFit, fit_law
from interlaw.laws.verdict import verdict

__all__ = ["LawFit", "fit_law", "verdict"]
