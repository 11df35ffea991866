"""The kinds of task that recipes and trials name; a new kind is a line here."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Discriminator, Tag

from interlaw.tasks.images_spec import ImageTaskSpec
from interlaw.tasks.sequences_spec import SequenceTaskSpec
from interlaw.tasks.text_spec import TextTaskPart, TextTaskSpec
from interlaw.tasks.vectors_spec import VectorTaskSpec
from interlaw.tasks.waves_spec import WaveTaskSpec


def _kind(value: Any) -> str:
    """The kind that a document names; text when it names none."""
    return str(value.get("kind", "text") if isinstance(value, dict) else getattr(value, "kind", "text"))


_SelfContained = (
    Annotated[VectorTaskSpec, Tag("vectors")]
    | Annotated[ImageTaskSpec, Tag("images")]
    | Annotated[SequenceTaskSpec, Tag("sequences")]
    | Annotated[WaveTaskSpec, Tag("waves")]
)
AnyTaskSpec = Annotated[Annotated[TextTaskSpec, Tag("text")] | _SelfContained, Discriminator(_kind)]
AnyTaskPart = Annotated[Annotated[TextTaskPart, Tag("text")] | _SelfContained, Discriminator(_kind)]
