"""Parameters of a configuration of the Hugging Face library, counted on its own network without memory for weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from interlaw.models.hf_counts import count


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
