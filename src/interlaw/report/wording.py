"""Budgets and numbers in words, the same in every figure, table and sentence."""

from __future__ import annotations

from interlaw.shapes import format_size

KINDS = {
    "params": "parameters",
    "params_non_embedding": "non-embedding parameters",
    "flops_per_token": "training FLOPs a token",
    "train_flops": "training FLOPs",
}


def budget_text(budget: float, kind: str) -> str:
    """A budget as a person reads it.

    Example:
        >>> budget_text(50_000.0, "params")
        '50k parameters'
    """
    return f"{format_size(round(budget))} {KINDS.get(kind, kind)}"
