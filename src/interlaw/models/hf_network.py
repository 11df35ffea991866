"""From sizes to a network of the Hugging Face library, by way of its configuration: token ids in, logits out."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from interlaw.errors import InterlawError, one_line
from interlaw.models.hf_sizes import HFSizes
from interlaw.models.roles import Roles
from interlaw.models.windows import require_within
from interlaw.plain import Json


def config_of(shape: HFSizes) -> Any:
    """The configuration of a shape: its sizes, no dropout, no cache, no special tokens; all else as the default."""
    from transformers import CONFIG_MAPPING

    names = shape.names
    decoder = ("decoder_layers", "decoder_attention_heads", "decoder_ffn_dim") if names.decoder else ()
    sizes: Json = {
        "vocab_size": shape.vocab_size,
        "hidden_size": shape.width,
        "num_hidden_layers": shape.depth,
        "num_attention_heads": shape.num_heads,
        "max_position_embeddings": shape.context,
        "tie_word_embeddings": shape.tied,
        "use_cache": False,
        **dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id")),
        **dict.fromkeys(names.dropouts, 0.0),
        **dict(zip(decoder, (shape.depth, shape.num_heads, shape.d_ff or 4 * shape.width), strict=False)),
        **shape.known.settings(shape),
    }
    if names.d_ff is not None:
        sizes[names.d_ff] = shape.d_ff
    if names.grouped:
        sizes["num_key_value_heads"] = shape.num_kv_heads
    if names.own_head_dim:
        sizes["head_dim"] = shape.head_dim
    if names.rotary_dim:
        sizes["rotary_dim"] = shape.head_dim
    if names.is_decoder:  # else every token would see the ones that it is to predict
        sizes["is_decoder"] = True
    sizes = {name: value for name, value in sizes.items() if value is not ...}
    return CONFIG_MAPPING[shape.family.removeprefix("hf:")](**sizes)


def make_network(shape: HFSizes, *, seed: int = 0) -> Any:
    """The library's own network of a shape on torch's default device, its weights a function of the seed."""
    try:
        return _library_network(shape, seed=seed)
    except Exception as error:  # each architecture checks its sizes in its own way
        raise _refusal(shape, error) from error


def meta_network(shape: HFSizes) -> Any:
    """The network without memory for its weights."""
    with torch.device("meta"):
        return make_network(shape)


def _library_network(shape: HFSizes, *, seed: int) -> Any:
    from transformers import AutoModelForCausalLM

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = AutoModelForCausalLM.from_config(config_of(shape))
    network.get_input_embeddings().padding_idx = None  # every token is trained, where settings must name padding too
    return network


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


class HFNetwork(nn.Module):
    """The library's own network and initial weights; see `HFShape` for its sizes and counts.

    Args:
        shape: The sizes.
        generator: Its initial seed is that of the weights, which the library draws from torch's global generator.
    """

    def __init__(self, shape: HFSizes, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.shape = shape
        self.network = make_network(shape, seed=generator.initial_seed() if generator else 0)
        self.roles = self._roles() if shape.known.writers else None

    def _roles(self) -> Roles:
        head, names = self.network.get_output_embeddings(), dict(self.named_modules())
        return Roles(
            inputs=tuple(name for name, module in names.items() if isinstance(module, nn.Embedding)),
            outputs=tuple(name for name, module in names.items() if module is head),
            writers=self.shape.known.writers,
            depth_scaled=self.shape.known.depth_scaled,
        )

    def get_input_embeddings(self) -> nn.Module:
        """The token table, under the name that Hugging Face models use."""
        table: nn.Module = self.network.get_input_embeddings()
        return table

    def forward(self, ids: Int[Tensor, "batch time"], logits_to_keep: int = 0) -> Float[Tensor, "batch keep vocab"]:
        """Logits of the next token at every position, or at the last ones alone.

        Args:
            ids: Token ids; time is at most the shape's context.
            logits_to_keep: How many of the last positions are asked for; 0 for all.

        Raises:
            InterlawError: When the sequences are longer than the context.
        """
        require_within(ids, context=self.shape.context)
        asked = {"logits_to_keep": logits_to_keep} if logits_to_keep else {}
        logits: Tensor = self.network(input_ids=ids, **asked).logits
        return logits
