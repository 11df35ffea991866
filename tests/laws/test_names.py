"""Tables of other trackers, and of pandas' nullable columns, keep the runs that ended well and no others."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from interlaw.errors import InterlawError
from interlaw.laws.names import state_column, states_of
from interlaw.laws.table import read_runs

WIDTHS, LOSSES = [200, 140, 100, 80], [2.0, 1.9, 1.8, 9.0]


def table(**columns: object) -> pd.DataFrame:
    plain = {"params": [1e6] * 4, "depth": [2, 4, 8, 12], "width": WIDTHS, "loss": LOSSES}
    return pd.DataFrame({**plain, **columns})


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("status", ["done", "done", "done", "failed"]),
        ("State", ["finished", "finished", "finished", "crashed"]),  # Weights & Biases
        ("status", ["FINISHED", "FINISHED", "FINISHED", "KILLED"]),  # MLflow
        ("state", ["COMPLETE", "TrialState.COMPLETE", "COMPLETE", "PRUNED"]),  # Optuna
        ("status", ["TERMINATED", "TERMINATED", "TERMINATED", "ERROR"]),  # Ray Tune
        ("STATE", ["COMPLETED", "COMPLETED", "COMPLETED", "OUT_OF_MEMORY"]),  # Slurm
        ("status", ["done", None, float("nan"), "running"]),
        ("status", pd.array(["done", "done", pd.NA, "killed"], dtype="string")),
    ],
)
def test_words_of_other_trackers(column: str, words: object) -> None:
    runs = read_runs(table(**{column: words}))
    assert runs.frame["loss"].tolist() == LOSSES[:3]
    assert runs.left_out.failed == 1


def test_an_unknown_word_is_neither_used_nor_left_out() -> None:
    with pytest.raises(InterlawError, match=r"expected State to say done .* found 'splendid'"):
        read_runs(table(State=["finished", "splendid", "finished", "finished"]))


def test_the_column_that_tells() -> None:
    assert state_column(["state", "Status"]) == "Status"
    assert states_of(np.array(["Done", "NaN", "oom"]), column="status").tolist() == ["done", "diverged", "failed"]


@pytest.mark.parametrize("kind", ["Int64", "Float64", "object", "int64[pyarrow]"])
def test_holes_of_every_kind_in_rows_that_do_not_count(kind: str) -> None:
    """A crashed run has no loss, whatever pandas calls that; in a finished one it is an error."""
    holed = pd.array([2, 3, 4, pd.NA], dtype=kind)
    found = read_runs(table(loss=holed, status=["done"] * 3 + ["crashed"], seed=pd.array([0, 1, pd.NA, 3], dtype=kind)))
    assert found.frame["loss"].tolist() == [2, 3, 4]
    with pytest.raises(InterlawError, match=r"positive finite loss .* found nan in row 4 below the header"):
        read_runs(table(loss=holed))
    with pytest.raises(InterlawError, match=r"expected numbers in column loss, found .*x"):
        read_runs(table(loss=[2.0, 3.0, pd.NA, "x"]))
