"""Closed-form counts of the byte-level GPT of arXiv 2605.27989.

Pre-LayerNorm with bias, no linear biases, learned positions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from interlaw.errors import InterlawError
from interlaw.plain import Json
from interlaw.shapes.shape import Shape, require_heads

# OPT's table of positions has two rows that no position uses; its other parts are our GPT's.
_OPT_UNUSED_POSITIONS = 2


@dataclass(frozen=True, kw_only=True)
class GPTShape(Shape):
    """Sizes of a decoder-only transformer.

    With L = depth, d = width, f = d_ff, V = vocab_size, T = context, and an untied head:
    params = L (4 d^2 + 2 d f + 4 d) + 2 V d + T d + 2 d, which at f = 4 d and V = T = 256 is
    12 L d^2 + 4 L d + 770 d.

    Attributes:
        vocab_size: Entries of the token table (256 for bytes).
        context: Positions with a learned embedding, in tokens.
        head_dim: Width of one attention head; width is a multiple of it.
        d_ff: Hidden units of a block's MLP; 4 x width when not given.
        tied: Whether the output head is the token table (counted once).

    Example:
        >>> GPTShape(depth=5, width=120, vocab_size=256, context=256, head_dim=4).params
        958800
    """

    family: ClassVar[str] = "gpt"
    decoder: ClassVar[bool] = True
    own_head: ClassVar[bool] = True  # as the paper's
    stackable: ClassVar[bool] = True
    # bytes, and the paper's context; heads so wide that a CPU is not slow
    vocab_size: int = 256
    context: int = 256
    head_dim: int = 16
    d_ff: int = 0
    tied: bool = False

    def __post_init__(self) -> None:
        """Fills in d_ff and checks that whole heads fit the width."""
        if self.d_ff == 0:
            object.__setattr__(self, "d_ff", 4 * self.width)
        super().__post_init__()
        require_heads(width=self.width, head_dim=self.head_dim)

    @classmethod
    def width_step(cls, settings: Mapping[str, Any]) -> int:
        """Whole heads: the width is a multiple of head_dim."""
        head_dim = settings.get("head_dim", cls.head_dim)
        if head_dim < 1:
            raise InterlawError(f"expected head_dim to be at least 1, found {head_dim}; choose a positive one")
        return int(head_dim)

    @property
    def num_heads(self) -> int:
        """Attention heads: width / head_dim."""
        return self.width // self.head_dim

    @property
    def params_non_embedding(self) -> int:
        """Blocks and final norm: L (4 d^2 + 2 d f + 4 d) + 2 d."""
        d = self.width
        return self.depth * (4 * d * d + 2 * d * self.d_ff + 4 * d) + 2 * d

    @property
    def params(self) -> int:
        """All trainable parameters, embeddings and head included."""
        token_tables = self.vocab_size * self.width * (1 if self.tied else 2)
        return self.params_non_embedding + token_tables + self.context * self.width

    @property
    def flops_per_token(self) -> int:
        """Training FLOPs per token, 3 x the forward pass: weight matrices and head, and causal attention.

        A weight costs 2 FLOPs forward. Attention scores and their use cost 4 d per visible position and layer; a causal
        token sees (T + 1) / 2 positions on average, so this is half of what a full square would cost.
        """
        d = self.width
        matrices = self.depth * (4 * d * d + 2 * d * self.d_ff) + d * self.vocab_size
        attention = self.depth * 2 * d * (self.context + 1)
        return 3 * (2 * matrices + attention)

    def settings(self) -> Json:
        """The defining fields; d_ff only where it is not the default 4 x width."""
        fields = super().settings()
        if self.d_ff == 4 * self.width:
            del fields["d_ff"]
        return fields

    def to_hf(self) -> Json:
        """An OPT without linear biases, which has the same matrices, norms and learned positions.

        Two rows of OPT's table of positions are never used, so its longest sequence is two tokens shorter.

        Raises:
            InterlawError: No token is left of such a sequence.
        """
        if self.context <= _OPT_UNUSED_POSITIONS:
            raise InterlawError(
                f"expected a context above {_OPT_UNUSED_POSITIONS} to export, found {self.context}; raise it"
            )
        return {
            "architectures": ["OPTForCausalLM"],
            "model_type": "opt",
            "vocab_size": self.vocab_size,
            "hidden_size": self.width,
            "word_embed_proj_dim": self.width,
            "ffn_dim": self.d_ff,
            "num_hidden_layers": self.depth,
            "num_attention_heads": self.num_heads,
            "max_position_embeddings": self.context - _OPT_UNUSED_POSITIONS,
            "activation_function": "gelu",
            "do_layer_norm_before": True,
            "enable_bias": False,
            "layer_norm_elementwise_affine": True,
            "dropout": 0.0,
            "tie_word_embeddings": self.tied,
        }
