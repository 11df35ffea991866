"""From a budget to a recommendation: where R* lies, equal-budget shapes near it, what each costs, which to take."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from interlaw.errors import InterlawError
from interlaw.published import require_interval
from interlaw.recommendation.belief import RatioInterval, believe
from interlaw.recommendation.candidate import describe, worth_listing
from interlaw.recommendation.choice import choose_shapes
from interlaw.recommendation.cost import Plan, count_cost
from interlaw.recommendation.dimensions import (
    DELTA,
    FAR_OFF,
    NUM_CANDIDATES,
    TOLERANCE,
    Dimensions,
    equal_budget_shapes,
)
from interlaw.recommendation.recommendation import Recommendation
from interlaw.shapes import CHINCHILLA_TOKENS_PER_PARAM, Budget, Shape, choose_budget
from interlaw.size import format_size, parse_size

if TYPE_CHECKING:
    from interlaw.laws import LawFit

LARGEST = 1e13  # parameters: beyond any network that was trained, so a slip of the unit
# A ratio in the middle of the published ones, to see how many parameters a budget in FLOPs buys.
MIDDLING = 0.02


def recommend(
    *,
    params: str | float | None = None,
    flops: str | float | None = None,
    family: str = "llama",
    vocab_size: str | int | None = None,
    context: int | None = None,
    tokens: str | float | None = None,
    tokens_per_param: float | None = None,
    fit: LawFit | None = None,
    delta: float = DELTA,
    interval: tuple[float, float] | None = None,
    head_dim: int | None = None,
    heads_per_kv: int | None = None,
    tied: bool | None = None,
    multiple_of: int | None = None,
    parallel: int = 1,
    plan: Plan | None = None,
    tolerance: float = TOLERANCE,
    num_candidates: int = NUM_CANDIDATES,
) -> Recommendation:
    """Depth and width for a budget: a pick, others of nearly the same loss with what speaks for them, the evidence.

    Args:
        params: Budget in total parameters, as a number or a size such as "350M"; or give `flops`.
        flops: Budget in training FLOPs of a run of `tokens_per_param` tokens per parameter.
        family: `gpt`, `llama`, `qwen2`, or `hf:NAME` for a dense decoder of transformers, such as hf:qwen3.
        vocab_size: Entries of the token table, a number or a size such as "32k"; the family's default when not given.
        context: Longest sequence, in tokens.
        tokens: Training tokens, such as "20B"; or give `tokens_per_param`.
        tokens_per_param: Training tokens per total parameter; `CHINCHILLA_TOKENS_PER_PARAM` when neither is given.
        fit: Your own law (`fit_law`), combined with the pooled sweeps by precision; not used without an optimum.
        delta: Others are offered whose predicted loss is within this of the pick's, relative.
        interval: Choose from this interval of R instead; predicted losses stay those of the evidence.
        head_dim: Width of a head; see `Dimensions` for what happens when this and the next three are not given.
        heads_per_kv: Most query heads that share a key-value head.
        tied: Whether the output head is the token table.
        multiple_of: Width and d_ff are multiples of this.
        parallel: Devices over which heads, key-value heads and d_ff must split.
        plan: Device, number, share of the peak, batch: for days and memory.
        tolerance: Largest relative miss of the budget.
        num_candidates: How many shapes to return at most.

    Returns:
        The recommendation. Its candidates' counts are exact: `Shape.params` equals what transformers builds.

    Raises:
        InterlawError: When a number is out of range or no shape of these dimensions meets the budget.
        TypeError: `fit` is no fit.

    Example:
        >>> pick = recommend(params="350M", family="llama", vocab_size="32k", parallel=4).pick
        >>> print(pick.name, pick.parallel)
        29 x 1024 4
    """
    if fit is not None and type(fit).__name__ != "LawFit":  # by name: loading the class takes as long as an answer
        raise TypeError(f"expected fit=fit_law(table), a LawFit, found {type(fit).__name__}")
    _require_number("tolerance", tolerance, most=FAR_OFF, hint="0.05 means five per cent")
    _require_number("delta", delta, most=1, hint="0.005 means half a per cent of the loss")
    _require_number("num_candidates", num_candidates, most=math.inf, hint="5 is usual")
    budget, tokens_of = _budget(params, flops, tokens=tokens, tokens_per_param=tokens_per_param)
    dimensions = Dimensions(
        family=family,
        vocab_size=None if vocab_size is None else parse_size(vocab_size),
        context=context,
        head_dim=head_dim,
        heads_per_kv=heads_per_kv,
        tied=tied,
        multiple_of=multiple_of,
        parallel=parallel,
    )
    belief, plan = believe(_size(dimensions, budget), fit=fit), plan or Plan()
    ratios = belief.within(delta)
    if interval is not None:
        low, high = require_interval(interval)
        ratios = RatioInterval(low=low, high=high, statement="the interval you gave", given=True)
    shapes, caveats = choose_shapes(
        dimensions, budget, belief=belief, interval=ratios, tolerance=tolerance, delta=delta, count=num_candidates
    )
    costs = [count_cost(each, tokens=tokens_of(each), plan=plan) for each in shapes]
    described = describe(shapes, costs, budget=budget, belief=belief, interval=ratios, parallel=parallel)
    return Recommendation(
        budget=budget,
        dimensions=dimensions,
        belief=belief,
        interval=ratios,
        delta=delta,
        plan=plan,
        candidates=worth_listing(described, count=num_candidates),
        caveats=caveats,
        fit=fit,
    )


def _budget(
    params: str | float | None,
    flops: str | float | None,
    *,
    tokens: str | float | None,
    tokens_per_param: float | None,
) -> tuple[Budget, Callable[[Shape], int]]:
    """The budget, and the training tokens of a shape."""
    if tokens is not None and (flops is not None or tokens_per_param is not None):
        other = "flops" if flops is not None else "tokens_per_param"
        raise InterlawError(f"expected tokens= or {other}=, found both; give one of them")
    per_param = CHINCHILLA_TOKENS_PER_PARAM if tokens_per_param is None else tokens_per_param
    _require_number("tokens_per_param", per_param, most=math.inf, hint="20 is usual")
    if (params is None) == (flops is None):
        given = "none" if params is None else "both"
        raise InterlawError(f"expected exactly one budget (params= or flops=), found {given}; give one")
    budget = choose_budget(params=params, flops=flops, tokens_per_param=per_param)
    total = None if tokens is None else parse_size(tokens)
    return budget, lambda shape: total or round(per_param * shape.params)


def _size(dimensions: Dimensions, budget: Budget) -> float:
    """N to ask the evidence about: the budget in parameters, or those of a shape that spends the FLOPs."""
    size = float(budget.amount)
    if budget.kind != "params":
        buys = list(equal_budget_shapes(dimensions, budget))
        middle = min(buys, key=lambda shape: abs(math.log(shape.ratio / MIDDLING)), default=None)
        # without a shape to ask: C = 6 N D (Kaplan et al. 2001.08361)
        size = math.sqrt(size / 6 / (budget.tokens_per_param or 1.0)) if middle is None else float(middle.params)
    if size > LARGEST:
        raise InterlawError(
            f"expected a budget of at most {format_size(LARGEST)} parameters, found {format_size(size)}; lower it"
        )
    return size


def _require_number(name: str, value: object, *, most: float, hint: str) -> None:
    """Refuses what is no number above 0 and up to the most."""
    if not isinstance(value, int | float) or not 0 < value <= most or value == math.inf:
        limit = "" if most == math.inf else f" and at most {most:g}"
        raise InterlawError(f"expected {name}= above 0{limit}, found {value!r}; {hint}")
