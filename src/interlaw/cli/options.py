"""Arguments and options that several commands share."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from interlaw import shapes
from interlaw.cli.completion import among
from interlaw.errors import InterlawError, near_path

RunPlace = Annotated[str, typer.Argument(metavar="DIR|URL", help="A run's folder or its URL, finished or not.")]
OwnText = Annotated[
    Path | None, typer.Option(metavar="FOLDER|FILE", help="Your own text; the standard library's when not given.")
]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Worker processes; one a core, or one on a GPU, when not given.")
]
TrainDevice = Annotated[
    str | None, typer.Option(help="Where to train: cpu, cuda, cuda:1; cuda where there is one when not given.")
]
FigureFile = Annotated[
    Path | None, typer.Option(metavar="FILE.png", help="Also draw it, as PNG, SVG or PDF by the ending.")
]
Port = Annotated[int, typer.Option(help="Port on this machine; any free one when 0.")]
Confidence = Annotated[float, typer.Option(help="Level of every interval.")]
Resamples = Annotated[int, typer.Option(help="Bootstrap draws and permutations, each.")]
Vocabulary = Annotated[str | None, typer.Option("--vocab", help="Vocabulary size, such as 32k; the family's own.")]
DecoderOption = typer.Option(
    help=f"{', '.join(shapes.DECODERS)}, or hf:NAME, a dense decoder such as qwen3.",
    autocompletion=among(shapes.DECODERS),
)
Tied = Annotated[bool | None, typer.Option("--tied/--untied", help="Output head tied to the token table.")]


def require_text_there(text: Path | None) -> None:
    """Refuses a text of the user's own that is not there."""
    if text is not None and not text.exists():
        raise InterlawError(
            f"expected a text file or folder, found nothing at {str(text)!r}; check the path{near_path(text)}"
        )


def given_options(ctx: typer.Context, names: Iterable[str], **other: Any) -> dict[str, Any]:
    """The options of these names that were given; a function of the library keeps its defaults for the others.

    Args:
        ctx: The command, whose options have the library's names.
        names: What the function takes.
        **other: Arguments of another name or meaning; None leaves one out.
    """
    options = {**ctx.params, **other}
    return {name: options[name] for name in names if options.get(name) is not None}
