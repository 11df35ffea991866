"""The views by name, each with the place where it is written: the names are known without torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlaw.registry import Registry
from interlaw.views import CHEAPEST as CHEAPEST
from interlaw.views import OF_ANY_NETWORK as OF_ANY_NETWORK
from interlaw.views import OF_NEXT_TOKENS as OF_NEXT_TOKENS

if TYPE_CHECKING:
    from interlaw.interaction.options import View

VIEWS: Registry[View] = Registry(
    "interlaw.views",
    {
        "input": "interlaw.interaction.views:INPUT",
        "loss": "interlaw.interaction.views:LOSS",
        "patch": "interlaw.interaction.views:PATCH",
        "convolution": "interlaw.interaction.views:CONVOLUTION",
        "bottleneck": "interlaw.interaction.bottleneck:BOTTLENECK",
        "projected": "interlaw.interaction.output_side:PROJECTED",
        "output": "interlaw.interaction.output_side:OUTPUT",
        "token": "interlaw.interaction.views:TOKEN",
    },
)
"""An installed package adds a view by an entry point of this group."""

# Those whose record has `layers`: named here too, so that the command line knows them without torch.
OF_EVERY_LAYER = (OF_ANY_NETWORK, CHEAPEST)
