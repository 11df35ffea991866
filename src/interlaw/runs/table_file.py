"""Read a table from a file, a pipe or standard input: text with any separator, JSON lines, JSON or Parquet.

The content says what it is, not the file's name. What can be read in two ways is refused, never guessed.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import re
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from interlaw.errors import InterlawError, one_line
from interlaw.runs.folder import near_run

STDIN = "-"
MOST_BYTES = 2**28  # a run is a line of some hundred bytes: a quarter of a gibibyte is no table of runs
MOST_SHOWN = 3  # cells that a message shows: enough to see the two spellings
_COMPRESSED: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
_OTHER = {
    b"PK\x03\x04": "a spreadsheet or zip archive",
    b"\x93NUMPY": "a NumPy array",
    b"\x28\xb5\x2f\xfd": "a zstd archive",
}
_MISSING = {"", "NA", "N/A", "n/a", "#N/A", "#NA", "<NA>", "NaN", "nan", "-nan", "-NaN", "null", "NULL", "None"}
_TRUTHS = {"true": True, "false": False}
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "spaces"}
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?")
_DECIMAL = re.compile(r"[+-]?(\d{1,3}(\.\d{3})+|\d*),\d+([eE][+-]?\d+)?")
_GROUPED = re.compile(r"[+-]?\d{1,3}(\.\d{3}){2,}")


@dataclass(frozen=True, kw_only=True)
class Cells:
    """A table of text as it stands there.

    Attributes:
        header: Names of the columns, without the blanks around them.
        rows: The other rows, each as long as the header.
        lines: Line of each row in the file, from 1.
        separator: What stands between two cells.
    """

    header: list[str]
    rows: list[list[str]]
    lines: list[int]
    separator: str


def read_table_file(source: str | Path) -> pd.DataFrame:
    """A table as a DataFrame; `attrs["read_as"]` says how it was read where that is not plain CSV.

    Args:
        source: A file, a named pipe, or `-` for standard input. Text is UTF-8, or UTF-16 with its mark; gzip, bzip2 and
            xz are unpacked. Commas between decimals or thousands are read where the table shows which they are.

    Raises:
        InterlawError: There is nothing, it is no table, or it can be read in two ways.
    """
    name = _name_of(source)
    content = _content(source, name)
    if content.startswith(b"PAR1"):  # the mark of a Parquet file
        return _parquet(content, name)
    text = _decoded(content, name)
    if text.lstrip()[:1] in ("{", "["):
        return _json(text, name)
    cells = parse_cells(text, name=name)
    columns, numbers = _one_mark([list(column) for column in zip(*cells.rows, strict=True)], name)
    table = pd.DataFrame(
        {column: _typed(values) for column, values in zip(cells.header, columns, strict=False)}, columns=cells.header
    )
    how = [f"separated by {_SEPARATORS[cells.separator]}"] if cells.separator != "," else []
    table.attrs["read_as"] = " with ".join([*how, *numbers])
    return table


def read_cells(source: str | Path) -> Cells:
    """A table of text, its cells unchanged but for the blanks around them.

    Raises:
        InterlawError: There is nothing, or it is no such table.
    """
    name = _name_of(source)
    return parse_cells(_decoded(_content(source, name), name), name=name)


def _name_of(source: str | Path) -> str:
    """What a message calls the source."""
    return "standard input" if str(source) == STDIN else repr(str(source))


def _content(source: str | Path, name: str) -> bytes:
    """All bytes, unpacked. A pipe can be read once only, so everything is read at once."""
    try:
        if str(source) == STDIN:
            if sys.stdin.isatty():
                raise InterlawError("expected a table on standard input, found a keyboard; pipe a table into it")
            content = sys.stdin.buffer.read(MOST_BYTES + 1)
        else:
            with Path(source).open("rb") as file:
                content = file.read(MOST_BYTES + 1)
        opener = next((opener for magic, opener in _COMPRESSED.items() if content.startswith(magic)), None)
        if opener is not None:
            content = opener(io.BytesIO(content)).read(MOST_BYTES + 1)
    except FileNotFoundError as error:
        raise InterlawError(
            f"expected a table or a run's folder, found nothing at {name}; check the path{near_run(source)}"
        ) from error
    except (OSError, EOFError, lzma.LZMAError, zlib.error, ValueError) as error:  # a damaged archive has several errors
        reason = getattr(error, "strerror", None) or error
        raise InterlawError(f"expected a table in {name}, found: {reason}; check the file") from error
    if len(content) > MOST_BYTES:
        raise InterlawError(
            f"expected a table of at most {MOST_BYTES // 2**20} MiB in {name}, found more; leave rows out"
        )
    kind = next((kind for magic, kind in _OTHER.items() if content.startswith(magic)), None)
    if kind is not None:
        raise InterlawError(f"expected a table in {name}, found {kind}; save it as CSV, JSON lines or Parquet")
    return content


def _decoded(content: bytes, name: str) -> str:
    """Text of one encoding, or an error: a decoder that cannot fail would give wrong columns."""
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise InterlawError(
            f"expected text in UTF-8 in {name}, found another encoding (byte {error.start}); save it as UTF-8"
        ) from error
    if "\0" in text:
        raise InterlawError(f"expected a CSV table in {name}, found binary data; save it as CSV, JSON lines or Parquet")
    return text


def _parquet(content: bytes, name: str) -> pd.DataFrame:
    try:
        table = pd.read_parquet(io.BytesIO(content))
    except Exception as error:  # pyarrow raises many kinds over a damaged file
        raise InterlawError(f"expected a Parquet table in {name}, found: {one_line(error)}; write it again") from error
    return _named(table, name)


def _json(text: str, name: str) -> pd.DataFrame:
    """An array of objects, an object a line, or one object of columns; what is nested gets a name with dots."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = [
            _line(line, number=number, name=name) for number, line in enumerate(text.splitlines(), 1) if line.strip()
        ]
    if isinstance(document, dict) and all(isinstance(value, list | dict) for value in document.values()):
        try:
            return _named(pd.DataFrame(document), name)
        except ValueError as error:
            raise InterlawError(
                f"expected columns of one length in {name}, found: {one_line(error)}; write a JSON object a line"
            ) from error
    rows = [document] if isinstance(document, dict) else document
    if not all(isinstance(row, dict) for row in rows):
        raise InterlawError(f"expected a JSON object a row in {name}, found other values; write one object a line")
    table = pd.json_normalize(rows)
    for column in [column for column in table if pd.api.types.is_string_dtype(table[column].dtype)]:
        values = table[column].tolist()
        if all(value is None or isinstance(value, str) for value in values):
            table[column] = _typed(["" if value is None else value for value in values])
    return _named(table, name)


def _line(line: str, *, number: int, name: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InterlawError(
            f"expected a JSON object in line {number} of {name}, found: {one_line(error)}; fix or remove the line"
        ) from error


def _named(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Column names as text without blanks around them, each once."""
    table.columns = pd.Index(_once([str(column).strip() for column in table.columns], name))
    return table


def _once(header: list[str], name: str) -> list[str]:
    twice = sorted({column for column in header if column and header.count(column) > 1})
    if twice:
        raise InterlawError(f"expected each column once in {name}, found {twice[0]!r} twice; rename or remove one")
    return header


def parse_cells(text: str, *, name: str) -> Cells:
    r"""Splits text into cells; empty cells beyond the last column go, any other miscount is refused.

    Args:
        text: A header and rows. Lines before it that start with `#` or `sep=` are no part of the table.
        name: What a message calls the text.

    Raises:
        InterlawError: It is no table.

    Example:
        >>> parse_cells("depth; width\n2; 64;\n", name="t.csv").rows
        [['2', '64']]
    """
    lines = list(io.StringIO(text, newline=""))  # not splitlines: it also splits at signs that may stand in a cell
    start = next((i for i, line in enumerate(lines) if line.strip() and not line.startswith(("#", "sep="))), len(lines))
    body = lines[start:]
    if not body:
        raise InterlawError(f"expected a CSV table in {name}, found an empty file; write a header and a row a run")
    separator = _separator(body[0])
    rows = _split(body, separator, name=name)
    if all(_is_number(cell) for cell in rows[0][1] if cell):  # as numpy.savetxt does: the names stand in a comment
        comments = [line.lstrip("# ") for line in lines[:start] if line.startswith("#")]
        if not comments:
            raise InterlawError(f"expected names of columns in the first line of {name}, found numbers; add a header")
        rows = [*_split(comments[-1:], separator, name=name), *rows]
    header = rows[0][1]
    while header and not header[-1]:
        header.pop()
    kept: list[list[str]] = []
    for number, row in rows[1:]:
        while len(row) > len(header) and not row[-1]:
            row.pop()
        if len(row) != len(header):
            raise InterlawError(
                f"expected as many cells as columns ({len(header)}, separated by {_SEPARATORS[separator]}), found "
                f"{len(row)} in line {start + number} of {name}; change the line or the header"
            )
        kept.append(row)
    named = [column or f"column {place}" for place, column in enumerate(header, 1)]
    return Cells(
        header=_once(named, name), rows=kept, lines=[start + number for number, _ in rows[1:]], separator=separator
    )


def _separator(header: str) -> str:
    """The sign that stands most often between the names of columns."""
    bare = re.sub(r'"[^"]*"', "", header.strip())
    counts = {sign: bare.count(sign) for sign in (",", ";", "\t", "|")}
    best = max(counts, key=lambda sign: counts[sign])
    return best if counts[best] else " " if len(bare.split()) > 1 else ","


def _split(lines: list[str], separator: str, *, name: str) -> list[tuple[int, list[str]]]:
    """Rows that are not empty, each with the line it ends in."""
    if separator == " ":
        return [(number, line.split()) for number, line in enumerate(lines, 1) if line.strip()]
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True, strict=True)
    try:
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except csv.Error as error:
        raise InterlawError(
            f"expected a CSV table in {name}, found: {error} (line {reader.line_num}); close its quotes"
        ) from error
    return [(number, row) for number, row in rows if any(row)]


def _one_mark(columns: list[list[str]], name: str) -> tuple[list[list[str]], list[str]]:
    """Numbers written with commas, in Python's spelling, and what was taken for what."""
    cells = {cell for column in columns for cell in column if "," in cell}
    decimal, thousands = ({cell for cell in cells if kind.fullmatch(cell)} for kind in (_DECIMAL, _THOUSANDS))
    if not decimal | thousands:
        return columns, []
    only_decimal, only_thousands = decimal - thousands, thousands - decimal
    dotted = {c for column in columns for c in column if "." in c and "," not in c and _is_number(c)}
    if bool(only_decimal) == bool(only_thousands) or (only_decimal and dotted):
        some = ", ".join(sorted(decimal | thousands | dotted)[:MOST_SHOWN])
        raise InterlawError(
            f"expected to see in {name} whether a comma marks decimals or thousands, found {some}; write 1234.5"
        )
    if only_thousands:
        plain = [[c.replace(",", "") if c in thousands else c for c in column] for column in columns]
        return plain, ["commas between thousands"]
    dots = decimal | {c for column in columns for c in column if _GROUPED.fullmatch(c)}
    plain = [[c.replace(".", "").replace(",", ".") if c in dots else c for c in column] for column in columns]
    return plain, ["decimal commas"]


def _typed(cells: list[str]) -> pd.Series[Any]:
    """Whole numbers, numbers or truth values where every cell is one; text otherwise."""
    present = [cell for cell in cells if cell not in _MISSING]
    if present and all(cell.lower() in _TRUTHS for cell in present):
        return pd.Series([_TRUTHS.get(cell.lower()) for cell in cells])
    if all(_is_number(cell) for cell in present):
        # 18 digits fit 64 bits; longer ones are numbers all the same
        if len(present) == len(cells) and all(re.fullmatch(r"[+-]?\d{1,18}", cell) for cell in cells):
            return pd.Series([int(cell) for cell in cells], dtype="int64")
        return pd.Series([float("nan") if cell in _MISSING else float(cell) for cell in cells], dtype="float64")
    return pd.Series([None if cell in _MISSING else cell for cell in cells], dtype="object")


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
