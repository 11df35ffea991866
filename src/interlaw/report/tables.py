"""Tables of a page: numbers stand right, each column in one format."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from interlaw.size import format_ratio

FEW_DIGITS = 4  # of the smallest number that a column is meant to show well
MOST_DECIMALS = 6  # of a column: more are longer than the same number with a power of ten
RATIOS = ("ratio", "R", "R*")  # columns that hold R, which has a format of its own
_NUMBERS = re.compile(r"[-+~<>=%.,:\d\seExX()/?*]*\d[-+~<>=%.,:\d\seExX()/?*kKMBTG]*|[-–]|")


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column: its heading, the name by which a script knows it, and whether it holds numbers."""

    title: str
    name: str = ""
    right: bool = False


@dataclass(frozen=True, kw_only=True)
class Table:
    """Texts in rows; the first cell of a row is its heading.

    Attributes:
        caption: Shown above, and read to those who do not see the table.
        columns: The columns.
        rows: Cells, as many as columns.
        marks: Data attributes of each row, if any.
        at_first: Rows beyond these are laid out when a script asks for them; all of them where no script runs.
        stacked: Whether a narrow screen sets the cells of a row one below the other: for tables with long texts.
    """

    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    marks: Sequence[Mapping[str, Any]] = field(default=())
    at_first: int | None = None
    stacked: bool = False


def table_of(
    rows: Sequence[Mapping[str, Any]],
    *,
    caption: str,
    titles: Mapping[str, str] | None = None,
    words: Sequence[str] = (),
    **options: Any,
) -> Table:
    """A table of plain values: columns of numbers are formatted and aligned.

    Args:
        rows: Values by heading, or by the name of a column where there are `titles`.
        caption: The table's caption.
        titles: Column to heading, for a table that a script asks for its columns.
        words: Columns that begin at the left although some of their cells may be numbers.
        options: Further fields of `Table`.
    """
    columns, cells = [], []
    for key in titles or (rows[0] if rows else ()):
        of_column = [row[key] for row in rows]
        if key in RATIOS:
            texts = ["–" if _missing(value) else format_ratio(value) for value in of_column]
        elif all(isinstance(value, int | float) or value is None for value in of_column):
            texts = number_texts(of_column)
        else:
            texts = [str(value) for value in of_column]
        named = {"title": titles[key], "name": key} if titles else {"title": key}
        columns.append(Column(**named, right=key not in words and holds_numbers(texts)))
        cells.append(texts)
    return Table(caption=caption, columns=columns, rows=list(zip(*cells, strict=True)), **options)


def is_number(cell: str) -> bool:
    """Whether a cell holds numbers alone: `0.021`, `12x768`, `+1.2%`, `0.02 to 0.05`, or nothing.

    Example:
        >>> [is_number(cell) for cell in ("1,234", "0.02 to 0.05", "12x768", "-", "layers.11", "flat")]
        [True, True, True, True, False, False]
    """
    return _NUMBERS.fullmatch(re.sub(r"\b(to|of|below|above)\b", "", cell)) is not None


def holds_numbers(cells: Sequence[str]) -> bool:
    """Whether a column ends at the right: one number is enough, since words then say why the others are missing.

    Example:
        >>> holds_numbers(["0.02 to 0.05", "no bound", "-"]), holds_numbers(["flat", "-"])
        (True, False)
    """
    return any(is_number(cell) for cell in cells if cell not in ("", "-", "–"))


def number_texts(values: Sequence[float | int | None]) -> list[str]:
    """Numbers of one column in one format: whole ones with commas, others with as many decimals as the smallest needs.

    Example:
        >>> number_texts([1200, None]), number_texts([0.5, 12.25, float("nan")]), number_texts([1e-9, 2.0])
        (['1,200', '–'], ['0.50', '12.25', '–'], ['1.00e-09', '2.00e+00'])
    """
    known = [float(value) for value in values if value is not None and math.isfinite(value)]
    if all(value.is_integer() for value in known):
        return ["–" if _missing(value) else f"{int(value or 0):,}" for value in values]
    sizes = sorted(abs(value) for value in known if value)
    least, most = sizes[0], sizes[-1]
    decimals = max(0, FEW_DIGITS - 1 - math.floor(math.log10(least)))
    # six decades side by side are read more easily with powers of ten
    if most / least > 1e6 or decimals > MOST_DECIMALS + 2:
        return ["–" if _missing(value) else f"{value:.2e}" for value in values]
    texts = ["–" if _missing(value) else f"{value:,.{min(decimals, MOST_DECIMALS)}f}" for value in values]
    # zeros at the end of every number say nothing
    spare = min(len(text) - len(text.rstrip("0")) for text in texts if text != "–")
    return [text if text == "–" or not spare else text[:-spare] for text in texts]


def _missing(value: float | int | None) -> bool:
    return value is None or not math.isfinite(value)
