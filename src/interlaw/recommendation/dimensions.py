"""Shapes of equal budget that suit hardware: one set of defaults for `recommend`, `explore` and `shapes`.

Heads and key-value heads split over 2, 4 or 8 devices where the width allows; widths come in multiples of 64.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from interlaw.errors import InterlawError
from interlaw.plain import Json
from interlaw.shapes import FAMILIES, Budget, Shape, Usual, is_decoder, make_shape, near_family, require_family

VOCAB_SIZE, CONTEXT = 32_000, 4096  # of a family that does not say its own
MULTIPLE_OF = 64  # matrix units multiply tiles of so many entries or a divisor of it: other widths leave some idle
# Shapes whose predicted losses differ by less are one choice: at these sizes seeds differ by about as much.
DELTA = 0.005
TOLERANCE = 0.05  # of the budget: 5% of N moves the loss by about DELTA (published exponents are near .1)
NUM_CANDIDATES = 5  # what one looks at; more differ by less than is known
FAR_OFF = 0.5  # relative: one that misses its budget by as much is no shape of it
TIED_BELOW = 4e9  # parameters: published models of up to 4B mostly tie their head (Qwen3-4B does, Qwen3-8B does not)
SPLITS = (8, 4, 2)  # devices of a node over which tensors are commonly divided
KV_HEADS = (2, 4, 8)  # published models have 2 to 8: fewer leave devices idle, more cost cache
HEAD_DIMS = (64, 128, 96, 80, 112)  # attention kernels are made for 64 and 128, and know the others
WIDE = 2048  # from this width on, heads of 128 are usual
NARROW_HEADS = 8  # a model with fewer heads attends to few things at a time
WIDEST = 65_536  # five times the widest decoder published (GPT-3: 12,288)
# five times the largest R* of a language model (0.1); deeper networks take long to count, a layer at a time
DEEPEST = 0.5
BEYOND = 1.2  # times the deepest: a line through two shallow shapes is no further off


@dataclass(frozen=True, kw_only=True)
class Dimensions:
    """What a shape must suit beside its budget; what is not given follows from family and size.

    Attributes:
        family: `gpt`, `llama`, `qwen2`, or `hf:NAME`.
        vocab_size: Entries of the token table; the family's own when not given; of hf:NAME that of its
            configuration in transformers.
        context: Longest sequence, in tokens; the family's own when not given, 4096 for llama, qwen2 and hf:NAME.
        head_dim: Width of a head; the one of 64, 128, 96, 80, 112 whose heads split best when not given.
        heads_per_kv: Most query heads that share a key-value head; then 2, 4 or 8 key-value heads are not insisted on.
        num_kv_heads: Exactly so many key-value heads.
        d_ff_ratio: Hidden units of the MLP over the width; the family's own when not given.
        tied: Whether the head is the token table; when not given, below 4B parameters (never for gpt).
        multiple_of: Width and d_ff are multiples of this; 64 when not given.
        parallel: Devices over which heads, key-value heads and d_ff must split.
    """

    family: str
    vocab_size: int | None = None
    context: int | None = None
    head_dim: int | None = None
    heads_per_kv: int | None = None
    num_kv_heads: int | None = None
    d_ff_ratio: float | None = None
    tied: bool | None = None
    multiple_of: int | None = None
    parallel: int = 1

    def __post_init__(self) -> None:
        """Refuses sizes below one and families that are no decoders, and fills in the family's own sizes."""
        if ":" not in self.family and not is_decoder(self.family):
            known = [name for name in FAMILIES.names() if is_decoder(name)]
            raise InterlawError(
                f"expected a family of {', '.join(known)} or hf:NAME, found {self.family!r}; choose one"
                f"{near_family(self.family, known)}"
            )
        own = family_facts(self.family)
        for name in ("vocab_size", "context"):
            if getattr(self, name) is None:
                object.__setattr__(self, name, getattr(own, name))
        for name in ("vocab_size", "context", "head_dim", "heads_per_kv", "num_kv_heads", "multiple_of", "parallel"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InterlawError(f"expected {name}= to be at least 1, found {value}; choose a positive one")

    def shape(self, width: int, depth: int, *, tied: bool) -> Shape | None:
        """The shape of these dimensions; None where heads do not fit the width or do not split as asked."""
        heads = self.heads(width)
        if heads is None:
            return None
        facts = family_facts(self.family)
        settings: Json = {"vocab_size": self.vocab_size, "context": self.context, "head_dim": heads[0], "tied": tied}
        if facts.grouped and heads[1] != width // heads[0]:
            settings["num_kv_heads"] = heads[1]
        if "d_ff_multiple_of" in own_sizes(self.family):
            settings["d_ff_multiple_of"] = self.step()
        ratio = facts.d_ff_ratio if self.d_ff_ratio is None else self.d_ff_ratio
        if ratio is not None:
            settings["d_ff_ratio"] = ratio
        shape = make_shape(self.family, depth=depth, width=width, **settings)
        return shape if (getattr(shape, "d_ff", None) or 0) % self.parallel == 0 else None

    def spending(self, width: int, depth: int, *, budget: Budget) -> Shape | None:
        """The same with the head tied as asked, else where the budget buys a small model and the family ties it."""
        if self.tied is not None or require_family(self.family).own_head:
            return self.shape(width, depth, tied=bool(self.tied))
        if budget.kind == "params":
            return self.shape(width, depth, tied=budget.amount < TIED_BELOW)
        tied = self.shape(width, depth, tied=True)
        return tied if tied is None or tied.params < TIED_BELOW else self.shape(width, depth, tied=False)

    def heads(self, width: int) -> tuple[int, int] | None:
        """(head_dim, key-value heads) that split best at a width; None where nothing fits."""
        usual = HEAD_DIMS if width < WIDE else (HEAD_DIMS[1], HEAD_DIMS[0], *HEAD_DIMS[2:])
        options = []
        for preference, head_dim in enumerate(usual if self.head_dim is None else (self.head_dim,)):
            if width % head_dim:
                continue
            count = width // head_dim
            kv = self._kv_heads(count)
            if kv and count % self.parallel == 0 and kv % self.parallel == 0:
                few = count < min(NARROW_HEADS, width // MULTIPLE_OF)
                options.append((few, -_split(count), -_split(kv), preference, head_dim, kv))
        return min(options)[-2:] if options else None

    def roughness(self, shape: Shape) -> float:
        """How badly a shape suits hardware, from 0 (width a multiple of 256, heads that split over 8) to 1."""
        # Judgement, no measured times: an order of preference. It decides among shapes of nearly the same predicted
        # loss (`ROUGHNESS_LOSS`); `--measure` times them.
        rough = 0.0 if shape.width % 256 == 0 else 0.15 if shape.width % 128 == 0 else 0.35
        heads = shape.num_heads or 1
        rough += {8: 0.0, 4: 0.2, 2: 0.3}.get(_split(heads), 0.4)
        rough += 0.1 if shape.width // heads not in HEAD_DIMS[:2] else 0.0
        return rough + (0.15 if heads < NARROW_HEADS else 0.0)

    def step(self) -> int:
        """The difference between two widths."""
        return self.multiple_of or MULTIPLE_OF

    def _kv_heads(self, heads: int) -> int:
        """Key-value heads of so many heads; 0 where groups do not fit."""
        facts = family_facts(self.family)
        if not facts.grouped:
            return heads
        if self.num_kv_heads is not None:
            return self.num_kv_heads if heads % self.num_kv_heads == 0 else 0
        most = min(self.heads_per_kv or facts.heads_per_kv, heads)
        if self.heads_per_kv is None:
            few = SPLITS[0] % self.parallel and self.parallel < SPLITS[0]  # 3, 5, 6 or 7 devices
            usual = (self.parallel, 2 * self.parallel) if few else KV_HEADS
            fitting = [kv for kv in usual if heads % kv == 0 and kv % self.parallel == 0 and heads // kv <= 2 * most]
            if fitting or heads < 2 * most * KV_HEADS[-1]:
                return next((kv for kv in fitting if heads // kv <= most), fitting[-1] if fitting else 0)
        group = max(size for size in range(1, most + 1) if heads % size == 0)
        return heads // group if 2 * group >= most else 0


@cache
def own_sizes(family: str) -> dict[str, Any]:
    """The sizes of a family's shape, each with its default."""
    return {name: each.default for name, each in inspect.signature(require_family(family)).parameters.items()}


@cache
def family_facts(family: str) -> Usual:
    """What published models of the family have, or else its shape by default; a mixture of experts is refused."""
    usual, own = require_family(family).usual, own_sizes(family)
    if usual.num_experts > 1:
        raise InterlawError(
            f"expected a dense family, found {family} with {usual.num_experts} experts; choose its dense relative "
            "(hf:qwen3 for hf:qwen3_moe, say) with a budget of the parameters that are active per token"
        )
    return replace(
        usual,
        grouped="num_kv_heads" in own and usual.grouped,
        vocab_size=usual.vocab_size or own.get("vocab_size", VOCAB_SIZE),
        context=usual.context or own.get("context", CONTEXT),
    )


def _split(heads: int) -> int:
    """Over how many of 8, 4, 2 devices so many heads split; 1 if over none."""
    return next((devices for devices in SPLITS if heads % devices == 0), 1)


def splits_over(shape: Shape) -> int:
    """The largest of 8, 4, 2, 1 devices that divides heads, key-value heads and d_ff.

    Example:
        >>> from interlaw.shapes import LlamaShape
        >>> splits_over(LlamaShape(depth=32, width=4096, head_dim=128, num_kv_heads=8, d_ff=14336))
        8
    """
    row = shape.to_dict()
    counts = [row["num_heads"] or 1, row.get("num_kv_heads") or row["num_heads"] or 1, row["d_ff"] or SPLITS[0]]
    return min(_split(int(count)) for count in counts)


def equal_budget_shapes(dimensions: Dimensions, budget: Budget) -> Iterator[Shape]:
    """One shape a width, from narrow to wide: the depth whose spending is nearest the budget.

    Args:
        dimensions: Family, vocabulary and what hardware likes.
        budget: The budget to meet.
    """
    for width in range(dimensions.step(), WIDEST + 1, dimensions.step()):
        shallow = dimensions.spending(width, 1, budget=budget)
        if shallow is None:
            continue
        if budget.error(shallow) > FAR_OFF:  # and wider ones spend more
            return
        shape = _nearest_depth(dimensions, budget, width=width)
        if shape is not None:
            yield shape


def _nearest_depth(dimensions: Dimensions, budget: Budget, *, width: int) -> Shape | None:
    """The depth whose spending is nearest the budget; None where that is beyond the deepest."""
    deepest = round(DEEPEST * width)
    # spending, or its root where tokens grow with the parameters, is nearly a line in depth: it names a depth, and its
    # neighbours are tried, since each trial may make a network of that depth
    power = 0.5 if budget.kind == "train_flops" else 1.0

    @cache
    def shape(depth: int) -> Shape:
        sized = dimensions.spending(width, depth, budget=budget)
        assert sized is not None  # heads fit a width or do not, whatever the depth
        return sized

    def line(other: int) -> float:
        """The depth at which a line through depth 1 and another one meets the budget."""
        first, second = (budget.spent(shape(depth)) ** power for depth in (1, other))
        return float(1 + (budget.amount**power - first) / (second - first) * (other - 1))

    guess, low, high = line(2), 1, max(3, deepest + 1)  # two depths and one between them
    if guess > BEYOND * deepest:
        return None
    while high - low > 1:
        tried = min(max(int(guess), low + 1), high - 1)
        low, high = (tried, high) if budget.spent(shape(tried)) <= budget.amount else (low, tried)
        guess = line(tried)
    if low >= deepest:
        return None
    return min((shape(low), shape(high)), key=lambda one: abs(budget.error(one)))
