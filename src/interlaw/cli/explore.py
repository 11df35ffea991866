"""`interlaw explore`: choose a shape in a browser, with the answers of `recommend`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import urlencode

from typer import Option

from interlaw import report
from interlaw.cli.loading import counting
from interlaw.cli.options import DecoderOption, Port
from interlaw.cli.output import AsJson, make_console, print_json, tell
from interlaw.cli.recommend import read_fit
from interlaw.cli.watch import serve
from interlaw.errors import InterlawError


def explore(
    out: Annotated[
        Path | None, Option(metavar="FILE.html", help="Write the present answer as a page, and serve nothing.")
    ] = None,
    params: Annotated[
        str | None, Option(help="Budget in total parameters to open with; the form's own when not given.")
    ] = None,
    family: Annotated[str | None, DecoderOption] = None,
    law: Annotated[
        Path | None, Option("--law", "--fit", metavar="FIT.json", help="Your law, as `interlaw fit --out` writes it.")
    ] = None,
    measure: Annotated[
        bool, Option("--measure", help="With --out: time each shape on this machine. A served page has a button.")
    ] = False,
    port: Port = 0,
    as_json: AsJson = False,
) -> None:
    """Choose a depth and a width in a browser.

    Served to this machine's browser alone; asks the functions behind `recommend`. Ctrl-C ends it.
    """
    if measure and out is None:
        raise InterlawError("expected --out FILE.html with --measure, found none; name it, or use the page's button")
    fit = None if law is None else read_fit(law)
    asked = {name: value for name, value in (("params", params), ("family", family)) if value is not None}
    if out is None:
        with counting(family or ""):  # what is wrong ends the command, before a page is served
            report.recommended(asked, fit=fit)
        with report.ExplorerServer(fit=fit, port=port) as server:
            address = f"{server.address}?{urlencode(asked)}"
            serve(server, address, said="chooses a shape; Ctrl-C ends this", as_json=as_json)
        return
    with counting(family or ""):
        page = report.write_explorer(out, asked=asked, fit=fit, measure=tell if measure else None)
    if as_json:
        print_json({"explorer": page})
    else:
        make_console(stderr=False).print(f"wrote {page}")
