"""The views of a table: which were measured, which is taken where nothing says, and one under plain names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlaw.errors import require_among

if TYPE_CHECKING:
    import pandas as pd

# What is measured unless another view is asked for: of any network; of one that predicts the next token, the view that
# carries the law and the one that costs least; the latter alone where a person waits, or a training.
OF_ANY_NETWORK = "input"
CHEAPEST = "loss"  # one gradient a sequence
OF_NEXT_TOKENS = ("projected", CHEAPEST)
# the view that carries the law: the one of the paper's sweep of language models, else of its scans
_PREFERRED = (*OF_NEXT_TOKENS, OF_ANY_NETWORK)


def measured_views(table: pd.DataFrame) -> list[str]:
    """The views measured in a run's table, the ones that carry the law first."""
    views = [column.removesuffix("_aofe_ratio") for column in table.columns if column.endswith("_aofe_ratio")]
    return sorted(views, key=lambda view: (_PREFERRED.index(view) if view in _PREFERRED else len(_PREFERRED), view))


def view_table(table: pd.DataFrame, *, view: str | None = None) -> pd.DataFrame:
    """What a law is fitted to: final trials, one view's columns under plain names (aofe, aofe_ratio, ..., view).

    Args:
        table: From `load_table`.
        view: A measured view; the first of `measured_views` when None. A table without any comes back as it is.

    Raises:
        InterlawError: When the view was not measured.
    """
    if "stage" in table.columns:
        table = table[table["stage"] == "final"]
    measured = measured_views(table)
    if view is None and not measured:
        return table
    chosen = view or measured[0]
    advice = "choose one of them" if measured else "leave it out"
    require_among("a measured view", chosen, known=measured, advice=advice)
    names = {name: name.removeprefix(f"{chosen}_") for name in table.columns if name.startswith(f"{chosen}_")}
    return table.rename(columns=names).assign(view=chosen)
