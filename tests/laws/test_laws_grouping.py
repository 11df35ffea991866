from __future__ import annotations

import numpy as np
import pytest

from interlaw.laws.fit import fit_law
from interlaw.laws.grouping import ASSUMED_SLOPE, group_shapes
from interlaw.laws.table import read_runs


def test_seed_noise_is_the_pooled_spread_of_log_loss(sweep) -> None:
    table = sweep(seeds=4, noise=0.01, budgets=(1e6, 2e6))
    shapes = group_shapes(read_runs(table))
    logs = np.log(table["loss"]).reshape(-1, 4)
    assert shapes.noise_dof == 14 * 3
    np.testing.assert_allclose(shapes.relative_noise, np.sqrt(logs.var(axis=1, ddof=1).mean()))


def test_without_repeats_the_noise_is_unknown(sweep) -> None:
    shapes = group_shapes(read_runs(sweep()))
    assert shapes.relative_noise == 0
    assert shapes.noise_dof == 0


def test_shapes_are_sorted_by_budget_then_ratio_and_averaged(sweep) -> None:
    table = sweep(seeds=3, noise=0.01)
    order = np.random.default_rng(0).permutation(len(table["loss"]))
    shapes = group_shapes(read_runs({name: values[order] for name, values in table.items()}))
    assert (np.diff(shapes.frame["budget"]) >= 0).all()
    assert (np.diff(shapes.frame["log_ratio"])[np.diff(shapes.frame["budget"]) == 0] > 0).all()
    np.testing.assert_allclose(shapes.frame["loss"], table["loss"].reshape(-1, 3).mean(axis=1))
    assert shapes.frame["num_runs"].tolist() == [3] * 35


def test_unequal_parameters_are_moved_along_the_sweeps_slope() -> None:
    """L = (N / 1e6)^-0.2 exactly: after the correction every shape of a budget reads the same loss."""
    rng = np.random.default_rng(1)
    budget = np.repeat([1e6, 3e6, 1e7], 6)
    params = budget * np.exp(rng.uniform(-0.1, 0.1, size=18))
    depth = np.tile(np.arange(1.0, 7.0), 3)
    table = {"budget": budget, "params": params, "depth": depth, "width": np.full(18, 100.0)}
    shapes = group_shapes(read_runs({**table, "loss": (params / 1e6) ** -0.2}))
    for level in (1e6, 3e6, 1e7):
        adjusted = shapes.frame.loc[shapes.frame["budget"] == level, "adjusted"].to_numpy()
        np.testing.assert_allclose(adjusted, adjusted[0], rtol=1e-6)
    alone = group_shapes(read_runs({name: values[:6] for name, values in {**table, "loss": params**-0.2}.items()}))
    np.testing.assert_array_equal(alone.frame["adjusted"], alone.frame["loss"])


@pytest.mark.parametrize("within", [0.0, 1.0])
def test_tokens_that_grow_with_the_budgets_do_not_count_as_size(within: float) -> None:
    """L = (N D)^-0.2 exactly, D as N between budgets: what is left of D within a budget decides how much N weighs."""
    rng = np.random.default_rng(3)
    budget = np.repeat([1e6, 3e6, 1e7], 6)
    miss = np.tile(rng.uniform(-0.1, 0.1, size=6), 3)
    params, tokens = budget * np.exp(miss), 20 * budget * np.exp(within * miss)
    depth = np.tile(np.arange(1.0, 7.0), 3)
    table = {"budget": budget, "params": params, "depth": depth, "width": np.full(18, 100.0), "train_tokens": tokens}
    shapes = group_shapes(read_runs({**table, "loss": (params * tokens / 1e12) ** -0.2}))
    for level in (1e6, 3e6, 1e7):
        adjusted = shapes.frame.loc[shapes.frame["budget"] == level, "adjusted"].to_numpy()
        spread = np.ptp(np.log(adjusted)) / np.ptp(np.log(shapes.frame["loss"][shapes.frame["budget"] == level]))
        assert spread < 0.2


def test_budgets_of_training_length_leave_all_of_the_slope_to_sizes() -> None:
    """L = N^-0.2 D^-0.3 exactly, the same sizes at every D: the slope is that of the sizes within budgets."""
    params = np.tile(4e4 * np.exp(np.random.default_rng(5).uniform(-0.1, 0.1, size=6)), 3)
    budget = np.repeat([2.5, 5.0, 10.0], 6)
    table = {"budget": budget, "params": params, "budget_spent": params, "train_tokens": budget * 4e4}
    table |= {"depth": np.tile(np.arange(1.0, 7.0), 3), "width": np.full(18, 100.0)}
    table |= {"loss": params**-0.2 * table["train_tokens"] ** -0.3}
    shapes = group_shapes(read_runs({**table, "budget_kind": ["tokens_per_param"] * 18}))
    for level in (2.5, 5.0, 10.0):
        adjusted = shapes.frame.loc[shapes.frame["budget"] == level, "adjusted"].to_numpy()
        np.testing.assert_allclose(adjusted, adjusted[0], rtol=1e-6)


def test_training_flops_count_the_tokens_already() -> None:
    """L = (N D)^-0.2 = (S / 6)^-0.2 exactly: all of the slope is of what is spent."""
    rng = np.random.default_rng(4)
    budget = np.repeat([1e12, 3e12, 1e13], 6)
    spent = budget * np.exp(rng.uniform(-0.1, 0.1, size=18))
    tokens = np.sqrt(20 / 6 * budget)  # one number a budget: what a shape misses is all of its size
    depth = np.tile(np.arange(1.0, 7.0), 3)
    table = {"budget": budget, "budget_spent": spent, "params": spent / 6 / tokens, "train_tokens": tokens}
    table |= {"depth": depth, "width": np.full(18, 100.0), "loss": (spent / 1e12) ** -0.2}
    shapes = group_shapes(read_runs({**table, "budget_kind": ["train_flops"] * 18}))
    for level in (1e12, 3e12, 1e13):
        adjusted = shapes.frame.loc[shapes.frame["budget"] == level, "adjusted"].to_numpy()
        np.testing.assert_allclose(adjusted, adjusted[0], rtol=1e-6)


def test_a_budget_in_another_count_is_corrected_in_that_count() -> None:
    """L = (S / 1e6)^-0.2 of what is spent, S: total parameters, which shapes do not hold equal, move nothing."""
    rng = np.random.default_rng(2)
    budget = np.repeat([1e6, 3e6, 1e7], 6)
    spent = budget * np.exp(rng.uniform(-0.1, 0.1, size=18))
    depth = np.tile(np.arange(1.0, 7.0), 3)
    table = {"budget": budget, "budget_spent": spent, "depth": depth, "width": np.full(18, 100.0)}
    table |= {"params": spent * np.tile(np.linspace(2.0, 1.0, 6), 3), "loss": (spent / 1e6) ** -0.2}
    shapes = group_shapes(read_runs(table))
    for level in (1e6, 3e6, 1e7):
        adjusted = shapes.frame.loc[shapes.frame["budget"] == level, "adjusted"].to_numpy()
        np.testing.assert_allclose(adjusted, adjusted[0], rtol=1e-6)


def mirrored(*, budget_slope: float, spread: float = 0.53) -> dict[str, np.ndarray]:
    """Two budgets of three shapes with two seeds; the loss falls as size^-0.2 within budgets, not between them."""
    budget, shape, seed = (each.ravel() for each in np.meshgrid([15e3, 30e3], [-1, 0, 1], [0, 1], indexing="ij"))
    miss = np.log(1 + spread) / 2 * shape
    # a well on the left, which sizes that rise with R move to the middle
    log_loss = budget_slope * np.log(budget / 15e3) - 0.2 * miss + 0.06 * (shape + 0.35) ** 2 + 0.001 * (2 * seed - 1)
    depth, width = np.array([2, 3, 4])[shape + 1], np.array([28, 26, 25])[shape + 1]
    columns = {"budget": budget, "params": budget * np.exp(miss), "depth": depth, "width": width, "seed": seed}
    return {**columns, "loss": 3.1 * np.exp(log_loss)}


@pytest.mark.parametrize("budget_slope", [0.034, 0.0])
def test_a_slope_between_budgets_that_is_nil_or_wrong_does_not_make_unequal_sizes_comparable(
    budget_slope: float,
) -> None:
    fit = fit_law(mirrored(budget_slope=budget_slope), num_bootstrap=100, num_permutations=100)
    assert [each.r_star.status for each in fit.budgets] == ["not_comparable"] * 2
    assert "R only mirrors the size" in fit.budgets[0].r_star.reason


def test_equal_sizes_keep_their_optimum_whatever_the_slope_between_budgets() -> None:
    table = mirrored(budget_slope=0.034, spread=0.05)
    fit = fit_law(table, num_bootstrap=100, num_permutations=100)
    assert [each.r_star.status for each in fit.budgets] == ["optimum"] * 2


def test_sizes_are_judged_by_the_sweeps_slope_where_it_is_clear_of_zero() -> None:
    def judged(budget_slope: float, *, noise: float) -> float:
        rng = np.random.default_rng(0)
        budget, depth = (each.ravel() for each in np.meshgrid([1e6, 4e6, 16e6], np.arange(1.0, 7), indexing="ij"))
        params = budget * np.exp(rng.uniform(-0.1, 0.1, size=18))
        loss = (params / 1e6) ** budget_slope * np.exp(noise * rng.normal(size=18))
        table = {"budget": budget, "params": params, "depth": depth, "width": np.full(18, 100.0), "loss": loss}
        return float(group_shapes(read_runs(table)).frame["size_slope"].iloc[0])

    assert judged(-0.05, noise=0.001) == pytest.approx(-0.05, abs=0.002)
    assert judged(-0.3, noise=0.001) == pytest.approx(-0.3, abs=0.002)
    assert judged(0.05, noise=0.001) == ASSUMED_SLOPE
    assert judged(-0.001, noise=0.1) == ASSUMED_SLOPE
