"""A shape as the configuration that Hugging Face builds it from."""

from __future__ import annotations

from interlaw.errors import InterlawError
from interlaw.plain import Json
from interlaw.shapes import GPTShape, LlamaShape, Qwen2Shape, Shape

# OPT's table of positions has two rows that no position uses; its other parts are our GPT's.
_OPT_UNUSED_POSITIONS = 2


def hf_config(shape: Shape) -> Json:
    """What `config.json` must say for `AutoModelForCausalLM.from_config` to build this shape, parameter for parameter.

    A `gpt` becomes an OPT without linear biases, which has the same matrices, norms and learned positions; two rows of
    OPT's table of positions are never used, so its longest sequence is two tokens shorter.

    Args:
        shape: A shape of family `gpt`, `llama`, `qwen2` or `hf:NAME`.

    Raises:
        InterlawError: For another family.

    Example:
        >>> config = hf_config(LlamaShape(depth=2, width=128, num_kv_heads=1))
        >>> config["model_type"], config["num_hidden_layers"], config["num_key_value_heads"]
        ('llama', 2, 1)
    """
    if isinstance(shape, LlamaShape):
        return _llama(shape)
    if isinstance(shape, GPTShape):
        return _opt(shape)
    if shape.family.startswith("hf:"):
        return _own(shape)
    raise InterlawError(
        f"expected a gpt, llama, qwen2 or hf:NAME to export, found {shape.family}; choose one of these families"
    )


def _llama(shape: LlamaShape) -> Json:
    """Llama's and Qwen2's keys; the bias of queries, keys and values is Qwen2's own."""
    config: Json = {
        "architectures": ["Qwen2ForCausalLM" if isinstance(shape, Qwen2Shape) else "LlamaForCausalLM"],
        "model_type": shape.family,
        "vocab_size": shape.vocab_size,
        "hidden_size": shape.width,
        "intermediate_size": shape.d_ff,
        "num_hidden_layers": shape.depth,
        "num_attention_heads": shape.num_heads,
        "num_key_value_heads": shape.num_kv_heads,
        "head_dim": shape.head_dim,
        "hidden_act": "silu",
        "max_position_embeddings": shape.context,
        "tie_word_embeddings": shape.tied,
    }
    if not isinstance(shape, Qwen2Shape):
        config |= {"attention_bias": False, "mlp_bias": False}
    return config


def _own(shape: Shape) -> Json:
    """A family of transformers: its own configuration; what is not written takes the library's default."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    from interlaw.models import config_of

    config = config_of(shape)  # type: ignore[arg-type]
    values: Json = {**config.to_diff_dict(), "model_type": config.model_type, "use_cache": True}
    # sizes that happen to be the library's defaults are written too, because defaults change
    for name, value in config.to_dict().items():
        if (
            isinstance(value, int)
            and not isinstance(value, bool)
            and (name.startswith("num_") or name.endswith("size"))
        ):
            values[name] = value
    return {
        "architectures": [MODEL_FOR_CAUSAL_LM_MAPPING_NAMES[config.model_type]],
        **{name: value for name, value in sorted(values.items()) if not name.startswith("_") and value is not None},
        "tie_word_embeddings": bool(shape.to_dict()["tied"]),
    }


def _opt(shape: GPTShape) -> Json:
    """OPT's keys for a pre-LayerNorm decoder with learned positions and no linear biases."""
    if shape.context <= _OPT_UNUSED_POSITIONS:
        raise InterlawError(
            f"expected a context above {_OPT_UNUSED_POSITIONS} to export, found {shape.context}; raise it"
        )
    return {
        "architectures": ["OPTForCausalLM"],
        "model_type": "opt",
        "vocab_size": shape.vocab_size,
        "hidden_size": shape.width,
        "word_embed_proj_dim": shape.width,
        "ffn_dim": shape.d_ff,
        "num_hidden_layers": shape.depth,
        "num_attention_heads": shape.num_heads,
        "max_position_embeddings": shape.context - _OPT_UNUSED_POSITIONS,
        "activation_function": "gelu",
        "do_layer_norm_before": True,
        "enable_bias": False,
        "layer_norm_elementwise_affine": True,
        "dropout": 0.0,
        "tie_word_embeddings": shape.tied,
    }
