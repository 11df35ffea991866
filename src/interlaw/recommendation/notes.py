"""Why the pick, and what a reader of a recommendation must know, in whole sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from interlaw.laws import Settings
from interlaw.published import PAPER_INTERVAL, PublishedRow
from interlaw.recommendation.belief import NEAR_SIZE, Belief, RatioInterval, about_fit
from interlaw.recommendation.candidate import Candidate
from interlaw.recommendation.cost import Cost, Plan
from interlaw.recommendation.dimensions import KV_HEADS, Dimensions, family_facts
from interlaw.recommendation.opinions import SIMILAR_SIZE_FACTOR
from interlaw.shapes import Shape
from interlaw.size import format_bytes, format_range, format_ratio, format_size

if TYPE_CHECKING:
    from interlaw.laws import LawFit

# A predictive interval wider than this factor leaves the shape nearly open.
WIDE_FACTOR = 4.0
FAR_BEYOND = 3.0  # factor of N beyond the nearest size measured, above which a note says so
MOSTLY_TABLE = 0.5  # share of the parameters in the token table above which N no longer measures the layers
FEW_TOKENS = 0.1  # a parameter: no sweep of the evidence trained so little, so the unit was probably left out
COSTLY = 0.01  # parameters that a choice of heads costs, as a share of the model, above which a note says so


def reason(pick: Candidate, *, belief: Belief, given: bool, parallel: int) -> str:
    """Why this shape, in one sentence without its name; `given` says that the interval is the user's."""
    row = pick.shape.to_dict()
    kv = row.get("num_kv_heads")
    heads = f"{row['num_heads']} heads of {row['head_dim']}" + (f", {kv} key-value heads" if kv else "")
    among = "in your interval" if given else "near it"
    asked = f" that split over {parallel} devices" if parallel > 1 else ""
    beyond = f", {belief.beyond:.2g} times beyond the sizes measured" if belief.beyond > NEAR_SIZE else ""
    split = f", which split over {pick.parallel} devices" if pick.parallel > 1 and parallel == 1 else ""
    level, size = f"{Settings.confidence:.0%}", format_size(belief.params)
    return (
        f"{belief.voters} put R* at {format_ratio(belief.ratio)} for {size} ({level}: "
        f"{format_range(belief.low, belief.high)}){beyond}. Of the shapes {among}{asked}, R = "
        f"{format_ratio(pick.shape.ratio)} fits hardware best: {heads}{split}"
    )


def basis(cost: Cost, *, dimensions: Dimensions, plan: Plan) -> str:
    """What the columns of the table rest on."""
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


def notes(
    pick: Candidate,
    *,
    belief: Belief,
    interval: RatioInterval,
    dimensions: Dimensions,
    models: Sequence[PublishedRow],
    fit: LawFit | None,
) -> Iterator[str]:
    """How far to trust it, what a choice costs, and who disagrees."""
    if interval.given:
        yield (
            f"you gave the interval; the evidence puts R* at {format_ratio(belief.ratio)}, which the predicted losses "
            "follow"
        )
    yield from about_fit(fit, belief)
    if belief.high / belief.low > WIDE_FACTOR:
        yield (
            f"the evidence leaves R* open by a factor of {_factor(belief.high / belief.low)}: a sweep of your own at a "
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
    table = pick.shape.width * dimensions.vocabulary
    if table > MOSTLY_TABLE * pick.shape.params:
        yield (
            f"the token table takes {table / pick.shape.params:.0%} of the parameters: the measured sweeps gave layers "
            f"more of theirs, so R* says less here; a smaller vocabulary leaves more to the layers"
        )
    yield from _head_costs(pick.shape, dimensions)
    if dimensions.parallel > 1 and dimensions.vocabulary % dimensions.parallel:
        yield f"a vocabulary of {dimensions.vocabulary:,} does not divide by {dimensions.parallel}: pad it"
    yield _paper(interval)
    if models:
        where = [interval.position(model.ratio) for model in models]
        yield (
            f"of {len(where)} published models within a factor of {SIMILAR_SIZE_FACTOR} of "
            f"{format_size(belief.params)}, {where.count('below')} lie below the interval (shallower), "
            f"{where.count('inside')} inside, {where.count('above')} above"
        )


def _factor(value: float) -> str:
    """A factor as people write it; of more than three digits the rest says nothing."""
    return f"{value:.0f}" if value < 1000 else "more than 1000"


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
    head = shape.width * dimensions.vocabulary
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
