"""`interlaw reproduce`: one of the paper's experiments, and how near it came."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from interlaw import sweep
from interlaw.cli.completion import EXPERIMENTS, SCALES, among
from interlaw.cli.options import TrainDevice, Workers
from interlaw.cli.output import AsJson, make_console, print_json
from interlaw.cli.sweep import choose_device, drive, require_device
from interlaw.errors import WorkFailedError

if TYPE_CHECKING:
    from interlaw import reproduce as experiments


def reproduce(
    name: Annotated[
        str, typer.Argument(help="An experiment; a wrong name lists them.", autocompletion=among(EXPERIMENTS))
    ],
    out: Annotated[Path, typer.Option(help="The experiment's folder; resumed when it exists.")],
    scale: Annotated[
        str,
        typer.Option(
            help="tiny: minutes on two cores; paper: as published; decisive: docs/design.md.",
            autocompletion=among(SCALES),
        ),
    ] = "tiny",
    text: Annotated[
        str | None,
        typer.Option(help="For gpt-depth, gpt-budgets, nfa and open-models: a file, a folder or datasets:NAME."),
    ] = None,
    models: Annotated[
        str | None, typer.Option(help="For open-models: Hugging Face names or folders, with commas between them.")
    ] = None,
    workers: Workers = None,
    device: TrainDevice = None,
    as_json: AsJson = False,
) -> None:
    """One of the paper's experiments, compared.

    Every published figure beside what came out.
    """
    from interlaw import reproduce as experiments  # they bring torch

    experiments.require_options(name, {"workers"} if workers is not None else ())
    device = choose_device(device)
    require_device(device)
    console = make_console()

    def run_sweep(plan: experiments.Plan) -> None:
        drive(plan, partial(sweep.run_trials, num_workers=workers, device=device))

    driver = experiments.Driver(sweep=run_sweep, note=lambda line: console.print(line), device=device)
    chosen = tuple(part.strip() for part in (models or "").split(",") if part.strip())
    outcome = experiments.reproduce(name, scale=scale, out=out, driver=driver, text=text, models=chosen)
    if as_json:
        print_json(outcome.to_dict())
    else:
        _show(outcome)
    if outcome.lost:
        raise WorkFailedError(
            f"{len(outcome.lost)} of what {name} was to run did not end well, so its figures have holes; the first: "
            f"{outcome.lost[0]}; {out}/outcome.md names all"
        )


def _show(outcome: experiments.Outcome) -> None:
    """The agreement table, what the claims' tests say, and what both leave out."""
    from interlaw.reproduce import HEADS, remarks

    console = make_console(stderr=False)
    console.print(outcome.setting)
    console.print_rows(HEADS, [line.cells() for line in outcome.agreement])
    for note in (*outcome.sentences(), *remarks(outcome.agreement), *outcome.notes, *outcome.files):
        console.print(note)
    for lost in outcome.lost:
        console.print(f"Lost: {lost}.")
