"""The table of published models: the built-in one, rows that a user adds, and one score a model to compare."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from pydantic import ValidationError

from interlaw.errors import InterlawError, one_line
from interlaw.files import packaged_rows, save
from interlaw.published.row import SCORE_FIELDS, PublishedRow, Variant

HOMOGENEOUS_PROTOCOL = "5-shot log-likelihood"


@cache
def published_rows() -> tuple[PublishedRow, ...]:
    """The built-in table: dense decoder-only models of 0.07B to 12B parameters, one row a score, each with its sources.

    Returns:
        The rows in the file's order: per model and variant, the Open LLM Leaderboard v2 first where it has a score.

    Example:
        >>> rows = published_rows()
        >>> len({row.name for row in rows})
        105
    """
    rows = packaged_rows("interlaw.published", "models.csv")
    return tuple(validated_row(row, where=f"models.csv row {place}") for place, row in enumerate(rows, start=1))


def read_rows(path: str | Path) -> tuple[PublishedRow, ...]:
    """Reads a user's table.

    Args:
        path: A table of text (CSV, tabs, semicolons) with the columns of `PublishedRow`. A row whose `name` is in the
            built-in table may leave the shape's columns out: they are taken from there.

    Raises:
        InterlawError: When the file is missing, or a row does not fit the schema.
    """
    from interlaw.runs import read_cells  # pandas, which the built-in table does without

    known = {row.name: row.model_dump(exclude=set(SCORE_FIELDS)) for row in reversed(published_rows())}
    table, rows = read_cells(path), []
    for line, cells in zip(table.lines, table.rows, strict=True):
        filled = {name: cell for name, cell in zip(table.header, cells, strict=True) if cell}  # empty is unknown
        rows.append(validated_row({**known.get(filled.get("name", ""), {}), **filled}, where=f"{path} line {line}"))
    if not rows:
        raise InterlawError(f"expected {path} to hold a header and at least one row, found none; add a model")
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
            reason = f"{reason}, found {first['input']!r}; fix the cell"
        raise InterlawError(f"{where}, {column}: expected {reason}") from None


def append_rows(path: Path, rows: Iterable[PublishedRow]) -> None:
    """Appends rows to a user's table, or begins one; a crash leaves the old table, and unknown columns are refused.

    Columns that the table lacks and the rows fill are added at its right, empty for the rows that are there; the cells
    of these stay as they are, byte for byte.

    Raises:
        InterlawError: The file has other columns, or cannot be read or written.
    """
    names, cells = list(PublishedRow.model_fields), [row.model_dump() for row in rows]
    try:
        old = path.read_bytes().decode() if path.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise InterlawError(f"expected to read {path}, found: {one_line(error)}; name another file") from error
    first, *others = _records(old.lstrip("\r\n") if old.strip() else ",".join(names) + "\n")
    header = next(csv.reader([first.removeprefix("\ufeff")]))  # the mark that spreadsheets begin a file with
    if other := sorted(set(header) - set(names)):
        raise InterlawError(
            f"expected a table with the columns {', '.join(names)} in {path}, found {other[0]!r}; name another file"
        )
    end = "\r\n" if first.endswith("\r\n") else "\n"
    added = [name for name in names if name not in header and any(row[name] is not None for row in cells)]
    text = io.StringIO()
    for record, more in ((first, added), *((each, [""] * len(added)) for each in others)):
        body = record.rstrip("\r\n")
        text.write(",".join([body, *more]) if body else "")
        text.write(record[len(body) :] or end)  # the last line may lack its end
    csv.DictWriter(text, [*header, *added], extrasaction="ignore", lineterminator=end).writerows(cells)
    save(path, text.getvalue().encode())


def _records(text: str) -> list[str]:
    """The rows of a table of text, each with its end of line; a cell in quotes may hold such ends too."""
    lines = list(io.StringIO(text, newline=""))
    reader = csv.reader(lines)
    ends = [reader.line_num for _ in reader]
    return ["".join(lines[start:end]) for start, end in zip([0, *ends], ends, strict=False)]


def check_consistent(rows: Iterable[PublishedRow]) -> None:
    """Refuses a table in which one name has two shapes."""
    first: dict[str, PublishedRow] = {}
    for row in rows:
        seen = first.setdefault(row.name, row)
        if (row.depth, row.width, row.params_total) != (seen.depth, seen.width, seen.params_total):
            raise InterlawError(
                f"expected one shape a name, found {row.name} as {seen.depth}x{seen.width} ({seen.params_total:,}) and "
                f"{row.depth}x{row.width} ({row.params_total:,}); rename one of them"
            )


def scores_by_model(
    rows: Iterable[PublishedRow], *, protocol: str = HOMOGENEOUS_PROTOCOL, variant: Variant = "base"
) -> dict[str, list[PublishedRow]]:
    """Every row with a score of one protocol and variant, by the model's name.

    Several rows can carry the same model, variant and protocol (other laboratories repeat a run; the built-in table has
    22 such repeats among its base models). The first one counts, so put rows that should win first; the built-in table
    lists the Open LLM Leaderboard v2 first, so that one evaluator scored as many models as possible.

    Args:
        rows: The table; a user's rows before the built-in ones.
        protocol: The one protocol to use.
        variant: `base` or `inst`.

    Raises:
        InterlawError: When no row has that protocol and variant; the message lists what there is.
    """
    scores: dict[str, list[PublishedRow]] = {}
    others: Counter[tuple[str, str]] = Counter()
    for row in rows:
        if row.mmlu_pro is None:
            continue
        if (row.protocol, row.variant) == (protocol, variant):
            scores.setdefault(row.name, []).append(row)
        others[str(row.protocol), str(row.variant)] += 1
    if not scores:
        held = ", ".join(f"{name!r} {of} ({count})" for (name, of), count in sorted(others.items()))
        raise InterlawError(
            f"expected scores with protocol {protocol!r} and variant {variant!r}, found none; the table holds: {held}"
        )
    return scores


def published_models(
    rows: Iterable[PublishedRow] | None = None,
    *,
    protocol: str = HOMOGENEOUS_PROTOCOL,
    variant: Variant = "base",
) -> list[PublishedRow]:
    """Every model of a table once, smallest first, with its score under the protocol or with none.

    Args:
        rows: The table; the built-in one when not given.
        protocol: Whose scores to show.
        variant: `base` or `inst`.

    Raises:
        InterlawError: When no row has that protocol and variant.

    Example:
        >>> models = published_models()
        >>> len(models), sum(model.mmlu_pro is not None for model in models)
        (105, 81)
    """
    rows = tuple(published_rows() if rows is None else rows)
    scored = scores_by_model(rows, protocol=protocol, variant=variant)
    without = dict.fromkeys(SCORE_FIELDS)
    first = {row.name: row.model_copy(update=without) for row in reversed(rows)}
    models = first | {name: ones[0] for name, ones in scored.items()}
    return sorted(models.values(), key=lambda row: (row.params_total, row.name))
