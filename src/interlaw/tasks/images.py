"""Masked-patch reconstruction: fill in the patches of an image that were greyed out (arXiv 2605.27989)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from interlaw.errors import InterlawError, brought_by
from interlaw.tasks.task import numbers_from, sent

GREY = 0.5  # the middle of the range of a pixel
Batch = tuple[Float[Tensor, "batch inputs rows columns"], Float[Tensor, "batch channels rows columns"]]
HELD_OUT_STREAMS = 100  # apart from the streams of training batches
NUM_BLOBS = 8  # of a scene: they overlap, and leave edges to be restored
BRIGHTEST = 16  # value of a pixel of the digits
_HELD_OUT = 0.1  # of 1797 digits: 180 for validation, as many for the test
_SPLIT_SEEDS = {"validation": 1, "test": 2}  # so that their masks, and their scenes, are not alike


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageTask:
    """Restore images from what is left of them; the loss is the mean squared error over masked pixels only.

    Attributes:
        digits: Scikit-learn's digits by split; drawn scenes where it is None.
        image_size: Pixels along a side of an image.
        patch: Pixels along a side of a patch.
        num_masked: Masked patches of an image.
        data_seed: Seed of the held-out scenes.
        device: Where batches are put.
    """

    unit = "pixel"
    digits: Mapping[str, Tensor] | None
    image_size: int
    patch: int
    num_masked: int
    data_seed: int
    device: torch.device

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
        if self.digits is not None:
            digits = self.digits[split]
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


def draw_pictures(count: int, *, size: int = 32, source: np.random.Generator) -> Float[Tensor, "n 3 size size"]:
    """RGB scenes: a smooth gradient, eight Gaussian blobs and one oriented sinusoid, clamped to [0, 1].

    Args:
        count: Images.
        size: Pixels along a side.
        source: Everything random comes from it.
    """
    place = (np.arange(size, dtype=np.float32) + 0.5) / size
    y, x = place[:, None], place[None, :]
    color = (count, 3, 1, 1)
    # from faint to strong, so that few scenes are clamped; any ranges of this kind do
    level, slope_x, slope_y = source.uniform(0.3, 0.7, color), *source.uniform(-0.4, 0.4, (2, *color))
    image = level + slope_x * (x - 0.5) + slope_y * (y - 0.5)
    for _ in range(NUM_BLOBS):
        at_x, at_y = source.uniform(0, 1, (2, count, 1, 1, 1))
        radius = source.uniform(0.05, 0.2, (count, 1, 1, 1))
        blob = np.exp(-((x - at_x) ** 2 + (y - at_y) ** 2) / (2 * radius**2))
        image = image + source.uniform(-0.5, 0.5, color) * blob
    angle, frequency = source.uniform(0, np.pi, (count, 1, 1, 1)), source.uniform(2, 6, (count, 1, 1, 1))
    phase = source.uniform(0, 2 * np.pi, (count, 1, 1, 1))
    wave = np.sin(2 * np.pi * frequency * (np.cos(angle) * x + np.sin(angle) * y) + phase)
    image = image + source.uniform(-0.2, 0.2, color) * wave
    return torch.from_numpy(np.clip(image, 0, 1).astype(np.float32))


def split_digits(*, seed: int = 0) -> dict[str, Float[Tensor, "n 1 8 8"]]:
    """The 1797 digits of 8 x 8 pixels in [0, 1], a tenth each for validation and test.

    Raises:
        MissingExtraError: When scikit-learn is not installed.

    Source: Alpaydin & Kaynak 1998, UCI optical recognition of handwritten digits, as shipped with scikit-learn.
    """
    with brought_by("images", "the digits"):
        from sklearn.datasets import load_digits  # type: ignore[import-untyped]
    images = torch.from_numpy(load_digits().images.astype(np.float32) / BRIGHTEST)[:, None]
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    held_out = round(_HELD_OUT * len(images))
    parts = {"test": order[:held_out], "validation": order[held_out : 2 * held_out], "train": order[2 * held_out :]}
    return {split: images[index] for split, index in parts.items()}
