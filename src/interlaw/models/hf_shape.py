"""Any causal language model of the Hugging Face library as a shape family, such as `hf:llama`, with its exact counts.

Nothing is known of the architecture but its configuration. Its network is made on the meta device, where it takes no
memory, at ten small sizes; between them each count is a polynomial: linear in depth, quadratic in width, linear in
d_ff. One further size checks that at every depth; layers of several kinds get a polynomial for each depth, and an
architecture that grows otherwise is built again for every count.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache, cached_property
from typing import ClassVar

from interlaw.errors import InterlawError, one_line
from interlaw.models.hf_counts import Counts, count, flops_of_a_pair, mean_visible, newton
from interlaw.models.hf_known import KNOWN
from interlaw.models.hf_network import config_of, make_network, meta_network
from interlaw.models.hf_sizes import HFSizes, Known, names_of
from interlaw.plain import Json
from interlaw.shapes import LlamaShape, Usual


@dataclass(frozen=True, kw_only=True)
class HFShape(HFSizes):
    """A causal language model of the Hugging Face library with its counts; a subclass names the architecture."""

    network = "interlaw.models:HFNetwork"
    decoder: ClassVar[bool] = True
    suits_hardware: ClassVar[bool] = True

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
                if _holds(unit, group, depths=depths, depth=self.depth):
                    return _grown(self, unit, group=group, depths=depths)
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

    def to_hf(self) -> Json:
        """The architecture's own configuration; what is not written takes the library's default."""
        from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

        config = config_of(self)
        keys: Json = {**config.to_diff_dict(), "model_type": config.model_type, "use_cache": True}
        # sizes that happen to be the library's defaults are written too, because defaults change
        for name, value in config.to_dict().items():
            is_size = name.startswith("num_") or name.endswith("size")
            if is_size and isinstance(value, int) and not isinstance(value, bool):
                keys[name] = value
        return {
            "architectures": [MODEL_FOR_CAUSAL_LM_MAPPING_NAMES[config.model_type]],
            **{name: value for name, value in sorted(keys.items()) if not name.startswith("_") and value is not None},
            "tie_word_embeddings": bool(self.tied),
        }

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
        InterlawError: It has no causal language model of that name, or one that looks ahead.
    """
    known = KNOWN.get(name, Known())
    if known.looks_ahead:
        raise InterlawError(f"hf:{name} sees the tokens that it is to predict, so it cannot be trained; choose another")
    names = names_of(name)
    usual = Usual(
        vocab_size=names.vocab_size,
        context=LlamaShape.context,
        d_ff_ratio=known.d_ff_ratio,
        grouped=names.grouped,
        num_experts=names.num_experts,
    )
    facts = {"family": f"hf:{name}", "names": names, "known": known, "stackable": known.stackable, "usual": usual}
    return type("HFShape", (HFShape,), {**facts, "__module__": __name__, "__doc__": HFShape.__doc__})


TINY = 64  # tokens and positions of the network whose FLOPs are counted: more than the longest of its three lengths


@cache
def _attention(unit: HFShape) -> float:
    """Forward FLOPs of attention for a pair of positions and a unit of width, over all layers."""
    said: Exception | None = None
    for factor in (1, 8):  # some architectures need a few heads to run
        width = factor * unit.width
        heads, d_ff = factor * unit.num_kv_heads, unit.d_ff and width
        context = max(TINY, unit.context)
        tiny = replace(unit, width=width, num_kv_heads=heads, d_ff=d_ff, vocab_size=TINY, context=context)
        try:
            return flops_of_a_pair(make_network(tiny)) / width
        except Exception as error:  # kernels, inputs or sizes that the architecture asks for
            said = error
    assert said is not None
    raise InterlawError(
        f"{unit.family} does not run on this machine ({one_line(said, last=True)}), so its attention cannot be "
        "counted; choose another family"
    ) from said


# Sizes between which counts are polynomials: with u = d / s and v = f / s, s the least width, in 1, u, u^2, v and u v.
_NODES = ((1, 1), (2, 1), (3, 1), (1, 2), (2, 2))


def _scaled(unit: HFShape, group: int, *, u: int, v: int) -> HFShape:
    return replace(unit, width=u * unit.width, num_kv_heads=group, d_ff=unit.d_ff and v * unit.width)


@cache
def _nodes(unit: HFShape, group: int) -> list[Counts]:
    """Counts of the least networks of a depth."""
    return [count(meta_network(_scaled(unit, group, u=u, v=v))) for u, v in _NODES[: 5 if unit.d_ff else 3]]


def _grown(shape: HFShape, unit: HFShape, *, group: int, depths: tuple[int, ...]) -> Counts:
    """The polynomials at a shape, in whole numbers, on a straight line through one depth or two."""
    u, v = shape.width // unit.width, Fraction(shape.d_ff or 0, unit.width)
    nodes = (_nodes(replace(unit, depth=depth, num_kv_heads=group), group) for depth in (depths[0], depths[-1]))
    first, last = ([newton(each, u=u, v=v) for each in zip(*counts, strict=True)] for counts in nodes)
    return Counts(*(round(a + (shape.depth - depths[0]) * (b - a)) for a, b in zip(first, last, strict=True)))


@cache
def _holds(unit: HFShape, group: int, *, depths: tuple[int, ...], depth: int) -> bool:
    """Whether a further network of a depth has the counts that it should; not where small ones cannot be made."""
    beyond = _scaled(replace(unit, depth=depth), group, u=5, v=3)  # wider than every node
    with suppress(InterlawError):
        return _grown(beyond, unit, group=group, depths=depths) == count(meta_network(beyond))
    return False
