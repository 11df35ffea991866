"""`interlaw explore`: a self-contained page to choose a shape on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from interlaw.cli.output import AsJson, people, print_json


def explore(
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="The page; explorer.html here when not given.")
    ] = None,
    fit: Annotated[
        Path | None, typer.Option(metavar="FIT.json", help="Your law, as `interlaw fit --out` writes it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """A page to choose a shape on.

    Equal-budget shapes, exact counts, cost and evidence, as you type; no network.
    """
    from interlaw.cli.recommend import read_fit
    from interlaw.report import write_explorer

    page = write_explorer(out, fit=None if fit is None else read_fit(fit))
    if as_json:
        print_json({"explorer": page})
        return
    people(stderr=False).print(f"explorer: {page}", markup=False)
