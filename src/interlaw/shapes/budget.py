"""What is held equal between shapes: one number, and which count it bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from interlaw.errors import InterlawError, require_among
from interlaw.shapes.shape import Shape

CHINCHILLA_TOKENS_PER_PARAM = 20.0  # Hoffmann et al. 2022, arXiv 2203.15556

BudgetKind = Literal["params", "params_non_embedding", "flops_per_token", "train_flops"]


@dataclass(frozen=True, kw_only=True)
class Budget:
    """An amount that every shape of a sweep spends.

    Attributes:
        kind: `params` (total), `params_non_embedding`, `flops_per_token` (training), or `train_flops` (the whole run).
        amount: The number to be met.
        tokens_per_param: Tokens seen per total parameter; only `train_flops` depends on it.

    Example:
        >>> from interlaw.shapes.gpt import GPTShape
        >>> Budget(kind="params", amount=1_000_000).spent(GPTShape(depth=5, width=120, head_dim=4))
        958800
    """

    kind: BudgetKind
    amount: int
    tokens_per_param: float = CHINCHILLA_TOKENS_PER_PARAM

    def __post_init__(self) -> None:
        """Checks kind, amount and what the kind needs."""
        require_among("a budget kind", self.kind, known=get_args(BudgetKind))
        if self.amount < 1:
            raise InterlawError(f"expected a budget of at least 1, found {self.amount}; choose a positive one")
        if self.kind == "train_flops" and not 0 < self.tokens_per_param < math.inf:
            raise InterlawError(
                f"a budget in training FLOPs needs positive tokens per parameter, found {self.tokens_per_param}; "
                "give them, 20 for example"
            )

    def spent(self, shape: Shape) -> int:
        """What a shape spends of this kind of budget."""
        if self.kind == "train_flops":
            return round(shape.flops_per_token * shape.params * self.tokens_per_param)
        return int(getattr(shape, self.kind))

    def error(self, shape: Shape) -> float:
        """Relative miss of the budget: spent / amount - 1."""
        return self.spent(shape) / self.amount - 1.0
