"""Treatments compared: known minima, edges, coverage of the differences' intervals."""

from __future__ import annotations

import json

import numpy as np
import pytest

from interlaw.errors import InterlawError
from interlaw.laws import TreatmentComparison, compare_treatments

DEPTHS = np.array([1, 2, 3, 4, 5, 6, 8, 10])


def table(
    best: dict[str, float], *, noise: float = 0.0, seed: int = 0, gain: float = 0.0, budgets: tuple[float, ...] = (1e6,)
) -> dict[str, np.ndarray]:
    """Loss (1 + .05 log^2(R / best)) (1 - gain for the second treatment), two seeds a shape."""
    rng = np.random.default_rng(seed)
    rows = [
        (budget, depth, np.sqrt(budget / 12 / depth), treatment, run)
        for budget in budgets
        for depth in DEPTHS
        for treatment in best
        for run in (0, 1)
    ]
    budget, depth, width = (np.array([row[i] for row in rows], dtype=float) for i in range(3))
    treatment = np.array([row[3] for row in rows])
    centre = np.array([best[name] for name in treatment])
    change = np.where(treatment == list(best)[-1], 1 - gain, 1.0)
    loss = 2 * (1 + 0.05 * np.log(depth / width / centre) ** 2) * change
    loss = loss * (1 + noise * rng.standard_normal(len(rows))) * (1 + 1e-5 * np.cos(9 * depth))
    seeds = np.array([row[4] for row in rows])
    return {
        "budget": budget, "params": budget, "depth": depth, "width": width, "treatment": treatment,
        "loss": loss, "seed": seeds, "learning_rate": np.full(len(rows), 1e-2),
    }  # fmt: skip


def compare(columns: dict[str, np.ndarray], **options: float) -> TreatmentComparison:
    return compare_treatments(columns, num_bootstrap=400, **options)  # type: ignore[arg-type]


def test_known_minima_and_gain() -> None:
    found = compare(table({"fixed": 0.008, "search": 0.016}, gain=0.05, budgets=(1e6, 4e6)))
    assert [(each.budget, each.treatment) for each in found.budgets] == [
        (1e6, "fixed"), (1e6, "search"), (4e6, "fixed"), (4e6, "search"),
    ]  # fmt: skip
    for change in found.differences:
        assert change.factor == pytest.approx(2, rel=0.01)
        assert change.low is not None
        assert change.high is not None
        assert change.low <= 2.0 <= change.high * 1.001
        assert change.verdict == "moves"
        assert change.loss_change == pytest.approx(-0.05, abs=2e-4)


def test_equal_minima_are_the_same_and_loud_noise_cannot_tell() -> None:
    quiet = compare(table({"fixed": 0.012, "completep": 0.012}, noise=1e-3)).differences[0]
    assert quiet.verdict == "same"
    loud = compare(table({"fixed": 0.012, "completep": 0.014}, noise=0.05)).differences[0]
    assert loud.verdict == "cannot tell"
    sure = compare(table({"fixed": 0.012, "completep": 0.014}, noise=1e-3)).differences[0]
    assert sure.low > 1  # there is a difference, and it is smaller than any that matters
    assert sure.verdict == "same"


def test_a_minimum_beyond_the_grid_bounds_the_difference_on_one_side() -> None:
    change = compare(table({"fixed": 0.0002, "search": 0.016}, noise=1e-3)).differences[0]
    assert change.factor is None
    shallowest = 1 / np.sqrt(1e6 / 12)
    assert change.low == pytest.approx(0.016 / shallowest, rel=0.1)  # at least from the end of the grid
    assert change.high is None
    assert change.verdict == "moves"
    turned = compare(table({"search": 0.016, "fixed": 0.0002}, noise=1e-3)).differences[0]
    assert turned.low is None
    assert turned.high == pytest.approx(shallowest / 0.016, rel=0.1)


def test_ninety_per_cent_of_intervals_hold_the_factor(monkeypatch: pytest.MonkeyPatch) -> None:
    """100 draws; 90% within three standard errors, or wider."""
    monkeypatch.setattr("interlaw.laws.treatments.judge_together", lambda *parts, **options: ())  # a third of the time
    held = []
    for seed in range(100):
        change = compare(table({"fixed": 0.010, "search": 0.014}, noise=0.004, seed=seed), seed=seed).differences[0]
        held.append((change.low or 0) <= 1.4 <= (change.high or np.inf))
    assert 0.81 <= np.mean(held) <= 0.99


def test_cost_counts_the_trials_that_tried_rates_but_the_law_does_not() -> None:
    columns = table({"fixed": 0.012, "search": 0.012}, noise=1e-3)
    columns["stage"] = np.full(len(columns["loss"]), "final", dtype=object)
    columns["train_flops"] = np.full(len(columns["loss"]), 2.0)
    tried = {name: values[columns["treatment"] == "search"][:3].copy() for name, values in columns.items()}
    tried["stage"][:] = "search"
    tried["loss"][:] = 0.1  # would be the best of all if it counted
    found = compare({name: np.concatenate([columns[name], tried[name]]) for name in columns})
    assert min(each.best.loss for each in found.budgets) > 1
    fixed, search = found.costs
    assert (fixed.num_trials, fixed.num_search_trials, fixed.train_flops, fixed.search_flops) == (16, 0, 32.0, 0.0)
    assert (search.num_trials, search.num_search_trials, search.train_flops, search.search_flops) == (19, 3, 38.0, 6.0)


def test_result_is_json() -> None:
    found = compare(table({"fixed": 0.008, "search": 0.016}))
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["treatments"] == ["fixed", "search"]


def test_wrong_tables_are_refused() -> None:
    columns = table({"fixed": 0.008, "search": 0.016})
    with pytest.raises(InterlawError, match="expected at least two treatments, found fixed"):
        compare({name: values[columns["treatment"] == "fixed"] for name, values in columns.items()})
    with pytest.raises(InterlawError, match="expected a column treatment, found none"):
        compare({name: values for name, values in columns.items() if name != "treatment"})
    columns["stage"] = np.where(columns["treatment"] == "search", "search", "final")
    with pytest.raises(InterlawError, match="expected final trials of search, found none"):
        compare(columns)
