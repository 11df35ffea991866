"""A task as a document: what a person writes in a recipe, and what a trial keeps of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, ConfigDict

from interlaw.shapes import Shape

if TYPE_CHECKING:
    from interlaw.tasks.task import Task


class Strict(BaseModel):
    """A frozen document in which an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


@dataclass(frozen=True, kw_only=True)
class Units:
    """What a task's loss is measured in, and what it is trained on, in the plural."""

    loss: str
    data: str


class TaskSpec(Strict, ABC):
    """Data and loss of one trial, whole: equal specs give the same batches.

    Attributes:
        kind: Its name in recipes and specs; a subclass makes it a literal.
    """

    kind: str

    @property
    @abstractmethod
    def units_per_sample(self) -> int:
        """Units (tokens, supervised positions) in one sample of a batch."""

    @property
    def units(self) -> Units:
        """For reports."""
        return Units(loss=f"as the task {self.kind} defines it", data="samples")

    @abstractmethod
    def open(self, *, device: str = "cpu") -> Task:
        """The data, ready for training.

        Raises:
            InterlawError: When the data is not what the trial was planned on.
        """


@dataclass(frozen=True, kw_only=True)
class TaskPlan:
    """What planning needs to know of a task.

    Attributes:
        sizes: Sizes of the shape that the data decide, such as vocab_size.
        spec: The task of a trial with this shape; refuses a shape that the data cannot feed.
    """

    spec: Callable[[Shape], TaskSpec]
    sizes: dict[str, int] = field(default_factory=dict)


class TaskPart(Strict, ABC):
    """The `[task]` part of a recipe.

    Attributes:
        kind: What is learned, by name.
        decides: Sizes of the shape that the data decide, and what they follow from; a recipe may not set them.
        view: The view that a message suggests in place of one that needs next tokens.
    """

    view: ClassVar[str] = "input"
    kind: str
    decides: ClassVar[dict[str, str]] = {}

    @abstractmethod
    def plan(self, *, folder: Path) -> TaskPlan:
        """Opens the data; a relative path starts at `folder`."""


class WholeTask(TaskPart, TaskSpec, ABC):
    """A task of which a recipe says everything, so that it is the same for every shape.

    Attributes:
        data_seed: Seed of everything that is drawn.
    """

    data_seed: int = 0

    @property
    @abstractmethod
    def sizes(self) -> dict[str, int]:
        """Sizes of the shape that the data decide."""

    def plan(self, *, folder: Path) -> TaskPlan:
        """The same task for every shape."""
        return TaskPlan(spec=lambda shape: self, sizes=self.sizes)
