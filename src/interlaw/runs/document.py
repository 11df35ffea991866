"""Reading a document that anyone may have written: the first problem in one line, and what to do about it."""

from __future__ import annotations

import json
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from interlaw.errors import InterlawError

Document = TypeVar("Document", bound=BaseModel)

SCHEMA_VERSION = 1
_SHOWN = 80


def require_document(kind: type[Document], text: str, *, what: str, source: str, remedy: str) -> Document:
    """Reads a document of a run.

    Args:
        kind: Its schema.
        text: JSON.
        what: What it should be, for the message.
        source: Where it lies.
        remedy: What to do about a damaged one.

    Raises:
        InterlawError: When it is of another schema version, or damaged.
    """
    try:
        return kind.model_validate_json(text)
    except (ValidationError, InterlawError) as error:
        version = _other_version(text)
        if version is not None:
            age = (
                "a newer interlaw, which reads it" if version > SCHEMA_VERSION else "an older interlaw, which reads it"
            )
            raise InterlawError(
                f"expected {what} of schema version {SCHEMA_VERSION} in {source}, found version {version}, written by "
                f"{age}; use that version, and leave the file as it is"
            ) from error
        problem = first_problem(error) if isinstance(error, ValidationError) else str(error)
        raise InterlawError(f"expected {what} in {source}, found: {problem}; {remedy}") from error


def first_problem(error: ValidationError) -> str:
    """Where the first problem of a document lies and what it is."""
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part)[:_SHOWN] for part in first["loc"])
    message = first["msg"][0].lower() + first["msg"][1 : 2 * _SHOWN]
    return f"{place}: {message}" if place else message


def _other_version(text: str) -> int | None:
    """The schema version that the text names, when it is not ours."""
    try:
        named = json.loads(text).get("schema_version")
    except (ValueError, AttributeError, RecursionError):
        return None
    is_other = isinstance(named, int) and not isinstance(named, bool) and named != SCHEMA_VERSION
    return named if is_other else None
