"""Shapes of equal budget whose dimensions suit hardware: whole heads of 64 or 128, round widths, grouped keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from interlaw.errors import InterlawError
from interlaw.shapes import Budget, LlamaShape, Shape, make_shape

WIDE = 1536
MULTIPLE_OF = 64
TIED_BELOW = 4e9
HEADS_PER_KV = {"llama": 4, "qwen2": 8}
BYTES_PER_ENTRY = 2
WIDEST = 65_536


@dataclass(frozen=True, kw_only=True)
class Dimensions:
    """What a shape must suit beside its budget.

    Attributes:
        family: `gpt`, `llama` or `qwen2`.
        vocab_size: Entries of the token table.
        context: Longest sequence, in tokens.
        head_dim: Width of a head; when not given, 64 below width 1536, and from there on 128 unless 64 groups better.
        heads_per_kv: Most query heads that share a key-value head; 4 for llama and 8 for qwen2 when not given.
        tied: Whether the head is the token table; when not given, below 4B parameters for llama and qwen2.
        multiple_of: Width and d_ff are multiples of this; 64 when not given, and multiples of 128 are preferred.
    """

    family: str
    vocab_size: int
    context: int
    head_dim: int | None = None
    heads_per_kv: int | None = None
    tied: bool | None = None
    multiple_of: int | None = None

    def __post_init__(self) -> None:
        """Refuses sizes below one, and families without heads."""
        if self.family != "gpt" and self.family not in HEADS_PER_KV:
            raise InterlawError(
                f"expected a family of gpt, {', '.join(HEADS_PER_KV)}, found {self.family!r}; choose one"
            )
        for name in ("vocab_size", "context", "head_dim", "heads_per_kv", "multiple_of"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InterlawError(f"expected {name} to be at least 1, found {value}; choose a positive one")

    def shape(self, width: int, depth: int, *, tied: bool) -> Shape | None:
        """The shape of these dimensions; None where the width is not made of whole heads in whole groups."""
        settings: dict[str, Any] = {"vocab_size": self.vocab_size, "context": self.context, "tied": tied}
        fitting = [head_dim for head_dim in self._head_dims(width) if width % head_dim == 0]
        if self.family not in HEADS_PER_KV:
            return (
                make_shape(self.family, depth=depth, width=width, head_dim=fitting[0], **settings) if fitting else None
            )
        groups = {head_dim: self._heads_per_kv(width // head_dim) for head_dim in fitting}
        head_dim = max(groups, key=lambda one: (groups[one], one), default=0)
        if head_dim == 0 or groups[head_dim] == 0:
            return None
        settings |= {"num_kv_heads": width // head_dim // groups[head_dim], "d_ff_multiple_of": self.step()}
        return make_shape(self.family, depth=depth, width=width, head_dim=head_dim, **settings)

    def roughness(self, shape: Shape) -> float:
        """How ill a shape suits hardware, from 0 (width a multiple of 128, largest groups) to 1."""
        rough = 0.0 if shape.width % (2 * MULTIPLE_OF) == 0 else 0.5
        if isinstance(shape, LlamaShape):
            most = self._most_heads_per_kv(shape.num_heads)
            rough += 1.0 - shape.num_heads / shape.num_kv_heads / most
        return rough

    def step(self) -> int:
        """The difference between two widths."""
        return self.multiple_of or MULTIPLE_OF

    def _head_dims(self, width: int) -> tuple[int, ...]:
        """Head widths to try."""
        if self.head_dim is not None:
            return (self.head_dim,)
        return (128, 64) if width >= WIDE else (64,)

    def _heads_per_kv(self, heads: int) -> int:
        """The largest group allowed that divides the heads; 0 where that is less than half of what is allowed."""
        most = self._most_heads_per_kv(heads)
        group = max(size for size in range(1, most + 1) if heads % size == 0)
        return group if 2 * group >= most else 0

    def _most_heads_per_kv(self, heads: int) -> int:
        return min(self.heads_per_kv or HEADS_PER_KV[self.family], heads)


def kv_cache_bytes_per_token(shape: Shape) -> int:
    """Keys and values of all layers for one token, at two bytes an entry.

    Example:
        >>> kv_cache_bytes_per_token(LlamaShape(depth=32, width=4096, head_dim=128, num_kv_heads=8))
        131072
    """
    kv_width = shape.kv_width if isinstance(shape, LlamaShape) else shape.width
    return 2 * BYTES_PER_ENTRY * shape.depth * kv_width


def equal_budget_shapes(dimensions: Dimensions, budget: Budget) -> Iterator[Shape]:
    """One shape a width, from narrow to wide: the depth whose spending is nearest the budget.

    Args:
        dimensions: Family, vocabulary and what hardware likes.
        budget: The budget to meet.
    """
    for width in range(dimensions.step(), WIDEST + 1, dimensions.step()):
        if dimensions.shape(width, 1, tied=bool(dimensions.tied)) is None:
            continue
        shape = _nearest_depth(partial(_at, dimensions, width, budget), budget)
        if shape is None:
            return
        yield shape


def _at(dimensions: Dimensions, width: int, budget: Budget, depth: int) -> Shape:
    """The shape at a depth, its head tied or not as its size suggests."""
    tied = dimensions.tied
    if tied is None:
        tied = dimensions.family in HEADS_PER_KV and _is_small(dimensions, width, budget, depth)
    shape = dimensions.shape(width, depth, tied=tied)
    assert shape is not None
    return shape


def _is_small(dimensions: Dimensions, width: int, budget: Budget, depth: int) -> bool:
    """Whether the head is tied by default: by the budget where that is in parameters, else by the shape itself."""
    if budget.kind == "params":
        return budget.amount < TIED_BELOW
    tied = dimensions.shape(width, depth, tied=True)
    return tied is not None and tied.params < TIED_BELOW


def _nearest_depth(shape_at: Callable[[int], Shape], budget: Budget) -> Shape | None:
    """The depth whose spending is nearest the budget; None when one layer already spends half as much again."""
    if budget.error(shape_at(1)) > 0.5:
        return None
    low, high = 1, 2
    while budget.spent(shape_at(high)) <= budget.amount:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if budget.spent(shape_at(middle)) <= budget.amount else (low, middle)
    return min((shape_at(low), shape_at(high)), key=lambda shape: abs(budget.error(shape)))
