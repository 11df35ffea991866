"""What is known of architectures of the Hugging Face library that their default configurations do not say.

A line an architecture; one that needs none is sized, counted, built and trained without.
"""

from __future__ import annotations

from interlaw.models.hf_sizes import HFSizes, Known
from interlaw.plain import Json


def _pattern_of_gpt_neo(shape: HFSizes) -> Json:
    """The library's own pattern: global and local attention in turn."""
    kinds = [[["global", "local"], shape.depth // 2], [["global"], shape.depth % 2]]
    return {"attention_types": [kind for kind in kinds if kind[1]]}


def _pattern_of_zamba2(shape: HFSizes) -> Json:
    """As in the published models: five state-space layers, then one with the shared attention."""
    shared = min(5, shape.depth - 1)
    return {"layers_block_type": ["hybrid" if i % 6 == shared else "mamba" for i in range(shape.depth)]}


def _pattern_of_lfm2_moe(shape: HFSizes) -> Json:
    """As in the published model: attention in the third of four layers."""
    third = min(2, shape.depth - 1)
    return {"layer_types": ["full_attention" if i % 4 == third else "conv" for i in range(shape.depth)]}


def _pattern_of_reformer(shape: HFSizes) -> Json:
    """The library's own pattern, at plain positions."""
    layers = (["local", "lsh"] * shape.depth)[: shape.depth]
    return {"attn_layers": layers, "num_hidden_layers": ..., "axial_pos_embds": False}


def _tokens_of_modernbert(shape: HFSizes) -> Json:
    """Its special tokens must be numbers."""
    names = ("bos_token_id", "eos_token_id", "pad_token_id", "cls_token_id", "sep_token_id")
    return dict.fromkeys(names, shape.vocab_size - 1)


_GATED = ("o_proj", "down_proj")
# Their first position is the token of padding, and one.
_AT_PADDING = ("camembert", "data2vec-text", "roberta", "roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl")
_PLAIN_ROTARY = {"full_attention": {"rope_type": "default", "rope_theta": 10_000.0}}  # the library's own base

KNOWN: dict[str, Known] = {
    "gpt2": Known(writers=("c_proj",), depth_scaled=True),
    "gpt_neox": Known(writers=("attention.dense", "dense_4h_to_h")),
    "llama": Known(writers=_GATED, stackable=True),
    "mistral": Known(writers=_GATED),
    "qwen2": Known(writers=_GATED),
    "qwen3": Known(writers=_GATED, d_ff_ratio=3.0),  # that of Qwen3-0.6B, 1.7B and 8B
    "cpmant": Known(looks_ahead=True),
    "xlnet": Known(looks_ahead=True),
    **dict.fromkeys(_AT_PADDING, Known(settings=lambda shape: {"pad_token_id": -1})),
    "xlm": Known(settings=lambda shape: {"causal": True, "pad_token_id": -1}),
    "xmod": Known(settings=lambda shape: {"default_language": "en_XX", "pad_token_id": -1}),
    "gemma3n_text": Known(settings=lambda shape: {"num_kv_shared_layers": 0}),
    "cohere_compass_text": Known(settings=lambda shape: {"rope_parameters": _PLAIN_ROTARY}),
    "mamba2": Known(settings=lambda shape: {"num_heads": 2 * shape.width // shape.head_dim}),  # of 2 x hidden_size
    # new_decoder_architecture reads the number of key-value heads
    "falcon": Known(settings=lambda shape: {"num_kv_heads": shape.num_kv_heads, "multi_query": False}),
    "cwm": Known(settings=lambda shape: {"bos_token_id": shape.vocab_size - 1}),  # it must be a number
    "modernbert-decoder": Known(settings=_tokens_of_modernbert),
    "gpt_neo": Known(settings=_pattern_of_gpt_neo),
    "zamba2": Known(settings=_pattern_of_zamba2),
    "lfm2_moe": Known(settings=_pattern_of_lfm2_moe),
    "reformer": Known(settings=_pattern_of_reformer),
}
