"""Masked-patch reconstruction: fill in the patches of an image that were greyed out (arXiv 2605.27989)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from interlaw.errors import InterlawError
from interlaw.tasks.pictures import draw_pictures, split_digits
from interlaw.tasks.task import numbers_from, sent

GREY = 0.5  # the middle of the range of a pixel
Batch = tuple[Float[Tensor, "batch inputs rows columns"], Float[Tensor, "batch channels rows columns"]]
HELD_OUT_STREAMS = 100  # apart from the streams of training batches
_SPLIT_SEEDS = {"validation": 1, "test": 2}  # so that their masks, and their scenes, are not alike


class ImageTask:
    """Restore images from what is left of them; the loss is the mean squared error over masked pixels only.

    Args:
        digits: Scikit-learn's digits; else drawn scenes.
        image_size: Pixels along a side of an image.
        patch: Pixels along a side of a patch.
        num_masked: Masked patches of an image.
        data_seed: Seed of the split of the digits, and of the held-out scenes.
        device: Where batches are put.
    """

    unit = "pixel"

    def __init__(
        self,
        *,
        digits: bool,
        image_size: int,
        patch: int,
        num_masked: int,
        data_seed: int,
        device: torch.device | str = "cpu",
    ) -> None:
        self.image_size = image_size
        self.patch = patch
        self.num_masked = num_masked
        self.data_seed = data_seed
        self.device = torch.device(device)
        self._digits = split_digits(seed=data_seed) if digits else None

    @property
    def units_per_sample(self) -> int:
        """Masked pixels of an image."""
        return self.num_masked * self.patch**2

    def batch(self, *, seed: int, step: int, size: int) -> Batch:
        """The training batch of a step: images and masks, a pure function of the arguments."""
        source = numbers_from(seed, step)
        return self._masked(self._draw("train", size, source=source), source)

    def evaluation(self, split: str, *, num_samples: int, batch_size: int) -> Iterator[Batch]:
        """Held-out images with fixed masks."""
        images = self._draw(split, num_samples, source=None)
        inputs, targets = self._masked(images, numbers_from(_SPLIT_SEEDS[split], 0))
        for first in range(0, len(inputs), batch_size):
            yield inputs[first : first + batch_size], targets[first : first + batch_size]

    def probes(self, *, num_samples: int, with_targets: bool) -> Float[Tensor, "samples inputs rows columns"]:
        """Masked validation images on which interaction is measured.

        Raises:
            InterlawError: For a view of next-token losses.
        """
        if with_targets:
            raise InterlawError("expected a view without targets for a regression task, found loss; choose patch")
        return next(self.evaluation("validation", num_samples=num_samples, batch_size=num_samples))[0]

    def loss(self, model: nn.Module, batch: Batch) -> Float[Tensor, ""]:
        """Mean squared error over the masked pixels and their channels."""
        inputs, targets = batch
        mask = inputs[:, -1:]
        squared = (model(inputs) - targets).square() * mask
        mean: Tensor = squared.sum() / (mask.sum() * targets.shape[1])
        return mean

    def figures(self, loss: float) -> dict[str, float]:
        """Peak signal-to-noise ratio on the masked pixels, in decibels."""
        return {"psnr": -10 * float(np.log10(max(loss, 1e-30)))}  # 300 decibels for a loss of 0

    def _draw(self, split: str, count: int, *, source: np.random.Generator | None) -> Tensor:
        """Images (n, channels, size, size) of a split: by the random source, or the first ones where it is None."""
        if self._digits is not None:
            digits = self._digits[split]
            return digits[:count] if source is None else digits[source.integers(0, len(digits), size=count)]
        if source is None:
            source = numbers_from(self.data_seed, HELD_OUT_STREAMS + _SPLIT_SEEDS[split])
        return draw_pictures(count, size=self.image_size, source=source)

    def _masked(self, images: Tensor, source: np.random.Generator) -> Batch:
        """Images greyed out under a mask, with the mask as a last channel, and the images themselves."""
        images, side = sent(images, self.device), self.image_size // self.patch
        masks = draw_masks(len(images), side=side, patch=self.patch, num_masked=self.num_masked, source=source)
        mask = sent(masks, self.device).to(images.dtype)
        return torch.cat([images * (1 - mask) + GREY * mask, mask], 1), images


def draw_masks(
    count: int, *, side: int, patch: int, num_masked: int, source: np.random.Generator
) -> Bool[Tensor, "n 1 pixels pixels"]:
    """True where a pixel is masked; each image of side x side patches has equally many masked, at random places."""
    order = source.permuted(np.tile(np.arange(side * side), (count, 1)), axis=1)
    masks = torch.from_numpy(order < num_masked).view(count, 1, side, side)
    return masks.repeat_interleave(patch, 2).repeat_interleave(patch, 3)
