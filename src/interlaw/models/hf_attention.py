"""FLOPs of attention in a Hugging Face architecture: what grows with the square of the length, in the layers that do.

The network itself tells: a tiny one is run at three lengths, and the FLOPs of its matrix products are counted. Their
second difference is that of attention alone; a state-space or convolution layer has none. Windows, which the library
computes in full and masks, are read off the settings.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

_LENGTHS = (8, 16, 24)  # three lengths give a second difference; below every window


def flops_of_a_pair(network: Any) -> float:
    """Forward FLOPs of one query and one key, over all layers: the T^2 of a network's FLOPs at three lengths T.

    Args:
        network: A causal language model with at least 24 tokens and positions, on a device with numbers.
    """
    network.eval().set_attn_implementation("eager")  # fused attention does not count its products everywhere
    found = []
    for length in _LENGTHS:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            network(input_ids=torch.arange(length)[None])
        found.append(counter.get_total_flops())
    step = _LENGTHS[1] - _LENGTHS[0]
    return max(0.0, float(found[2] - 2 * found[1] + found[0]) / (2 * step**2))


def mean_visible(config: Any, context: int) -> float:
    """Positions that a token sees, averaged over tokens and over the layers that have attention."""
    kinds = getattr(config, "layer_types", None) or getattr(config, "attention_layers", None) or ["all"]
    with_attention = [kind for kind in kinds if "attention" in str(kind) or kind in ("global", "local", "all")]
    seen = [_visible(config, str(kind), context) for kind in with_attention if "linear" not in str(kind)]
    return sum(seen) / len(seen) if seen else (context + 1) / 2


def _visible(config: Any, kind: str, context: int) -> float:
    """Positions that a token sees in one layer."""
    if kind == "chunked_attention" and isinstance(config.attention_chunk_size, int):
        return (min(context, config.attention_chunk_size) + 1) / 2
    windows = {"local": "window_size", "all": "sliding_window", "sliding_attention": "sliding_window"}
    size = getattr(config, windows[kind], None) if kind in windows else None
    if not isinstance(size, int) or size >= context or size < 1:
        return (context + 1) / 2
    return size * (1 - (size - 1) / (2 * context))  # the first `size` tokens see 1, 2, ... size
