"""`python -m benchmarks [NAME ...]`: every bench_*.py beside this file, or the named ones, as one table of ratios.

Each module offers `run() -> list[dict]` with keys name, unit, ours, baseline, ratio, target. Baselines are plain
transcriptions that run in the same process right beside what they are compared with.
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


def main() -> None:
    """Runs the benchmarks and prints their table."""
    found = sorted(path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py"))
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("names", nargs="*", choices=[*found, []], help=f"which of: {', '.join(found)}; all when none")
    names = parser.parse_args().names or found
    machine = provenance()
    console = Console(width=150, highlight=False)
    console.print(
        f"{machine['device_name']}, {torch.get_num_threads()} threads, torch {machine['torch']}, "
        f"Python {platform.python_version()}"
    )
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
    console.print(table)


def _short(value: float | None) -> str:
    """Three significant digits."""
    return "-" if value is None else f"{value:.3g}"


if __name__ == "__main__":
    sys.exit(main())
