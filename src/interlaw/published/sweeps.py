"""Sweeps that come with the package: tables of numbers, each with its source and licence."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from interlaw.errors import require_among
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
        votes: Whether its optima are pooled: those of language models are.
        treatment: The learning-rate treatment to read where the table holds several; None when it holds one.
        file: The table, of a sweep that another package brings; None for one of this package.
    """

    name: str
    title: str
    dataset: str
    source: str
    licence: str
    counts: str
    votes: bool = True
    treatment: str | None = None
    file: str | None = None

    def table(self) -> pd.DataFrame:
        """The rows, those of `treatment` where that is set."""
        import pandas as pd

        place = Path(self.file) if self.file else files(_FOLDER).joinpath("sweeps", f"{self.name}.csv")
        with place.open(encoding="utf-8") as file:
            rows = pd.read_csv(file)
        return rows if self.treatment is None else rows[rows["treatment"] == self.treatment].reset_index(drop=True)


_TEXT = files(_FOLDER).joinpath("sweeps", "sources.toml").read_text(encoding="utf-8")
# every sweep by its name; other packages and this process may add some
SWEEPS: Registry[Sweep] = Registry(
    "interlaw.sweeps", {name: Sweep(name=name, **fields) for name, fields in tomllib.loads(_TEXT).items()}
)


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
    require_among("a packaged sweep", wanted, known=SWEEPS.names(), advice=f"`interlaw fit {PREFIX}` lists them")
    return SWEEPS[wanted]
