"""Budgets and numbers in words, the same in every figure, table and sentence."""

from __future__ import annotations

import math
from typing import Any

from interlaw.size import counted, format_ratio, format_size

KINDS = {
    "": "parameters",  # of a table that does not say what its budgets count
    "params": "parameters",
    "params_non_embedding": "non-embedding parameters",
    "flops_per_token": "training FLOPs a token",
    "train_flops": "training FLOPs",
    "tokens_per_param": "tokens per parameter",
}


def budget_text(budget: float, kind: str) -> str:
    """A budget as a person reads it.

    Example:
        >>> budget_text(50_000.0, "params"), budget_text(2.5, "tokens_per_param")
        ('50k parameters', '2.5 tokens per parameter')
    """
    return f"{format_size(budget)} {KINDS.get(kind, kind)}"


def treatment_text(treatment: str) -> str:
    """A learning-rate treatment as it was published; those of other packages go by their own names.

    Example:
        >>> treatment_text("completep"), treatment_text("search")
        ('CompleteP', 'search')
    """
    return {"mup": "muP", "completep": "CompleteP"}.get(treatment, treatment)


def number(value: Any, *, digits: int = 4) -> str:
    """A number for people; a dash for what is unknown, thousands with commas.

    Example:
        >>> number(0.0312345), number(None), number(152133), number(1.5e-7)
        ('0.03123', '–', '152,133', '1.5e-07')
    """
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    if float(value).is_integer() and abs(value) < 1e15:  # beyond, a float holds no exact whole number
        return f"{int(value):,}"
    return f"{value:.{digits}g}"


def shape_name(depth: int, width: int) -> str:
    """A shape as a person reads it.

    Example:
        >>> shape_name(1, 64), shape_name(4, 32)
        ('1 layer x 64, R = 0.0156', '4 layers x 32, R = 0.1250')
    """
    return f"{counted(depth, 'layer')} x {width}, R = {format_ratio(depth / width)}"
