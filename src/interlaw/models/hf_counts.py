"""What is counted of a Hugging Face network or configuration, and the polynomial through a few counts.

FLOPs of attention grow with the square of the length, in the layers that have it. The network itself shows it: a tiny
one is run at three lengths, and the FLOPs of its matrix products are counted. Their second difference is that of
attention alone; a state-space or convolution layer has none. Windows, which the library computes in full and masks, are
read off the settings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

_LENGTHS = (8, 16, 24)  # three lengths give a second difference; below every window


class Counts(NamedTuple):
    """What is counted of a network: all parameters, those without embeddings and head, and entries of matrices."""

    params: int
    params_non_embedding: int
    matrices: int


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


def newton(values: Sequence[int], *, u: int, v: Fraction) -> Fraction:
    """The polynomial through values at (1, 1), (2, 1), (3, 1) and, where d_ff varies, (1, 2), (2, 2)."""
    a, b, c = values[:3]
    base = Fraction(a + (u - 1) * (b - a)) + Fraction((u - 1) * (u - 2), 2) * (c - 2 * b + a)
    if len(values) == 3:
        return base
    d, e = values[3:]
    return base + (v - 1) * ((d - a) + (u - 1) * ((e - b) - (d - a)))


def count_config(values: Mapping[str, Any]) -> int | None:
    """All parameters; None where the library has no such decoder.

    Args:
        values: What `config.json` holds, `model_type` among it.
    """
    try:
        from transformers import CONFIG_MAPPING, AutoModelForCausalLM
        from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as CAUSAL
    except ImportError:
        return None
    kind = str(values.get("model_type"))
    if kind not in CAUSAL or kind not in CONFIG_MAPPING:
        return None
    unsized = ("model_type", "architectures", "torch_dtype")
    try:
        config = CONFIG_MAPPING[kind](**{name: value for name, value in values.items() if name not in unsized})
        with torch.device("meta"):
            return count(AutoModelForCausalLM.from_config(config)).params
    except Exception:  # each architecture checks its sizes in its own way; what it refuses cannot be counted
        return None


def flops_of_a_pair(network: Any) -> float:
    """Forward FLOPs of one query and one key, over all layers: the T^2 of a network's FLOPs at three lengths T.

    Args:
        network: A causal language model with at least 24 tokens and positions, on a device with numbers.
    """
    network.eval().set_attn_implementation("eager")  # fused attention does not count its products everywhere
    flops = []
    for length in _LENGTHS:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            network(input_ids=torch.arange(length)[None])
        flops.append(counter.get_total_flops())
    step = _LENGTHS[1] - _LENGTHS[0]
    return max(0.0, float(flops[2] - 2 * flops[1] + flops[0]) / (2 * step**2))


def mean_visible(config: Any, context: int) -> float:
    """Positions that a token sees, averaged over tokens and over the layers that have attention."""
    kinds = getattr(config, "layer_types", None) or getattr(config, "attention_layers", None) or ["all"]
    with_attention = [kind for kind in kinds if "attention" in str(kind) or kind in ("global", "local", "all")]
    seen = [_visible(config, str(kind), context=context) for kind in with_attention if "linear" not in str(kind)]
    return sum(seen) / len(seen) if seen else (context + 1) / 2


def _visible(config: Any, kind: str, *, context: int) -> float:
    """Positions that a token sees in one layer."""
    if kind == "chunked_attention" and isinstance(config.attention_chunk_size, int):
        return (min(context, config.attention_chunk_size) + 1) / 2
    windows = {"local": "window_size", "all": "sliding_window", "sliding_attention": "sliding_window"}
    size = getattr(config, windows[kind], None) if kind in windows else None
    if not isinstance(size, int) or size >= context or size < 1:
        return (context + 1) / 2
    return size * (1 - (size - 1) / (2 * context))  # the first `size` tokens see 1, 2, ... size
