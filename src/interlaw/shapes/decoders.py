"""Closed-form counts of decoders: the byte-level GPT of arXiv 2605.27989, Llama-style ones and Qwen2's.

The GPT has pre-LayerNorm with bias, no linear biases and learned positions; Llama RMSNorm, a gated MLP, rotary
positions and grouped keys.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from interlaw.errors import InterlawError
from interlaw.plain import Json
from interlaw.shapes.shape import Shape, Usual

# OPT's table of positions has two rows that no position uses; its other parts are our GPT's.
_OPT_UNUSED_POSITIONS = 2
HAIR = 1e-9  # of a multiple: above what rounding leaves, below any step of the width


class Decoder(Shape):
    """A decoder-only transformer with a token table; its fields stand in each family, in an order of their own."""

    decoder: ClassVar[bool] = True
    vocab_size: int
    context: int
    head_dim: int
    d_ff: int
    tied: bool

    @classmethod
    def width_step(cls, settings: Mapping[str, Any]) -> int:
        """Whole heads in whole groups: the width is a multiple of head_dim x num_kv_heads."""
        head_dim = settings.get("head_dim", cls.head_dim)
        groups = settings.get("num_kv_heads", 0) or 1
        for name, value in (("head_dim", head_dim), ("num_kv_heads", groups)):
            if value < 1:
                raise InterlawError(f"expected {name} to be at least 1, found {value}; choose a positive one")
        return int(head_dim * groups)

    @property
    def num_heads(self) -> int:
        """Query heads: width / head_dim."""
        return self.width // self.head_dim

    def settings(self) -> Json:
        """The defining fields; d_ff and num_kv_heads only where they are not the defaults that the width gives."""
        fields = super().settings()
        if self.d_ff == self._default_d_ff():
            del fields["d_ff"]
        if fields.get("num_kv_heads") == self.num_heads:
            del fields["num_kv_heads"]
        return fields

    @abstractmethod
    def _default_d_ff(self) -> int: ...

    @property
    @abstractmethod
    def _matrices(self) -> int:
        """Entries of one layer's weight matrices."""

    @property
    def params(self) -> int:
        """All trainable parameters, token table and head included."""
        return self.params_non_embedding + self.vocab_size * self.width * (1 if self.tied else 2)

    @property
    def flops_per_token(self) -> int:
        """Training FLOPs per token, 3 x the forward pass: weight matrices and head, and causal attention.

        A weight costs 2 FLOPs forward. Attention scores and their use cost 4 d per visible position and layer; a causal
        token sees (T + 1) / 2 positions on average, so this is half of what a full square would cost. Grouping keys and
        values saves memory, not these FLOPs.
        """
        matrices = self.depth * self._matrices + self.width * self.vocab_size
        attention = self.depth * 2 * self.width * (self.context + 1)
        return 3 * (2 * matrices + attention)


def require_heads(*, width: int, head_dim: int, num_kv_heads: int = 1) -> None:
    """Checks that whole heads fit a width, and whole groups the heads.

    Raises:
        InterlawError: They do not.
    """
    heads = width // head_dim
    if width % head_dim:
        raise InterlawError(
            f"expected width to be a multiple of head_dim, found width {width} with head_dim {head_dim}; "
            f"choose width {max(head_dim, heads * head_dim)} or another head_dim"
        )
    if heads % num_kv_heads:
        raise InterlawError(
            f"expected num_kv_heads to divide num_heads, found {num_kv_heads} for {heads} heads; "
            f"choose {math.gcd(heads, num_kv_heads)}"
        )


@dataclass(frozen=True, kw_only=True)
class GPTShape(Decoder):
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
    network = "interlaw.models:GPT"
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
            object.__setattr__(self, "d_ff", self._default_d_ff())
        super().__post_init__()
        require_heads(width=self.width, head_dim=self.head_dim)

    def _default_d_ff(self) -> int:
        return 4 * self.width

    @property
    def _matrices(self) -> int:
        return 4 * self.width * self.width + 2 * self.width * self.d_ff

    @property
    def params_non_embedding(self) -> int:
        """Blocks and final norm: L (4 d^2 + 2 d f + 4 d) + 2 d."""
        return self.depth * (self._matrices + 4 * self.width) + 2 * self.width

    @property
    def params(self) -> int:
        """All trainable parameters, embeddings and head included."""
        return super().params + self.context * self.width

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


@dataclass(frozen=True, kw_only=True)
class LlamaShape(Decoder):
    """Sizes of a Llama-style decoder, counted as `transformers.LlamaForCausalLM` counts itself.

    With L = depth, d = width, k = num_kv_heads head_dim, f = d_ff, V = vocab_size:
    params = L (2 d^2 + 2 d k + 3 d f + 2 d) + d + V d, and another V d when the head is not tied.

    Attributes:
        vocab_size: Entries of the token table.
        context: Longest sequence, in tokens; rotary positions hold no parameters.
        head_dim: Width of one attention head; width is a multiple of it.
        num_kv_heads: Key-value heads, a divisor of num_heads; as many as heads when not given (no grouping).
        d_ff: Hidden units of the gated MLP; d_ff_ratio x width, rounded up to d_ff_multiple_of, when not given.
        d_ff_ratio: Sets d_ff; 8/3 gives three matrices the size of two with 4 x width.
        d_ff_multiple_of: Sets d_ff.
        tied: Whether the output head is the token table (counted once).

    Example:
        >>> LlamaShape(depth=32, width=4096, head_dim=128, num_kv_heads=8, d_ff=14336, vocab_size=128256).params
        8030261248
    """

    family: ClassVar[str] = "llama"
    suits_hardware: ClassVar[bool] = True
    # Llama 2's vocabulary and context; heads as in Llama 3.2 1B
    vocab_size: int = 32_000
    context: int = 4096
    head_dim: int = 64
    num_kv_heads: int = 0
    d_ff: int = 0
    d_ff_ratio: float = 8 / 3
    d_ff_multiple_of: int = 64
    tied: bool = False

    def __post_init__(self) -> None:
        """Fills in num_kv_heads and d_ff, and checks that heads fit the width and groups fit the heads."""
        if not 0 < self.d_ff_ratio < math.inf:
            raise InterlawError(f"expected a positive d_ff_ratio, found {self.d_ff_ratio}; choose one such as 2.67")
        if self.num_kv_heads == 0 and self.head_dim > 0:
            object.__setattr__(self, "num_kv_heads", max(1, self.width // self.head_dim))
        if self.d_ff == 0 and self.d_ff_multiple_of > 0:
            object.__setattr__(self, "d_ff", self._default_d_ff())
        super().__post_init__()
        require_heads(width=self.width, head_dim=self.head_dim, num_kv_heads=self.num_kv_heads)

    def _default_d_ff(self) -> int:
        """d_ff_ratio x width, rounded up to a multiple; a hair below a multiple is float noise, not a larger one."""
        return max(1, math.ceil(self.d_ff_ratio * self.width / self.d_ff_multiple_of - HAIR)) * self.d_ff_multiple_of

    @property
    def kv_width(self) -> int:
        """Width of the keys, and of the values: num_kv_heads x head_dim."""
        return self.num_kv_heads * self.head_dim

    @property
    def _matrices(self) -> int:
        return 2 * self.width * (self.width + self.kv_width) + 3 * self.width * self.d_ff

    @property
    def _attention_biases(self) -> int:
        return 0

    @property
    def params_non_embedding(self) -> int:
        """Layers and final norm: L (2 d^2 + 2 d k + 3 d f + 2 d) + d."""
        return self.depth * (self._matrices + self._attention_biases + 2 * self.width) + self.width

    def to_hf(self) -> Json:
        """Llama's keys.

        Example:
            >>> config = LlamaShape(depth=2, width=128, num_kv_heads=1).to_hf()
            >>> config["model_type"], config["num_hidden_layers"], config["num_key_value_heads"]
            ('llama', 2, 1)
        """
        return {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "vocab_size": self.vocab_size,
            "hidden_size": self.width,
            "intermediate_size": self.d_ff,
            "num_hidden_layers": self.depth,
            "num_attention_heads": self.num_heads,
            "num_key_value_heads": self.num_kv_heads,
            "head_dim": self.head_dim,
            "hidden_act": "silu",
            "max_position_embeddings": self.context,
            "tie_word_embeddings": self.tied,
            "attention_bias": False,
            "mlp_bias": False,
        }


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
    usual: ClassVar[Usual] = Usual(heads_per_kv=8)  # Qwen2.5 shares one between 5 to 8
    d_ff_ratio: float = 16 / 3
    d_ff_multiple_of: int = 128

    @property
    def _attention_biases(self) -> int:
        return self.width + 2 * self.kv_width

    def to_hf(self) -> Json:
        """Llama's keys but for the biases, which are Qwen2's own."""
        own = {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2"}
        return {name: value for name, value in {**super().to_hf(), **own}.items() if not name.endswith("_bias")}
