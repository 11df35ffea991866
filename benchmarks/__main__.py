"""`python -m benchmarks [NAME ...]`: all benchmarks, or the named ones.

Each bench_*.py beside this file offers `run()`, which gives its rows, printed as they come. Baselines are plain
transcriptions that run in the same process right beside what they are compared with. Those of TABLES are no
comparisons: each prints a table of its own.
"""

from __future__ import annotations

import argparse
import importlib
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from interlaw.runs import provenance

TABLES = {
    "scaling": "benchmarks.scaling_interaction",
    "coverage": "benchmarks.coverage_interaction",
    "laws_coverage": "benchmarks.coverage_laws",
    "stopping": "benchmarks.stopping_interaction",
    "levels": "benchmarks.levels_claims",
    "evidence": "benchmarks.levels_evidence",
}


def main() -> None:
    """Runs the benchmarks and prints their tables."""
    ratios = sorted(path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py"))
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("names", nargs="*", choices=[*ratios, *TABLES, []], help=f"of {', '.join((*ratios, *TABLES))}")
    names = parser.parse_args().names or [*ratios, *TABLES]
    machine = provenance()
    print(
        f"{machine['device_name']}, {torch.get_num_threads()} threads, torch {machine['torch']}, "
        f"Python {platform.python_version()}"
    )
    chosen = [name for name in names if name not in TABLES]
    if chosen:
        print_ratios(chosen)
    for name in names:
        if name in TABLES:
            print(f"\n{name}")
            importlib.import_module(TABLES[name]).main()


def print_ratios(names: list[str]) -> None:
    """The rows of every benchmark that is a comparison, each as soon as it is there: some take minutes."""
    print_line("benchmark", ("ours", "baseline", "ratio", "target"), unit="unit")
    for name in names:
        for row in importlib.import_module(f"benchmarks.bench_{name}").run():
            numbers = [_short(number) for number in (row.ours, row.baseline, row.ratio)]
            print_line(row.name, (*numbers, row.target), unit=row.unit)


def print_line(name: str, cells: Sequence[str], *, unit: str) -> None:
    """One line of the table."""
    ours, baseline, ratio, target = cells
    print(f"{name:<88} {ours:>9} {baseline:>9} {ratio:>8} {target:>18}  {unit}", flush=True)


def _short(value: float | None) -> str:
    """Three significant digits, thousands in full."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"  # three digits of such a number would be 1e+03


if __name__ == "__main__":
    sys.exit(main())
