"""What is learned, on which data, and with which probes.

A new kind of task is one file with a `Task`, one with its `TaskSpec` and its `TaskPart`, and one line in each union
below.
"""

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Discriminator, Tag

from interlaw.late import late_names
from interlaw.tasks.corpus import EMBEDDED, SPLITS, Corpus, default_cache, open_corpus
from interlaw.tasks.images_spec import ImageTaskSpec
from interlaw.tasks.sequences_spec import SequenceTaskSpec
from interlaw.tasks.spec import Strict, TaskPart, TaskPlan, TaskSpec
from interlaw.tasks.text_spec import TextTaskPart, TextTaskSpec
from interlaw.tasks.vectors_spec import VectorTaskSpec

if TYPE_CHECKING:
    from interlaw.tasks.images import ImageTask
    from interlaw.tasks.sequences import SequenceTask
    from interlaw.tasks.sparse import SparseRows, draw_sparse_rows
    from interlaw.tasks.task import Task
    from interlaw.tasks.text import TextTask
    from interlaw.tasks.vectors import VectorTask
else:  # with torch, so that reading a trial's spec does without
    __getattr__ = late_names(
        __name__,
        {
            "images": ("ImageTask",),
            "sequences": ("SequenceTask",),
            "sparse": ("SparseRows", "draw_sparse_rows"),
            "task": ("Task",),
            "text": ("TextTask",),
            "vectors": ("VectorTask",),
        },
    )


def _kind(value: Any) -> str:
    """The kind that a document names; text when it names none."""
    return str(value.get("kind", "text") if isinstance(value, dict) else getattr(value, "kind", "text"))


_SelfContained = (
    Annotated[VectorTaskSpec, Tag("vectors")]
    | Annotated[ImageTaskSpec, Tag("images")]
    | Annotated[SequenceTaskSpec, Tag("sequences")]
)
AnyTaskSpec = Annotated[Annotated[TextTaskSpec, Tag("text")] | _SelfContained, Discriminator(_kind)]
AnyTaskPart = Annotated[Annotated[TextTaskPart, Tag("text")] | _SelfContained, Discriminator(_kind)]

__all__ = [
    "EMBEDDED",
    "SPLITS",
    "AnyTaskPart",
    "AnyTaskSpec",
    "Corpus",
    "ImageTask",
    "ImageTaskSpec",
    "SequenceTask",
    "SequenceTaskSpec",
    "SparseRows",
    "Strict",
    "Task",
    "TaskPart",
    "TaskPlan",
    "TaskSpec",
    "TextTask",
    "TextTaskPart",
    "TextTaskSpec",
    "VectorTask",
    "VectorTaskSpec",
    "default_cache",
    "draw_sparse_rows",
    "open_corpus",
]
