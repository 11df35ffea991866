"""Regressions as documents: on samples drawn once (Gaussian vectors, waves, a teacher network), and on images."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from interlaw.errors import InterlawError
from interlaw.tasks.spec import Units, WholeTask

if TYPE_CHECKING:
    from interlaw.tasks.images import ImageTask
    from interlaw.tasks.samples import RegressionTask, Splits

DIGIT_SIZE, DIGIT_CHANNELS = 8, 1  # pixels along a side of scikit-learn's digits, in grey
PICTURE_SIZE, PICTURE_CHANNELS = 32, 3  # CIFAR's sizes
MASKED = 0.65  # share of the patches


class DrawnTask(WholeTask, ABC):
    """Regression on samples that are drawn once, on the CPU whatever the device.

    Attributes:
        train: Training samples.
        validation: Validation samples.
        test: Test samples.
        unit: What a sample is, in the singular.
    """

    unit: ClassVar[str] = "sample"
    decides: ClassVar[dict[str, str]] = {"input_size": "task.dim", "output_size": "the task"}
    # judgement: trained in minutes, and the test's mean squared error is known to 2%
    train: int = Field(default=20_000, ge=1)
    validation: int = Field(default=4096, ge=1)
    test: int = Field(default=8192, ge=1)

    @property
    def units_per_sample(self) -> int:
        """One target a sample."""
        return 1

    @property
    def units(self) -> Units:
        """Of a regression."""
        return Units(loss="mean squared error", data=f"{self.unit}s")

    @property
    def counts(self) -> dict[str, int]:
        """Samples of each split, in the order in which they are drawn."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @abstractmethod
    def draw(self) -> Splits:
        """Inputs and targets of every split."""

    def open(self, *, device: str = "cpu") -> RegressionTask:
        """Draws the samples."""
        from interlaw.tasks.samples import RegressionTask

        splits = {split: (x.to(device), y.to(device)) for split, (x, y) in self.draw().items()}
        return RegressionTask(splits, unit=self.unit, view=self.view)


class VectorTaskSpec(DrawnTask):
    """What decides the data.

    Attributes:
        variant: `full`; `product`: only the axis-aligned product; `hermite`: only the two Hermite terms.
        dim: Coordinates of x.
    """

    kind: Literal["vectors"] = "vectors"
    variant: Literal["full", "product", "hermite"] = "full"
    dim: int = Field(default=64, ge=2)  # as the paper's MLP scan

    @property
    def sizes(self) -> dict[str, int]:
        """One output."""
        return {"input_size": self.dim, "output_size": 1}

    def draw(self) -> Splits:
        """Directions and points."""
        from interlaw.tasks.vectors import draw_splits

        return draw_splits(self.counts, dim=self.dim, variant=self.variant, seed=self.data_seed)


class WaveTaskSpec(DrawnTask):
    """What decides the data.

    Attributes:
        layers: Layers of sines in the target: how deep it is composed.
        gain: Standard deviation of the arguments of the sines: how often the target turns.
        hidden: Sines in each layer.
        dim: Coordinates of x.
        noise: Standard deviation of the training targets' noise, beside a target of standard deviation 1.
    """

    kind: Literal["waves"] = "waves"
    # these and `train`: fixed in the pilots of docs/design.md; seeds of one shape spread by less than .1 in log loss
    layers: int = Field(default=2, ge=1)
    gain: float = Field(default=1.0, gt=0)
    hidden: int = Field(default=16, ge=1)
    dim: int = Field(default=8, ge=2)
    noise: float = Field(default=0.03, ge=0)
    train: int = Field(default=128_000, ge=2)
    test: int = Field(default=16_384, ge=1)

    @property
    def sizes(self) -> dict[str, int]:
        """One output."""
        return {"input_size": self.dim, "output_size": 1}

    def draw(self) -> Splits:
        """The target and the points."""
        from interlaw.tasks.waves import draw_splits

        target = self.model_dump(include={"dim", "hidden", "layers", "gain", "noise"})
        return draw_splits(self.counts, **target, seed=self.data_seed)


class SequenceTaskSpec(DrawnTask):
    """What decides the data; a sample is a sequence, its target one vector of features.

    Attributes:
        time: Steps of a sequence of standard normal noise.
        teacher_depth: The teacher's layers.
        teacher_width: The teacher's units, all of which are features.
    """

    decides: ClassVar[dict[str, str]] = {
        "input_size": "the task",
        "output_size": "task.teacher_width",
        "time": "task.time",
    }

    unit: ClassVar[str] = "sequence"
    view: ClassVar[str] = "output"

    kind: Literal["sequences"] = "sequences"
    time: int = Field(default=80, ge=1)
    teacher_depth: int = Field(default=2, ge=1)
    teacher_width: int = Field(default=64, ge=1)
    validation: int = Field(default=1024, ge=1)
    test: int = Field(default=2048, ge=1)

    @property
    def sizes(self) -> dict[str, int]:
        """A number a step in, the teacher's features out."""
        return {"input_size": 1, "output_size": self.teacher_width, "time": self.time}

    def draw(self) -> Splits:
        """Sequences, and what the teacher makes of them."""
        from interlaw.shapes import GRUShape
        from interlaw.tasks.sequences import draw_splits

        teacher = GRUShape(depth=self.teacher_depth, width=self.teacher_width, time=self.time)
        return draw_splits(self.counts, teacher=teacher, seed=self.data_seed)


class ImageTaskSpec(WholeTask):
    """Masked patches of images are restored: what decides the data.

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
        import torch

        from interlaw.tasks.images import ImageTask, split_digits

        return ImageTask(
            digits=split_digits(seed=self.data_seed) if self.images == "digits" else None,
            image_size=self.image_size,
            patch=self.patch,
            num_masked=self.num_masked,
            data_seed=self.data_seed,
            device=torch.device(device),
        )
