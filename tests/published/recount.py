"""Every published model counted anew: the library's own network of its shape, on the meta device."""

from __future__ import annotations

from typing import Any

from interlaw.published import PublishedRow

# Start of a name -> the architecture of transformers with the same parameters, and what its configuration adds.
ARCHITECTURES: dict[str, tuple[str, dict[str, Any]]] = {
    "Qwen2": ("qwen2", {}),
    "Qwen1.5": ("qwen2", {}),
    "Qwen3": ("qwen3", {}),
    "Gemma-2-": ("gemma2", {}),
    "Gemma-3-": ("gemma3_text", {}),
    "Gemma-": ("gemma", {}),
    "Phi-3": ("phi3", {"pad_token_id": 0}),
    "Phi-4": ("phi3", {"pad_token_id": 0}),
    "Phi-2": ("phi", {}),
    "phi-1": ("phi", {}),
    "OLMo-2": ("olmo2", {}),
    "OLMo-": ("olmo", {}),
    "DCLM": ("olmo2", {}),
    "StableLM-2": ("stablelm", {"use_qkv_bias": True}),
    "StableLM-3B": ("stablelm", {}),
    "Granite": ("granite", {}),
    "Pythia": ("gpt_neox", {}),
    "GPT-2": ("gpt2", {"n_positions": 1024}),
    "GPT-Neo-": ("gpt_neo", {"max_position_embeddings": 2048}),
    "GPT-J": ("gptj", {}),
    "OPT": ("opt", {"max_position_embeddings": 2048}),
    "BLOOM": ("bloom", {}),
    "Minitron": ("nemotron", {}),
    "glm-4": ("glm", {"attention_bias": True}),
    "falcon-7b": (
        "falcon",
        {"multi_query": True, "parallel_attn": True, "bias": False, "new_decoder_architecture": False},
    ),
    "mpt-7b": ("mpt", {"no_bias": True}),
    "Helium": ("helium", {}),
    "MiniCPM3": ("minicpm3", {}),
}


def recounted(row: PublishedRow) -> tuple[int, int]:
    """(all parameters, those without token table, positions and head) of a row's shape."""
    import torch
    from transformers import CONFIG_MAPPING, AutoModelForCausalLM

    from interlaw.models.hf_counts import count

    name, extra = next((found for start, found in ARCHITECTURES.items() if row.name.startswith(start)), ("llama", {}))
    # layers are alike (in kind of attention they may differ, which holds no parameters): two depths give all
    counts = []
    for depth in (2, 4):
        config = CONFIG_MAPPING[name](**sizes(name, row, depth), **extra)
        with torch.device("meta"):
            counts.append(count(AutoModelForCausalLM.from_config(config)))
    a, b = counts
    grown = [one + (row.depth - 2) * (two - one) // 2 for one, two in zip(a, b, strict=True)]
    return grown[0], grown[1]


def sizes(name: str, row: PublishedRow, depth: int) -> dict[str, Any]:
    """The row's sizes as the architecture calls them."""
    common = {"vocab_size": row.vocab_size, "tie_word_embeddings": bool(row.tied_embeddings)}
    if name in ("gpt2", "gptj"):
        return {**common, "n_embd": row.width, "n_layer": depth, "n_head": row.num_heads, "n_inner": row.d_ff}
    if name == "bloom":
        return {**common, "hidden_size": row.width, "n_layer": depth, "n_head": row.num_heads}
    if name == "mpt":
        return {**common, "d_model": row.width, "n_layers": depth, "n_heads": row.num_heads}
    found = {**common, "hidden_size": row.width, "num_hidden_layers": depth, "num_attention_heads": row.num_heads}
    if name == "gpt_neo":
        return {
            **common, "hidden_size": row.width, "num_layers": depth, "num_heads": row.num_heads,
            "intermediate_size": row.d_ff, "attention_types": [[["global", "local"], depth // 2]],
        }  # fmt: skip
    if name == "opt":
        return {**found, "ffn_dim": row.d_ff, "word_embed_proj_dim": row.width}
    found["intermediate_size" if name != "falcon" else "ffn_hidden_size"] = row.d_ff
    if name not in ("gpt_neox", "phi", "falcon"):
        found["num_key_value_heads"] = row.num_kv_heads
    if name in ("qwen3", "gemma", "gemma2", "gemma3_text", "llama", "mistral", "glm", "nemotron"):
        found["head_dim"] = row.head_dim
    if name.startswith("gemma"):
        found["query_pre_attn_scalar"] = 256
    return found
