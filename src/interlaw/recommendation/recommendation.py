"""A recommendation: a shape to take, others nearly as good, and in whole sentences why and what a reader must know."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from interlaw.charted import Charted
from interlaw.laws import Settings
from interlaw.plain import Json
from interlaw.published import PAPER_INTERVAL, PublishedRow
from interlaw.recommendation.belief import NEAR_SIZE, Belief, RatioInterval, about_fit, believe
from interlaw.recommendation.candidate import Candidate, table
from interlaw.recommendation.cost import Plan
from interlaw.recommendation.dimensions import KV_HEADS, Dimensions, family_facts
from interlaw.recommendation.evidence import (
    SIMILAR_SIZE_FACTOR,
    LawOpinion,
    law_opinions,
    measured_pool,
    similar_models,
)
from interlaw.shapes import Budget, Shape
from interlaw.size import format_bytes, format_range, format_ratio, format_size

if TYPE_CHECKING:
    import pandas as pd

    from interlaw.laws import LawFit

MOST_LINES = 15  # what a prompt shows without scrolling
# A predictive interval wider than this factor leaves the shape nearly open.
WIDE_FACTOR = 4.0
FAR_BEYOND = 3.0  # factor of N beyond the nearest size measured, above which a note says so
MOSTLY_TABLE = 0.5  # share of the parameters in the token table above which N no longer measures the layers
FEW_TOKENS = 0.1  # a parameter: no sweep of the evidence trained so little, so the unit was probably left out
COLUMNS = 80  # of the narrowest terminal that is usual
COSTLY = 0.01  # parameters that a choice of heads costs, as a share of the model, above which a note says so


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
        """Why the pick, in one sentence without its name."""
        pick, belief, parallel = self.pick, self.belief, self.dimensions.parallel
        row = pick.shape.to_dict()
        kv = row.get("num_kv_heads")
        heads = f"{row['num_heads']} heads of {row['head_dim']}" + (f", {kv} key-value heads" if kv else "")
        among = "in your interval" if self.interval.given else "near it"
        asked = f" that split over {parallel} devices" if parallel > 1 else ""
        beyond = f", {belief.beyond:.2g} times beyond the sizes measured" if belief.beyond > NEAR_SIZE else ""
        split = f", which split over {pick.parallel} devices" if pick.parallel > 1 and parallel == 1 else ""
        level, size = f"{Settings.confidence:.0%}", format_size(belief.params)
        return (
            f"{belief.voters} put R* at {format_ratio(belief.ratio)} for {size} ({level}: "
            f"{format_range(belief.low, belief.high)}){beyond}. Of the shapes {among}{asked}, R = "
            f"{format_ratio(pick.shape.ratio)} fits hardware best: {heads}{split}"
        )

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
        return (*self.caveats, *notes(self))

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
        return wrapped([basis(self), *(f"note: {one}" for one in self.warnings)])

    def __str__(self) -> str:
        """The answer, in at most `MOST_LINES` lines."""
        return "\n".join(self.answer()[:MOST_LINES])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """For a notebook: the first sentences and the candidates as a table."""
        from html import escape

        table = self.to_frame()[["depth", "width", "ratio", "params", "loss_penalty", "parallel", "kv_bytes_per_token"]]
        return f"<p>{escape(self._take)}</p>{table.to_html()}"


def basis(result: Recommendation) -> str:
    """What the columns of the table rest on."""
    dimensions, plan, cost = result.dimensions, result.plan, result.pick.cost
    of, num_parallel = dimensions.family, dimensions.parallel
    own = of.startswith("hf:") and dimensions.vocab_size == family_facts(of).vocab_size
    hint = f" (--devices {num_parallel} counts all {num_parallel})" if plan.num_devices < num_parallel else ""
    return (
        f"shape is layers x width; {of}, vocabulary {dimensions.vocab_size:,}"
        f"{' (its own; --vocab sets another)' if own else ''}, context {dimensions.context:,}, "
        f"{format_size(cost.train_tokens)} tokens; days on {plan.num_devices} x {plan.device}{hint} at "
        f"{plan.utilization:.0%} of the peak; memory with a batch of {plan.batch} a device, undivided; a token decoded "
        f"at full context reads {format_bytes(cost.decode_bytes_per_token)}"
    )


def notes(result: Recommendation) -> Iterator[str]:
    """How far to trust it, what a choice costs, and who disagrees."""
    pick, belief, interval, dimensions = result.pick, result.belief, result.interval, result.dimensions
    if interval.given:
        yield (
            f"you gave the interval; the evidence puts R* at {format_ratio(belief.ratio)}, which the predicted losses "
            "follow"
        )
    yield from about_fit(result.fit, belief)
    factor = belief.high / belief.low
    if factor > WIDE_FACTOR:
        said = f"{factor:.0f}" if factor < 1000 else "more than 1000"  # more than three digits say nothing
        yield (
            f"the evidence leaves R* open by a factor of {said}: a sweep of your own at a "
            f"smaller size says more (--law)"
        )
    if belief.beyond > FAR_BEYOND:
        yield (
            f"{format_size(belief.params)} lies a factor of {belief.beyond:.0f} outside the sizes at which R* was "
            f"measured: above them it goes on along the data sets' mean slope, below them it stays level; the interval "
            f"grows with the distance, and may still cover too little"
        )
    per_param = pick.cost.train_tokens / pick.shape.params
    if per_param < FEW_TOKENS:
        yield (
            f"{format_size(pick.cost.train_tokens)} tokens are {per_param:.1g} a parameter, next to no training: "
            "the measured sweeps used 20 or more; for billions write --tokens 20B"
        )
    vocabulary = int(pick.shape.to_dict()["vocab_size"])
    table = pick.shape.width * vocabulary
    if table > MOSTLY_TABLE * pick.shape.params:
        yield (
            f"the token table takes {table / pick.shape.params:.0%} of the parameters: the measured sweeps gave layers "
            f"more of theirs, so R* says less here; a smaller vocabulary leaves more to the layers"
        )
    yield from _head_costs(pick.shape, dimensions)
    if dimensions.parallel > 1 and vocabulary % dimensions.parallel:
        yield f"a vocabulary of {vocabulary:,} does not divide by {dimensions.parallel}: pad it"
    yield _paper(interval)
    where = [interval.position(model.ratio) for model in result.models]
    if where:
        yield (
            f"of {len(where)} published models within a factor of {SIMILAR_SIZE_FACTOR} of "
            f"{format_size(belief.params)}, {where.count('below')} lie below the interval (shallower), "
            f"{where.count('inside')} inside, {where.count('above')} above"
        )


def _head_costs(shape: Shape, dimensions: Dimensions) -> Iterator[str]:
    """What key-value heads and an untied head cost in parameters."""
    row, heads = shape.to_dict(), shape.num_heads or 1
    kv = row.get("num_kv_heads")
    if kv and 1 < kv < heads and dimensions.heads_per_kv is None:
        fewest = next((few for few in KV_HEADS if heads % few == 0), kv)
        costs = shape.params - replace(shape, num_kv_heads=fewest).params  # type: ignore[call-arg]
        if costs > COSTLY * shape.params:
            share = f"{costs / shape.params:.1%}"
            yield f"{kv} key-value heads instead of {fewest} cost {format_size(costs)} parameters ({share})"
    head = shape.width * int(row["vocab_size"])
    if not row.get("tied") and head > COSTLY * shape.params:
        yield f"its own output head costs {format_size(head)} parameters ({head / shape.params:.0%}): --tied saves it"


def _paper(interval: RatioInterval) -> str:
    """How the interval compares with the paper's."""
    low, high = PAPER_INTERVAL
    own = "yours" if interval.given else f"the recommended one, R = {format_range(interval.low, interval.high)}"
    if interval.high < low:
        relation = f"lies above {own} (deeper): following that claim means leaving it"
    elif interval.low > high:
        relation = f"lies below {own} (shallower): following that claim means leaving it"
    else:
        relation = f"shares R = {format_range(max(low, interval.low), min(high, interval.high))} with {own}"
    return f"the interval of arXiv 2605.27989, R = {low:g} to {high:g} (byte-level, up to 10M parameters), {relation}"


def wrapped(sentences: Iterable[str], *, indent: int = 0) -> list[str]:
    """Lines of at most 80 columns; those of a sentence after its first stand two further in."""
    wrapper = textwrap.TextWrapper(
        COLUMNS, initial_indent=" " * indent, subsequent_indent=" " * (indent + 2), break_long_words=False
    )
    wrapper.break_on_hyphens = False  # names stay whole
    return [line for one in sentences for line in wrapper.wrap(one)]
