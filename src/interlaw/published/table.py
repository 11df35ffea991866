"""The table of published models: the built-in one, and rows that a user adds, under one schema."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path

from pydantic import ValidationError

from interlaw.errors import InterlawError
from interlaw.published.row import PublishedRow
from interlaw.runs import Cells, parse_cells, read_cells

SHAPE_FIELDS = (
    "hf_id",
    "family",
    "depth",
    "width",
    "num_heads",
    "num_kv_heads",
    "head_dim",
    "d_ff",
    "vocab_size",
    "tied_embeddings",
    "params_total",
    "params_non_embedding",
    "train_tokens",
    "release",
    "shape_source",
)


@cache
def published_rows() -> tuple[PublishedRow, ...]:
    """The built-in table: dense decoder-only models of 0.07B to 12B parameters, one row a score, each with its sources.

    Returns:
        The rows in the file's order: per model and variant, the Open LLM Leaderboard v2 first where it has a score.

    Example:
        >>> rows = published_rows()
        >>> len({row.name for row in rows})
        103
    """
    text = files("interlaw.published").joinpath("models.csv").read_text(encoding="utf-8")
    return parse_rows(text, source="models.csv")


def read_rows(path: str | Path) -> tuple[PublishedRow, ...]:
    """Reads a user's table.

    Args:
        path: A table of text (CSV, tabs, semicolons) with the columns of `PublishedRow`. A row whose `name` is in the
            built-in table may leave the shape's columns out: they are taken from there.

    Raises:
        InterlawError: When the file is missing, or a row does not fit the schema.
    """
    known = {row.name: row for row in reversed(published_rows())}
    rows = _validated(read_cells(path), source=str(path), known=known)
    if not rows:
        raise InterlawError(f"expected {path} to hold a header and at least one row, found none; add a model")
    return rows


def parse_rows(text: str, *, source: str, known: Mapping[str, PublishedRow] | None = None) -> tuple[PublishedRow, ...]:
    """Validates the rows of a CSV text.

    Args:
        text: Header and rows; an empty cell is an unknown value.
        source: What to call the file in an error.
        known: Models whose shape a row may leave out, by name.

    Raises:
        InterlawError: When a row does not fit the schema; the message names line and column.
    """
    return _validated(parse_cells(text, name=source), source=source, known=known or {})


def _validated(table: Cells, *, source: str, known: Mapping[str, PublishedRow]) -> tuple[PublishedRow, ...]:
    """Cells as rows; an empty one is left out."""
    rows = []
    for line, cells in zip(table.lines, table.rows, strict=True):
        filled = {name: cell for name, cell in zip(table.header, cells, strict=True) if cell}
        same = known.get(filled.get("name", ""))
        shape = same.model_dump(include=set(SHAPE_FIELDS)) if same else {}
        rows.append(validated_row({**shape, **filled}, where=f"{source} line {line}"))
    return tuple(rows)


def validated_row(cells: Mapping[str, object], *, where: str) -> PublishedRow:
    """One row from raw values, or the first thing wrong with them as one line."""
    try:
        return PublishedRow.model_validate(dict(cells))
    except ValidationError as error:
        first = error.errors()[0]
        column = ".".join(str(part) for part in first["loc"]) or "row"
        reason = first["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
        if first["type"] == "missing":
            reason = "a value (the model is not in the built-in table), found none; fill it in"
        elif first["type"] == "extra_forbidden":
            reason = f"the columns {', '.join(PublishedRow.model_fields)}, found {column!r}; remove or rename it"
        elif first["type"] != "value_error":
            reason = f"{reason}, found {first['input']!r}; mend the cell"
        raise InterlawError(f"{where}, {column}: expected {reason}") from None


def append_rows(path: Path, rows: Iterable[PublishedRow]) -> None:
    """Appends rows to a user's table, or begins one; a table with other columns is left alone.

    Raises:
        InterlawError: The file has other columns, or cannot be written.
    """
    names = list(PublishedRow.model_fields)
    try:
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        header = next(csv.reader([old.partition("\n")[0]])) if old else names
        if set(header) - set(names):
            other = sorted(set(header) - set(names))[0]
            raise InterlawError(
                f"expected a table with the columns {', '.join(names)} in {path}, found {other!r}; name another file"
            )
        text = io.StringIO()
        writer = csv.DictWriter(text, header, extrasaction="ignore", lineterminator="\n")
        if not old:
            writer.writeheader()
        writer.writerows({k: "" if v is None else v for k, v in row.model_dump().items()} for row in rows)
        path.write_text(
            f"{old}{'' if old.endswith(chr(10)) or not old else chr(10)}{text.getvalue()}", encoding="utf-8"
        )
    except OSError as error:
        raise InterlawError(f"expected to write {path}, found: {error.strerror}; name another file") from error


def check_consistent(rows: Iterable[PublishedRow]) -> None:
    """Refuses a table in which one name has two shapes.

    Raises:
        InterlawError: Naming the model and both shapes.
    """
    first: dict[str, PublishedRow] = {}
    for row in rows:
        seen = first.setdefault(row.name, row)
        if (row.depth, row.width, row.params_total) != (seen.depth, seen.width, seen.params_total):
            raise InterlawError(
                f"expected one shape a name, found {row.name} as {seen.depth}x{seen.width} ({seen.params_total:,}) and "
                f"{row.depth}x{row.width} ({row.params_total:,}); rename one of them"
            )
