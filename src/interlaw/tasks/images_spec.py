"""Masked-patch reconstruction as a document."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from interlaw.errors import InterlawError
from interlaw.tasks.spec import Units, WholeTask

if TYPE_CHECKING:
    from interlaw.tasks.images import ImageTask

DIGIT_SIZE, DIGIT_CHANNELS = 8, 1  # pixels along a side of scikit-learn's digits, in grey
PICTURE_SIZE, PICTURE_CHANNELS = 32, 3  # CIFAR's sizes
MASKED = 0.65  # share of the patches


class ImageTaskSpec(WholeTask):
    """What decides the data.

    Attributes:
        images: `procedural`: new ones for every batch; `digits`: scikit-learn's 1797 handwritten digits.
        patch: Pixels along the side of a patch; it divides the image's side.
    """

    view: ClassVar[str] = "patch"
    decides: ClassVar[dict[str, str]] = dict.fromkeys(("channels", "image_size", "supervised"), "the images")

    kind: Literal["images"] = "images"
    images: Literal["procedural", "digits"] = "procedural"
    patch: int = Field(default=4, ge=1)  # 64 of them in a picture
    data_seed: int = Field(default=0, ge=0)

    @property
    def sizes(self) -> dict[str, int]:
        """Sizes of an image, and its masked pixels.

        Raises:
            InterlawError: The patch does not divide the image's side.
        """
        if self.image_size % self.patch:
            raise InterlawError(
                f"expected a patch that divides {self.image_size} pixels, found {self.patch}; choose another"
            )
        channels = DIGIT_CHANNELS if self.images == "digits" else PICTURE_CHANNELS
        return {"channels": channels, "image_size": self.image_size, "supervised": self.units_per_sample}

    @property
    def image_size(self) -> int:
        """Pixels along a side."""
        return DIGIT_SIZE if self.images == "digits" else PICTURE_SIZE

    @property
    def num_masked(self) -> int:
        """Patches of an image that are masked, to the nearest whole one."""
        return round(MASKED * (self.image_size // self.patch) ** 2)

    @property
    def units_per_sample(self) -> int:
        """Masked pixels of an image."""
        return self.num_masked * self.patch**2

    @property
    def units(self) -> Units:
        """Of a regression on pixels."""
        return Units(loss="mean squared error", data="pixels")

    def open(self, *, device: str = "cpu") -> ImageTask:
        """The images as a task."""
        from interlaw.tasks.images import ImageTask

        return ImageTask(self, device=device)
