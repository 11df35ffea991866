"""From a budget to a shape: where R* lies, equal-budget shapes near it, what each costs, and which to take."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from interlaw.charted import Charted
from interlaw.errors import InterlawError
from interlaw.plain import Json
from interlaw.published import PAPER_INTERVAL, PublishedRow, require_interval
from interlaw.recommendation.belief import Belief, RatioInterval, believe
from interlaw.recommendation.candidate import Candidate, describe, worth_listing
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
from interlaw.recommendation.evidence import measured_pool
from interlaw.recommendation.notes import basis, notes, reason
from interlaw.recommendation.opinions import LawOpinion, law_opinions, similar_models
from interlaw.recommendation.wording import table, wrapped
from interlaw.shapes import CHINCHILLA_TOKENS_PER_PARAM, Budget, Shape, choose_budget
from interlaw.size import format_size, parse_size

if TYPE_CHECKING:
    import pandas as pd

    from interlaw.laws import LawFit

LARGEST = 1e13  # parameters: beyond any network that was trained, so a slip of the unit
MOST_LINES = 15  # what a prompt shows without scrolling
# A ratio in the middle of the published ones, to see how many parameters a budget in FLOPs buys.
MIDDLING = 0.02


@dataclass(frozen=True, kw_only=True)
class Recommendation(Charted):
    """A shape to take, others of nearly the same loss, and the evidence.

    Attributes:
        budget: What was to be spent.
        dimensions: What every candidate had to suit: family, vocabulary, context, heads.
        belief: Where R* lies at N, the budget or about what it buys: the predictive interval, and what weighs how much.
        interval: Ratios to choose from: predicted within `delta` of the least loss, unless the user gave others.
        delta: That tolerance.
        plan: Where it is trained.
        candidates: The pick first, then from shallow to deep.
        caveats: What to know of how they were chosen, in words.
        fit: The user's own law, whether or not it counts.
    """

    budget: Budget
    dimensions: Dimensions
    belief: Belief
    interval: RatioInterval
    delta: float
    plan: Plan
    candidates: tuple[Candidate, ...]
    caveats: tuple[str, ...]
    fit: LawFit | None

    @property
    def params(self) -> float:
        """N at which the evidence was consulted."""
        return self.belief.params

    @property
    def pick(self) -> Candidate:
        """The shape to take."""
        return self.candidates[0]

    @property
    def why(self) -> str:
        """Why the pick, in words."""
        return reason(self.pick, belief=self.belief, given=self.interval.given, parallel=self.dimensions.parallel)

    @property
    def _take(self) -> str:
        return f"Take {self.pick.name}: {self.why}."

    @cached_property
    def measured_only(self) -> Belief | None:
        """The belief without data sets whose errors are assumed; None where the others are too few."""
        pool = measured_pool().without_assumed()
        return None if pool is None else believe(self.params, fit=self.fit, pool=pool)

    @cached_property
    def laws(self) -> tuple[LawOpinion, ...]:
        """Every published line at N."""
        return law_opinions(self.params)

    @cached_property
    def models(self) -> tuple[PublishedRow, ...]:
        """Real models within a factor of 1.5 of N."""
        return similar_models(self.params)

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """What a reader must know, in words."""
        said = notes(
            self.pick,
            belief=self.belief,
            interval=self.interval,
            dimensions=self.dimensions,
            models=self.models,
            fit=self.fit,
        )
        return (*self.caveats, *said)

    def to_dict(self) -> Json:
        """The keys of the command's JSON."""
        return {
            "pick": self.pick.to_dict(),
            "why": self.why,
            "budget": asdict(self.budget),
            "params": self.params,
            "predictive_interval": asdict(self.belief),
            "measured_only": None if self.measured_only is None else asdict(self.measured_only),
            "interval": {**asdict(self.interval), "delta": self.delta, "paper": list(PAPER_INTERVAL)},
            "plan": self.plan.to_dict(),
            "candidates": [candidate.to_dict() for candidate in self.candidates],
            "laws": [
                {**one.to_dict(), "position": None if one.ratio is None else self.interval.position(one.ratio)}
                for one in self.laws
            ],
            "models": [
                {
                    **model.model_dump(include={"name", "family", "depth", "width"}),
                    "params": model.params_total,
                    "ratio": model.ratio,
                    "tokens": model.tokens,
                    "score": model.mmlu_pro,
                    "at_chance": model.at_chance,
                    "size_bin": model.size_bin,
                    "position": self.interval.position(model.ratio),
                }
                for model in self.models
            ],
            "warnings": list(self.warnings),
        }

    def to_frame(self) -> pd.DataFrame:
        """One row a candidate, the pick first, with every count and cost."""
        import pandas as pd

        rows = []
        for one in self.candidates:
            row = {key: value for key, value in one.to_dict().items() if not isinstance(value, list | dict)}
            row |= {"loss_penalty": one.penalty.value, **({} if one.measured is None else asdict(one.measured))}
            rows.append(row)
        return pd.DataFrame(rows).drop(columns=["measured", "unmeasured"], errors="ignore")

    def answer(self) -> list[str]:
        """Lines of 80 columns: the pick and why, what is nearly as good and what speaks for it, the table."""
        rest = self.candidates[1:]
        said = wrapped([self._take])
        if rest:
            said.append(f"Within {self.delta:.1%} of its predicted loss:")
            others = (f"{one.name}: {'; '.join(one.reasons) or 'no cheaper in anything counted here'}" for one in rest)
            said += wrapped(others, indent=2)
        return [*said, *table(self.candidates)]

    def notes(self) -> list[str]:
        """Lines of 80 columns: what the columns rest on, and every warning."""
        rests_on = basis(self.pick.cost, dimensions=self.dimensions, plan=self.plan)
        return wrapped([rests_on, *(f"note: {one}" for one in self.warnings)])

    def __str__(self) -> str:
        """The answer, in at most `MOST_LINES` lines."""
        return "\n".join(self.answer()[:MOST_LINES])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """For a notebook: the first sentences and the candidates as a table."""
        from html import escape

        table = self.to_frame()[["depth", "width", "ratio", "params", "loss_penalty", "parallel", "kv_bytes_per_token"]]
        return f"<p>{escape(self._take)}</p>{table.to_html()}"


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
