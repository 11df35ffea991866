"""However large a run is, its page stays one that can be mailed."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.report.synthetic import write_run

from interlaw.report import results
from interlaw.report.page import page
from interlaw.report.results import load_results
from interlaw.runs import RunFolder

pytestmark = pytest.mark.slow
MOST_BYTES = 6_000_000


def test_a_thousand_trials_of_three_views_with_long_curves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    budgets = tuple(int(50_000 * 1.6**i) for i in range(10))
    folder = RunFolder(
        write_run(
            tmp_path / "run",
            budgets=budgets,
            depths=tuple(range(1, 21)),
            seeds=(0, 1, 2, 3, 4),
            views=("projected", "loss", "input"),
        )
    )
    for trial in folder.trials():
        trial.write_curve(
            [
                {
                    "step": i,
                    "units": 1024 * i,
                    "train_loss": 3 + 1 / i,
                    "val_loss": 3 + 1 / 7**0.5 / i,
                    "learning_rate": 0.01,
                }
                for i in range(1, 61)
            ]
        )
    fit = results.laws.fit_law
    monkeypatch.setattr(
        results.laws, "fit_law", lambda table, **options: fit(table, num_bootstrap=100, num_permutations=100, **options)
    )
    made = page(load_results(folder.path))
    assert made.count("data-key=") >= 900
    assert len(made.encode()) < MOST_BYTES
