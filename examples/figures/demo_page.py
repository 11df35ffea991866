"""Makes the report that `interlaw demo` opens again, from committed tables: a target of the experiment `waves`.

    python examples/figures/demo_page.py

Its run was `interlaw reproduce waves --scale decisive --out runs/waves` (docs/design.md), and is not kept. Its folder
is written again: specs by planning the recipe, records from docs/results/waves.csv, learning curves from
docs/results/waves-curves.csv.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from interlaw.interaction import LEVEL, QUANTITIES
from interlaw.interaction.scales import interval, student_quantile
from interlaw.plain import Json
from interlaw.report.page import DEMO, content_alone, page
from interlaw.report.results import load_results
from interlaw.runs import Record, RunFolder, read_table_file
from interlaw.sweep import parse_recipe, plan_trials
from interlaw_paper.designed import WAVES
from interlaw_paper.shape_sweep import recipe_text

TITLE = "Which shape of a small network learns best?"  # the recipe's name says it to those who wrote the recipe
PART = WAVES.parts[0]  # of three targets the one whose sweep names a best shape
RESULTS = Path(__file__).parents[2] / "docs" / "results"
# What the page shows and the tables do not hold, as it stood in the page that the run itself gave.
MACHINE = {
    "interlaw": "0.1.0",
    "torch": "2.13.0+cpu",
    "numpy": "2.4.6",
    "python": "3.11.7",
    "platform": "Linux-6.18.44-fc-v595-x86_64-with-glibc2.36",
    "device": "cpu",
    "device_name": "AMD EPYC",
    "threads": 1,
    "processes": 1,
    "compiled": False,
    "micro_batch": 256,
    "evaluation_batch": 256,
    "predicted_bytes": "418,832 to 3,563,792",  # over the trials
}
MEASURED = {
    "layer": "input",
    "dim": 8,
    "num_clusters": 4096,
    "num_probes": 0,
    "seed": 0,
    "estimator": "U-statistic over pairs of clusters, exact factors, 512-group jackknife",
}
GROUPS = 512  # of the jackknife
PLAIN_EXCEEDS = 0.00016  # the AOFE-ratio of the plain average less the estimate, mean over the trials


def main() -> None:
    """Writes the packaged page."""
    kept = Path(str(resources.files("interlaw.report") / DEMO))
    kept.write_text(packaged(), encoding="utf-8")
    print(kept)


def packaged() -> str:
    """The page as it is kept in the package."""
    with tempfile.TemporaryDirectory() as folder:
        write_run(RunFolder(Path(folder)))
        results = load_results(folder)
    return content_alone(page(replace(results, name=TITLE, path=Path("runs") / WAVES.name / PART.label)))


def write_run(folder: RunFolder) -> None:
    """The run as the sweep left it, without weights.

    Raises:
        ValueError: The recipe plans other trials than the table has.
    """
    table = read_table_file(RESULTS / "waves.csv")
    rows: list[Any] = table[table["part"] == PART.label].to_dict(orient="records")
    records = {row["key"]: record({name: cell for name, cell in row.items() if pd.notna(cell)}) for row in rows}
    recipe = recipe_text(PART, scale="decisive")
    trials = plan_trials(parse_recipe(recipe, source=PART.recipe), folder=folder.path, records=records)
    if {trial.key for trial in trials} != records.keys():
        raise ValueError("expected the trials of docs/results/waves.csv from the recipe, found others; correct either")
    folder.write_plan(trials, recipe)
    for key, each in records.items():
        folder.trial(key).write_record(each)
    for key, curve in read_table_file(RESULTS / "waves-curves.csv").groupby("key"):
        folder.trial(str(key)).write_curve(curve[["units", "val_loss"]].to_dict(orient="records"))


def record(row: Mapping[str, Any]) -> Record:
    """A trial's record from its row, in which no cell is empty."""
    sizes = ("depth", "width", "params", "params_non_embedding", "flops_per_token")
    return Record(
        **{name: row.get(name) for name in ("key", "status", "loss", "val_loss", "min_val_loss")},
        **{name: row[name] for name in ("seconds", "evaluation_seconds", "measure_seconds")},
        shape={"family": row["family"], **{name: row[name] for name in sizes}, "ratio": row["depth"] / row["width"]},
        figures={"explained_variance": row["explained_variance"]} if "explained_variance" in row else {},
        units=row["train_tokens"],
        train_flops=float(row["train_tokens"] * row["flops_per_token"]),
        measurements={"input": measurement(row)} if "input_energy" in row else {},
        provenance=MACHINE,
        reason=row.get("reason", ""),
    )


def measurement(row: Mapping[str, Any]) -> Json:
    """What the report reads of a measurement; the intervals, which the table leaves out, by the library's formula."""
    names = (*QUANTITIES, "null_ratio", "excess_ratio")
    values = {name: torch.tensor(row[f"input_{name}"], dtype=torch.float64) for name in names}
    quantile = student_quantile(0.5 + LEVEL / 2, degrees=GROUPS - 1)
    reaches = {name: quantile * torch.tensor(row[f"input_{name}_stderr"], dtype=torch.float64) for name in names}
    estimates = {}
    for name in names:
        low, high = interval(name, values, reaches=reaches)
        stderr = row[f"input_{name}_stderr"]
        estimates[name] = {"value": float(values[name]), "stderr": stderr, "low": float(low), "high": float(high)}
    plain = {"aofe_ratio": row["input_aofe_ratio"] + PLAIN_EXCEEDS}
    return {**MEASURED, **estimates, "plugin": plain}


if __name__ == "__main__":
    main()
