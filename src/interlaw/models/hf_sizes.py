"""A Hugging Face architecture: what it calls its sizes, what else is known of it, and sizes that it can be given."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import InitVar, asdict, dataclass
from typing import Any, ClassVar, NamedTuple

from interlaw.errors import InterlawError, brought_by, one_line
from interlaw.plain import Json
from interlaw.shapes import LlamaShape, Shape, require_heads

_EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")
_D_FF_NAMES = ("intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size")


class Names(NamedTuple):
    """What an architecture's configuration calls its sizes, and its own proportions."""

    d_ff: str | None
    d_ff_ratio: float
    vocab_size: int | None
    num_experts: int
    grouped: bool
    own_head_dim: bool
    rotary_dim: bool
    decoder: bool
    is_decoder: bool
    dropouts: tuple[str, ...]


def names_of(name: str) -> Names:
    """Read off the default configuration of an architecture, by its `model_type`."""
    with brought_by("hf", f"the family 'hf:{name}'"):
        from transformers import CONFIG_MAPPING
        from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as CAUSAL
    if name not in CAUSAL:
        raise InterlawError(
            "expected a causal language model of transformers after 'hf:', such as llama, qwen2, gpt2 or gpt_neox, "
            f"found {name!r}; choose one by its model_type"
        )
    default: Any = None
    try:
        default = CONFIG_MAPPING[name]()
        settings = default.to_dict()
        known = {**settings, **dict.fromkeys(default.attribute_map)}
        width, _ = int(default.hidden_size), int(default.num_hidden_layers)
        d_ff = next((key for key in _D_FF_NAMES if key in known), None)
        hidden = getattr(default, d_ff) if d_ff else None
    except Exception as error:  # settings within settings, or sizes that differ from layer to layer
        part = ""
        with suppress(AttributeError, ValueError):  # no settings at all, or two texts
            part = default.get_text_config().model_type
        other = f"hf:{part}, its text part" if part in CAUSAL and part != name else "another family"
        raise InterlawError(
            f"hf:{name} has no one width and depth in its settings ({one_line(error, last=True)}); choose {other}"
        ) from error
    parts = [settings, *(value for value in settings.values() if isinstance(value, dict))]
    hidden = hidden[0] if isinstance(hidden, list | tuple) and hidden else hidden
    return Names(
        d_ff=d_ff,
        d_ff_ratio=(hidden or 4 * width) / width if d_ff else 4.0,
        vocab_size=settings.get("vocab_size"),
        num_experts=max((part[key] for part in parts for key in _EXPERTS if isinstance(part.get(key), int)), default=0),
        grouped="num_key_value_heads" in known,
        own_head_dim="head_dim" in known and "qk_rope_head_dim" not in known,  # there it is that of a part of a head
        rotary_dim=isinstance(known.get("rotary_dim"), int),
        decoder="decoder_layers" in known,
        is_decoder="is_decoder" in known,
        dropouts=tuple(key for key, value in known.items() if "drop" in key and isinstance(value, float)),
    )


@dataclass(frozen=True, kw_only=True)
class Known:
    """What is known of an architecture.

    Attributes:
        writers: The modules that add to the residual stream, where its initial weights are known to be plain.
        depth_scaled: Whether the writers' initial std already falls as 1 / sqrt(depth).
        stackable: Whether its replicas are tested to end as alone.
        d_ff_ratio: Hidden units of the MLP over the width in published models, where the default is none of theirs.
        looks_ahead: Whether it sees the tokens that it is to predict, whatever its settings.
        settings: From the sizes to settings that the library does not derive itself; `...` drops one.
    """

    writers: tuple[str, ...] = ()
    depth_scaled: bool = False
    stackable: bool = False
    d_ff_ratio: float | None = None
    looks_ahead: bool = False
    settings: Callable[[HFSizes], Json] = lambda shape: {}


@dataclass(frozen=True, kw_only=True)
class HFSizes(Shape, ABC):
    """Sizes of a causal language model of the Hugging Face library.

    Attributes:
        names: What the architecture calls them.
        known: What else is known of the architecture.
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

    names: ClassVar[Names]
    known: ClassVar[Known]
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
        if self.num_kv_heads != heads and not self.names.grouped:
            raise InterlawError(f"{self.family} has one key-value head a head; remove num_kv_heads")
        if self.d_ff is not None and self.names.d_ff is None:
            raise InterlawError(f"{self.family} sets the width of its MLP itself; remove d_ff")

    def _default_d_ff(self, ratio: float | None, multiple_of: int) -> int | None:
        if self.names.d_ff is None and ratio is None:
            return None
        wanted = round(self.width * (self.names.d_ff_ratio if ratio is None else ratio))
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
