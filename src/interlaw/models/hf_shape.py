"""Any causal language model of the Hugging Face library as a shape family, `hf:llama` say, with its exact counts.

Nothing is known of the architecture but its configuration. Its network is made on the meta device, where it takes no
memory, at ten small sizes; between them each count is a polynomial: linear in depth, quadratic in width, linear in
d_ff. One further size checks that at every depth; layers of several kinds get a polynomial for each depth, and an
architecture that grows otherwise is made anew for every count.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import InitVar, asdict, dataclass, replace
from fractions import Fraction
from functools import cache, cached_property
from typing import Any

import torch

from interlaw.errors import InterlawError
from interlaw.models.hf_attention import flops_of_a_pair, mean_visible
from interlaw.models.hf_counts import Counts, count, newton
from interlaw.models.hf_settings import PREFIX, config_of, first_line, names_of
from interlaw.shapes import LlamaShape, Shape, require_heads


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
                "correct them"
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

    @cached_property
    def _unit(self) -> HFShape:
        """The narrowest shape of this kind and depth, in steps of whose width counts are polynomials."""
        group = 0 if self.num_kv_heads == self.num_heads else self.num_kv_heads
        return replace(self, width=self.head_dim * max(1, group), num_kv_heads=group, d_ff=self.d_ff and 1)

    @cached_property
    def _counts(self) -> Counts:
        """Of the network of this shape: from polynomials that hold at its depth, else from the network itself."""
        if self._unit not in _BENT:
            group = 0 if self.num_kv_heads == self.num_heads else self.num_kv_heads
            unit = replace(self._unit, depth=1, num_kv_heads=group)
            for depths in ((1, 2), (self.depth,)):  # the second counts networks of every depth: where the first fails
                if _holds(unit, group, depths, self.depth):
                    return _grown(self, unit, group, depths)
        return count(meta_network(self))

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

        A weight costs 2 FLOPs forward. Attention scores and their use cost 4 d per visible position and layer that has
        attention; a causal token sees (T + 1) / 2 positions on average, fewer in a window. Every matrix counts once a
        token, experts that rest included; the recurrence of a state-space layer, linear in T, does not.
        """
        matrices = self._counts.matrices + self.width * self.vocab_size
        a_pair = _attention(self._unit) * self.width
        attention = a_pair * mean_visible(config_of(self), self.context) if a_pair else 0.0
        return 3 * (2 * matrices + round(attention))

    def settings(self) -> dict[str, Any]:
        """The defining fields; num_kv_heads and d_ff only where there is something to say."""
        fields = asdict(self)
        if self.num_kv_heads == self.num_heads:
            del fields["num_kv_heads"]
        if self.d_ff is None:
            del fields["d_ff"]
        return fields

    def is_exact(self) -> bool:
        """Whether its counts are the network's own; where not, they are taken from networks from now on."""
        exact = count(meta_network(self)) == self._counts
        if not exact:
            _BENT.add(self._unit)
        return exact


_BENT: set[HFShape] = set()
"""Units whose polynomials missed a network: its inner widths are rounded at sizes that were not probed."""


@cache
def hf_family(name: str) -> type[HFShape]:
    """The shape class of an architecture by its `model_type`, such as llama, qwen2, gpt2 or gpt_neox.

    Raises:
        MissingExtraError: The library is not installed.
        InterlawError: It has no causal language model of that name.
    """
    family = f"{PREFIX}:{name}"
    names_of(family)
    return type("HFShape", (HFShape,), {"family": family, "__module__": __name__, "__doc__": HFShape.__doc__})


def _refusal(shape: HFShape, error: Exception) -> InterlawError:
    """The library makes no network of a shape: no size may help, which two others tell."""
    what = f"transformers makes no {shape.family} of depth {shape.depth} and width {shape.width} ({first_line(error)})"
    for depth, width in ((4, 8 * shape.head_dim), (6, 24 * shape.head_dim)):
        other = replace(shape, depth=depth, width=width, num_kv_heads=0, d_ff=shape.d_ff and 4 * width)
        with suppress(Exception), torch.device("meta"):  # whatever it is, these sizes do not help
            _library_network(other, seed=0)
            return InterlawError(f"{what}; choose other sizes, such as depth {depth} and width {width}")
    return InterlawError(
        f"{what}, nor of other sizes: its settings ask for more than width, depth and heads; choose another family"
    )


def make_network(shape: HFShape, *, seed: int = 0) -> Any:
    """The library's own network of a shape on torch's default device, its weights a function of the seed.

    Raises:
        InterlawError: The library makes none.
    """
    try:
        return _library_network(shape, seed=seed)
    except Exception as error:  # each architecture checks its sizes in its own way
        raise _refusal(shape, error) from error


def _library_network(shape: HFShape, *, seed: int) -> Any:
    from transformers import AutoModelForCausalLM

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = AutoModelForCausalLM.from_config(config_of(shape))
    network.get_input_embeddings().padding_idx = None  # every token is trained, where settings must name padding too
    return network


def meta_network(shape: HFShape) -> Any:
    """The network without memory for its weights."""
    with torch.device("meta"):
        return make_network(shape)


@cache
def _attention(unit: HFShape) -> float:
    """Forward FLOPs of attention for a pair of positions and a unit of width, over all layers."""
    said: Exception | None = None
    for factor in (1, 8):  # some architectures need a few heads to run
        width = factor * unit.width
        sizes: dict[str, Any] = {
            "d_ff": unit.d_ff and width,
            "num_kv_heads": factor * unit.num_kv_heads,
            "vocab_size": 64,
        }
        tiny = replace(unit, width=width, context=max(64, unit.context), **sizes)
        try:
            return flops_of_a_pair(make_network(tiny)) / width
        except Exception as error:  # kernels, inputs or sizes that the architecture asks for
            said = error
    assert said is not None
    raise InterlawError(
        f"{unit.family} does not run on this machine ({first_line(said)}), so its attention cannot be counted; choose "
        "another family"
    ) from said


# Sizes between which counts are polynomials: with u = d / s and v = f / s, s the least width, in 1, u, u^2, v and u v.
_NODES = ((1, 1), (2, 1), (3, 1), (1, 2), (2, 2))


def _scaled(unit: HFShape, group: int, u: int, v: int) -> HFShape:
    return replace(unit, width=u * unit.width, num_kv_heads=group, d_ff=unit.d_ff and v * unit.width)


@cache
def _nodes(unit: HFShape, group: int) -> list[Counts]:
    """Counts of the least networks of a depth."""
    return [count(meta_network(_scaled(unit, group, u, v))) for u, v in _NODES[: 5 if unit.d_ff else 3]]


def _grown(shape: HFShape, unit: HFShape, group: int, depths: tuple[int, ...]) -> Counts:
    """The polynomials at a shape, in whole numbers, on a straight line through one depth or two."""
    u, v = shape.width // unit.width, Fraction(shape.d_ff or 0, unit.width)
    nodes = (_nodes(replace(unit, depth=depth, num_kv_heads=group), group) for depth in (depths[0], depths[-1]))
    first, last = ([newton(each, u, v) for each in zip(*counts, strict=True)] for counts in nodes)
    return Counts(*(round(a + (shape.depth - depths[0]) * (b - a)) for a, b in zip(first, last, strict=True)))


@cache
def _holds(unit: HFShape, group: int, depths: tuple[int, ...], depth: int) -> bool:
    """Whether a further network of a depth has the counts that it should; not where small ones cannot be made."""
    beyond = _scaled(replace(unit, depth=depth), group, 5, 3)
    with suppress(InterlawError):
        return _grown(beyond, unit, group, depths) == count(meta_network(beyond))
    return False
