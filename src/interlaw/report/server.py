"""Serves a page to this machine alone: a few addresses, nothing else, and no other machine's name for them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from interlaw import laws
from interlaw.errors import InterlawError
from interlaw.plain import Json, plain
from interlaw.report.explorer import FIELDS, Measuring, explorer_page, reply_to
from interlaw.report.live import LiveRun

LOOPBACK = "127.0.0.1"
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
LONGEST_QUERY = 2000  # letters: the form's fields take a tenth of it
# what a request asks for, as name to text, to a page (text) or to values that are sent as JSON
Answer = Callable[[Mapping[str, str]], str | Json]


class LoopbackServer(ThreadingHTTPServer):
    """A few addresses on the loopback interface.

    Args:
        routes: Path to what answers it.
        port: The port; any free one when 0.

    Raises:
        InterlawError: When the port is out of range or taken.
    """

    daemon_threads = True
    # of http.server: on its account two servers could share a port without a word
    allow_reuse_port = False

    def __init__(self, routes: Mapping[str, Answer], *, port: int = 0) -> None:
        self.routes = dict(routes)
        if not 0 <= port <= 65_535:  # all that TCP has
            raise InterlawError(f"expected a port from 0 (any free one) to 65535, found {port}; choose one of these")
        try:
            super().__init__((LOOPBACK, port), _Reply)
        except OSError as error:
            raise InterlawError(
                f"expected to listen on port {port}, found: {error.strerror}; choose another --port, or 0 for any"
            ) from error

    @property
    def address(self) -> str:
        """Where the page is."""
        return f"http://{LOOPBACK}:{self.server_port}/"


class ReportServer(LoopbackServer):
    """The page of one run, finished or not.

    Args:
        location: A run's folder or URL.
        port: The port; any free one when 0.

    Raises:
        InterlawError: When there is no run, or the port is taken.
    """

    def __init__(self, location: str | Path, *, port: int = 0) -> None:
        self.run = LiveRun(location)
        super().__init__({"/": lambda asked: self.run.page(), "/status.json": self._status}, port=port)

    def _status(self, asked: Mapping[str, str]) -> Json:
        try:
            return self.run.status()
        except InterlawError as error:  # the folder went away
            return {"error": str(error)}


class ExplorerServer(LoopbackServer):
    """The explorer: a form, and the answers of `recommend` to it.

    Args:
        fit: Your own law, as in `recommend`.
        port: The port; any free one when 0.

    Raises:
        InterlawError: When the port is taken.
    """

    def __init__(self, *, fit: laws.LawFit | None = None, port: int = 0) -> None:
        measuring = Measuring(fit=fit)
        routes: dict[str, Answer] = {
            "/": lambda asked: explorer_page({name: asked[name] for name in asked if name in FIELDS}, fit=fit),
            "/answer.json": lambda asked: reply_to(asked, fit=fit),
            "/measure.json": measuring.start,
            "/measured.json": measuring.state,
        }
        super().__init__(routes, port=port)


class _Reply(BaseHTTPRequestHandler):
    """Answers one request."""

    server: LoopbackServer
    server_version = "interlaw"
    sys_version = ""
    timeout = 30  # seconds: a browser that has sent no request by then has gone

    def do_GET(self) -> None:
        """What a route answers; anything else is not here."""
        names = {f"{host}:{self.server.server_port}" for host in (LOOPBACK, "localhost")}
        if self.headers.get("Host") not in names:  # a page of another site, under a name that leads here
            self._send(HTTPStatus.FORBIDDEN, f"this page is served under {self.server.address} alone\n")
            return
        place = urlsplit(self.path)
        # a browser says so when the page of another site asks: it could start a measurement
        if place.path != "/" and self.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site"):
            self._send(HTTPStatus.FORBIDDEN, f"only {self.server.address} may ask\n")
        elif place.path == "/favicon.ico":
            self._send(HTTPStatus.NO_CONTENT, "", kind="image/x-icon")
        elif place.path not in self.server.routes or len(place.query) > LONGEST_QUERY:
            self._send(HTTPStatus.NOT_FOUND, f"there is only {self.server.address}\n")
        else:
            self._answer(self.server.routes[place.path], dict(parse_qsl(place.query, keep_blank_values=True)))

    def _answer(self, route: Answer, asked: Mapping[str, str]) -> None:
        try:
            reply = route(asked)
        except InterlawError as error:
            self._send(HTTPStatus.SERVICE_UNAVAILABLE, f"{error}\n")
            return
        if isinstance(reply, str):
            self._send(HTTPStatus.OK, reply, kind="text/html")
        else:
            self._send(HTTPStatus.OK, json.dumps(plain(reply), allow_nan=False), kind="application/json")

    def _send(self, status: HTTPStatus, content: str, *, kind: str = "text/plain") -> None:
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
