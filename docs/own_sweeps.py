"""Writes this project's own packaged sweeps from the tables of docs/results: `python docs/own_sweeps.py`.

Then `interlaw evidence --refit --out src/interlaw/recommendation/optima.csv` fits them. Trials that ended well at the
rate that counts are kept. Left out are `push` and `peak` (two shapes, and one), and `mlp-paper`: one seed, stopped at
unequal steps, which its loss follows.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parents[1]
SWEEPS = ROOT / "src" / "interlaw" / "published" / "sweeps"
COLUMNS = ("budget", "params", "depth", "width", "learning_rate", "seed", "train_tokens", "loss")
# parts are networks that learn different things; budgets of one target are one part
PARTS = {
    "waves": r"layers-(\d+)",
    "targets": r"layers-(\d+-dim-\d+)",
    "hundredfold": r"layers-(\d+-draw-\d+)",
    "searched": r"layers-(\d+-draw-\d+)",
    "students": r"teacher-(\d+)",
}
WHOLE = "-whole"  # of three lengths of training the longest


def trials(name: str) -> pd.DataFrame:
    """Trials of a committed table that ended well, at the rate that counts; every cell as it is written."""
    table = pd.read_csv(ROOT / "docs" / "results" / f"{name}.csv", dtype=str, keep_default_na=False)
    return table[(table["status"] == "done") & (table["stage"] == "final")]


def parted(table: pd.DataFrame, pattern: str) -> pd.DataFrame:
    """The rows of the parts that a pattern names, with its group as their part."""
    part = table["part"].str.extract(f"^{pattern}", expand=False)
    return table.assign(part=part)[part.notna()]


def sweeps() -> dict[str, pd.DataFrame]:
    """Every table that is packaged, by the name of its file."""
    longest = trials("lengths")
    longest = longest[longest["part"].str.endswith(WHOLE)]
    rates, growth = trials("rates"), trials("growth")
    growth = growth[growth["budget"].astype(float) == growth["budget"].astype(float).max()]  # here a length of training
    tables = {name: parted(trials(name), pattern) for name, pattern in PARTS.items()}
    tables["students"] = pd.concat([tables["students"], parted(longest, PARTS["students"])])
    tables["lengths"] = parted(longest, PARTS["hundredfold"])
    whole = {
        "small-gpts": trials("small-gpts"),
        "gpt-sizes": trials("gpt-sizes"),
        "rates": rates[rates["treatment"] == "search"],
        "growth": growth.assign(budget="40000"),  # parameters
    }
    return {
        **{f"own-{name}": table[["part", *COLUMNS]] for name, table in tables.items()},
        **{f"own-{name}": table[[*COLUMNS]] for name, table in whole.items()},
    }


def as_text(table: pd.DataFrame) -> str:
    """A table as it is packaged."""
    return table.to_csv(index=False, lineterminator="\n")


if __name__ == "__main__":
    for name, table in sweeps().items():
        (SWEEPS / f"{name}.csv").write_text(as_text(table), encoding="utf-8")
        sys.stderr.write(f"wrote {name}: {len(table)} runs\n")
