"""The views by name, each with the place where it is written: the names are known without torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlaw.registry import Registry

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

# What is measured unless another view is asked for: of any network; of one that predicts the next token, the view that
# carries the law and the one that costs least; the latter alone where a person waits, or a training.
OF_ANY_NETWORK = "input"
CHEAPEST = "loss"  # one gradient a sequence
OF_NEXT_TOKENS = ("projected", CHEAPEST)
# Those whose record has `layers`: named here too, so that the command line knows them without torch.
OF_EVERY_LAYER = (OF_ANY_NETWORK, CHEAPEST)
