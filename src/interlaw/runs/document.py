"""Reading a document that anyone may have written: the first problem in one line, and what to do about it."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import ClassVar, Self

from pydantic import BaseModel, ValidationError

from interlaw.errors import InterlawError, first_problem

SCHEMA_VERSION = 1  # rises when older documents can no longer be read


class Document(BaseModel):
    """A file of a run, which anyone may have written."""

    what: ClassVar[str]  # what it should be, for the message about another one
    remedy: ClassVar[str]  # what to do about a damaged one

    @classmethod
    def read(cls, text: str, *, source: str) -> Self:
        """Reads the document from JSON; source: where it lies.

        Raises:
            InterlawError: When it is of another schema version, or damaged.
        """
        try:
            return cls.model_validate_json(text)
        except (ValidationError, InterlawError) as error:
            version = _other_version(text)
            if version is not None:
                age = "a newer" if version > SCHEMA_VERSION else "an older"
                raise InterlawError(
                    f"expected {cls.what} of schema version {SCHEMA_VERSION} in {source}, found version {version}, "
                    f"written by {age} interlaw, which reads it; use that version, and leave the file as it is"
                ) from error
            problem = first_problem(error) if isinstance(error, ValidationError) else str(error)
            raise InterlawError(f"expected {cls.what} in {source}, found: {problem}; {cls.remedy}") from error


def _other_version(text: str) -> int | None:
    """The schema version that the text names, when it is not ours."""
    with suppress(ValueError, AttributeError, RecursionError):
        named = json.loads(text).get("schema_version")
        if isinstance(named, int) and not isinstance(named, bool) and named != SCHEMA_VERSION:
            return named
    return None
