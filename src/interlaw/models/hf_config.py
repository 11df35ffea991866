"""From sizes to a network of the Hugging Face library, by way of its configuration."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import torch

from interlaw.errors import InterlawError, one_line
from interlaw.models.hf_known import known_of
from interlaw.models.hf_settings import PREFIX, names_of
from interlaw.models.hf_sizes import HFSizes
from interlaw.plain import Json

_NO_TOKEN = dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"))


def config_of(shape: HFSizes) -> Any:
    """The configuration of a shape: its sizes, no dropout, no cache, no special tokens; all else as the default."""
    from transformers import CONFIG_MAPPING

    known = names_of(shape.family)
    decoder = ("decoder_layers", "decoder_attention_heads", "decoder_ffn_dim") if known.decoder else ()
    sizes: Json = {
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
        **known_of(shape.family).settings(shape),
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


def _refusal(shape: HFSizes, error: Exception) -> InterlawError:
    """The library makes no network of a shape: no size may help, which two others show."""
    said = one_line(error, last=True)
    what = f"transformers makes no {shape.family} of depth {shape.depth} and width {shape.width} ({said})"
    # small, and of other depths and numbers of heads: what fails here too does not depend on the sizes
    for depth, width in ((4, 8 * shape.head_dim), (6, 24 * shape.head_dim)):
        other = replace(shape, depth=depth, width=width, num_kv_heads=0, d_ff=shape.d_ff and 4 * width)
        with suppress(Exception), torch.device("meta"):  # whatever it is, these sizes do not help
            _library_network(other, seed=0)
            return InterlawError(f"{what}; choose other sizes, such as depth {depth} and width {width}")
    return InterlawError(
        f"{what}, nor of other sizes: its settings ask for more than width, depth and heads; choose another family"
    )


def make_network(shape: HFSizes, *, seed: int = 0) -> Any:
    """The library's own network of a shape on torch's default device, its weights a function of the seed."""
    try:
        return _library_network(shape, seed=seed)
    except Exception as error:  # each architecture checks its sizes in its own way
        raise _refusal(shape, error) from error


def _library_network(shape: HFSizes, *, seed: int) -> Any:
    from transformers import AutoModelForCausalLM

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = AutoModelForCausalLM.from_config(config_of(shape))
    network.get_input_embeddings().padding_idx = None  # every token is trained, where settings must name padding too
    return network


def meta_network(shape: HFSizes) -> Any:
    """The network without memory for its weights."""
    with torch.device("meta"):
        return make_network(shape)
