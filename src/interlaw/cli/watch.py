"""`interlaw watch`: the report of a running sweep in a browser, renewed as trials end."""

from __future__ import annotations

import sys
from contextlib import suppress

from interlaw import report
from interlaw.cli.options import Port, RunPlace
from interlaw.cli.output import AsJson, print_json, tell


def watch(
    run: RunPlace,
    port: Port = 0,
    as_json: AsJson = False,
) -> None:
    """The live report of a running sweep.

    Served to this machine's browser and renewed as trials end; Ctrl-C ends it.
    """
    with report.ReportServer(run, port=port) as server:
        serve(server, server.address, said=f"shows {run}; Ctrl-C ends this, not the sweep", as_json=as_json)


def serve(server: report.LoopbackServer, address: str, *, said: str, as_json: bool) -> None:
    """Says where the page is, then serves it until Ctrl-C."""
    if as_json:
        print_json({"address": address, "port": server.server_port})
        sys.stdout.flush()
    else:
        tell(f"{address} {said}")
    with suppress(KeyboardInterrupt):
        server.serve_forever()
