"""Images without a download: procedural scenes, and scikit-learn's handwritten digits."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from interlaw.errors import brought_by

NUM_BLOBS = 8  # of a scene: they overlap, and leave edges to be restored
BRIGHTEST = 16  # value of a pixel of the digits
_HELD_OUT = 0.1  # of 1797 digits: 180 for validation, as many for the test


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
