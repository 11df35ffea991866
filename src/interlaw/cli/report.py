"""`interlaw report`: one self-contained page of a run, and its figures as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Option

from interlaw import runs
from interlaw.cli.loading import busy
from interlaw.cli.options import RunPlace
from interlaw.cli.output import AsJson, make_console, print_json


def report(
    run: RunPlace,
    out: Annotated[
        Path | None, Option(help="The HTML file; DIR/report.html, or report.html here for a URL, when not given.")
    ] = None,
    figures: Annotated[
        Path | None, Option(metavar="FOLDER", help="Also write every figure here as PNG, SVG and PDF.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """One page: verdict, figures, every trial.

    Self-contained; with `--figures` also each figure for print.
    """
    from interlaw.report import write_figures, write_report

    with busy("fitting and drawing"):
        page = write_report(run, out or (Path("report.html") if runs.is_url(run) else None))
    written = [] if figures is None else write_figures(run, figures)
    if as_json:
        print_json({"report": page, "figures": written})
        return
    for path in (page, *written):
        make_console(stderr=False).print(str(path))
