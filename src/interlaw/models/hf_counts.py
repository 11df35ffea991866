"""What is counted of a Hugging Face network or configuration, and the polynomial through a few counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import torch
from torch import nn


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


def newton(values: Sequence[int], u: int, v: Fraction) -> Fraction:
    """The polynomial through values at (1, 1), (2, 1), (3, 1) and, where d_ff varies, (1, 2), (2, 2)."""
    a, b, c = values[:3]
    base = Fraction(a + (u - 1) * (b - a)) + Fraction((u - 1) * (u - 2), 2) * (c - 2 * b + a)
    if len(values) == 3:
        return base
    d, e = values[3:]
    return base + (v - 1) * ((d - a) + (u - 1) * ((e - b) - (d - a)))


def count_config(values: Mapping[str, Any]) -> tuple[int, int] | None:
    """All parameters, and those without token table, positions and head; None where the library has no such decoder.

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
    sizes = {
        name: value for name, value in values.items() if name not in ("model_type", "architectures", "torch_dtype")
    }
    try:
        config = CONFIG_MAPPING[kind](**sizes)
        with torch.device("meta"):
            found = count(AutoModelForCausalLM.from_config(config))
    except Exception:  # each architecture checks its sizes in its own way; what it refuses cannot be counted
        return None
    return found.params, found.params_non_embedding
