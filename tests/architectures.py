"""Tiny networks of transformers' architectures: one or two layers of width 16, vocabulary 32, weights that matter."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

WIDTH, HEADS, VOCABULARY, DEPTH = 16, 2, 32, 2

# What the library calls each size; an architecture is given those that its settings have.
SIZES: dict[str, Any] = {
    **dict.fromkeys(("hidden_size", "d_model", "n_embd", "dim", "emb_dim", "embedding_size", "rnn_hidden_size"), WIDTH),
    **dict.fromkeys(("num_hidden_layers", "num_layers", "n_layer", "n_layers", "encoder_layers"), DEPTH),
    **dict.fromkeys(("decoder_layers", "num_encoder_layers", "num_decoder_layers"), DEPTH),
    **dict.fromkeys(("num_attention_heads", "num_heads", "n_head", "n_heads", "encoder_attention_heads"), HEADS),
    **dict.fromkeys(("decoder_attention_heads", "num_encoder_attention_heads"), HEADS),
    **dict.fromkeys(("intermediate_size", "d_ff", "d_inner", "ffn_dim", "hidden_dim", "n_inner"), 2 * WIDTH),
    **dict.fromkeys(("encoder_ffn_dim", "decoder_ffn_dim", "moe_intermediate_size"), 2 * WIDTH),
    **dict.fromkeys(("head_dim", "d_kv", "d_head", "attention_head_size"), WIDTH // HEADS),
    **dict.fromkeys(("num_key_value_heads", "num_kv_heads"), HEADS),
    **dict.fromkeys(("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts"), 4),
    **dict.fromkeys(("num_experts_per_tok", "moe_k", "moe_topk"), 2),
    **dict.fromkeys(("n_group", "topk_group", "num_hidden_groups"), 1),
    **dict.fromkeys(("bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id"), 1),
    **{"pad_token_id": 0, "vocab_size": VOCABULARY, "type_vocab_size": 2, "max_position_embeddings": 64},
    **{
        "q_lora_rank": 8,
        "kv_lora_rank": 8,
        "state_size": 4,
        "qk_rope_head_dim": 4,
        "qk_nope_head_dim": 4,
        "v_head_dim": 8,
        "image_size": 8,
        "patch_size": 4,
    },
    **{"tie_word_embeddings": False, "use_cache": False, "shared_expert_intermediate_size": 2 * WIDTH},
}
# Where the names above are not enough.
SPECIAL: dict[str, dict[str, Any]] = {
    "gptj": {"rotary_dim": WIDTH // HEADS},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]]},
}

# Initial matrices are so small that a network is nearly linear; five times that is not.
ENLARGED = 5.0


def make_tiny(name: str, loader: str, half: str | None = None) -> nn.Module:
    """A network in float64 with all its weights drawn, or the half of it called `half`.

    Args:
        name: The `model_type`.
        loader: The class of transformers that makes it from its settings, such as AutoModelForCausalLM.
        half: An attribute of the network, such as encoder.
    """
    import transformers

    default = transformers.CONFIG_MAPPING[name]()
    known = {**default.to_dict(), **dict.fromkeys(default.attribute_map)}
    sizes = {key: value for key, value in SIZES.items() if key in known}
    if "qk_rope_head_dim" in sizes:  # then the width of a head follows
        sizes.pop("head_dim", None)
    sizes |= {key: 0.0 for key, value in known.items() if "drop" in key and isinstance(value, float)}
    config = transformers.CONFIG_MAPPING[name](**{**sizes, **SPECIAL.get(name, {})})
    config._experts_implementation = "eager"  # the faster one knows no float64
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        maker = getattr(transformers, loader)
        network: Any = maker.from_config(config) if loader.startswith("Auto") else maker(config)
        for parameter in network.parameters():
            if parameter.dim() == 2:
                parameter.mul_(ENLARGED)
    network = network if half is None else getattr(network, half)
    whole: nn.Module = network.double().eval()
    return whole
