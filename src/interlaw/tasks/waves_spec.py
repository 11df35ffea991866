"""Regression on a network of sines as a document."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from interlaw.tasks.spec import TaskPart, TaskPlan, TaskSpec

if TYPE_CHECKING:
    from interlaw.tasks.samples import RegressionTask


class WaveTaskSpec(TaskPart, TaskSpec):
    """What decides the data; a recipe says it all.

    Attributes:
        layers: Layers of sines in the target: how deep it is composed.
        gain: Standard deviation of the arguments of the sines: how often the target turns.
        hidden: Sines in each layer.
        dim: Coordinates of x.
        noise: Standard deviation of the training targets' noise, beside a target of standard deviation 1.
        train: Training points.
        validation: Validation points.
        test: Test points.
        data_seed: Seed of the target and the points.
    """

    decides: ClassVar[dict[str, str]] = {"input_size": "task.dim", "output_size": "the task"}

    kind: Literal["waves"] = "waves"
    layers: int = Field(default=2, ge=1)
    gain: float = Field(default=1.0, gt=0)
    hidden: int = Field(default=16, ge=1)
    dim: int = Field(default=8, ge=2)
    noise: float = Field(default=0.03, ge=0)
    train: int = Field(default=128_000, ge=2)
    validation: int = Field(default=4096, ge=1)
    test: int = Field(default=16_384, ge=1)
    data_seed: int = 0

    def plan(self, *, folder: Path) -> TaskPlan:
        """The same task for every shape."""
        return TaskPlan(spec=lambda shape: self, sizes={"input_size": self.dim, "output_size": 1})

    @property
    def units_per_sample(self) -> int:
        """One target a sample."""
        return 1

    def open(self, *, device: str = "cpu") -> RegressionTask:
        """Draws the target and the points, on the CPU whatever the device."""
        from interlaw.tasks.waves import draw_waves

        sizes = {"train": self.train, "validation": self.validation, "test": self.test}
        return draw_waves(
            sizes,
            dim=self.dim,
            hidden=self.hidden,
            layers=self.layers,
            gain=self.gain,
            noise=self.noise,
            seed=self.data_seed,
            device=device,
        )
