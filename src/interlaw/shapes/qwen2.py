"""Closed-form counts of Qwen2-style decoders: Llama's layer with biased queries, keys and values, and a wider MLP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from interlaw.shapes.llama import LlamaShape


@dataclass(frozen=True, kw_only=True)
class Qwen2Shape(LlamaShape):
    """Sizes of a Qwen2-style decoder, counted as `transformers.Qwen2ForCausalLM` counts itself.

    As `LlamaShape`, plus biases: params gains L (d + 2 k), k = num_kv_heads head_dim. The default MLP is wider, as in
    the published models (5.3 to 5.8 x width).

    Attributes:
        d_ff_ratio: Sets d_ff.
        d_ff_multiple_of: Sets d_ff.

    Example:
        >>> Qwen2Shape(depth=24, width=896, head_dim=64, num_kv_heads=2, vocab_size=151_936, tied=True).params
        494032768
    """

    family: ClassVar[str] = "qwen2"
    d_ff_ratio: float = 16 / 3
    d_ff_multiple_of: int = 128

    @property
    def _attention_biases(self) -> int:
        """Entries of one layer's attention biases: queries, keys and values."""
        return self.width + 2 * self.kv_width
