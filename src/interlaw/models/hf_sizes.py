"""Sizes of a causal language model of the Hugging Face library, checked against what its architecture can set."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from dataclasses import InitVar, asdict, dataclass
from typing import Any

from interlaw.errors import InterlawError
from interlaw.models.hf_settings import names_of
from interlaw.plain import Json
from interlaw.shapes import LlamaShape, Shape, require_heads


@dataclass(frozen=True, kw_only=True)
class HFSizes(Shape, ABC):
    """Sizes of a causal language model of the Hugging Face library.

    Attributes:
        vocab_size: Entries of the token table.
        context: Longest sequence, in tokens.
        head_dim: Width of one attention head; width is a multiple of it.
        num_kv_heads: Key-value heads, a divisor of num_heads; as many as heads when not given (no grouping).
        d_ff: Hidden units of a layer's MLP; d_ff_ratio x width, rounded up to d_ff_multiple_of, when not given; None
            where the architecture sets it itself.
        tied: Whether the output head is the token table (counted once).
        d_ff_ratio: Sets d_ff; that of the architecture's default configuration when not given.
        d_ff_multiple_of: Sets d_ff.

    Raises:
        InterlawError: When a size does not fit, or the architecture has no such setting.
    """

    # Llama 2's vocabulary, GPT-2's context and heads
    vocab_size: int = 32_000
    context: int = 1024
    head_dim: int = 64
    num_kv_heads: int = 0
    d_ff: int | None = None
    tied: bool = False
    d_ff_ratio: InitVar[float | None] = None
    d_ff_multiple_of: InitVar[int] = 1

    def __post_init__(self, d_ff_ratio: float | None, d_ff_multiple_of: int) -> None:
        """Fills in num_kv_heads and d_ff, and checks that heads fit the width and groups fit the heads."""
        heads = self.width // self.head_dim if self.head_dim > 0 else 0
        if self.num_kv_heads == 0:
            object.__setattr__(self, "num_kv_heads", max(1, heads))
        if d_ff_multiple_of < 1 or (d_ff_ratio is not None and not d_ff_ratio > 0):
            raise InterlawError(
                f"expected positive d_ff_ratio and d_ff_multiple_of, found {d_ff_ratio} and {d_ff_multiple_of}; "
                "choose positive ones"
            )
        if self.d_ff is None:
            object.__setattr__(self, "d_ff", self._default_d_ff(d_ff_ratio, d_ff_multiple_of))
        elif self.d_ff < 1:
            raise InterlawError(f"expected d_ff to be at least 1, found {self.d_ff}; choose a positive one")
        super().__post_init__()
        require_heads(width=self.width, head_dim=self.head_dim, num_kv_heads=self.num_kv_heads)
        known = names_of(self.family)
        if self.num_kv_heads != heads and not known.grouped:
            raise InterlawError(f"{self.family} has one key-value head a head; remove num_kv_heads")
        if self.d_ff is not None and known.d_ff is None:
            raise InterlawError(f"{self.family} sets the width of its MLP itself; remove d_ff")

    def _default_d_ff(self, ratio: float | None, multiple_of: int) -> int | None:
        """Hidden units of the MLP where they were not given."""
        known = names_of(self.family)
        if known.d_ff is None and ratio is None:
            return None
        wanted = round(self.width * (known.d_ff_ratio if ratio is None else ratio))
        return max(1, -(-wanted // multiple_of)) * multiple_of

    @classmethod
    def width_step(cls, settings: Mapping[str, Any]) -> int:
        """Whole heads in whole groups: the width is a multiple of head_dim x num_kv_heads."""
        return LlamaShape.width_step({"head_dim": cls.head_dim, **settings})

    @property
    def num_heads(self) -> int:
        """Query heads: width / head_dim."""
        return self.width // self.head_dim

    def settings(self) -> Json:
        """The defining fields; num_kv_heads and d_ff only where they are not the default."""
        fields = asdict(self)
        if self.num_kv_heads == self.num_heads:
            del fields["num_kv_heads"]
        if self.d_ff is None:
            del fields["d_ff"]
        return fields
