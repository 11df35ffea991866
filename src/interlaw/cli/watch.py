"""`interlaw watch`: the report of a running sweep in a browser, renewed as trials end."""

from __future__ import annotations

from interlaw.cli.options import Port, RunPlace
from interlaw.cli.output import AsJson, make_console, print_json


def watch(
    run: RunPlace,
    port: Port = 0,
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
