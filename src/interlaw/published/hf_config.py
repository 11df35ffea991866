"""A model of the user's own, from the `config.json` that Hugging Face keeps beside the weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from interlaw.errors import InterlawError
from interlaw.files import read_object
from interlaw.plain import Json
from interlaw.published.row import PublishedRow
from interlaw.published.table import validated_row
from interlaw.shapes import Shape, make_shape

# What one thing is called in different architectures' configurations.
_NAMES = {
    "depth": ("num_hidden_layers", "n_layer", "num_layers", "n_layers"),
    "width": ("hidden_size", "n_embd", "d_model"),
    "num_heads": ("num_attention_heads", "n_head", "n_heads"),
    "num_kv_heads": ("num_key_value_heads",),
    "head_dim": ("head_dim",),
    "d_ff": ("intermediate_size", "n_inner", "ffn_dim"),
    "vocab_size": ("vocab_size",),
    "tied_embeddings": ("tie_word_embeddings",),
}
MOST_SHOWN = 40  # characters of a wrong value: the message stays one line
# model_type: the family whose closed form counts it, and its key-value heads where config.json leaves them to its class
# (transformers 4.50 to 5.23); Llama has one a head.
_COUNTED = {"llama": ("llama", None), "mistral": ("llama", 8), "qwen2": ("qwen2", 32)}


def row_from_config(
    path: str | Path,
    *,
    name: str | None = None,
    family: str | None = None,
    params: int | None = None,
    scored: tuple[float, str, str] | None = None,
) -> PublishedRow:
    """A model as a row: its shape, and its score if given.

    Args:
        path: A `config.json`, or a folder that holds one.
        name: What to call the model; the folder's name when not given.
        family: What it descends from; its own name when not given, so that it counts as independent of all others.
        params: Total parameters. Needed where neither a closed form (Llama, Mistral and Qwen2 layers) nor transformers,
            by its own network, counts them.
        scored: MMLU-Pro in per cent, its protocol, and `base` or `inst`.

    Raises:
        InterlawError: When the file is no such configuration, or `params` is needed and missing.
    """
    path = Path(path) / "config.json" if Path(path).is_dir() else Path(path)
    config = read_object(path, wanted="a config.json")
    name = name or path.resolve().parent.name
    cells = {
        field: next((config[key] for key in keys if config.get(key) is not None), None)
        for field, keys in _NAMES.items()
    }
    for field, value in cells.items():
        if not isinstance(value, int) and (field in ("depth", "width") or value is not None):
            raise InterlawError(
                f"expected one of {', '.join(_NAMES[field])} in {path} as a whole number, found "
                f"{'none' if value is None else repr(value)[:MOST_SHOWN]}; give a model's config.json"
            )
    counted = params or _count(config, cells)
    if counted is None:
        from interlaw.models import count_config  # torch and transformers, which a closed form does without

        counted, *_ = count_config(config) or (None,)
    if counted is None:
        kind = config.get("model_type", "an unnamed type")
        raise InterlawError(
            f"expected a configuration whose parameters can be counted ({', '.join(_COUNTED)}, or any decoder that "
            f"transformers builds), found {kind}; put the model in a CSV with params_total"
        )
    row: Json = {field: value for field, value in cells.items() if value is not None}
    if scored is not None:
        row |= dict(zip(("mmlu_pro", "protocol", "variant"), scored, strict=True))
        row |= {"score_source": "given by the user", "shape_source": str(path)}
    return validated_row({**row, "name": name, "family": family or name, "params_total": counted}, where=str(path))


def _count(config: Mapping[str, Any], cells: Mapping[str, Any]) -> int | None:
    """Parameters by closed form, where the configuration describes a layer that has one."""
    family, kv_heads = _COUNTED.get(str(config.get("model_type")), (None, None))
    heads = cells["num_heads"]
    needed = (heads, cells["d_ff"], cells["vocab_size"])
    if family is None or not all(isinstance(value, int) and value > 0 for value in needed):
        return None
    if (
        config.get("attention_bias")
        or config.get("mlp_bias")
        or (cells["head_dim"] or 0) * heads not in (0, cells["width"])
    ):
        return None
    shape: Shape = make_shape(
        family,
        depth=cells["depth"],
        width=cells["width"],
        head_dim=cells["width"] // heads,
        num_kv_heads=cells["num_kv_heads"] or kv_heads or heads,
        d_ff=cells["d_ff"],
        vocab_size=cells["vocab_size"],
        tied=bool(cells["tied_embeddings"]),
    )
    return shape.params
