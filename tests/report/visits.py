"""A page in a real browser, with what it complained about and what it asked for."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class Visit:
    """One open page."""

    def __init__(self, browser: Any, address: str, **context: Any) -> None:
        self.page = browser.new_page(**{"viewport": {"width": 1280, "height": 900}, **context})
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.errors.append(message.text))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("dialog", lambda dialog: self.errors.append(f"dialog {dialog.message}"))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.address = address.split("#")[0]
        self.page.goto(address)
        self.page.set_default_timeout(60_000)  # of a machine that does much else

    def drawn(self) -> Visit:
        """Waits until every figure is drawn."""
        self.page.locator("body[data-drawn=all]").wait_for(state="attached")
        return self

    def marks(self, figure: str, role: str) -> Any:
        """Marks of a figure whose words hold so much."""
        symbol = f"[role=graphics-symbol][aria-label*='{role}']"
        return self.page.locator(f"#{figure} .cell:not([hidden]) .role-mark {symbol}")

    def signal(self, figure: str, name: str) -> Any:
        """What a figure was told."""
        return self.page.evaluate(
            "([figure, name]) => drawn.get(document.querySelector(`#${figure} .cell:not([hidden])`)).view.signal(name)",
            [figure, name],
        )

    def count(self, selector: str) -> int:
        return int(self.page.locator(selector).count())

    def box(self, name: str) -> Any:
        return self.page.get_by_role("checkbox", name=name)

    def rows(self) -> int:
        return self.count("#trials tbody tr:not([hidden])")

    def find(self, words: str) -> None:
        """Types into the filter and waits until the table has heard it."""
        self.page.locator("#find").fill(words)
        for _ in range(100):
            if self.page.evaluate("state.find") == words:
                return
            self.page.wait_for_timeout(20)
        raise AssertionError(f"the filter {words!r} was not applied")

    def fragment(self) -> str:
        return str(self.page.evaluate("location.hash"))

    def background(self) -> int:
        """Red, green and blue of the page's ground, added up."""
        colour = self.page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(","))

    def violations(self) -> list[tuple[str, list[str]]]:
        """What axe-core finds against accessibility."""
        axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is missing")
        found = axe.Axe().run(self.page).response["violations"]
        return [(each["id"], [node["html"][:120] for node in each["nodes"][:3]]) for each in found]

    def close(self) -> None:
        """Nothing may have gone wrong, and nothing may have been fetched."""
        assert self.errors == []
        assert {url.split("#")[0] for url in self.requests if not url.startswith("blob:")} == {self.address}
        self.page.close()
