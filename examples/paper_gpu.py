"""The paper's sweeps on one accelerator, as far as the minutes go: the cheapest work first.

    make paper-gpu MINUTES=8                                   # on the standard library's text
    python examples/paper_gpu.py --minutes 8 --text FILE --out runs/paper-gpu

First the byte-level sweep at one seed, budget after budget from the smallest, 12 depths each; then its three seeds;
then the CNN and the depth scan of GPTs. The same folder goes on where it stopped. Each sweep leaves `trials.csv` and,
where Altair is there, `report.html`. Nothing is fetched from a network. Products are in bfloat16 unless told otherwise.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from interlaw.runs import load_table, table_as
from interlaw.sweep import Event, parse_recipe, prepare_run, run_trials
from interlaw_paper.shape_sweep import Part, recipe_text

BUDGETS = ("300k", "600k", "1M", "1.3M", "1.6M", "2M", "2.3M", "2.7M", "3M", "5M", "10M")
SEEDS = ((0,), (0, 1, 2))


class TimeIsUp(Exception):
    """The minutes are over; what has ended is kept, what was begun goes on another time."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """One sweep to bring forward: a folder and the recipe's text."""

    folder: str
    recipe: str


def works(text: str | None, precision: str) -> Iterator[Work]:
    """The sweeps in the order of what they cost; each plan of the byte-level sweep holds the one before it."""
    products = ("[training]\n", f'[training]\nprecision = "{precision}"\n')
    for seeds in SEEDS:
        for count in range(1, len(BUDGETS) + 1):
            if len(seeds) > 1 and count < len(BUDGETS):
                continue  # a plan without the larger budgets would not hold what has been run
            some = ", ".join(f'"{budget}"' for budget in BUDGETS[:count])
            settings = {"amounts": f"[{some}]", "seeds": [*seeds]}
            part = Part(label="budgets", recipe="gpt-budgets", settings=settings, changes=(products,))
            yield Work(folder="budgets", recipe=recipe_text(part, scale="paper", text=text))
    for name in ("cnn", "gpt-depth"):
        part = Part(label=name, recipe=name, changes=(products,))
        yield Work(folder=name, recipe=recipe_text(part, scale="paper", text=text if name == "gpt-depth" else None))


def bring_forward(work: Work, *, out: Path, device: str, workers: int | None, deadline: float) -> None:
    """Runs what is missing of one sweep.

    Raises:
        TimeIsUp: At the deadline.
    """

    def listen(event: Event) -> None:
        if event.kind == "ended":
            ended = event.record and (event.record.status, event.record.loss)
            print(f"{work.folder}: {event.key} {ended or 'elsewhere'}", flush=True)
        if time.monotonic() > deadline:
            raise TimeIsUp

    recipe = parse_recipe(work.recipe, source=work.folder)
    run, trials = prepare_run(recipe, work.recipe, out=out / work.folder, folder=Path.cwd())
    run_trials(run, trials, num_workers=workers, device=device, checkpoint_seconds=10, listen=listen)


def write_results(folder: Path) -> None:
    """The table of what has ended, and the report."""
    table = load_table(folder)
    if not len(table):
        return
    (folder / "trials.csv").write_bytes(table_as(table, form="csv"))
    try:
        from interlaw.report import write_report

        write_report(folder)
    except ImportError as error:  # of a library that draws, which the page asks for when it is made
        print(f"no report: {error}")


def main(arguments: list[str] | None = None) -> None:
    """Works until the minutes are over."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--text", help="a file, a folder or datasets:NAME in place of the standard library")
    parser.add_argument("--precision", default="bfloat16", choices=["float32", "tfloat32", "bfloat16"])
    parser.add_argument("--out", type=Path, default=Path("runs/paper-gpu"))
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--workers", type=int)
    options = parser.parse_args(arguments)
    deadline = time.monotonic() + 60 * options.minutes
    begun: dict[str, None] = {}
    try:
        for work in works(options.text, options.precision):
            if time.monotonic() > deadline:
                raise TimeIsUp
            begun[work.folder] = None
            bring_forward(work, out=options.out, device=options.device, workers=options.workers, deadline=deadline)
    except TimeIsUp:
        print("the minutes are over; the same command goes on")
    for folder in begun:
        write_results(options.out / folder)


if __name__ == "__main__":
    main()
