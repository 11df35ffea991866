"""What rows of a table mean: checkpoints, copies, rates, budgets."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from interlaw.errors import InterlawError
from interlaw.laws import fit_law
from interlaw.laws.table import read_runs


def runs(**columns: object) -> dict[str, object]:
    return {"params": [1e6] * 4, "depth": [2, 2, 4, 4], "width": [200, 200, 140, 140], **columns}


TRAINED = {"loss": [2.2, 2.0, 2.1, 1.9], "train_tokens": [1e7, 2e7, 1e7, 2e7]}


def test_the_last_row_of_each_run_is_taken_and_told() -> None:
    for name, values in (("seed", [0, 0, 0, 0]), ("run", ["a", "a", "b", "b"])):
        found = read_runs(runs(**TRAINED, **{name: values}))
        assert found.frame["loss"].tolist() == [2.0, 1.9]
        assert found.left_out.checkpoints == 2
        assert "2 rows are earlier checkpoints of a run, which are not seeds" in " ".join(found.notes)


def test_seeds_at_the_same_tokens_all_stay() -> None:
    found = read_runs(runs(loss=[2.2, 2.0, 2.1, 1.9], train_tokens=[2e7] * 4, seed=[0, 1, 0, 1]))
    assert len(found.frame["loss"]) == 4
    assert not found.left_out.checkpoints


def test_two_runs_of_a_seed_at_different_tokens_are_kept_apart_by_name_only() -> None:
    table = runs(**TRAINED, seed=[0, 0, 0, 0], run=["a", "b", "c", "d"])
    assert len(read_runs(table).frame["loss"]) == 4


def test_tokens_that_differ_without_a_name_or_seed_are_refused_with_the_remedy() -> None:
    with pytest.raises(InterlawError, match=r"found 2 rows of 2 x 200 at different tokens, .*--last-step"):
        read_runs(runs(**TRAINED))
    assert read_runs(runs(**TRAINED), last_step=True).frame["loss"].tolist() == [2.0, 1.9]
    steps = {"loss": TRAINED["loss"], "step": [1, 2, 1, 2]}
    with pytest.raises(InterlawError, match="at different values of step"):
        read_runs(runs(**steps))


def test_checkpoints_do_not_narrow_an_interval(sweep) -> None:
    """Ten checkpoints of each run leave the fit what the last ones say."""
    table = {name: values for name, values in sweep(budgets=(2e6,), noise=0.004, seeds=2).items() if name != "budget"}
    last = pd.DataFrame(table).assign(train_tokens=1e7)
    earlier = [last.assign(train_tokens=part * 1e6, loss=table["loss"] * (1.1 - 0.01 * part)) for part in range(1, 10)]
    fit = fit_law(pd.concat([*earlier, last]), num_permutations=100)
    assert fit.budgets[0].r_star == fit_law(last, num_permutations=100).budgets[0].r_star


def test_rows_are_copies_only_where_every_column_agrees() -> None:
    table = runs(loss=[2.0, 2.0, 1.9, 1.9], note=["a", "a", "a", "b"])
    found = read_runs(table)
    assert len(found.frame["loss"]) == 3
    assert found.left_out.duplicates == 1
    assert "1 rows repeat another row exactly" in " ".join(found.notes)


def rates(num: int, seed: int = 0) -> dict[str, object]:
    """Eight shapes, the deeper half at `num` rates: the true loss is the same everywhere."""
    rng = np.random.default_rng(seed)
    depth = np.concatenate([np.repeat([2, 3, 4, 5], 1), np.repeat([6, 8, 12, 16], num)]).astype(float)
    rate = np.concatenate([[1e-3] * 4, np.tile(np.geomspace(1e-4, 1e-2, num), 4)])
    loss = 2 * np.exp(0.01 * rng.normal(size=(2, len(depth))))
    table = {"params": np.full(len(depth), 2e6), "depth": depth, "width": np.sqrt(2e6 / 12 / depth)}
    return {**table, "learning_rate": rate, "loss": loss[0], "val_loss": loss[1]}


def test_the_rate_is_chosen_on_the_validation_loss_and_more_rates_do_not_win() -> None:
    found = read_runs({**rates(8), "val_loss": rates(8)["learning_rate"]})
    assert set(found.frame["loss"].tolist()) <= set(rates(8)["loss"].tolist())
    assert found.left_out.slower_rates == 28
    draws = [pd.DataFrame(rates(8, seed)).assign(budget=seed + 1.0) for seed in range(200)]
    chosen = read_runs(pd.concat(draws, ignore_index=True)).frame
    assert len(chosen) == 200 * 8
    deep = chosen.loc[chosen.groupby("budget")["loss"].idxmin(), "depth"] >= 6
    assert 0.4 < np.mean(deep) < 0.6  # chosen on the loss itself the deeper half would win nine times of ten


def test_several_rates_without_a_validation_loss_are_refused() -> None:
    table = {name: values for name, values in rates(8).items() if name != "val_loss"}
    with pytest.raises(InterlawError, match=r"expected a column val_loss to choose .* --column val_loss=THEIRS"):
        read_runs(table)


def test_unequal_searches_and_one_rate_for_all_are_told() -> None:
    assert "searched over 1 to 8 learning rates" in " ".join(fit_law(rates(8), num_permutations=100).warnings)
    one = runs(loss=[2.2, 2.1, 2.0, 1.9], learning_rate=[1e-3] * 4, seed=[0, 1, 0, 1])
    assert "one learning rate (0.001) for all shapes" in " ".join(read_runs(one).notes)
    follows = one | {"treatment": ["mup"] * 4}
    assert "one learning rate" not in " ".join(read_runs(follows).notes), "the rate follows the shape"
    own = runs(loss=[2.2, 2.1, 2.0, 1.9], learning_rate=[1e-3, 1e-3, 3e-3, 3e-3], seed=[0, 1, 0, 1])
    assert not any("learning rate" in sentence for sentence in read_runs(own).notes)
    silent = runs(loss=[2.2, 2.1, 2.0, 1.9], seed=[0, 1, 0, 1])
    assert "no column learning_rate" in " ".join(read_runs(silent).notes)


def test_an_inferred_budget_holds_what_the_rule_nearest_misses() -> None:
    """Widths in steps of 8 near 57: sizes from -7% to +7% are one budget, and a quarter more is another."""
    depth = np.array([2.0, 3.0, 4.0, 6.0, 2.0, 3.0])
    width = np.array([80.0, 72.0, 64.0, 56.0, 104.0, 88.0])
    params = np.array([0.93e6, 1.07e6, 1e6, 0.95e6, 1.5e6, 1.6e6])
    table = {"params": params, "depth": depth, "width": width, "loss": np.full(6, 2.0)}
    found = read_runs(table)
    assert [len(np.unique(found.frame["budget"].iloc[rows])) for rows in (slice(0, 4), slice(4, 6))] == [1, 1]
    assert len(np.unique(found.frame["budget"])) == 2
    assert "--budget-tolerance" in " ".join(found.notes)
    assert len(np.unique(read_runs(table, budget_tolerance=0.03).frame["budget"])) == 5
    assert len(np.unique(read_runs(table, budget_tolerance=0.9).frame["budget"])) == 1
    with pytest.raises(InterlawError, match="budget_tolerance= between 0 and 1, found 2"):
        fit_law(table, budget_tolerance=2)


@pytest.mark.parametrize("seed", [lambda count: np.arange(count), lambda count: np.zeros(count)])
def test_seeds_that_no_two_shapes_share_pair_nothing(sweep, seed) -> None:
    table = sweep(seeds=3, noise=0.002)
    runs = read_runs({**table, "seed": seed(len(table["loss"])).astype(float)})
    assert "seed" not in runs.frame
    assert any("the column seed pairs no runs" in note for note in runs.notes)
    assert "seed" in read_runs(table).frame
