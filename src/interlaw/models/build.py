"""From a shape to its network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from interlaw.errors import InterlawError
from interlaw.models.bottleneck import Bottleneck
from interlaw.models.cnn import CNN
from interlaw.models.gpt import GPT
from interlaw.models.gru import GRU
from interlaw.models.hf_network import HFNetwork
from interlaw.models.hf_shape import HFShape
from interlaw.models.mlp import MLP
from interlaw.shapes import Shape

ARCHITECTURES: dict[str, Callable[..., nn.Module]] = {
    "gpt": GPT,
    "mlp": MLP,
    "cnn": CNN,
    "gru": GRU,
    "bottleneck": Bottleneck,
}


def network_of(shape_class: type[Shape]) -> Callable[..., nn.Module]:
    """What builds the network of a shape class.

    Raises:
        InterlawError: When the family has counts but no network here.
    """
    if issubclass(shape_class, HFShape):
        return HFNetwork
    if shape_class.network is not None:
        return shape_class.network
    if shape_class.family not in ARCHITECTURES:
        family = shape_class.family
        remedy = f"hf:{family}, of the Hugging Face library" if shape_class.decoder else "one of them"
        raise InterlawError(
            f"expected a family with a network ({', '.join(ARCHITECTURES)}, or hf:NAME), found {family!r}; "
            f"choose {remedy}"
        )
    return ARCHITECTURES[shape_class.family]


def build_model(shape: Shape, *, seed: int = 0, device: torch.device | str = "cpu") -> nn.Module:
    """The network of a shape, its initial weights a function of the seed alone.

    Args:
        shape: A shape of a family in `ARCHITECTURES`, of a Hugging Face architecture, or one that names its network.
        seed: Seed of the initial weights, drawn on the CPU whatever the device.
        device: Where the network ends up; "meta" allocates nothing and draws nothing.

    Raises:
        InterlawError: When the family has counts but no network here.
    """
    build: Callable[..., Any] = network_of(type(shape))
    if torch.device(device).type == "meta":
        with torch.device("meta"):
            meta: nn.Module = build(shape)
        return meta
    with torch.random.fork_rng(devices=[]):  # torch's layers draw from the global generator before we draw again
        model: nn.Module = build(shape, generator=torch.Generator().manual_seed(seed))
    return model.to(device)
