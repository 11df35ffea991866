"""A run as a table: one row a trial, in every export and for every fit."""

from __future__ import annotations

import csv
import json
import tomllib
from pathlib import Path
from typing import Any

import pandas as pd

from interlaw.errors import InterlawError, one_line
from interlaw.plain import Json
from interlaw.runs.folder import RunFolder, TrialFolder
from interlaw.runs.record import Record
from interlaw.runs.spec import TrialSpec
from interlaw.runs.stored import require_run
from interlaw.views import measured_views as measured_views
from interlaw.views import view_table as view_table

# of a measurement's estimates: how the columns end, and the names that differ
_PARTS = {"value": "", "stderr": "_stderr", "low": "_low", "high": "_high"}
_NAMED = {"null": "null_ratio", "excess": "excess_ratio"}
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def load_table(path: str | Path) -> pd.DataFrame:
    """One row a finished trial of a run folder.

    Returns:
        Columns key, name, family, budget, budget_kind, budget_spent, params, params_non_embedding, flops_per_token,
        tokens_per_param, depth, width, ratio, num_heads, head_dim, d_ff, vocab_size, context, treatment, stage,
        learning_rate, rate_at_edge, seed, status, loss (test, nats per token), val_loss, min_val_loss, bits_per_byte,
        train_tokens, train_flops, seconds, tokens_per_second, evaluation_seconds,
        measure_seconds, reason; then for each view `<view>_<quantity>` and its `_stderr`, `_low`, `_high`. Sorted by
        budget, depth and seed.

    Raises:
        InterlawError: When the folder holds no run.
    """
    folder = require_run(path)
    name = run_name(folder)
    ended = [trial_row(_own_spec(folder.trial(key)), one, name=name) for key, one in folder.records().items()]
    table = pd.DataFrame(ended)
    if table.empty:
        return table
    table["rate_at_edge"] = _rate_at_edge(table)
    return table.sort_values(["budget", "depth", "seed"], ignore_index=True)


def _own_spec(trial: TrialFolder) -> TrialSpec:
    """A trial's spec, which its name is the digest of."""
    spec = trial.spec()
    if spec.key != trial.key:
        raise InterlawError(
            f"expected the spec of trial {trial.key} in {trial.path}, found one of digest {spec.key}; it was "
            "changed by hand: remove the folder, and the sweep runs that trial again"
        )
    return spec


def run_name(folder: RunFolder) -> str:
    """The recipe's name."""
    try:
        return str(tomllib.loads(folder.recipe.read_text(encoding="utf-8")).get("name", folder.path.name))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        return folder.path.name


def trial_row(spec: TrialSpec, record: Record, *, name: str) -> Json:
    """One trial's row."""
    shape, added = record.shape, spec.training.intervention
    row: Json = {
        "key": record.key,
        "name": name,
        "family": spec.family,
        "budget": spec.budget.amount,
        "budget_kind": spec.budget.kind,
        "budget_spent": _spent(spec, record),
        "flops_per_token": shape.get("flops_per_token"),
        "tokens_per_param": _per(record.units, shape.get("params")),
        **{k: shape.get(k) for k in ("params", "params_non_embedding", "depth", "width", "ratio", "num_heads")},
        **{k: shape.get(k) for k in ("head_dim", "d_ff", "vocab_size", "context")},
        "treatment": spec.treatment,
        "stage": spec.stage,
        "learning_rate": spec.training.learning_rate,
        **({"intervention": added, "strength": spec.training.strength} if added != "none" else {}),
        "seed": spec.training.seed,
        "status": record.status,
        "loss": record.loss,
        "val_loss": record.val_loss,
        "min_val_loss": record.min_val_loss,
        **record.figures,
        "train_tokens": record.units,
        "train_flops": record.train_flops,
        "seconds": record.seconds,
        "tokens_per_second": _per(record.units, record.seconds),
        "evaluation_seconds": record.evaluation_seconds,
        "measure_seconds": record.measure_seconds,
        "reason": record.reason or "; ".join(f"{view}: {why}" for view, why in record.unmeasured.items()),
    }
    for view, measured in record.measurements.items():
        row.update(_measurement_columns(view, measured))
    return row


def _rate_at_edge(table: pd.DataFrame) -> pd.Series[bool]:
    """Whether a search left the shape's rate at the lowest or highest rate that it tried."""
    tried = table["learning_rate"].where(table["stage"] == "search")
    of_shape = tried.groupby([table[name] for name in ("treatment", "budget", "depth", "width")], dropna=False)
    low, high = of_shape.transform("min"), of_shape.transform("max")
    rate = table["learning_rate"]
    return (table["stage"] == "final") & ((rate <= low) | (rate >= high))


def _per(amount: float, count: Any) -> float | None:
    """A ratio, where there is something to divide by."""
    return amount / count if count else None


def _spent(spec: TrialSpec, record: Record) -> float | None:
    """What a trial spent of its budget: the count that is held equal over shapes."""
    kind = "params" if spec.budget.kind == "tokens_per_param" else spec.budget.kind
    return record.train_flops if kind == "train_flops" else record.shape.get(kind)


def _measurement_columns(view: str, measured: Json) -> dict[str, float | None]:
    """A measurement's columns: value, standard error and interval of each quantity."""
    return {
        f"{view}_{_NAMED.get(name, name)}{end}": _number(estimate.get(part))
        for name, estimate in measured.items()
        if isinstance(estimate, dict) and "stderr" in estimate
        for part, end in _PARTS.items()
    }


def _number(value: Any) -> float | None:
    """A number of a record, or None for what is none."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _not_a_formula(value: Any) -> Any:
    """A cell of text that a spreadsheet would take for a formula, or for the end of a line, made a text again."""
    if not isinstance(value, str):
        return value
    cell = value.replace("\r", " ")
    return f"'{cell}" if value.startswith(_FORMULA_STARTS) else cell


def load_curve(trial: TrialFolder) -> pd.DataFrame:
    """A trial's learning curve: step, units, train_loss, val_loss, learning_rate; empty when there is none.

    Raises:
        InterlawError: The file is damaged.
    """
    path = trial.path / "curve.csv"
    try:
        return pd.DataFrame(_curve_columns(path.read_text(encoding="utf-8")) if path.exists() else {}, dtype="float64")
    except (OSError, ValueError, csv.Error) as error:
        raise InterlawError(
            f"expected a learning curve in {path}, found it damaged ({one_line(error)}); remove the file"
        ) from error


def _curve_columns(text: str) -> dict[str, list[float]]:
    """Columns of numbers; by hand, for pandas takes a millisecond a file, and a run has thousands."""
    names, *rows = list(csv.reader(text.splitlines())) or [[]]
    if not names or any(len(row) != len(names) for row in rows):
        raise ValueError(f"{len(names)} columns in its header, and another number in a row")
    return {name: [float(row[place] or "nan") for row in rows] for place, name in enumerate(names)}


def table_as(table: pd.DataFrame, *, form: str) -> bytes:
    """The table as csv, parquet or jsonl."""
    if form == "csv":
        texts = table.select_dtypes(exclude="number").map(_not_a_formula)
        named = table.assign(**{str(name): texts[name] for name in texts}).rename(columns=_not_a_formula)
        return named.to_csv(index=False, lineterminator="\n").encode("utf-8", "backslashreplace")
    if form == "parquet":
        content: bytes = table.to_parquet(index=False)
        return content
    rows = json.loads(table.to_json(orient="records"))
    return "".join(json.dumps(row) + "\n" for row in rows).encode()
