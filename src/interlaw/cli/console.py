"""A console on which text from files is only ever text: no markup, no control characters, no bytes that are no text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from rich.console import Console
from rich.text import Text

from interlaw import recommendation
from interlaw.cli.columns import table_lines
from interlaw.cli.visible import visible


class PlainConsole(Console):
    """Rich's console, whose texts pass through `visible` and never are markup, and whose tables cut no number."""

    def __init__(self, *, stderr: bool) -> None:
        super().__init__(stderr=stderr, highlight=False, soft_wrap=True, markup=False, emoji=False)

    def on_broken_pipe(self) -> None:
        """A reader that has seen enough, `head` say, is no failure."""
        with suppress(SystemExit):
            super().on_broken_pipe()

    def render_str(self, text: str, **options: Any) -> Text:
        """Every text comes through here."""
        return super().render_str(visible(text), **{**options, "markup": False, "emoji": False})

    def say(self, *sentences: str, indent: int = 0) -> None:
        """Prints sentences in lines of at most 80 columns."""
        for line in recommendation.wrapped(sentences, indent=indent):
            self.print(line)

    def print_rows(self, heads: Sequence[str], rows: Iterable[Sequence[str]], *, title: str = "") -> None:
        """Prints a table: columns of numbers end at the right; a line of empty heads is left out."""
        if title:
            self.print(title)
        cells = [[visible(cell) for cell in row] for row in rows]
        for line, is_head in table_lines([visible(head) for head in heads], cells, width=self.width):
            self.print(Text(line, style="bold" if is_head else ""))
