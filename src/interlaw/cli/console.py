"""A console on which text from files is only ever text: no markup, no control characters, no bytes that are no text."""

from __future__ import annotations

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

    def _print_table(self, table: Table) -> None:
        if table.title:
            super().print(table.title)
        heads = [visible(str(column.header)) if table.show_header else "" for column in table.columns]
        cells = [[visible(str(cell)) for cell in column.cells] for column in table.columns]
        right = [column.justify == "right" for column in table.columns]
        for line, is_head in table_lines(heads, list(zip(*cells, strict=True)), right=right, width=self.width):
            super().print(Text(line, style="bold" if is_head else ""))
