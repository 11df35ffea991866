"""Arguments and options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from typer import Argument, Option

from interlaw import shapes
from interlaw.errors import InterlawError, near_path

Options = TypeVar("Options")  # a TypedDict


def among(names: Iterable[str]) -> Callable[[str], list[str]]:
    """What the shell offers: names that begin as what was typed (typer knows `incomplete` by its name).

    Example:
        >>> among(("largest", "nearest"))("la")
        ['largest']
    """
    return lambda incomplete: [name for name in names if name.startswith(incomplete)]


RunPlace = Annotated[str, Argument(metavar="DIR|URL", help="A run's folder or its URL, finished or not.")]
OwnText = Annotated[
    Path | None, Option(metavar="FOLDER|FILE", help="Your own text; the standard library's when not given.")
]
Workers = Annotated[int | None, Option(min=1, help="Worker processes; one a core, or one on a GPU, when not given.")]
TrainDevice = Annotated[
    str | None, Option(help="Where to train: cpu, cuda, cuda:1; cuda where there is one when not given.")
]
FigureFile = Annotated[Path | None, Option(metavar="FILE.png", help="Also draw it, as PNG, SVG or PDF by the ending.")]
Port = Annotated[int, Option(help="Port on this machine; any free one when 0.")]
Confidence = Annotated[float, Option(help="Level of every interval.")]
Resamples = Annotated[int, Option(help="Bootstrap draws and permutations, each.")]
Vocabulary = Annotated[str | None, Option("--vocab", help="Vocabulary size, such as 32k; the family's own.")]
DecoderOption = Option(
    help=f"{', '.join(shapes.DECODERS)}, or hf:NAME, a dense decoder such as qwen3.",
    autocompletion=among(shapes.DECODERS),
)
Tied = Annotated[bool | None, Option("--tied/--untied", help="Output head tied to the token table.")]


def require_text_there(text: Path | None) -> None:
    """Refuses a text of the user's own that is not there."""
    if text is not None and not text.exists():
        raise InterlawError(
            f"expected a text file or folder, found nothing at {str(text)!r}; check the path{near_path(text)}"
        )


def given_options(ctx: typer.Context, taken: Callable[..., Options], **other: object) -> Options:
    """The options that were given, of those that a function of the library takes; it keeps its defaults for others.

    Args:
        ctx: The command, whose options have the library's names.
        taken: A TypedDict of what the function takes, so that the types of both are compared.
        **other: Arguments of another name or meaning; None leaves one out.
    """
    options = {**ctx.params, **other}
    return taken(**{name: options[name] for name in taken.__annotations__ if options.get(name) is not None})
