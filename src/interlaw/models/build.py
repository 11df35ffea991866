"""From a shape to its network."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from interlaw.errors import InterlawError
from interlaw.shapes import FAMILIES, Shape


def network_of(shape_class: type[Shape]) -> Callable[..., nn.Module]:
    """What builds the network of a shape class.

    Raises:
        InterlawError: When the family has counts but no network here.
    """
    network: Any = shape_class.network
    if network is None:
        family, known = shape_class.family, [name for name, each in FAMILIES.items() if getattr(each, "network", None)]
        remedy = f"hf:{family}, of the Hugging Face library" if shape_class.decoder else "one of them"
        raise InterlawError(
            f"expected a family with a network ({', '.join(known)}, or hf:NAME), found {family!r}; choose {remedy}"
        )
    return pkgutil.resolve_name(network) if isinstance(network, str) else network  # type: ignore[no-any-return]


def build_model(shape: Shape, *, seed: int = 0, device: torch.device | str = "cpu") -> nn.Module:
    """The network of a shape, its initial weights a function of the seed alone.

    Args:
        shape: A shape of a family that names its network.
        seed: Seed of the initial weights, drawn on the CPU whatever the device.
        device: Where the network ends up; "meta" allocates nothing and draws nothing.

    Raises:
        InterlawError: When the family has counts but no network here.
    """
    build = network_of(type(shape))
    if torch.device(device).type == "meta":
        with torch.device("meta"):
            return build(shape)
    with torch.random.fork_rng(devices=[]):  # torch's layers draw from the global generator before we draw again
        model = build(shape, generator=torch.Generator().manual_seed(seed))
    return model.to(device)
