"""`interlaw export`: a run as a table."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal, get_args

from typer import Option

from interlaw import runs
from interlaw.cli.options import RunPlace
from interlaw.cli.output import AsJson, print_json, tell_written
from interlaw.files import save

Form = Literal["csv", "parquet", "jsonl"]


def export(
    run: RunPlace,
    form: Annotated[
        Form | None, Option("--format", help="Of the table; by the ending of --out, else csv, when not given.")
    ] = None,
    out: Annotated[Path | None, Option(help="File to write; stdout when not given.")] = None,
    as_json: AsJson = False,
) -> None:
    """A run as a table, one row a trial.

    Shape, loss, interaction with intervals, cost.
    """
    ending = "" if out is None else out.suffix.removeprefix(".")
    named = form or (ending if ending in get_args(Form) else "csv")
    table = runs.load_table(run)
    content = runs.table_as(table, form=named)
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
        print_json({"trials": len(table), "format": named, "out": out})
