"""The kinds of task that recipes and trials name; a new kind is a line in `TASKS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, SerializeAsAny

from interlaw.errors import did_you_mean
from interlaw.registry import Registry
from interlaw.tasks.regression_specs import ImageTaskSpec, SequenceTaskSpec, VectorTaskSpec, WaveTaskSpec
from interlaw.tasks.spec import Strict, TaskPart, TaskSpec
from interlaw.tasks.text_spec import TextTaskPart, TextTaskSpec


@dataclass(frozen=True, kw_only=True)
class TaskKind:
    """A kind of task.

    Attributes:
        part: What a recipe says of it.
        spec: What a trial keeps of it; the same class where a recipe already says everything.
    """

    part: type[TaskPart]
    spec: type[TaskSpec]


TASKS: Registry[TaskKind] = Registry(
    "interlaw.tasks",
    {
        "text": TaskKind(part=TextTaskPart, spec=TextTaskSpec),
        "vectors": TaskKind(part=VectorTaskSpec, spec=VectorTaskSpec),
        "images": TaskKind(part=ImageTaskSpec, spec=ImageTaskSpec),
        "sequences": TaskKind(part=SequenceTaskSpec, spec=SequenceTaskSpec),
        "waves": TaskKind(part=WaveTaskSpec, spec=WaveTaskSpec),
    },
)


def _reader(model: Callable[[TaskKind], type[Strict]]) -> Callable[[Any], Any]:
    """Reads a document as the model of the kind that it names; text when it names none."""

    def read(document: Any) -> Any:
        if not isinstance(document, Mapping):
            return document
        kind = document.get("kind", "text")
        if not isinstance(kind, str) or kind not in TASKS:
            known = TASKS.names()
            given = f"{str(kind)[:40]!r}{did_you_mean(kind, known)}"
            raise ValueError(f"kind must be one of {', '.join(known)}, found {given}")
        return model(TASKS[kind]).model_validate(document)

    return read


AnyTaskSpec = Annotated[SerializeAsAny[TaskSpec], BeforeValidator(_reader(lambda kind: kind.spec))]
AnyTaskPart = Annotated[SerializeAsAny[TaskPart], BeforeValidator(_reader(lambda kind: kind.part))]
