"""A table as lines of a given width: a number is never cut; columns that do not fit stand below, names get shorter."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from itertools import zip_longest

from rich.cells import cell_len

from interlaw.report import holds_numbers, is_number

GAP = 2  # blanks between columns: one also stands inside names
LEAST = 14  # a name of this many characters, shortened in its middle, is still told from its neighbours


def shortened(name: str, width: int) -> str:
    """A name with its middle left out; digits beside the gap go too, for half a number is a wrong one.

    Example:
        >>> shortened("transformer.h.11.attn.c_proj", 14)
        'transfo…c_proj'
    """
    if cell_len(name) <= width:
        return name
    right = (width - 1) // 2
    kept, end = name[: width - 1 - right], name[len(name) - right :]
    return f"{re.sub(r'[0-9][0-9.,]*$', '', kept)}…{end.lstrip('0123456789.,')}"


def table_lines(heads: Sequence[str], rows: Sequence[Sequence[str]], *, width: int) -> list[tuple[str, bool]]:
    """The lines of a table, each with whether it is a header, which empty heads leave out; numbers end at the right.

    Where the width is too small, text shrinks first; then columns go below, after the first column once more.
    """
    columns = [[head, *(row[place] for row in rows)] for place, head in enumerate(heads)]
    numeric = [all(is_number(cell) for cell in column[1:]) for column in columns]
    widths = _shrunk(columns, numeric, width=width)
    aligned = [holds_numbers(column[1:]) for column in columns]
    lines: list[tuple[str, bool]] = []
    for group in _groups(widths, width):
        for place in range(0 if any(heads) else 1, len(rows) + 1):
            cells = [_folded(columns[each][place], widths[each]) for each in group]
            for step in zip_longest(*cells, fillvalue=""):
                parts = (
                    _padded(cell, widths[each], right=aligned[each]) for each, cell in zip(group, step, strict=True)
                )
                lines.append(((" " * GAP).join(parts).rstrip(), place == 0))
    return lines


def _shrunk(columns: list[list[str]], numeric: list[bool], *, width: int) -> list[int]:
    """Widths with the widest columns of text made narrower until all fits, none below what its numbers need."""
    widths = [max(map(cell_len, column)) for column in columns]
    least = [
        natural if number else min(natural, max(LEAST, *(cell_len(cell) for cell in column if is_number(cell)), 1))
        for natural, number, column in zip(widths, numeric, columns, strict=True)
    ]
    if not numeric[0]:  # the names of the rows stay different from each other
        names = set(columns[0])
        enough = (room for room in range(least[0], widths[0]) if len({shortened(n, room) for n in names}) == len(names))
        least[0] = next(enough, widths[0])
    fitted = list(widths)
    while sum(fitted) + GAP * (len(fitted) - 1) > width:
        place = max(range(len(fitted)), key=lambda each: (fitted[each] > least[each], fitted[each]))
        if fitted[place] <= least[place]:
            break
        fitted[place] -= 1
    return fitted


def _groups(widths: list[int], width: int) -> list[list[int]]:
    """Columns that stand side by side; the first one opens each group."""
    groups = [[0]]
    for place in range(1, len(widths)):
        used = sum(widths[each] + GAP for each in groups[-1])
        if used + widths[place] > width and len(groups[-1]) > 1:
            groups.append([0])
        groups[-1].append(place)
    return groups


def _folded(cell: str, width: int) -> list[str]:
    """A cell on as many lines as it needs; only a single word that is too long is shortened."""
    if cell_len(cell) <= width or is_number(cell):
        return [cell]
    return [
        shortened(line, width) for line in textwrap.wrap(cell, width, break_long_words=False, break_on_hyphens=False)
    ]


def _padded(cell: str, width: int, *, right: bool) -> str:
    room = " " * (width - cell_len(cell))
    return room + cell if right else cell + room
