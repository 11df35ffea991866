"""Statuses and intervals against known truths, in and out of the family; the table in docs/law.md is the full form."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.coverage_laws import CURVES, TRUTHS, additive_best, coverage, status_shares, sweep, well_best

WITHOUT_OPTIMUM = list(CURVES)[:5]


@pytest.mark.parametrize("curve", WITHOUT_OPTIMUM)
def test_a_loss_without_an_optimum_is_seldom_called_one(curve: str) -> None:
    """60 draws of 7 shapes, 3 seeds: 6%, and three standard errors of 60 draws."""
    assert status_shares(curve, 7, seeds=3, noise=0.004, draws=60)["optimum"] <= 0.06 + 3 * np.sqrt(0.06 * 0.94 / 60)


def test_a_clear_minimum_is_found() -> None:
    assert status_shares("minimum in the middle", 7, seeds=3, noise=0.004, draws=40)["optimum"] >= 0.95
    assert status_shares("minimum at three quarters", 7, seeds=3, noise=0.001, draws=40)["optimum"] >= 0.95


def test_truths_have_their_minimum_where_they_say() -> None:
    for name, truth in TRUTHS.items():
        if name == "one rate for all":  # asks for the optimum of tuned shapes, which these runs do not have
            continue
        for size in (truth.budgets[0], truth.budgets[-1]):
            ratio = truth.best(size) * np.exp(np.linspace(-0.5, 0.5, 1001))
            lowest = ratio[np.argmin(truth.loss(np.full_like(ratio, size), ratio))]
            assert lowest == pytest.approx(truth.best(size), rel=2e-3), name
    assert well_best(1e6) == 0.03
    assert additive_best(1e8) == pytest.approx(0.0188, rel=0.02)  # arXiv 2602.05970


def test_a_sweep_has_the_noise_that_its_truth_says() -> None:
    truth = TRUTHS["AR(.8) along depth"]
    draws = np.log([sweep(truth, noise=0.01, draw=draw)["loss"][:7] for draw in range(300)])
    errors = draws - draws.mean(axis=0)
    assert errors.std() == pytest.approx(0.01, rel=0.1)
    assert np.mean(errors[:, 1:] * errors[:, :-1]) / errors.var() == pytest.approx(0.8, abs=0.06)


# one rate that suits a depth moves gamma itself: that no interval holds the tuned truth is said in every such fit
@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in TRUTHS if name != "one rate for all"])
def test_ninety_per_cent_intervals_hold_the_truth(name: str) -> None:
    """30 draws: the joint gamma holds it in 85%, less two standard errors; R* and the optima's gamma are reported."""
    found = coverage(name, noise=0.003, draws=30)
    print(f"\n{name}: {found}")
    share, draws = found["gamma, jointly"]  # type: ignore[misc]
    assert draws >= 10
    assert share >= 0.85 - 2 * np.sqrt(0.85 * 0.15 / draws)
