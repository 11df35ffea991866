"""`interlaw reproduce`: one of the paper's experiments, and how near it came."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

import interlaw_paper as paper
from interlaw import sweep
from interlaw.cli import AsJson, TrainDevice, Workers, among, drive, load_torch, make_console, print_json
from interlaw.errors import WorkFailedError
from interlaw.machine import default_device, require_device


def reproduce(
    name: Annotated[
        str, typer.Argument(help="An experiment; a wrong name lists them.", autocompletion=among(paper.EXPERIMENTS))
    ],
    out: Annotated[Path, typer.Option(help="The experiment's folder; resumed when it exists.")],
    scale: Annotated[
        str,
        typer.Option(
            help="tiny: minutes on two cores; paper: as published; decisive: docs/design.md.",
            autocompletion=among(paper.SCALES),
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
    load_torch()
    paper.require_options(name, {"workers"} if workers is not None else ())
    device = device or default_device()
    require_device(device)
    console = make_console()

    def run_sweep(plan: paper.Plan) -> None:
        drive(plan, partial(sweep.run_trials, num_workers=workers, device=device))

    driver = paper.Driver(sweep=run_sweep, note=lambda line: console.print(line), device=device)
    chosen = tuple(part.strip() for part in (models or "").split(",") if part.strip())
    outcome = paper.reproduce(name, scale=scale, out=out, driver=driver, text=text, models=chosen)
    if as_json:
        print_json(outcome.to_dict())
    else:
        _show(outcome)
    if outcome.lost:
        raise WorkFailedError(
            f"{len(outcome.lost)} of what {name} was to run did not end well, so its figures have holes; the first: "
            f"{outcome.lost[0]}; {out}/outcome.md names all"
        )


def _show(outcome: paper.Outcome) -> None:
    """The agreement table, what the claims' tests say, and what both leave out."""
    console = make_console(stderr=False)
    console.print(outcome.setting)
    console.print_rows(paper.HEADS, [line.cells() for line in outcome.agreement])
    for note in (*outcome.sentences(), *paper.remarks(outcome.agreement), *outcome.notes, *outcome.files):
        console.print(note)
    for lost in outcome.lost:
        console.print(f"Lost: {lost}.")
