"""Rows of one shape that are taken for its seeds: whether they are, and which columns tell them apart."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd

from interlaw.errors import InterlawError
from interlaw.laws.cells import MEASURED
from interlaw.laws.names import meant
from interlaw.laws.rows import PROGRESS, RUN_NAMES, SHAPE, text_of
from interlaw.size import format_size

# what a run is counted by, what it was measured to have, and how it ended tell no experiments apart
_NO_FACTOR = {
    *("params", "params_non_embedding", "depth", "width", "ratio", "budget", "budget_spent", "budget_kind", "seed"),
    *("learning_rate", "rate_at_edge", "treatment", "status", "state", "stage", "reason", *MEASURED),
}
_RESULT = re.compile("(loss|seconds|per_second|_stderr|_low|_high)$", re.IGNORECASE)
MOST_VALUES = 4  # of a column in a message


def require_seeds(rows: pd.DataFrame, cells: pd.DataFrame) -> tuple[str, ...]:
    """What to say of rows that count as seeds of a shape because nothing names their seeds.

    `rows` are the last checkpoints of runs that ended well; `cells` has them as the table does, every column.

    Raises:
        InterlawError: A seed of a shape, at one rate, has several losses: its rows are different experiments.
    """
    rate = ["learning_rate"] if "learning_rate" in rows else []
    seeded = "seed" in rows and bool(rows["seed"].notna().all())
    again = _again(rows, [*SHAPE, *rate, *(["seed"] if seeded else [])])
    if again.empty:
        again = _again(rows, [*SHAPE, *(["seed"] if seeded else [])])  # at several rates
        return _told(_RATES, again, _factors(again, cells))
    factors = _factors(again, cells)
    if not seeded:
        return _told(_UNNAMED, again, factors)
    single, together = _telling(again["group"], factors)
    if not single and not together and rows["seed"].nunique() == 1:
        return _told(_UNNAMED, again, factors)  # one number for all runs names no seed
    raise InterlawError(_refusal(again, factors, single=single, together=together))


def _again(rows: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Rows that agree with others in the keys and not in the loss; `group` numbers those that agree."""
    distinct = rows.drop_duplicates([*keys, "loss"])
    again = distinct[distinct.duplicated(keys, keep=False)]
    return again.assign(group=again.groupby(keys, dropna=False, sort=False).ngroup())


def _factors(again: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """Columns as text that hold a few values, each of them twice on average: what was measured hardly repeats.

    Words before numbers, few values before many, short ones before long ones. What was read as progress is left out.
    """
    cells = cells.loc[again.index]
    names = [name for name in map(str, cells) if name not in _NO_FACTOR and not _RESULT.search(name)]
    progress = {name for name in PROGRESS if name in again}
    names = [name for name in names if name.lower().strip("_") not in progress]
    texts = pd.DataFrame({name: text_of(cells[name]) for name in names}, index=cells.index)
    counts = {name: texts[name].nunique() for name in names}
    few = [name for name in names if 1 < counts[name] <= len(texts) // 2]
    numeric = {name: pd.api.types.is_numeric_dtype(cells[name].infer_objects()) for name in few}
    few.sort(key=lambda name: (numeric[name], counts[name], texts[name].str.len().sum()))
    return texts[few]


def _telling(group: pd.Series[int], factors: pd.DataFrame) -> tuple[list[str], list[str]]:
    """The columns of which each tells all rows of a group apart; where there is none, the fewest that do together."""

    def apart(names: list[str]) -> bool:
        return bool(names) and not factors[names].assign(group=group).duplicated().any()

    names = list(map(str, factors))
    single = [name for name in names if apart([name])]
    if single or not apart(names):
        return single, []
    needed = names
    for name in reversed(names):  # those of most values first: they are the least likely to be meant
        without = [each for each in needed if each != name]
        needed = without if apart(without) else needed
    return [], needed


def _varying(again: pd.DataFrame, factors: pd.DataFrame) -> list[str]:
    """The columns that differ between the rows of each group, but for names of runs."""
    factors = factors.drop(columns=[*RUN_NAMES], errors="ignore")
    varies = factors.groupby(again["group"]).nunique().gt(1).all()
    return list(map(str, varies.index[varies]))


_RATES = (
    "the rows of a shape at several learning rates differ in {} too, so that the best rate chooses among its values"
)
_UNNAMED = "nothing names the seeds: rows of one shape count as its seeds, but they differ in {}"


def _told(sentence: str, again: pd.DataFrame, factors: pd.DataFrame) -> tuple[str, ...]:
    """The sentence where a column differs between the rows of each shape, as a seed's number would."""
    names = _varying(again, factors)
    return (f"{sentence.format(_shown(names, factors))}; {_remedy(names[:1])}",) if names else ()


def _refusal(again: pd.DataFrame, factors: pd.DataFrame, *, single: list[str], together: list[str]) -> str:
    first = again[again["group"] == 0]
    of = first.iloc[0]
    seed = "" if again["seed"].nunique() == 1 else f", seed {of['seed']:g}"
    said = (
        f"expected one loss for each seed of a shape, found {len(first)} of {of['depth']:g} x {of['width']:g} "
        f"at {format_size(of['budget'])}{seed} ({len(again)} such rows)"
    )
    if single:
        verb = "tells" if len(single) == 1 else "each tell"
        return f"{said}; {_shown(single, factors)} {verb} them apart: {_remedy(single[:1])}"
    if together:
        return f"{said}; {_shown(together, factors)} together tell them apart: {_remedy(together)}"
    return (
        f"{said}, and no column tells them apart: keep one row of each seed, or give every run a seed of its own "
        "(--column seed=THEIRS)"
    )


def _shown(names: Sequence[str], factors: pd.DataFrame) -> str:
    """Columns, the first with its values."""
    values = [value or "nothing" for value in pd.unique(factors[names[0]])]
    more = f" and {len(values) - MOST_VALUES} more" if len(values) > MOST_VALUES else ""
    first = f"{names[0]} ({', '.join(values[:MOST_VALUES])}{more})"
    return f"column{'s' * (len(names) > 1)} {', '.join([first, *names[1:]])}"


def _remedy(names: Sequence[str]) -> str:
    ours = meant(names[0])
    if ours in ("seed", "learning_rate"):
        return f"read it with --column {ours}={names[0]}"
    split = " ".join(f"--split {name}" for name in names)
    numbers = f", or read it with --column seed={names[0]} if it numbers seeds" if len(names) == 1 else ""
    return f"fit each value alone with {split} (in Python interlaw.laws.fit_each){numbers}"
