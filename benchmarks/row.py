"""One line of the table that `python -m benchmarks` prints."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Row:
    """A figure of the package beside what it is compared with.

    Attributes:
        name: What was done.
        unit: Of both figures.
        target: What the ratio, or the figure alone, should be.
        ours: The package's figure; None where it could not be measured.
        baseline: The other one; None where there is nothing to compare with.
        ratio: How many times better or larger; ours over the baseline when not given.
    """

    name: str
    unit: str
    target: str
    ours: float | None = None
    baseline: float | None = None
    ratio: float | None = None

    def __post_init__(self) -> None:
        """Fills in the ratio."""
        if self.ratio is None and self.ours is not None and self.baseline:
            object.__setattr__(self, "ratio", self.ours / self.baseline)
