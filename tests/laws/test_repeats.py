"""Rows that repeat a seed of a shape: never further seeds; which column tells them apart; a fit of each value."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from interlaw.errors import InterlawError
from interlaw.laws import fit_each, fit_law, judge_together
from interlaw.laws.table import read_runs


@pytest.fixture
def two_tasks(sweep) -> pd.DataFrame:
    """R* = .04 and .15 on two tasks, the same shapes and seeds."""
    tasks = {"a": 0.04, "b": 0.15}
    made = {
        task: sweep(budgets=(1e6,), depths=(1, 2, 3, 4, 6, 9, 13, 19, 27), seeds=3, noise=0.002, ratio=ratio)
        for task, ratio in tasks.items()
    }
    return pd.concat([pd.DataFrame(table).assign(task=task) for task, table in made.items()], ignore_index=True)


def test_a_seed_with_two_losses_is_refused_with_the_column_that_tells_them_apart(two_tasks) -> None:
    with pytest.raises(
        InterlawError, match=r"found 2 of 1 x 288.675 at 1M, seed 0 \(54 such rows\); column task \(a, b\)"
    ):
        fit_law(two_tasks)
    one_seed = two_tasks[two_tasks["seed"] == 0]
    with pytest.raises(InterlawError, match="fit each value alone with --split task"):
        fit_law(one_seed)
    assert "differ in column task (a, b); fit each value" in " ".join(read_runs(two_tasks.assign(seed=0)).notes)


def test_each_value_of_a_column_is_fitted_alone(two_tasks) -> None:
    parts = fit_each({"runs": two_tasks}, split=["task"], num_bootstrap=100, num_permutations=100)
    assert [part.source for part in parts] == ["runs, task a", "runs, task b"]
    found = [part.fit.budgets[0].r_star.value for part in parts]
    np.testing.assert_allclose(found, [0.04, 0.15], rtol=0.1)
    assert judge_together(parts, num_permutations=100)
    with pytest.raises(
        InterlawError, match=r"expected a column to split runs by among budget, .*found 'part'; name one of them"
    ):
        fit_each({"runs": two_tasks}, split=["part"])


def test_columns_that_tell_rows_apart_together_are_all_named(two_tasks) -> None:
    crossed = pd.concat([two_tasks.assign(optimizer=name, loss=two_tasks["loss"] * by) for name, by in FACTORS.items()])
    with pytest.raises(InterlawError, match=r"together tell them apart: .* --split \w+ --split \w+"):
        fit_law(crossed)
    assert len(fit_each({"": crossed}, split=["task", "optimizer"], num_bootstrap=100, num_permutations=100)) == 4


FACTORS = {"adam": 1.0, "muon": 0.97}


def test_a_rate_or_seed_by_another_name_is_proposed_as_such(two_tasks) -> None:
    one = two_tasks[two_tasks["task"] == "a"]
    rates = pd.concat([one.assign(lr=rate, loss=one["loss"] * (1 + rate)) for rate in (0.1, 0.2)])
    with pytest.raises(InterlawError, match="--column learning_rate=lr"):
        fit_law(rates)
    assert "--column seed=Seed" in " ".join(read_runs(one.rename(columns={"seed": "Seed"})).notes)


def test_experiments_that_each_have_their_rate_are_told(two_tasks) -> None:
    rated = two_tasks.assign(learning_rate=two_tasks["task"].map({"a": 0.1, "b": 0.2}), val_loss=two_tasks["loss"])
    told = "at several learning rates differ in column task (a, b) too"
    assert told in " ".join(read_runs(rated).notes)
    assert "several learning rates" not in " ".join(read_runs(rated.drop(columns="task")).notes)


def test_trials_that_searched_for_a_rate_are_no_seeds(two_tasks) -> None:
    final = two_tasks[two_tasks["task"] == "a"].assign(stage="final")
    searched = final[final["seed"] == 0].assign(stage="search", loss=lambda rows: rows["loss"] * 1.1)
    assert sorted(read_runs(pd.concat([searched, final])).frame["loss"]) == sorted(final["loss"])


def test_what_no_column_tells_apart_is_refused_too(two_tasks) -> None:
    table = two_tasks.drop(columns="task").assign(seconds=np.arange(len(two_tasks)))
    with pytest.raises(InterlawError, match="and no column tells them apart: keep one row of each seed"):
        fit_law(table)


def test_without_seeds_repeats_are_seeds_unless_a_column_tells_them_apart(two_tasks) -> None:
    bare = two_tasks.drop(columns="seed")
    notes = " ".join(read_runs(bare).notes)
    assert "nothing names the seeds: rows of one shape count as its seeds, but they differ in column task" in notes
    assert "count as its seeds" not in " ".join(read_runs(bare.drop(columns="task")).notes)
    assert len(read_runs(bare).frame) == len(bare)


@pytest.mark.parametrize("name", ["tokens", "epoch", "iter", "Step", "_step", "global_step"])
def test_checkpoints_by_any_name_are_no_seeds(two_tasks, name: str) -> None:
    last = two_tasks[two_tasks["task"] == "a"].drop(columns="task")
    table = pd.concat([last.assign(**{name: 1}, loss=last["loss"] * 1.5), last.assign(**{name: 2})])
    found = read_runs(table)
    assert found.left_out.checkpoints == len(last)
    assert sorted(found.frame["loss"]) == sorted(last["loss"])
    with pytest.raises(InterlawError, match="at different values of"):
        read_runs(table.drop(columns="seed"))


@pytest.mark.parametrize("words", ["last", "10/10", "about 3B"])
def test_a_column_of_words_counts_no_progress(two_tasks, words: str) -> None:
    last = two_tasks[two_tasks["task"] == "a"].drop(columns="task")
    assert len(read_runs(last.assign(epoch=words)).frame) == len(last)
    both = pd.concat([last.assign(epoch=words), last.assign(epoch="best", loss=last["loss"] * 0.9)])
    with pytest.raises(InterlawError, match="--split epoch"):
        read_runs(both)
    with pytest.raises(InterlawError, match="expected numbers in column epoch"):
        read_runs(pd.concat([last.assign(epoch=words), last.assign(epoch=9)]))


def test_steps_begin_anew_with_each_epoch(two_tasks) -> None:
    last = two_tasks[two_tasks["task"] == "a"]
    table = pd.concat(
        [last.assign(epoch=1, step=9, loss=9.0), last.assign(epoch=2, step=1, loss=8.0), last.assign(epoch=2, step=2)]
    )
    assert sorted(read_runs(table).frame["loss"]) == sorted(last["loss"])


def test_a_table_that_holds_the_runs_of_another_is_refused(two_tasks) -> None:
    one, two = (rows for _, rows in two_tasks.groupby("task"))
    with pytest.raises(InterlawError, match="found all 27 rows of copy in first: leave one of them out"):
        fit_each({"first": one, "copy": one.sample(frac=1, random_state=0)}, num_bootstrap=100, num_permutations=100)
    assert len(fit_each({"first": one, "other": two}, num_bootstrap=100, num_permutations=100)) == 2
