"""Sweeps that come with the package: tables of numbers, each with its source and licence."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from interlaw.errors import InterlawError, did_you_mean
from interlaw.registry import Registry

if TYPE_CHECKING:
    import pandas as pd

PREFIX = "public:"
_FOLDER = "interlaw.published"


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """One packaged table of trained shapes.

    Attributes:
        name: What `public:NAME` calls it.
        title: What it is.
        dataset: Sweeps that share models or data share this name, and one vote where optima are pooled.
        source: Where the numbers were read.
        licence: Of the source.
        counts: What its `params` and its budgets count.
        votes: Whether its optima are pooled: those of language models that were trained to find R* are.
        silence: Why they are not, of one without a vote.
        treatment: The learning-rate treatment to read where the table holds several; None when it holds one.
        part: The part of the table to read where that holds several, each on another task; None when it holds one.
        window: Of the fit, where the design fixed it before the runs were read; None for the default of `fit_law`.
        file: The table, of a sweep that another package brings; None for one of this package.
    """

    name: str
    title: str
    dataset: str
    source: str
    licence: str
    counts: str
    votes: bool = True
    silence: str = "no language model"
    treatment: str | None = None
    part: str | None = None
    window: float | None = None
    file: str | None = None

    def table(self) -> pd.DataFrame:
        """The rows, those of `treatment` or `part` where one is set; `attrs["window"]` is the window, where one is."""
        import pandas as pd

        stem = self.name.removesuffix(f"-{self.part}")
        place = Path(self.file) if self.file else files(_FOLDER).joinpath("sweeps", f"{stem}.csv")
        with place.open(encoding="utf-8") as file:
            rows = pd.read_csv(file)
        for column, wanted in (("treatment", self.treatment), ("part", self.part)):
            if wanted is not None:
                rows = rows[rows[column].astype(str) == wanted].reset_index(drop=True)
        if self.part is not None:
            rows = rows.drop(columns="part")
        if self.window is not None:
            rows.attrs["window"] = self.window  # which `fit_law` reads
        return rows


def _declared() -> Iterator[Sweep]:
    """The sweeps of `sources.toml`; one a part where a table has parts."""
    text = files(_FOLDER).joinpath("sweeps", "sources.toml").read_text(encoding="utf-8")
    for name, fields in tomllib.loads(text).items():
        parts = fields.pop("parts", None)
        if parts is None:
            yield Sweep(name=name, **fields)
        else:
            yield from (Sweep(name=f"{name}-{part}", part=part, **fields) for part in parts)


# every sweep by its name; other packages and this process may add some
SWEEPS: Registry[Sweep] = Registry("interlaw.sweeps", {sweep.name: sweep for sweep in _declared()})


def packaged_sweeps() -> tuple[Sweep, ...]:
    """Every packaged sweep, and what is registered in `SWEEPS`.

    Example:
        >>> [sweep.name for sweep in packaged_sweeps()][0]
        'gemstones-hot'
    """
    return tuple(SWEEPS.everything().values())


def find_sweep(name: str) -> Sweep:
    """The packaged sweep of a name, with or without `public:`.

    Raises:
        InterlawError: There is none of that name.

    Example:
        >>> len(find_sweep("public:gemstones-hot").table())
        22
    """
    wanted = name.removeprefix(PREFIX)
    if wanted not in SWEEPS.names():  # too many for a message
        raise InterlawError(
            f"expected a packaged sweep, found {wanted!r}; `interlaw fit {PREFIX}` lists them"
            f"{did_you_mean(wanted, SWEEPS.names())}"
        )
    return SWEEPS[wanted]
