"""What a Hugging Face architecture calls its sizes, and its own proportions."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from typing import Any, NamedTuple

from interlaw.errors import InterlawError, brought_by, one_line

PREFIX = "hf"
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


@cache
def names_of(family: str) -> Names:
    """Read off the architecture's default configuration."""
    name = family.removeprefix(f"{PREFIX}:")
    with brought_by("hf", f"the family '{family}'"):
        from transformers import CONFIG_MAPPING
        from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as CAUSAL
    if name not in CAUSAL:
        raise InterlawError(
            f"expected a causal language model of transformers after '{PREFIX}:', such as llama, qwen2, gpt2 or "
            f"gpt_neox, found {name!r}; choose one by its model_type"
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
            f"{family} has no one width and depth in its settings ({one_line(error, last=True)}); choose {other}"
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
