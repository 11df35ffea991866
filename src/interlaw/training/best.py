"""The weights of the lowest validation loss so far, where a run is to end with them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from interlaw.training.checkpoint import distinct_weights, load_weights


class BestWeights:
    """A copy of the weights at the lowest validation loss; nothing is kept where the last weights are wanted.

    Args:
        model: The network in training.
        is_wanted: Whether to keep a copy at all.

    Attributes:
        tensors: The copy by name; it goes into checkpoints. Empty before the first validation.
    """

    def __init__(self, model: nn.Module, *, is_wanted: bool) -> None:
        self._model, self._is_wanted = model, is_wanted
        self.tensors: dict[str, Tensor] = {}

    @torch.no_grad()
    def note(self, losses: Sequence[float]) -> None:
        """Keeps the present weights when the last of the validation losses is below all before it."""
        if self._is_wanted and losses[-1] < min(losses[:-1], default=float("inf")):
            self.tensors = {name: tensor.clone() for name, tensor in distinct_weights(self._model).items()}

    def restore(self) -> None:
        """Puts the copy back into the model, where there is one."""
        if self.tensors:
            load_weights(self._model, self.tensors)
