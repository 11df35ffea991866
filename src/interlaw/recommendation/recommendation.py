"""From a budget to shapes: the interval, shapes inside it, what each costs, who supports it and who disagrees."""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from interlaw.errors import InterlawError
from interlaw.laws import LawFit
from interlaw.published import PAPER_INTERVAL, RatioPoint
from interlaw.recommendation.candidate import Candidate, describe
from interlaw.recommendation.caveats import caveats
from interlaw.recommendation.choice import choose_shapes
from interlaw.recommendation.dimensions import Dimensions, equal_budget_shapes
from interlaw.recommendation.evidence import LawOpinion, law_opinions, similar_models
from interlaw.recommendation.interval import RatioInterval, given_interval, interval_from_fit, interval_from_laws
from interlaw.shapes import CHINCHILLA_TOKENS_PER_PARAM, Budget, choose_budget, format_size

LARGEST = 1e13
# A ratio amid the published ones, to see how many parameters a budget in FLOPs buys.
MIDDLING = 0.02


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """A range of shapes with its evidence.

    Attributes:
        budget: What was to be spent.
        params: N at which laws and models were consulted: the budget, or about what it buys.
        interval: Ratios to choose from.
        candidates: Shapes of equal budget, the one nearest the centre first.
        laws: Every published law at N.
        models: Real models within a factor of 1.5 of N.
        warnings: What a reader must know, in words.
    """

    budget: Budget
    params: float
    interval: RatioInterval
    candidates: tuple[Candidate, ...]
    laws: tuple[LawOpinion, ...]
    models: tuple[RatioPoint, ...]
    warnings: tuple[str, ...]

    def plot(self) -> Any:
        """Predicted loss of each shape, and the range among published laws and models.

        Returns:
            An Altair chart: a notebook shows it, and `.save("x.pdf")` writes it.
        """
        # the chart lies to the right of this stage: found when it is asked for, by the package's public name
        return import_module("interlaw").chart_of(self)

    def to_dict(self) -> dict[str, Any]:
        """The keys of the command's JSON."""
        return {
            "budget": dict(vars(self.budget)),
            "params": self.params,
            "interval": {**self.interval.to_dict(), "paper": list(PAPER_INTERVAL)},
            "candidates": [candidate.to_dict() for candidate in self.candidates],
            "laws": [{**one.to_dict(), "position": self._position(one.ratio)} for one in self.laws],
            "models": [{**vars(point), "position": self._position(point.ratio)} for point in self.models],
            "warnings": list(self.warnings),
        }

    def _position(self, ratio: float | None) -> str | None:
        return None if ratio is None else self.interval.position(ratio)


def recommend(
    *,
    params: str | float | None = None,
    flops: str | float | None = None,
    family: str = "llama",
    vocab_size: int = 32_000,
    context: int = 4096,
    fit: LawFit | None = None,
    delta: float | None = None,
    interval: tuple[float, float] | None = None,
    tokens_per_param: float = CHINCHILLA_TOKENS_PER_PARAM,
    head_dim: int | None = None,
    heads_per_kv: int | None = None,
    tied: bool | None = None,
    multiple_of: int | None = None,
    tolerance: float = 0.05,
    num_candidates: int = 5,
) -> Recommendation:
    """Shapes for a budget: a range of depth / width, equal-budget shapes inside it, and the evidence for and against.

    Args:
        params: Budget in total parameters, as a number or a size such as "350M"; or give `flops`.
        flops: Budget in training FLOPs of a run of `tokens_per_param` tokens per parameter.
        family: `gpt`, `llama` or `qwen2`.
        vocab_size: Entries of the token table.
        context: Longest sequence, in tokens.
        fit: Your own law (`fit_law`): it then gives interval and penalty. Without it, published laws do.
        delta: Tolerated relative loss of the interval by the fit; the fit's own when not given.
        interval: Choose from this interval of R instead; penalties are still those of the fit or the published laws.
        tokens_per_param: Training tokens per total parameter.
        head_dim: Width of a head; see `Dimensions` for what happens when this and the next three are not given.
        heads_per_kv: Most query heads that share a key-value head.
        tied: Whether the output head is the token table.
        multiple_of: Width and d_ff are multiples of this.
        tolerance: Largest relative miss of the budget.
        num_candidates: How many shapes to return at most.

    Returns:
        The recommendation. Its candidates' counts are exact: `Shape.params` equals what transformers builds.

    Raises:
        InterlawError: When a number is out of range or no shape of these dimensions meets the budget.
        TypeError: `fit` is no fit.

    Example:
        >>> found = recommend(params="350M", family="llama", vocab_size=32_000)
        >>> found.interval.low < found.candidates[0].shape.ratio < found.interval.high
        True
    """
    _check(tolerance=tolerance, num_candidates=num_candidates, tokens_per_param=tokens_per_param)
    if not isinstance(fit, LawFit | None):
        raise TypeError(f"expected fit=fit_law(table), a LawFit, found {type(fit).__name__}")
    budget = choose_budget(params=params, flops=flops, tokens_per_param=tokens_per_param)
    dimensions = Dimensions(
        family=family,
        vocab_size=vocab_size,
        context=context,
        head_dim=head_dim,
        heads_per_kv=heads_per_kv,
        tied=tied,
        multiple_of=multiple_of,
    )
    size = _size(dimensions, budget)
    opinions, models = law_opinions(size), similar_models(size)
    evidence = (interval_from_fit(fit, size, delta=delta) if fit is not None else None) or interval_from_laws(opinions)
    chosen = given_interval(*_pair(interval)) if interval is not None else evidence
    choice = choose_shapes(dimensions, budget, chosen, tolerance=tolerance, count=num_candidates)
    candidates = tuple(
        describe(
            shape,
            budget=budget,
            interval=chosen,
            evidence=evidence,
            opinions=opinions,
            fit=fit,
            tokens_per_param=tokens_per_param,
        )
        for shape in choice.shapes
    )
    return Recommendation(
        budget=budget,
        params=size,
        interval=chosen,
        candidates=candidates,
        laws=opinions,
        models=models,
        warnings=(
            *choice.caveats,
            *caveats(chosen, evidence=evidence, params=size, models=models, fit=fit),
        ),
    )


def _size(dimensions: Dimensions, budget: Budget) -> float:
    """N to ask laws and models about: the budget in parameters, or those of a shape that spends the FLOPs."""
    size = float(budget.amount)
    if budget.kind != "params":
        buys = list(equal_budget_shapes(dimensions, budget))
        middle = min(buys, key=lambda shape: abs(math.log(shape.ratio / MIDDLING)), default=None)
        size = math.sqrt(size / 6 / (budget.tokens_per_param or 1.0)) if middle is None else float(middle.params)
    if size > LARGEST:
        raise InterlawError(
            f"expected a budget of at most {format_size(LARGEST)} parameters, found {format_size(size)}; lower it"
        )
    return size


def _pair(interval: tuple[float, float]) -> tuple[float, float]:
    """The two ends of an interval that somebody gave."""
    try:
        low, high = map(float, interval)
    except (TypeError, ValueError):
        raise InterlawError(f"expected an interval (low, high) of two numbers, found {interval!r}; mend it") from None
    return low, high


def _check(*, tolerance: float, num_candidates: int, tokens_per_param: float) -> None:
    """Refuses numbers out of range."""
    for name, value in (
        ("tolerance", tolerance),
        ("num_candidates", num_candidates),
        ("tokens_per_param", tokens_per_param),
    ):
        if not isinstance(value, int | float):
            raise InterlawError(f"expected a number as {name}, found {value!r}; choose one")
    if not 0 < tolerance <= 0.5:
        raise InterlawError(f"expected a tolerance from 0 to 0.5, found {tolerance}; 0.05 means five per cent")
    if num_candidates < 1:
        raise InterlawError(f"expected at least one candidate, found {num_candidates}; choose a positive number")
    if not 0 < tokens_per_param < math.inf:
        raise InterlawError(f"expected positive tokens per parameter, found {tokens_per_param}; 20 is usual")
