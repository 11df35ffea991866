"""Several runs or tables put to one test: each is fitted by itself, and the claims are asked of all together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interlaw import laws
from interlaw.cli.compare_treatments import show_claims
from interlaw.cli.output import make_console, print_json
from interlaw.errors import InterlawError

if TYPE_CHECKING:
    import pandas as pd


def fit_together(
    tables: Mapping[str, pd.DataFrame], *, settings: Mapping[str, Any], out: Path | None, as_json: bool
) -> None:
    """Prints one line a table and treatment, then the claims over all.

    Raises:
        InterlawError: A file for one fit was asked for, or a treatment that no table has.
    """
    if out is not None:
        raise InterlawError(f"expected one run or table with --out, found {len(tables)}; fit the one to be kept alone")
    options = {name: value for name, value in settings.items() if name != "treatment"}
    parts = [
        laws.FittedTable(
            source=source,
            treatment=treatment,
            table=table,
            fit=laws.fit_law(table, treatment=treatment, **options),
            reading={name: options.get(name) for name in ("budget_tolerance", "last_step")},
        )
        for source, table in tables.items()
        for treatment in _treatments(table, settings.get("treatment"))
    ]
    claims = laws.judge_together(parts, num_permutations=settings["num_permutations"], seed=settings["seed"])
    if as_json:
        fits = [{"source": part.source, "treatment": part.treatment, **part.fit.to_dict()} for part in parts]
        print_json({"fits": fits, "claims": claims})
        return
    console = make_console(stderr=False)
    for part in parts:
        name = part.source if part.treatment is None else f"{part.source}, {part.treatment}"
        console.print(f"{name}: {laws.verdict(part.fit).best}")
    show_claims(claims)


def _treatments(table: pd.DataFrame, chosen: str | None) -> list[str | None]:
    """The treatments to fit one by one: the chosen one, all where there are several, else none by name."""
    if chosen is not None or "treatment" not in table.columns:
        return [chosen]
    found = sorted(set(table["treatment"].astype(str)))
    return [*found] if len(found) > 1 else [None]
