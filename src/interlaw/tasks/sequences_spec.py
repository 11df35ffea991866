"""Teacher and student as a document."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from interlaw.tasks.spec import TaskPart, TaskPlan, TaskSpec

if TYPE_CHECKING:
    from interlaw.tasks.samples import RegressionTask


class SequenceTaskSpec(TaskPart, TaskSpec):
    """What decides the data; a recipe says it all.

    Attributes:
        time: Steps of a sequence of standard normal noise.
        teacher_depth: The teacher's layers.
        teacher_width: The teacher's units, all of which are features.
        train: Training sequences.
        validation: Validation sequences.
        test: Test sequences.
        data_seed: Seed of teacher and sequences.
    """

    decides: ClassVar[dict[str, str]] = {
        "input_size": "the task",
        "output_size": "task.teacher_width",
        "time": "task.time",
    }

    kind: Literal["sequences"] = "sequences"
    time: int = Field(default=80, ge=1)
    teacher_depth: int = Field(default=2, ge=1)
    teacher_width: int = Field(default=64, ge=1)
    train: int = Field(default=20_000, ge=1)
    validation: int = Field(default=1024, ge=1)
    test: int = Field(default=2048, ge=1)
    data_seed: int = 0

    def plan(self, *, folder: Path) -> TaskPlan:
        """The same task for every shape."""
        sizes = {"input_size": 1, "output_size": self.teacher_width, "time": self.time}
        return TaskPlan(spec=lambda shape: self, sizes=sizes)

    @property
    def units_per_sample(self) -> int:
        """One vector of features a sequence."""
        return 1

    def open(self, *, device: str = "cpu") -> RegressionTask:
        """Draws sequences and runs the teacher over them."""
        from interlaw.tasks.sequences import draw_task

        return draw_task(
            {"train": self.train, "validation": self.validation, "test": self.test},
            time=self.time,
            teacher_depth=self.teacher_depth,
            teacher_width=self.teacher_width,
            seed=self.data_seed,
            device=device,
        )
