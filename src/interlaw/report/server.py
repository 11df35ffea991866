"""Serves a run's page to this machine alone: two addresses, nothing else, and no other machine's name for them."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from interlaw.errors import InterlawError
from interlaw.report.document import plain
from interlaw.report.live import LiveRun

LOOPBACK = "127.0.0.1"
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class ReportServer(ThreadingHTTPServer):
    """The page of one run on the loopback interface.

    Args:
        location: A run's folder or URL, finished or not.
        port: The port; any free one when 0.

    Raises:
        InterlawError: When there is no run, or the port is taken.
    """

    daemon_threads = True
    # of http.server: on its account two servers could share a port without a word
    allow_reuse_port = False

    def __init__(self, location: str | Path, *, port: int = 0) -> None:
        self.run = LiveRun(location)
        if not 0 <= port <= 65_535:
            raise InterlawError(f"expected a port from 0 (any free one) to 65535, found {port}; choose one of these")
        try:
            super().__init__((LOOPBACK, port), _Answer)
        except OSError as error:
            raise InterlawError(
                f"expected to listen on port {port}, found: {error.strerror}; choose another --port, or 0 for any"
            ) from error

    @property
    def address(self) -> str:
        """Where the page is."""
        return f"http://{LOOPBACK}:{self.server_port}/"


class _Answer(BaseHTTPRequestHandler):
    """Answers one request."""

    server: ReportServer
    server_version = "interlaw"
    sys_version = ""
    timeout = 30

    def do_GET(self) -> None:
        """The page, or how the sweep goes; anything else is not here."""
        names = {f"{host}:{self.server.server_port}" for host in (LOOPBACK, "localhost")}
        if self.headers.get("Host") not in names:  # a page of another site, under a name that leads here
            self._send(403, "text/plain", f"this page is served under {self.server.address} alone\n")
            return
        place = urlsplit(self.path).path
        if place == "/":
            self._send_page()
        elif place == "/status.json":
            self._send_status()
        elif place == "/favicon.ico":
            self._send(204, "image/x-icon", "")
        else:
            self._send(404, "text/plain", f"there is only {self.server.address}\n")

    def _send_page(self) -> None:
        try:
            page = self.server.run.page()
        except InterlawError as error:  # the folder went away
            self._send(503, "text/plain", f"{error}\n")
        else:
            self._send(200, "text/html", page)

    def _send_status(self) -> None:
        try:
            status = self.server.run.status()
        except InterlawError as error:
            status = {"error": str(error)}
        self._send(200, "application/json", json.dumps(plain(status), allow_nan=False))

    def _send(self, status: int, kind: str, content: str) -> None:
        body = content.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: the terminal is for the sweep."""
