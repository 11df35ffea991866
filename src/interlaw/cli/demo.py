"""`interlaw demo`: the report of a real experiment, without running one."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

from typer import Option

from interlaw import report
from interlaw.cli.output import AsJson, print_json, tell
from interlaw.files import save


def demo(
    out: Annotated[Path, Option(metavar="FILE.html", help="Where the page is written.")] = Path("runs/demo.html"),
    as_json: AsJson = False,
) -> None:
    """The report of a real experiment, in a browser.

    176 small networks of 3 sizes: which shape learns best, and what interaction has to do with the loss.
    """
    save(out, report.demo_page().encode())
    if as_json:
        print_json({"page": str(out)})
    elif webbrowser.open(out.resolve().as_uri()):
        tell(f"wrote {out} and opened it")
    else:
        tell(f"wrote {out}; open it in a browser")
