"""A console on which text from files is only ever text: no markup, no control characters, no bytes that are no text."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from interlaw.cli.visible import visible


class PlainConsole(Console):
    """Rich's console, whose texts and cells pass through `visible` and never are markup."""

    def __init__(self, *, stderr: bool) -> None:
        super().__init__(stderr=stderr, highlight=False, soft_wrap=True, markup=False, emoji=False)

    def render_str(self, text: str, **options: Any) -> Text:
        """Every text and every cell of a table comes through here."""
        return super().render_str(visible(text), **{**options, "markup": False, "emoji": False})
