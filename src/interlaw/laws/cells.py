"""The columns of a table as they came, and as numbers: sizes with their unit, seeds by any name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import pandas as pd

from interlaw.errors import InterlawError
from interlaw.laws.names import proposal
from interlaw.laws.rows import PROGRESS, FloatArray, text_of
from interlaw.size import parse_size

REQUIRED = ("params", "depth", "width", "loss")
MEASURED = ("aofe", "aofe_ratio", "aofe_scale_free", "null_ratio", "excess_ratio")
_SIZES = ("params", "budget", "budget_spent")
_NUMBERS = ("depth", "width", "loss", "learning_rate", "rate_at_edge", "val_loss", *MEASURED)


class Columns(Protocol):
    """Columns by name: a dict of sequences, a pandas DataFrame, anything that iterates its names and gives each."""

    def __iter__(self) -> Iterator[Any]: ...

    def __getitem__(self, name: str, /) -> Any: ...


def cells_of(table: Columns) -> pd.DataFrame:
    """The table as it came, with every required column, one row a run, numbered from 0.

    Raises:
        InterlawError: A column is missing or of another length, or there are no rows.
    """
    cells = {str(name): _column(table[name]) for name in table}
    missing = [name for name in REQUIRED if name not in cells]
    if cells and missing:
        raise InterlawError(
            f"expected columns {', '.join(REQUIRED)}; {', '.join(missing)} missing among {', '.join(cells)}; "
            f"rename them, or map them with {proposal(missing, cells)}"
        )
    num_rows = len(cells["loss"]) if cells else 0
    if not num_rows:
        raise InterlawError("expected at least one finished run, found an empty table: run a sweep first")
    for name, values in cells.items():
        if len(values) != num_rows:
            raise InterlawError(f"expected {num_rows} values in column {name}, found {len(values)}: use one row a run")
    return pd.DataFrame(cells)


def row_names(table: Columns, num_rows: int) -> list[str]:
    """How a reader finds each row: its number below the header, in the file that a selection of rows came from."""
    index = table.index if isinstance(table, pd.DataFrame) else pd.RangeIndex(num_rows)
    first = index if pd.api.types.is_integer_dtype(index) and index.is_unique else pd.RangeIndex(num_rows)
    return [f"row {number + 1} below the header" for number in first]


def numbers_of(cells: pd.DataFrame) -> pd.DataFrame:
    """The columns that a fit reads as numbers, NaN where they are unknown.

    Raises:
        InterlawError: A cell is no number.
    """
    columns = {name: number_of(cells[name]) for name in _NUMBERS if name in cells}
    # W&B's _step, and names with capitals
    progress = {str(name).lower().strip("_"): name for name in reversed(cells.columns)}
    spelled = {name: progress[name] for name in PROGRESS if name in progress and not _in_words(cells[progress[name]])}
    sizes = {name: name for name in _SIZES if name in cells} | spelled
    columns |= {name: number_of(cells[theirs].map(_plain)) for name, theirs in sizes.items()}
    if "seed" in cells:
        columns["seed"] = _seeds(cells["seed"])
    return pd.DataFrame(columns, index=cells.index)


def number_of(cells: pd.Series[Any]) -> FloatArray:
    """The cells of one column as numbers, NaN where they are unknown.

    Raises:
        InterlawError: A cell is no number.
    """
    try:
        return np.where(cells.isna(), np.nan, cells.to_numpy(dtype=object)).astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise InterlawError(f"expected numbers in column {cells.name}, found {error}: fix or drop those rows") from None


def _column(values: Any) -> pd.Series[Any]:
    """Columns of pandas and NumPy as they are, cells of anything else one by one."""
    if isinstance(values, pd.Series | np.ndarray) and values.ndim == 1:
        return pd.Series(values).reset_index(drop=True)
    return pd.Series([*values], dtype=object)


def _plain(cell: Any) -> Any:
    """The number that a size such as 1.002M stands for; any other cell as it is."""
    if not isinstance(cell, str) or cell.strip()[-1:] not in set("kKmMbBgGtT"):
        return cell
    try:
        return parse_size(cell)
    except InterlawError:
        return cell  # the message names the column


def _in_words(cells: pd.Series[Any]) -> bool:
    """Whether a column says all in words, such as `last` or `10/10`: whatever its name, it counts nothing."""

    def is_word(cell: Any) -> bool:
        try:
            float(cell)
        except (TypeError, ValueError, OverflowError):
            return isinstance(cell, str)
        return False

    said = cells.dropna().map(_plain)
    return len(said) > 0 and all(map(is_word, said))


def _seeds(cells: pd.Series[Any]) -> FloatArray:
    """Seeds as they are numbered; words are numbered in the order in which they come."""
    try:
        return number_of(cells)
    except InterlawError:
        return np.where(cells.isna(), np.nan, pd.factorize(text_of(cells))[0])
