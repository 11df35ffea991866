"""Any causal language model of the Hugging Face library as a shape family, `hf:llama` say, with its exact counts.

Nothing is known of the architecture but its configuration. Its network is made on the meta device, where it takes no
memory, at ten small sizes; between them each count is a polynomial: linear in depth, quadratic in width, linear in
d_ff. One further size checks that; an architecture that grows otherwise is made anew for every count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import InitVar, asdict, dataclass, replace
from fractions import Fraction
from functools import cache, cached_property
from typing import Any, NamedTuple

import torch
from torch import nn

from interlaw.errors import InterlawError, MissingExtraError
from interlaw.shapes import Shape

PREFIX = "hf"
_D_FF_NAMES = ("intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size")
_NO_TOKEN = dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"))


class Counts(NamedTuple):
    """What is counted of a network: all parameters, those without embeddings and head, and entries of matrices."""

    params: int
    params_non_embedding: int
    matrices: int


@dataclass(frozen=True, kw_only=True)
class HFShape(Shape):
    """Sizes of a causal language model of the Hugging Face library; a subclass names the architecture.

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
                "mend them"
            )
        if self.d_ff is None:
            object.__setattr__(self, "d_ff", self._default_d_ff(d_ff_ratio, d_ff_multiple_of))
        elif self.d_ff < 1:
            raise InterlawError(f"expected d_ff to be at least 1, found {self.d_ff}; choose a positive one")
        super().__post_init__()
        if self.width % self.head_dim:
            raise InterlawError(
                f"expected width to be a multiple of head_dim, found width {self.width} with head_dim {self.head_dim}; "
                f"choose width {max(self.head_dim, heads * self.head_dim)} or another head_dim"
            )
        if heads % self.num_kv_heads:
            raise InterlawError(
                f"expected num_kv_heads to divide num_heads, found {self.num_kv_heads} for {heads} heads; "
                "choose a divisor"
            )
        known = _names(self.family)
        if self.num_kv_heads != heads and not known.grouped:
            raise InterlawError(f"{self.family} has one key-value head a head; remove num_kv_heads")
        if self.d_ff is not None and known.d_ff is None:
            raise InterlawError(f"{self.family} sets the width of its MLP itself; remove d_ff")

    def _default_d_ff(self, ratio: float | None, multiple_of: int) -> int | None:
        """Hidden units of the MLP where they were not given."""
        known = _names(self.family)
        if known.d_ff is None and ratio is None:
            return None
        wanted = round(self.width * (known.d_ff_ratio if ratio is None else ratio))
        return max(1, -(-wanted // multiple_of)) * multiple_of

    @classmethod
    def width_step(cls, settings: Mapping[str, Any]) -> int:
        """Whole heads in whole groups: the width is a multiple of head_dim x num_kv_heads."""
        step = int(settings.get("head_dim", cls.head_dim)) * int(settings.get("num_kv_heads", 0) or 1)
        if step < 1:
            raise InterlawError("expected head_dim and num_kv_heads to be at least 1; choose positive ones")
        return step

    @property
    def num_heads(self) -> int:
        """Query heads: width / head_dim."""
        return self.width // self.head_dim

    @cached_property
    def _counts(self) -> Counts:
        """Of the network of this shape."""
        group = 0 if self.num_kv_heads == self.num_heads else self.num_kv_heads
        unit = replace(self, depth=1, width=self.head_dim * max(1, group), num_kv_heads=group, d_ff=self.d_ff and 1)
        return _growth(unit, group).at(self)

    @property
    def params(self) -> int:
        """All trainable parameters, token table and head included."""
        return self._counts.params

    @property
    def params_non_embedding(self) -> int:
        """Trainable parameters without token table, learned positions and output head."""
        return self._counts.params_non_embedding

    @property
    def flops_per_token(self) -> int:
        """Training FLOPs per token, 3 x the forward pass: weight matrices and head, and causal attention.

        A weight costs 2 FLOPs forward. Attention scores and their use cost 4 d per visible position and layer; a causal
        token sees (T + 1) / 2 positions on average. Every matrix counts once a token, experts that rest included.
        """
        matrices = self._counts.matrices + self.width * self.vocab_size
        attention = self.depth * 2 * self.width * (self.context + 1)
        return 3 * (2 * matrices + attention)

    def settings(self) -> dict[str, Any]:
        """The defining fields; num_kv_heads and d_ff only where there is something to say."""
        fields = asdict(self)
        if self.num_kv_heads == self.num_heads:
            del fields["num_kv_heads"]
        if self.d_ff is None:
            del fields["d_ff"]
        return fields

    def require_exact(self) -> None:
        """Makes the network on the meta device and compares.

        Raises:
            InterlawError: When it counts otherwise, which an architecture with rounded inner widths may.
        """
        found = count(meta_network(self))
        if found != self._counts:
            raise InterlawError(
                f"expected {self._counts.params:,} parameters of {self.family} {self.depth}x{self.width}, found "
                f"{found.params:,}; its counts do not follow from its sizes, so take another family"
            )


@cache
def hf_family(name: str) -> type[HFShape]:
    """The shape class of an architecture by its `model_type`, such as llama, qwen2, gpt2 or gpt_neox.

    Raises:
        MissingExtraError: The library is not installed.
        InterlawError: It has no causal language model of that name.
    """
    family = f"{PREFIX}:{name}"
    _names(family)
    return type("HFShape", (HFShape,), {"family": family, "__module__": __name__, "__doc__": HFShape.__doc__})


class _Names(NamedTuple):
    """What an architecture's configuration calls its sizes, and its own proportions."""

    d_ff: str | None
    d_ff_ratio: float
    grouped: bool
    own_head_dim: bool
    rotary_dim: bool
    dropouts: tuple[str, ...]


@cache
def _names(family: str) -> _Names:
    """Read off the architecture's default configuration."""
    name = family.removeprefix(f"{PREFIX}:")
    try:
        from transformers import CONFIG_MAPPING
        from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as CAUSAL
    except ImportError as error:
        raise MissingExtraError(f"the family '{family}'", "hf") from error
    if name not in CAUSAL:
        raise InterlawError(
            f"expected a causal language model of transformers after '{PREFIX}:', such as llama, qwen2, gpt2 or "
            f"gpt_neox, found {name!r}; choose one by its model_type"
        )
    default = CONFIG_MAPPING[name]()
    width = getattr(default, "hidden_size", None)
    if width is None or not hasattr(default, "num_hidden_layers"):
        raise InterlawError(f"{family} is built of several networks; choose the model_type of its text part")
    d_ff = next((key for key in _D_FF_NAMES if hasattr(default, key)), None)
    options = default.to_dict().items()
    return _Names(
        d_ff=d_ff,
        d_ff_ratio=(getattr(default, d_ff) or 4 * width) / width if d_ff else 4.0,
        grouped=hasattr(default, "num_key_value_heads"),
        own_head_dim=hasattr(default, "head_dim"),
        rotary_dim=isinstance(getattr(default, "rotary_dim", None), int),
        dropouts=tuple(key for key, value in options if "drop" in key and isinstance(value, float)),
    )


def config_of(shape: HFShape) -> Any:
    """The configuration of a shape: its sizes, no dropout, no cache, no special tokens; all else as the default."""
    from transformers import CONFIG_MAPPING

    known = _names(shape.family)
    sizes: dict[str, Any] = {
        "vocab_size": shape.vocab_size,
        "hidden_size": shape.width,
        "num_hidden_layers": shape.depth,
        "num_attention_heads": shape.num_heads,
        "max_position_embeddings": shape.context,
        "tie_word_embeddings": shape.tied,
        "use_cache": False,
        **_NO_TOKEN,
        **dict.fromkeys(known.dropouts, 0.0),
    }
    if known.d_ff is not None:
        sizes[known.d_ff] = shape.d_ff
    if known.grouped:
        sizes["num_key_value_heads"] = shape.num_kv_heads
    if known.own_head_dim:
        sizes["head_dim"] = shape.head_dim
    if known.rotary_dim:
        sizes["rotary_dim"] = shape.head_dim
    try:
        return CONFIG_MAPPING[shape.family.removeprefix(f"{PREFIX}:")](**sizes)
    except Exception as error:  # each architecture checks its sizes in its own way
        raise InterlawError(
            f"transformers makes no {shape.family} of depth {shape.depth} and width {shape.width} "
            f"({str(error).strip().splitlines()[-1].strip()[:160]}); choose other sizes"
        ) from error


def make_network(shape: HFShape, *, seed: int = 0) -> Any:
    """The library's own network of a shape on torch's default device, its weights a function of the seed."""
    from transformers import AutoModelForCausalLM

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return AutoModelForCausalLM.from_config(config_of(shape))


def meta_network(shape: HFShape) -> Any:
    """The network without memory for its weights."""
    with torch.device("meta"):
        return make_network(shape)


def count(network: Any) -> Counts:
    """Counts a network, every shared weight once."""
    tables = [module for module in network.modules() if isinstance(module, nn.Embedding)]
    outside = {id(table.weight) for table in tables}
    head = network.get_output_embeddings()
    if head is not None:
        outside |= {id(parameter) for parameter in head.parameters()}
    inside = [parameter for parameter in network.parameters() if id(parameter) not in outside]
    return Counts(
        params=sum(parameter.numel() for parameter in network.parameters()),
        params_non_embedding=sum(parameter.numel() for parameter in inside),
        matrices=sum(parameter.numel() for parameter in inside if parameter.dim() >= 2),
    )


class _Growth:
    """How the counts of one architecture grow with depth L, width d and d_ff f.

    With u = d / s and v = f / s, s the least width, a count is A(u, v) + L B(u, v) with terms 1, u, u^2, v, u v.
    """

    _NODES = ((1, 1), (2, 1), (3, 1), (1, 2), (2, 2))

    def __init__(self, unit: HFShape, group: int) -> None:
        def scaled(depth: int, u: int, v: int) -> HFShape:
            d_ff = None if unit.d_ff is None else v * unit.width
            return replace(unit, depth=depth, width=u * unit.width, num_kv_heads=group, d_ff=d_ff)

        self.step = unit.width
        sizes = self._NODES if unit.d_ff is not None else self._NODES[:3]
        self.values = [[count(meta_network(scaled(depth, u, v))) for u, v in sizes] for depth in (1, 2)]
        beyond = scaled(4, 5, 3)
        self.is_polynomial = self.extrapolated(beyond) == count(meta_network(beyond))

    def at(self, shape: HFShape) -> Counts:
        """The counts of a shape."""
        return self.extrapolated(shape) if self.is_polynomial else count(meta_network(shape))

    def extrapolated(self, shape: HFShape) -> Counts:
        """The polynomials at a shape, in whole numbers."""
        u, v = shape.width // self.step, Fraction(shape.d_ff or 0, self.step)
        one, two = ([_newton(each, u, v) for each in zip(*nodes, strict=True)] for nodes in self.values)
        return Counts(*(round(a + (shape.depth - 1) * (b - a)) for a, b in zip(one, two, strict=True)))


def _newton(values: Sequence[int], u: int, v: Fraction) -> Fraction:
    """The polynomial through values at (1, 1), (2, 1), (3, 1) and, where d_ff varies, (1, 2), (2, 2)."""
    a, b, c = values[:3]
    base = Fraction(a + (u - 1) * (b - a)) + Fraction((u - 1) * (u - 2), 2) * (c - 2 * b + a)
    if len(values) == 3:
        return base
    d, e = values[3:]
    return base + (v - 1) * ((d - a) + (u - 1) * ((e - b) - (d - a)))


@cache
def _growth(unit: HFShape, group: int) -> _Growth:
    """One for all shapes that differ in depth, width and d_ff alone; `group` fixes the key-value heads, 0 does not."""
    return _Growth(unit, group)
