"""The peak under an intervention: every arm is run as named, and known heights and pushes are found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from interlaw_paper import Driver
from interlaw_paper import peak as experiment
from interlaw_paper.bottleneck_training import BottleneckSettings
from interlaw_paper.double_descent import Dataset, Program
from interlaw_paper.peak import BESIDE, DRAWS, PEAK, compared, heights, programs, run_peak


def a_table(*, height: float, left: float) -> pd.DataFrame:
    """Log loss is `height` at the peak of plain runs and `left` where interaction is lowered, with noise of a draw."""
    noise = np.random.default_rng(0).normal(scale=0.01, size=len(DRAWS))
    rows = []
    for arm, on, strength, moved in [
        ("none", None, np.nan, 0.0),
        ("interaction+0.01", "interaction", 0.01, -0.5),
        ("interaction-0.01", "interaction", -0.01, 0.5),
    ]:
        for draw in DRAWS:
            for size in (PEAK, *BESIDE):
                loss = (size == PEAK) * ((left if strength > 0 else height) + noise[draw])
                own = {"arm": arm, "draw": draw, "seed": draw, "train_points": size, "depth": 1, "width": 2}
                moves = {"intervention": on, "strength": strength, "aofe_scale_free": np.exp(moved), "trace": 1.0}
                rows.append({**own, **moves, "loss": np.exp(loss)})
    return pd.DataFrame(rows)


def test_known_heights_are_found() -> None:
    table = a_table(height=0.3, left=0.0)
    assert heights(table[table["arm"] == "none"]).mean() == pytest.approx(0.3, abs=0.02)
    lines = {(line.figure, line.at): line for line in compared(table)}
    assert lines["loss at the peak above that beside it", ""].verdict == "agrees"
    under = lines["the peak under interaction+0.01", ""]
    assert "change of log height -0.30 (-0.30 to -0.30)" in str(under.ours)
    assert (under.verdict, under.at) == ("not comparable", "")
    assert lines["interaction at strength 0.01", "500 training points"].verdict == "partly agrees"


def test_a_flat_curve_has_no_peak() -> None:
    lines = {line.figure: line for line in compared(a_table(height=0.0, left=0.0))}
    assert lines["loss at the peak above that beside it"].verdict == "does not agree"


def test_a_small_run_from_end_to_end_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = Program(
        sizes=(PEAK, *BESIDE), settings=BottleneckSettings(steps=2), data=Dataset(dim=40, density=0.1, test_points=50)
    )
    planned = list(programs(small))
    monkeypatch.setattr(experiment, "programs", lambda: planned)
    seen: list[str] = []
    outcome = run_peak(scale="decisive", out=tmp_path, driver=Driver(sweep=lambda plan: None, note=seen.append))
    assert len(outcome.table) == len(seen) == 7 * 3 * len(DRAWS)
    arms = {row["arm"]: (row["intervention"], row["strength"]) for row in outcome.table}
    assert arms.keys() == {label for label, _, _ in planned}
    assert all(map(pd.isna, arms.pop("none")))
    assert all(arm == f"{on}{strength:+g}" for arm, (on, strength) in arms.items())
    again = run_peak(scale="decisive", out=tmp_path, driver=Driver(sweep=lambda plan: None, note=seen.append))
    assert len(seen) == len(outcome.table)
    assert [row["loss"] for row in again.table] == [row["loss"] for row in outcome.table]
