"""The search for a learning rate against curves whose best rate is known, and its plan on a real sweep."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.recipes import write_recipe

from interlaw.errors import InterlawError
from interlaw.runs import Record, load_table, view_table
from interlaw.sweep import plan_trials, prepare_run, read_recipe, run_trials
from interlaw.sweep.search import MAX_EXTENSIONS, next_rates

GRID = (1e-3, 2e-3, 4e-3)


def search(loss: Callable[[float], float]) -> tuple[dict[float, float], float | None]:
    """Runs a whole search on a known curve."""
    losses: dict[float, float] = {}
    rates, chosen = next_rates(losses, GRID)
    while rates:
        losses.update({rate: loss(rate) for rate in rates})
        rates, chosen = next_rates(losses, GRID)
    return losses, chosen


@pytest.mark.parametrize("best", [2e-4, 1.1e-3, 2.6e-3, 3.9e-3, 2.1e-2])
def test_a_parabola_is_found_wherever_it_lies(best: float) -> None:
    losses, chosen = search(lambda rate: 2.0 + 0.1 * math.log(rate / best) ** 2)
    assert chosen == pytest.approx(best, rel=0.01)  # three digits are kept
    assert min(losses) < best < max(losses)


def test_the_vertex_is_that_of_numpy() -> None:
    losses = {1e-3: 2.31, 2e-3: 2.11, 4e-3: 2.2}
    slope_curve = np.polynomial.Polynomial.fit(np.log(list(losses)), list(losses.values()), 2).deriv()
    rates, chosen = next_rates(losses, GRID)
    assert rates == []
    assert chosen == pytest.approx(float(np.exp(slope_curve.roots()[0])), rel=5e-3)


def test_the_grid_grows_only_so_far() -> None:
    losses, chosen = search(lambda rate: -math.log(rate))  # the higher the better, for ever
    assert len(losses) == len(GRID) + MAX_EXTENSIONS
    assert chosen == max(losses)


def test_a_neighbour_that_diverged_leaves_the_best_rate_tried() -> None:
    assert next_rates({1e-3: 2.3, 2e-3: 2.1, 4e-3: math.inf}, GRID) == ([], 2e-3)


def test_no_rate_that_works() -> None:
    losses, chosen = search(lambda rate: math.inf)
    assert chosen is None
    assert min(losses) < GRID[0]  # it looked lower before it gave up


def test_a_sweep_searches_each_shape_and_then_trains_every_seed(tmp_path: Path) -> None:
    rates = {"treatment": "search", "learning_rate": None, "learning_rates": [0.003, 0.01, 0.03]}
    path = write_recipe(tmp_path, training={**rates, "steps": 6})
    recipe, text = read_recipe(path)
    rounds = 0
    while True:
        run, trials = prepare_run(recipe, text, out=tmp_path / "run", folder=path.parent)
        if all(run.trial(trial.key).record() for trial in trials):
            break
        run_trials(run, trials, executor="local", listen=lambda event: None)
        rounds += 1
    table = load_table(tmp_path / "run")
    final = view_table(table)
    assert rounds >= 2
    assert sorted(zip(final["depth"], final["seed"], strict=True)) == [(1, 0), (1, 1), (2, 0), (2, 1)]
    for depth, tried in table[table["stage"] == "search"].groupby("depth"):
        assert set(tried["seed"]) == {0}
        counted = tried["val_loss"].where(tried["status"] == "done", math.inf)
        losses = dict(zip(tried["learning_rate"], counted, strict=True))
        assert next_rates(losses, (0.003, 0.01, 0.03))[1] == final[final["depth"] == depth]["learning_rate"].unique()[0]
    for (depth, _), rows in final.groupby(["depth", "treatment"]):
        tried = table[(table["depth"] == depth) & (table["stage"] == "search")]["learning_rate"]
        assert set(rows["rate_at_edge"]) == {bool(rows["learning_rate"].iloc[0] in (tried.min(), tried.max()))}
    records = {trial.key: run.trial(trial.key).record() for trial in trials}
    again = plan_trials(recipe, folder=path.parent, records={key: r for key, r in records.items() if r is not None})
    assert [trial.key for trial in again] == list(records)


def test_a_rate_is_chosen_on_the_mean_of_several_seeds(tmp_path: Path) -> None:
    """Seed 0 alone would take the lowest rate and go on below it."""
    rates = {"treatment": "search", "learning_rate": None, "learning_rates": list(GRID), "search_seeds": 2}
    path = write_recipe(tmp_path, top={"seeds": [0, 1, 2], "depths": [1]}, training=rates)
    recipe, _ = read_recipe(path)
    tried = plan_trials(recipe, folder=path.parent)
    assert [(trial.training.learning_rate, trial.training.seed) for trial in tried] == [
        (rate, seed) for rate in GRID for seed in (0, 1)
    ]
    losses = {(1e-3, 0): 1.0, (2e-3, 0): 1.2, (4e-3, 0): 1.4, (1e-3, 1): 2.0, (2e-3, 1): 1.2, (4e-3, 1): 1.4}
    records = {
        trial.key: Record(
            key=trial.key,
            status="done",
            shape=trial.make_shape().to_dict(),
            loss=9.0,
            val_loss=losses[trial.training.learning_rate, trial.training.seed],
        )
        for trial in tried
    }
    final = [trial for trial in plan_trials(recipe, folder=path.parent, records=records) if trial.stage == "final"]
    means = [1.5, 1.2, 1.4]
    vertex = float(np.exp(np.polynomial.Polynomial.fit(np.log(GRID), means, 2).deriv().roots()[0]))
    assert [trial.training.seed for trial in final] == [0, 1, 2]
    assert final[0].training.learning_rate == pytest.approx(vertex, rel=5e-3)
    lost = {**records, tried[2].key: records[tried[2].key].model_copy(update={"status": "diverged"})}
    assert {trial.training.learning_rate for trial in plan_trials(recipe, folder=path.parent, records=lost)} > {8e-3}


def test_a_search_asks_for_seeds_that_there_are(tmp_path: Path) -> None:
    rates = {"treatment": "search", "learning_rate": None, "learning_rates": list(GRID), "search_seeds": 3}
    with pytest.raises(InterlawError, match="search_seeds asks for 3 of 2 seeds; give more seeds"):
        read_recipe(write_recipe(tmp_path, training=rates))
