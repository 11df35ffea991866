"""`interlaw watch`: the report of a running sweep in a browser, renewed as trials end."""

from __future__ import annotations

from typing import Annotated

import typer

from interlaw.cli.output import AsJson, make_console, print_json


def watch(
    run: Annotated[str, typer.Argument(metavar="DIR|URL", help="A run's folder or its URL, finished or not.")],
    port: Annotated[int, typer.Option(help="Port on this machine; any free one when 0.")] = 0,
    as_json: AsJson = False,
) -> None:
    """The live report of a running sweep.

    Served to this machine's browser and renewed as trials end; Ctrl-C ends it.
    """
    import sys

    from interlaw.report import ReportServer

    with ReportServer(run, port=port) as server:
        if as_json:
            print_json({"address": server.address, "port": server.server_port})
            sys.stdout.flush()
        else:
            make_console().print(f"{server.address} shows {run}; Ctrl-C ends this, not the sweep")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return
