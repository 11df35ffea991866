"""What `measure`, `layers` and `diff` are asked for: a model, what it reads, and how it is measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from typer import Argument, Option

from interlaw import interaction, subject
from interlaw.cli.loading import busy, uncollected
from interlaw.cli.options import among, given_options
from interlaw.cli.output import make_console, tell

Result = TypeVar("Result")

Model = Annotated[
    str, Argument(metavar="MODEL", help="Hugging Face name or folder, a trial's folder, or module.py:factory.")
]
Text = Annotated[
    Path | None,
    Option(metavar="FILE|FOLDER", help="Text to read; a language model has a default. A document is one cluster."),
]
Inputs = Annotated[Path | None, Option(metavar="FILE.npy", help="Inputs; the first axis counts samples.")]
Groups = Annotated[
    Path | None,
    Option(metavar="FILE", help="One label a sample of --inputs: samples that share a subject are one cluster."),
]
Samples = Annotated[int | None, Option(min=3, help="At most so many samples (sequences), the cap of --rel-error too.")]
Probes = Annotated[int | None, Option(min=1, help="Random vectors a sample.")]
Seed = Annotated[int, Option(help="Seed of the probes, and of which parts of a text are read.")]
Positions = Annotated[str | None, Option(help="Output positions of sequences: last or all.")]
Layer = Annotated[str | None, Option(metavar="NAME", help="Measure at the input of this module.")]
Level = Annotated[float | None, Option(help="Coverage of the intervals.")]
Context = Annotated[int | None, Option(min=2, help="Tokens a sequence.")]
Device = Annotated[str | None, Option(help="cpu or cuda; cuda where there is one when not given.")]
Float32 = Annotated[bool, Option("--float32", help="Differentiate low-precision weights in float32.")]
Trust = Annotated[bool, Option("--trust-remote-code", help="Run code that comes with a hub model.")]


def of_views(text: str, names: Iterable[str] = interaction.VIEWS) -> Any:
    """An option that names a view: its help text, and the names that the shell offers."""
    return Option(help=text, autocompletion=among(names))


def chosen(ctx: typer.Context, **other: Any) -> subject.NamedOptions:
    """The options of a measurement that were given."""
    import torch

    dtype = torch.float32 if ctx.params["float32"] else None
    return given_options(ctx, subject.NamedOptions, dtype=dtype, **other)


def measured(
    work: Callable[..., Result],
    model: str,
    *,
    inputs: Path | None,
    options: subject.NamedOptions,
    printed: set[str] | None = None,
    **beside: Any,
) -> tuple[subject.Named, Result]:
    """Loads MODEL, reads its inputs and does the work on them, with a bar that shows how far it is.

    Prints what people should know and was not `printed` yet; `beside` is for `interlaw.subject.open_named`.
    """
    with busy(f"loading {model} and what it reads"), uncollected():
        named = subject.open_named(model, inputs, options=options, **beside)
    printed = set() if printed is None else printed
    lines = [f"note: {note}" for note in named.subject.notes]
    lines += [] if named.given.text is None else [f"text: {named.given.text}"]
    for line in [*lines, *(f"note: {note}" for note in named.given.notes)]:
        if line not in printed:
            tell(line)
        printed.add(line)
    with progress_bar(named.given.inputs) as advance:
        return named, work(named.subject.model, named.given.inputs, **named.options, progress=advance)


@contextmanager
def progress_bar(inputs: Any) -> Iterator[Callable[[int], None]]:
    """A bar on stderr while a terminal is there to see it."""
    from rich.progress import Progress

    total = subject.count_samples(inputs)
    console = make_console()
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("measuring", total=total)
        yield lambda done: bar.update(task, completed=done)
