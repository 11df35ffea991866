"""A console on which text from files is only ever text: no markup, no control characters, no bytes that are no text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from interlaw.cli.columns import table_lines
from interlaw.cli.visible import visible


class PlainConsole(Console):
    """Rich's console, whose texts pass through `visible` and never are markup, and whose tables cut no number."""

    def __init__(self, *, stderr: bool) -> None:
        super().__init__(stderr=stderr, highlight=False, soft_wrap=True, markup=False, emoji=False)

    def render_str(self, text: str, **options: Any) -> Text:
        """Every text comes through here."""
        return super().render_str(visible(text), **{**options, "markup": False, "emoji": False})

    def print(self, *objects: Any, **options: Any) -> None:
        """Prints as Rich does, but for tables."""
        if len(objects) == 1 and isinstance(objects[0], Table):
            self._print_table(objects[0])
        else:
            super().print(*objects, **options)

    def print_rows(self, heads: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[bool] = ()) -> None:
        """Prints a table: columns of numbers end at the right, and those named so; empty heads are left out."""
        cells = [[visible(cell) for cell in row] for row in rows]
        aligned = right or [False] * len(heads)
        for line, is_head in table_lines([visible(head) for head in heads], cells, right=aligned, width=self.width):
            super().print(Text(line, style="bold" if is_head else ""))

    def _print_table(self, table: Table) -> None:
        if table.title:
            super().print(table.title)
        heads = [str(column.header) for column in table.columns]
        rows = zip(*([str(cell) for cell in column.cells] for column in table.columns), strict=True)
        self.print_rows(heads, rows, right=[column.justify == "right" for column in table.columns])
