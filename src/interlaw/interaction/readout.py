"""From whatever a model returns to the outputs y (n x C) that are differentiated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from interlaw.errors import InterlawError
from interlaw.interaction.batches import Batch


@dataclass(frozen=True, kw_only=True)
class Readout:
    """Which outputs count, and in which units.

    Attributes:
        positions: For outputs (batch, time, C): the last token that is not padding, or every token.
        outputs: Indices of the chosen outputs; all when None.
        center: Subtract the mean over outputs of one position.
        scale: "rms" divides by the root mean square over outputs of one position.
    """

    positions: str = "all"
    outputs: Sequence[int] | None = None
    center: bool = False
    scale: str | None = None

    def __call__(self, output: Any, batch: Batch) -> Float[Tensor, "n c"]:
        """The outputs y of a batch, one row a cluster."""
        y = output_tensor(output)
        mask = padding_mask(batch)
        if y.dim() >= 3 and self.positions == "last":
            y = _last(y, mask)
        if self.center:
            y = y - y.mean(-1, keepdim=True)
        if self.scale == "rms":
            y = y * y.square().mean(-1, keepdim=True).rsqrt()
        if self.outputs is not None:
            y = y[..., self._chosen(self.outputs, y.shape[-1])]
        if y.dim() == 3 and mask is not None and mask.shape == y.shape[:2]:
            y = y * mask[:, :, None].to(y.dtype)
        return y.flatten(1) if y.dim() > 1 else y[:, None]

    def _chosen(self, outputs: Sequence[int], count: int) -> list[int]:
        """The indices, all of which must be there."""
        bad = [index for index in outputs if not -count <= index < count]
        if bad:
            raise InterlawError(f"expected outputs from 0 to {count - 1}, found {bad}; leave outputs out to take all")
        return list(outputs)


def output_tensor(output: Any) -> Tensor:
    """The tensor in a model's output: itself, its logits, its last hidden state, or the first of a tuple.

    Raises:
        InterlawError: There is none, or it is not real-valued.
    """
    named = (_named(output, name) for name in ("logits", "last_hidden_state"))
    found = next((value for value in named if value is not None), output)
    if isinstance(found, tuple | list) and found:
        found = found[0]
    if not isinstance(found, Tensor):
        raise InterlawError(
            f"expected the model to return a tensor, or an object with .logits, found {type(output).__name__}; "
            "wrap the model so that it returns the tensor to differentiate"
        )
    if not found.is_floating_point():
        raise InterlawError(f"expected real-valued outputs, found {found.dtype}; return the scores, not the decision")
    return found if found.dim() else found[None]


def logits_of(output: Any) -> Tensor:
    """The tensor of scores in a model's output; hidden states are none.

    Raises:
        InterlawError: The output has hidden states and no logits.
    """
    if _named(output, "logits") is None and _named(output, "last_hidden_state") is not None:
        raise InterlawError(
            f"the loss view needs next-token logits, found the hidden states of {type(output).__name__}; use a model "
            "with a language-model head, or the input view"
        )
    return output_tensor(output)


def _named(output: Any, name: str) -> Any:
    """An entry of a mapping or an attribute of an object; None when it has neither."""
    return output.get(name) if isinstance(output, Mapping) else getattr(output, name, None)


def padding_mask(batch: Batch) -> Tensor | None:
    """The (batch, time) mask of real tokens, where the batch has one."""
    return None if isinstance(batch, Tensor) else batch.get("attention_mask")


def _last(y: Float[Tensor, "n t ..."], mask: Tensor | None) -> Float[Tensor, "n ..."]:
    """The outputs at the last token that is not padding."""
    if mask is None or mask.shape != y.shape[:2]:
        return y[:, -1]
    place = torch.arange(mask.shape[1], device=mask.device)
    last = torch.where(mask.bool(), place, -1).amax(1)
    found: Tensor = y[torch.arange(len(y), device=y.device), last]
    return found
