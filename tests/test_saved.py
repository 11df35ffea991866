"""What earlier versions wrote is still read: a run of sixteen trials and two measurements, as they were saved.

`tests/saved` was made with `interlaw sweep` and `interlaw measure --out` of version 0.1.0, and holds the weights
of one trial. Do not make it again: when a reader refuses it, fix the reader.
"""

from __future__ import annotations

import io
import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from interlaw.cli import run
from interlaw.interaction import load
from interlaw.runs import RunFolder, load_trial

SAVED = Path(__file__).parent / "saved"
WITH_WEIGHTS = "6fd24f41ad16237c"


@pytest.fixture
def saved_run(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SAVED / "run", tmp_path / "run"))


def printed(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert run([str(argument) for argument in arguments]) == 0
    return capsys.readouterr().out


def test_every_trial_keeps_its_name() -> None:
    trials = RunFolder(SAVED / "run").trials()
    assert len(trials) == 16
    assert [trial.spec().key for trial in trials] == [trial.key for trial in trials]


def test_status(saved_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = json.loads(printed(capsys, "status", saved_run, "--json"))
    assert {name: state[name] for name in ("done", "failed", "running", "pending")} == {
        "done": 16,
        "failed": 0,
        "running": 0,
        "pending": 0,
    }


def test_export(saved_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Against the records themselves, read as plain JSON."""
    table = pd.read_csv(io.StringIO(printed(capsys, "export", saved_run, "--format", "csv"))).set_index("key")
    records = [json.loads(path.read_text()) for path in saved_run.glob("trials/*/record.json")]
    assert len(table) == len(records) == 16
    for record in records:
        row, measured = table.loc[record["key"]], record["measurements"]["loss"]
        assert row["loss"] == pytest.approx(record["loss"], rel=1e-12)
        assert row["depth"] == record["shape"]["depth"]
        assert row["loss_aofe_ratio"] == pytest.approx(measured["aofe_ratio"]["value"], rel=1e-12)
        assert row["loss_excess_ratio_low"] == pytest.approx(measured["excess"]["low"], rel=1e-12)


def test_fit(saved_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    budgets = json.loads(printed(capsys, "fit", saved_run, "--json"))["budgets"]
    assert [(budget["budget"], budget["num_shapes"], budget["num_runs"]) for budget in budgets] == [
        (3000, 4, 8),
        (6000, 4, 8),
    ]
    assert [budget["best"]["depth"] for budget in budgets] == [1, 1]
    assert budgets[0]["best"]["loss"] == pytest.approx(4.9394247, rel=1e-6)


def test_report(saved_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed(capsys, "report", saved_run)
    assert WITH_WEIGHTS in (saved_run / "report.html").read_text()


def test_weights(saved_run: Path) -> None:
    model, spec = load_trial(saved_run / "trials" / WITH_WEIGHTS)
    shape = spec.make_shape()
    tokens = torch.zeros(1, shape.context, dtype=torch.long)
    assert (shape.depth, shape.width) == (2, 4)
    assert model(tokens).isfinite().all()


@pytest.mark.parametrize("name", ["loss", "input"])
def test_measurements(name: str) -> None:
    """Against the same files read as plain JSON and by NumPy."""
    document: dict[str, Any] = json.loads((SAVED / f"{name}.json").read_text())
    measurement = load(SAVED / f"{name}.json")
    assert (measurement.view, measurement.dim, measurement.num_clusters) == (
        name,
        document["dim"],
        document["num_clusters"],
    )
    for quantity in ("energy", "aofe", "aofe_ratio", "trace", "excess"):
        estimate = getattr(measurement, quantity)
        for part in ("value", "stderr", "low", "high"):
            assert getattr(estimate, part) == document[quantity][part], (quantity, part)
    assert math.isfinite(measurement.aofe_ratio.value)
    assert measurement.grams is not None
    with np.load(SAVED / f"{name}.npz") as archive:
        for field in archive.files:
            kept = np.asarray(getattr(measurement.grams, field))
            np.testing.assert_array_equal(kept, archive[field])
            assert kept.size > 0
