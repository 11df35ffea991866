"""`python -m benchmarks [NAME ...]`: all benchmarks, or the named ones.

Each bench_*.py beside this file offers `run() -> list[dict]` with keys name, unit, ours, baseline, ratio, target: they
make one table of ratios. Baselines are plain transcriptions that run in the same process right beside what they are
compared with. Those of TABLES are no comparisons: each prints a table of its own.
"""

from __future__ import annotations

import argparse
import importlib
import platform
import sys
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from interlaw.runs import provenance

TABLES = {
    "scaling": "benchmarks.scaling_interaction",
    "coverage": "benchmarks.coverage_interaction",
    "stopping": "benchmarks.stopping_interaction",
}


def main() -> None:
    """Runs the benchmarks and prints their tables."""
    found = sorted(path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py"))
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("names", nargs="*", choices=[*found, *TABLES, []], help=f"of {', '.join((*found, *TABLES))}")
    names = parser.parse_args().names or [*found, *TABLES]
    machine = provenance()
    console = Console(width=150, highlight=False)
    console.print(
        f"{machine['device_name']}, {torch.get_num_threads()} threads, torch {machine['torch']}, "
        f"Python {platform.python_version()}"
    )
    ratios = [name for name in names if name not in TABLES]
    if ratios:
        console.print(table_of_ratios(ratios))
    for name in names:
        if name in TABLES:
            print(f"\n{name}")
            importlib.import_module(TABLES[name]).main()


def table_of_ratios(names: list[str]) -> Table:
    """The rows of every benchmark that is a comparison."""
    table = Table(box=None, header_style="bold")
    for column in ("benchmark", "ours", "baseline", "unit", "ratio", "target"):
        table.add_column(column, justify="left" if column in ("benchmark", "unit") else "right")
    for name in names:
        module = importlib.import_module(f"benchmarks.bench_{name}")
        for row in module.run():
            table.add_row(
                row["name"],
                _short(row["ours"]),
                _short(row["baseline"]),
                row["unit"],
                _short(row["ratio"]),
                str(row["target"]),
            )
    return table


def _short(value: float | None) -> str:
    """Three significant digits."""
    return "-" if value is None else f"{value:.3g}"


if __name__ == "__main__":
    sys.exit(main())
