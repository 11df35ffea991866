"""`interlaw export`: a run as a table."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from interlaw import runs
from interlaw.cli.options import RunPlace
from interlaw.cli.output import AsJson, print_json, tell_written
from interlaw.files import save


def export(
    run: RunPlace,
    form: Annotated[Literal["csv", "parquet", "jsonl"], typer.Option("--format", help="Of the table.")] = "csv",
    out: Annotated[Path | None, typer.Option(help="File to write; stdout when not given.")] = None,
    as_json: AsJson = False,
) -> None:
    """A run as a table, one row a trial.

    Shape, loss, interaction with intervals, cost.
    """
    table = runs.load_table(run)
    content = runs.table_as(table, form=form)
    if out is None and as_json:
        print_json({"trials": table.to_dict(orient="records")})
        return
    if out is None:
        sys.stdout.buffer.write(content)
        return
    replaced = out.exists()
    save(out, content)
    tell_written(out, replaced=replaced)
    if as_json:
        print_json({"trials": len(table), "format": form, "out": out})
