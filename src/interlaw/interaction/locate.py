"""Tells where the samples lie at a site, once a measurement, from a few of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor, nn

from interlaw.errors import InterlawError
from interlaw.interaction.batches import Batch, batch_length, take
from interlaw.interaction.differentiation import Outputs, vector_jacobian
from interlaw.interaction.layout import AS_IT_IS, Layout, layout_by_derivative
from interlaw.interaction.site import Site

FEW = 4  # samples of the trial


class Locate:
    """Completes sites by the layout of h; what was found at the first batch of several samples holds for all."""

    def __init__(self) -> None:
        self._layout: Layout | None = None

    def __call__(self, model: nn.Module, batch: Batch, site: Site, outputs: Outputs) -> Site:
        """The site with its layout; the shape tells it where the batch has one sample.

        Raises:
            InterlawError: Samples cannot be told apart at the site, or affect each other.
        """
        if self._layout is None and batch_length(batch) > 1:
            few = take(batch, 0, FEW)

            def cotangents(y: Tensor) -> Iterator[Tensor]:
                require_row_per_sample(y, few)
                return halves(y)

            whole = replace(site, layout=AS_IT_IS)
            gradients = list(vector_jacobian(model, few, site=whole, outputs=outputs, cotangents=cotangents))
            n = batch_length(few)
            self._layout = layout_by_derivative(gradients, n, module=site.module, name=site.name)
        return replace(site, layout=self._layout)


def halves(y: Tensor) -> Iterator[Tensor]:
    """A cotangent for the first half of the samples alone, then one for the rest.

    Its entries have no pattern that sums of outputs could cancel, and nothing random.
    """
    r = torch.arange(1, y[0].numel() + 1, device=y.device).cos().to(y.dtype).reshape(y.shape[1:])
    first = torch.arange(len(y), device=y.device).reshape(-1, *[1] * (y.dim() - 1)) < len(y) // 2
    yield r * first
    yield r * ~first


def require_row_per_sample(y: Tensor, batch: Batch) -> None:
    """Refuses outputs that do not say which sample they belong to."""
    if len(y) != batch_length(batch):
        raise InterlawError(
            f"expected one row of outputs per sample, found {len(y)} rows for {batch_length(batch)} samples; "
            "put the batch on the first axis of the model's output"
        )
