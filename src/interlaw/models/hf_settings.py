"""The settings of a Hugging Face architecture: what it calls its sizes, and what else must fit them."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from interlaw.errors import InterlawError, MissingExtraError

if TYPE_CHECKING:
    from interlaw.models.hf_shape import HFShape

PREFIX = "hf"
_D_FF_NAMES = ("intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size")
_AT_PADDING = ("camembert", "data2vec-text", "roberta", "roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl")
_FIXED: dict[str, dict[str, Any]] = {
    **{name: {"pad_token_id": -1} for name in _AT_PADDING},  # their first position is the token of padding, and one
    "xlm": {"causal": True, "pad_token_id": -1},
    "xmod": {"default_language": "en_XX", "pad_token_id": -1},
    "gemma3n_text": {"num_kv_shared_layers": 0},
    "cohere_compass_text": {"rope_parameters": {"full_attention": {"rope_type": "default", "rope_theta": 10_000.0}}},
}
_LOOK_AHEAD = ("cpmant", "xlnet")  # whatever their settings
_NO_TOKEN = dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"))


class Names(NamedTuple):
    """What an architecture's configuration calls its sizes, and its own proportions."""

    d_ff: str | None
    d_ff_ratio: float
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
    if name in _LOOK_AHEAD:
        raise InterlawError(f"{family} sees the tokens that it is to predict, so it cannot be trained; choose another")
    default: Any = None
    try:
        default = CONFIG_MAPPING[name]()
        known = {**default.to_dict(), **dict.fromkeys(default.attribute_map)}
        width, _ = int(default.hidden_size), int(default.num_hidden_layers)
        d_ff = next((key for key in _D_FF_NAMES if key in known), None)
        hidden = getattr(default, d_ff) if d_ff else None
    except Exception as error:  # settings within settings, or sizes that differ from layer to layer
        part = ""
        with suppress(AttributeError, ValueError):  # no settings at all, or two texts
            part = default.get_text_config().model_type
        other = f"hf:{part}, its text part" if part in CAUSAL and part != name else "another family"
        raise InterlawError(
            f"{family} has no one width and depth in its settings ({first_line(error)}); choose {other}"
        ) from error
    hidden = hidden[0] if isinstance(hidden, list | tuple) and hidden else hidden
    return Names(
        d_ff=d_ff,
        d_ff_ratio=(hidden or 4 * width) / width if d_ff else 4.0,
        grouped="num_key_value_heads" in known,
        own_head_dim="head_dim" in known and "qk_rope_head_dim" not in known,  # there it is that of a part of a head
        rotary_dim=isinstance(known.get("rotary_dim"), int),
        decoder="decoder_layers" in known,
        is_decoder="is_decoder" in known,
        dropouts=tuple(key for key, value in known.items() if "drop" in key and isinstance(value, float)),
    )


def first_line(error: Exception) -> str:
    """What the library says, in one line."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1].strip()[:160]


def _together(shape: HFShape) -> dict[str, Any]:
    """Settings that follow from the sizes where the library does not derive them itself; `...` drops one."""
    depth = shape.depth
    match shape.family.removeprefix(f"{PREFIX}:"):
        case "mamba2":  # heads fill the expanded width, 2 x hidden_size
            return {"num_heads": 2 * shape.width // shape.head_dim}
        case "gpt_neo":  # the library's own pattern: global and local attention in turn
            kinds = [[["global", "local"], depth // 2], [["global"], depth % 2]]
            return {"attention_types": [kind for kind in kinds if kind[1]]}
        case "falcon":  # new_decoder_architecture reads the number of key-value heads
            return {"num_kv_heads": shape.num_kv_heads, "multi_query": False}
        case "zamba2":  # as in the published models: five state-space layers, then one with the shared attention
            return {"layers_block_type": ["hybrid" if i % 6 == min(5, depth - 1) else "mamba" for i in range(depth)]}
        case "lfm2_moe":  # as in the published model: attention in the third of four layers
            return {"layer_types": ["full_attention" if i % 4 == min(2, depth - 1) else "conv" for i in range(depth)]}
        case "reformer":  # the library's own pattern, at plain positions
            return {
                "attn_layers": (["local", "lsh"] * depth)[:depth],
                "num_hidden_layers": ...,
                "axial_pos_embds": False,
            }
        case "cwm":  # whose special tokens must be numbers, as those of the next
            return {"bos_token_id": shape.vocab_size - 1}
        case "modernbert-decoder":
            return dict.fromkeys((*_NO_TOKEN, "cls_token_id", "sep_token_id"), shape.vocab_size - 1)
        case name:
            return _FIXED.get(name, {})


def config_of(shape: HFShape) -> Any:
    """The configuration of a shape: its sizes, no dropout, no cache, no special tokens; all else as the default."""
    from transformers import CONFIG_MAPPING

    known = names_of(shape.family)
    decoder = ("decoder_layers", "decoder_attention_heads", "decoder_ffn_dim") if known.decoder else ()
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
        **dict(zip(decoder, (shape.depth, shape.num_heads, shape.d_ff or 4 * shape.width), strict=False)),
        **_together(shape),
    }
    if known.d_ff is not None:
        sizes[known.d_ff] = shape.d_ff
    if known.grouped:
        sizes["num_key_value_heads"] = shape.num_kv_heads
    if known.own_head_dim:
        sizes["head_dim"] = shape.head_dim
    if known.rotary_dim:
        sizes["rotary_dim"] = shape.head_dim
    if known.is_decoder:  # else every token would see the ones that it is to predict
        sizes["is_decoder"] = True
    sizes = {name: value for name, value in sizes.items() if value is not ...}
    return CONFIG_MAPPING[shape.family.removeprefix(f"{PREFIX}:")](**sizes)
