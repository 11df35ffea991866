"""The views by name: which matrix G is meant, and what its AOFE-ratio would be by chance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from interlaw.interaction.bottleneck import bottleneck_view
from interlaw.interaction.contribution import Factorize, Settings
from interlaw.interaction.gradient_views import input_view, loss_view, patch_view, token_view
from interlaw.interaction.output_side import output_view, projected_view


@dataclass(frozen=True, kw_only=True)
class View:
    """How a view makes contributions, and the name of its null in `NULLS`."""

    prepare: Callable[[Settings], Factorize]
    null: str = "haar"


VIEWS: dict[str, View] = {
    "input": View(prepare=input_view),
    "loss": View(prepare=loss_view),
    "projected": View(prepare=projected_view, null="projected"),
    "output": View(prepare=output_view),
    "patch": View(prepare=patch_view),
    "bottleneck": View(prepare=bottleneck_view),
    "token": View(prepare=token_view),
}
