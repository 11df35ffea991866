"""What a user can fix, as exceptions: each says what was expected, what is there and what to do."""

from __future__ import annotations

import difflib
import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError

_SHOWN = 80  # characters of a name or value in a document that may be of any length


class InterlawError(Exception):
    """A mistake that the user can fix; the command line prints it as one line and exits with status 2."""


class WorkFailedError(Exception):
    """The input was fine but the work did not succeed (every trial diverged, say); exit status 1."""


class MissingExtraError(InterlawError):
    """A feature needs an optional dependency that is not installed.

    Args:
        feature: What was asked for, in the user's words.
        extra: The extra of this package that brings it.
    """

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs the extra '{extra}': pip install 'interlaw[{extra}]'")


@contextmanager
def brought_by(extra: str, feature: str) -> Iterator[None]:
    """Imports packages of an extra inside; where one is missing, the error names the extra."""
    try:
        yield
    except ImportError as error:
        raise MissingExtraError(feature, extra) from error


def did_you_mean(word: object, known: Iterable[object]) -> str:
    """The end of a message about an unknown name: the known one that is spelled most like it, or nothing.

    A known name that ends with the unknown one after a dot comes first.

    Example:
        >>> did_you_mean("h.1.mlp", ["transformer.h.0.mlp", "transformer.h.1.mlp"])
        "; did you mean 'transformer.h.1.mlp'?"
        >>> did_you_mean("lama", ["gpt", "llama", "qwen2"]), did_you_mean("bert", ["gpt", "llama"])
        ("; did you mean 'llama'?", '')
    """
    near = _nearest(word, known)
    return f"; did you mean {near!r}?" if near else ""


def _nearest(word: object, known: Iterable[object]) -> str:
    """The known name that is spelled most like a word, or nothing."""
    spelled = {str(name).casefold(): str(name) for name in known}
    asked = str(word).casefold()
    ending = [name for name in spelled if name.endswith(f".{asked}")]
    near = ending or difflib.get_close_matches(asked, spelled, n=1)
    return spelled[near[0]] if near else ""


def require_among(what: str, given: object, *, known: Collection[object], advice: str = "choose one of them") -> None:
    """Refuses a name that is not known.

    Raises:
        InterlawError: With the known names, the given one, and the known one that is spelled most like it.
    """
    if given not in known:
        names = ", ".join(map(str, known)) or "none"
        raise InterlawError(f"expected {what} among {names}, found {given!r}; {advice}{did_you_mean(given, known)}")


def near_path(path: str | Path) -> str:
    """The end of a message about a path that leads nowhere: the path that is spelled most like it, or nothing.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Path(folder, "runs").mkdir()
        ...     near_path(Path(folder, "rnus", "mine")).endswith("runs'?")
        True
    """
    path = Path(path)
    # os's is False for a name that no file can have, where pathlib raises
    missing = next((one for one in (*reversed(path.parents), path) if not os.path.exists(one)), None)  # noqa: PTH110
    if missing is None:
        return ""
    beside: list[str] = []
    with suppress(OSError):  # nothing there, or nothing that may be listed
        beside = sorted(one.name for one in missing.parent.iterdir())
    near = _nearest(missing.name, beside)
    return f"; did you mean {str(missing.parent / near)!r}?" if near else ""


def one_line(error: BaseException, *, last: bool = False) -> str:
    """What a library's error says: its first or last line, shortened; its kind where it says nothing."""
    said = str(error).strip().splitlines() or [type(error).__name__]
    return said[-1 if last else 0].strip()[: 2 * _SHOWN]


def first_problem(error: ValidationError) -> str:
    """Where the first problem of a document lies and what it is."""
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part)[:_SHOWN] for part in first["loc"])
    message = first["msg"][0].lower() + first["msg"][1 : 2 * _SHOWN]
    return f"{place}: {message}" if place else message
