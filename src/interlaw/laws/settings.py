"""What a user may choose of a fit, each with its default, and the numbers of statistics that several files share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from interlaw.errors import InterlawError

LEVEL = 0.05  # of each one-sided test, of claims after Holm's correction: a convention
POWER = 0.8  # of the effect that a design is said to be able to see: a convention (Cohen 1988)
HUBER_MULTIPLE = 1.345  # of the residual scale, where a cost turns linear: 95% efficient for normal noise (Huber 1964)
NORMAL_MEDIAN = 0.6745  # the median of |z|, z standard normal: half the distance between its quartiles
GRID_POINTS = 401  # of a grid in log R: steps of 1% over a range of a factor 50, finer than any interval of R*
ROUNDING = 1e-9  # relative: what differs by less is equal; sums of thousands of float64 terms err by 1e-13 or so
TINY = 1e-300  # takes the place of 0 in a quotient or a logarithm; nothing that is measured is as small


class ReadOptions(TypedDict, total=False):
    """Keywords of `fit_law` that say how its rows are read."""

    budget_tolerance: float | None
    last_step: bool


class FitOptions(TypedDict, total=False):
    """Keywords of `fit_law` that say how the law is fitted to them."""

    delta: float
    confidence: float
    window: float | None
    given: bool
    seed: int
    num_bootstrap: int
    num_permutations: int


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the user chose; see `fit_law`."""

    delta: float = 0.01  # a judgement: what most would pay for a shape that runs faster
    confidence: float = 0.9  # an interval holds what neither of two one-sided tests at `LEVEL` excludes
    window: float = 0.1  # a judgement; gamma is asked again at `fit.OTHER_WINDOWS`
    num_bootstrap: int = 1000  # an end of a 90% interval then varies by .07 of a standard error
    num_permutations: int = 1000  # a p-value of .05 then has the standard error .007
    given: bool = False

    def __post_init__(self) -> None:
        """Refuses what is out of range."""
        if not 0 < self.delta < 1:
            raise InterlawError(f"expected delta= between 0 and 1 (a relative loss), found {self.delta}: 0.01 means 1%")
        if not 0.5 <= self.confidence < 1:
            raise InterlawError(f"expected confidence= from 0.5 to below 1, found {self.confidence}: 0.9 is usual")
        if not self.window > 0:
            raise InterlawError(
                f"expected window= above 0, found {self.window}: 0.1 uses shapes within 10% of the best"
            )
        if self.num_bootstrap < 100 or self.num_permutations < 100:  # five draws lie beyond an end of a 90% interval
            raise InterlawError(
                f"expected at least 100 bootstrap draws and permutations, found {self.num_bootstrap} and "
                f"{self.num_permutations}: fewer give intervals of noise"
            )
