"""What a table of runs says, as one value: every record of the other files together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from interlaw.laws.claim import Claim
from interlaw.laws.joint_law import JointLaw
from interlaw.laws.result import BudgetFit, PooledInterval
from interlaw.laws.stability import Stability
from interlaw.laws.table import LeftOut
from interlaw.plain import plain


@dataclass(frozen=True, kw_only=True, repr=False)
class LawResult:
    """The fields of `LawFit`, which says what each means."""

    budgets: tuple[BudgetFit, ...]
    law: JointLaw | None
    interaction_interval: PooledInterval | None
    stability: Stability
    claims: tuple[Claim, ...]
    warnings: tuple[str, ...]
    delta: float
    confidence: float
    seed: int
    left_out: LeftOut
    view: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts, lists, numbers, strings and None."""
        return dict(plain(self))
