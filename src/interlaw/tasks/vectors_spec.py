"""Regression on Gaussian vectors as a document."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from interlaw.tasks.spec import TaskPart, TaskPlan, TaskSpec

if TYPE_CHECKING:
    from interlaw.tasks.samples import RegressionTask

Variant = Literal["full", "product", "hermite"]


class VectorTaskSpec(TaskPart, TaskSpec):
    """What decides the data; a recipe says it all.

    Attributes:
        variant: `full`; `product`: only the axis-aligned product; `hermite`: only the two Hermite terms.
        dim: Coordinates of x.
        train: Training points.
        validation: Validation points.
        test: Test points.
        data_seed: Seed of the directions and the points.
    """

    decides: ClassVar[dict[str, str]] = {"input_size": "task.dim", "output_size": "the task"}

    kind: Literal["vectors"] = "vectors"
    variant: Variant = "full"
    dim: int = Field(default=64, ge=2)
    train: int = Field(default=20_000, ge=1)
    validation: int = Field(default=4096, ge=1)
    test: int = Field(default=8192, ge=1)
    data_seed: int = 0

    def plan(self, *, folder: Path) -> TaskPlan:
        """The same task for every shape."""
        return TaskPlan(spec=lambda shape: self, sizes={"input_size": self.dim, "output_size": 1})

    @property
    def units_per_sample(self) -> int:
        """One target a sample."""
        return 1

    def open(self, *, device: str = "cpu") -> RegressionTask:
        """Draws directions and points, on the CPU whatever the device."""
        from interlaw.tasks.vectors import draw_task

        sizes = {"train": self.train, "validation": self.validation, "test": self.test}
        return draw_task(sizes, dim=self.dim, variant=self.variant, seed=self.data_seed, device=device)
