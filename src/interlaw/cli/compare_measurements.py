"""`interlaw compare-measurements`: how far two saved measurements lie apart."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from interlaw.cli.output import AsJson, people, print_json

Saved = typer.Argument(metavar="FILE.json", help="What `interlaw measure --out` wrote.")


def compare_measurements(
    a: Annotated[Path, Saved],
    b: Annotated[Path, Saved],
    paired: Annotated[
        bool, typer.Option("--paired", help="Both saw the same inputs: the spread that they share cancels.")
    ] = False,
    across: Annotated[
        bool, typer.Option("--across", help="Compare different layers or dimensions; read the excess then.")
    ] = False,
    level: Annotated[float, typer.Option(min=0.5, max=0.9999, help="Coverage of the intervals.")] = 0.95,
    as_json: AsJson = False,
) -> None:
    """The difference of two measurements.

    First less second, with intervals.
    """
    from interlaw.interaction import compare, load

    measured = [load(path) for path in (a, b)]
    found = compare(*measured, paired=paired, across=across, level=level)
    if as_json:
        models = [one.model for one in measured]
        print_json(
            {"models": models, "paired": paired, "level": level}
            | {"differences": {name: one.to_dict() for name, one in found.items()}}
        )
        return
    from rich.table import Table

    console = people(stderr=False)
    console.print(f"{measured[0].model or a} less {measured[1].model or b}", markup=False)
    table = Table("quantity", "difference", "standard error", f"{level:.0%} interval", box=None, header_style="bold")
    for name, one in found.items():
        table.add_row(name, f"{one.value:.5g}", f"{one.stderr:.2g}", f"{one.low:.5g} to {one.high:.5g}")
    console.print(table)
