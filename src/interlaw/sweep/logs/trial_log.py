"""One ended trial as trackers want it: its settings, its curve, its figures."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from interlaw.runs import RunFolder, TrialFolder, load_curve, run_name, trial_row

# of a run table's columns, those that were chosen; the numbers among the others are results
SETTINGS = (
    "family",
    "budget",
    "budget_kind",
    "params",
    "params_non_embedding",
    "depth",
    "width",
    "ratio",
    "num_heads",
    "head_dim",
    "d_ff",
    "vocab_size",
    "context",
    "treatment",
    "stage",
    "learning_rate",
    "intervention",
    "strength",
    "seed",
)
KEY_SHOWN = 6  # hexadecimal digits: enough among the trials of one shape and seed


@dataclass(frozen=True, kw_only=True)
class TrialLog:
    """One ended trial.

    Attributes:
        key: The trial.
        name: Budget, shape and seed, for people and folders.
        run: The recipe's name.
        status: `done`, `diverged` or `failed`.
        settings: What was chosen.
        curve: Rows of step, units, train_loss, val_loss, learning_rate; values that are not finite are missing.
        figures: Results: losses, interaction with standard errors, seconds.
    """

    key: str
    name: str
    run: str
    status: str
    settings: dict[str, str | int | float]
    curve: tuple[dict[str, float], ...]
    figures: dict[str, float]


def trial_log(run: RunFolder, trial: TrialFolder) -> TrialLog | None:
    """What is to be written of a trial; None while it has not ended."""
    record = trial.record()
    if record is None:
        return None
    spec = trial.spec()
    row = trial_row(spec, record, name=run_name(run))
    chosen = {name: row[name] for name in SETTINGS if row.get(name) is not None}
    curve: list[Any] = load_curve(trial).to_dict(orient="records")
    return TrialLog(
        key=trial.key,
        name=f"{row['budget']}-{row['depth']}x{row['width']}-{row['treatment']}-seed{row['seed']}-{trial.key[:KEY_SHOWN]}",
        run=str(row["name"]),
        status=record.status,
        settings=chosen,
        curve=tuple({name: value for name, value in each.items() if _is_finite(value)} for each in curve),
        figures={name: float(value) for name, value in row.items() if name not in SETTINGS and _is_finite(value)},
    )


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
