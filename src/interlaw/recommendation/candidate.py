"""One shape to choose: what it costs, what it is predicted to lose, why one would rather take it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace

from interlaw.plain import Json
from interlaw.recommendation.belief import Belief, Penalty, RatioInterval
from interlaw.recommendation.cost import Cost
from interlaw.recommendation.dimensions import splits_over
from interlaw.shapes import Budget, Shape
from interlaw.size import format_bytes, format_ratio, format_size

NOTABLE = 0.1  # a cost that differs by less is no reason to take another shape


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Times of the real network of a shape, random weights, on one machine.

    Attributes:
        train_tokens_per_second: Forward, backward and AdamW's step.
        prefill_ms_per_token: Reading a prompt, per token of it.
        decode_ms_per_token: Writing one token after that prompt, one sequence.
        device: `cpu` or the accelerator's name.
        dtype: Of the weights.
        prompt: Tokens of the prompt, and of a training sequence.
    """

    train_tokens_per_second: float
    prefill_ms_per_token: float
    decode_ms_per_token: float
    device: str
    dtype: str
    prompt: int


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One shape to choose.

    Attributes:
        shape: The shape with its exact counts.
        budget_error: Relative miss of the budget.
        inside: Whether R lies in the interval chosen from.
        cost: What it costs to train and to run.
        penalty: Predicted relative loss above the best shape of the budget.
        parallel: Devices over which heads, key-value heads and d_ff split: those asked for, or the most of 8, 4, 2, 1.
        reasons: Why one would rather take it than the pick; empty for the pick.
        measured: Times on this machine, where they were asked for.
        unmeasured: Why there are none, where they were asked for.
    """

    shape: Shape
    budget_error: float
    inside: bool
    cost: Cost
    penalty: Penalty
    parallel: int
    reasons: tuple[str, ...]
    measured: Timing | None = None
    unmeasured: str = ""

    @property
    def name(self) -> str:
        """Depth x width."""
        return f"{self.shape.depth} x {self.shape.width}"

    @property
    def heads(self) -> str:
        """Query heads / key-value heads x their width."""
        row = self.shape.to_dict()
        return f"{row['num_heads']}/{row.get('num_kv_heads') or row['num_heads']}x{row['head_dim']}"

    def to_dict(self) -> Json:
        """Shape, costs and evidence as plain values."""
        return {
            **self.shape.to_dict(),
            "budget_error": self.budget_error,
            "inside": self.inside,
            **asdict(self.cost),
            "loss_penalty": asdict(self.penalty),
            "parallel": self.parallel,
            "reasons": list(self.reasons),
            "measured": None if self.measured is None else asdict(self.measured),
            "unmeasured": self.unmeasured,
        }


def describe(
    shapes: Sequence[Shape],
    costs: Sequence[Cost],
    *,
    budget: Budget,
    belief: Belief,
    interval: RatioInterval,
    parallel: int,
) -> list[Candidate]:
    """Each shape with its cost, its predicted loss and what speaks for it against the first, the pick."""
    return [
        Candidate(
            shape=shape,
            budget_error=budget.error(shape),
            inside=interval.position(shape.ratio) == "inside",
            cost=cost,
            penalty=belief.penalty(shape.ratio),
            parallel=max(parallel, splits_over(shape)),
            reasons=tuple(_reasons(shape, cost, pick=shapes[0], picked=costs[0])),
        )
        for shape, cost in zip(shapes, costs, strict=True)
    ]


def _reasons(shape: Shape, cost: Cost, *, pick: Shape, picked: Cost) -> Iterator[str]:
    """What speaks for a shape against the pick: latency, cache, splitting, cost of training; nothing for the pick."""
    counts = (
        (shape.depth, pick.depth, "fewer layers to run one after another: lower latency"),
        (cost.kv_bytes_per_token, picked.kv_bytes_per_token, "less key-value cache"),
        (cost.activation_bytes, picked.activation_bytes, "less memory for activations"),
        (cost.train_flops, picked.train_flops, "fewer FLOPs"),
    )
    for own, other, words in counts:
        if 1 - own / other >= NOTABLE:
            yield f"{1 - own / other:.0%} {words}"
    if splits_over(shape) > splits_over(pick):
        yield f"splits over {splits_over(shape)} devices, not {splits_over(pick)}"


def worth_listing(described: Sequence[Candidate], *, count: int) -> tuple[Candidate, ...]:
    """The pick, then the others of least predicted loss for which something speaks, from shallow to deep.

    One deeper shape is kept though nothing counted speaks for it: R* is known to a factor only.
    """
    pick, *others = described
    by_loss = sorted(others, key=lambda one: one.penalty.value)
    deeper = next((one for one in by_loss if one.shape.ratio > pick.shape.ratio and not one.reasons), None)
    kept = [one for one in by_loss if one.reasons][: count - 1]
    if deeper is not None and len(kept) < count - 1:
        kept.append(replace(deeper, reasons=("deeper, in case R* lies there",)))
    return (pick, *sorted(kept, key=lambda one: one.shape.ratio))


def table(candidates: Sequence[Candidate]) -> list[str]:
    """One line a candidate, at most 80 columns: numbers to the right."""
    timed = any(one.measured for one in candidates)
    heads = ["shape", "R", "loss", "params", "heads/kv", "split", "KV/tok"]
    heads += ["train tok/s", "read ms", "decode ms"] if timed else ["train mem", "days"]
    rows = [heads, *(_row(one, timed=timed) for one in candidates)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(heads))]
    return [" ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]


def _row(one: Candidate, *, timed: bool) -> list[str]:
    cost, days = one.cost, one.cost.train_days
    cells = [
        one.name,
        format_ratio(one.shape.ratio),
        f"+{one.penalty.value:.1%}",
        format_size(one.shape.params),
        one.heads,
        str(one.parallel),
        format_bytes(cost.kv_bytes_per_token),
    ]
    if not timed:
        return [*cells, format_bytes(cost.train_memory_bytes), f"{days:.2g}" if days < 100 else f"{days:,.0f}"]
    if one.measured is None:
        return [*cells, "-", "-", "-"]
    times = one.measured
    speeds = (times.train_tokens_per_second, times.prefill_ms_per_token, times.decode_ms_per_token)
    return [*cells, *(f"{speed:.3g}" for speed in speeds)]
