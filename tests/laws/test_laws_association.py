from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from interlaw.laws.association import associate, rank_correlation
from interlaw.laws.grouping import group_shapes
from interlaw.laws.table import read_runs


def associations(table):
    shapes = group_shapes(read_runs(table))
    return associate(shapes, confidence=0.9, num_permutations=500, rng=np.random.default_rng(0))


def correlate(x, y, controls=()):
    n = len(x)
    orders = np.random.default_rng(0).permuted(np.tile(np.arange(n), (500, 1)), axis=1)
    return rank_correlation(x, y, controls=list(controls), orders=orders, confidence=0.9)


def test_without_controls_it_is_spearman() -> None:
    x, y = np.random.default_rng(1).normal(size=(2, 30))
    y = y + 0.6 * x
    found = correlate(x, y)
    reference = stats.spearmanr(x, y)
    assert found.rho == pytest.approx(reference.statistic)
    assert found.low < found.rho < found.high
    assert abs(found.p_value - reference.pvalue) < 0.01


def test_with_controls_it_is_the_correlation_of_rank_residuals() -> None:
    rng = np.random.default_rng(2)
    size = rng.normal(size=40)
    x, y = size + 0.3 * rng.normal(size=40), -size + 0.3 * rng.normal(size=40)
    design = np.column_stack([np.ones(40), stats.rankdata(size)])
    left = [stats.rankdata(v) - design @ np.linalg.lstsq(design, stats.rankdata(v), rcond=None)[0] for v in (x, y)]
    found = correlate(x, y, [size])
    assert found.rho == pytest.approx(np.corrcoef(left)[0, 1])
    assert correlate(x, y).rho < -0.8
    assert abs(found.rho) < 0.4


def test_constants_and_perfect_controls_are_undefined() -> None:
    x = np.arange(10.0)
    assert correlate(np.ones(10), x).rho is None
    assert correlate(x, x**2, [x]).rho is None


def interact(table, slope: float, random: int = 0):
    """aofe_ratio follows the loss within each budget with the given slope, and noise."""
    noise = 0.002 * np.random.default_rng(random).normal(size=len(table["loss"]))
    level = np.array([table["loss"][table["budget"] == b].min() for b in table["budget"]])
    ratio = 0.9 + slope * (table["loss"] - level) + noise
    return {**table, "aofe_ratio": ratio, "aofe": 1 / ratio, "excess_ratio": ratio - 0.7}


def test_neighbours_agree_where_the_claim_holds_and_not_where_it_is_reversed(sweep) -> None:
    table = sweep(seeds=2, noise=0.001)
    holds = {each.quantity: each for each in associations(interact(table, -0.5))}
    assert set(holds) == {"aofe", "aofe_ratio", "excess_ratio"}
    for each in holds.values():
        assert each.signs.share > 0.9
        assert each.signs.p_value < 0.01
    assert holds["aofe_ratio"].given_size.rho < -0.8
    reversed_ = associations(interact(table, 0.5))
    assert all(each.signs.share < 0.2 for each in reversed_)


def test_pairs_within_the_seed_noise_are_not_counted(sweep) -> None:
    quiet = associations(interact(sweep(seeds=3, noise=1e-5), -0.5))[0].signs
    loud = associations(interact(sweep(seeds=3, noise=0.02), -0.5))[0].signs
    assert quiet.num_pairs == 30
    assert quiet.num_within_noise == 0
    assert loud.num_pairs + loud.num_within_noise == 30
    assert loud.num_within_noise > 10
    unknown = associations(interact(sweep(noise=0.001), -0.5))[0].signs
    assert (unknown.num_within_noise, unknown.num_pairs) == (None, 30)


def test_a_quantity_that_is_noise_agrees_by_half(sweep) -> None:
    table = sweep(seeds=2, noise=0.001)
    signs = [associations(interact(table, 0.0, random=i))[1].signs for i in range(10)]
    assert 0.35 < np.mean([each.share for each in signs]) < 0.65
    assert sum(each.p_value < 0.05 for each in signs) <= 2


def test_loss_as_a_power_of_a_quantity_is_compared_with_plain_size(sweep) -> None:
    table = sweep(noise=1e-3, kappa=0.0)
    loss = table["loss"]
    follows = {**table, "aofe": (loss - 0.5) ** 2, "aofe_ratio": np.full(35, 0.9) + 1e-3 * np.arange(35)}
    law = associations(follows)[0].power_law
    assert law.converged
    assert law.exponent == pytest.approx(0.5, abs=0.1)
    assert law.r_squared > 0.99
    assert law.aicc < law.aicc_size
    negative = {**follows, "aofe": follows["aofe"] - 10}
    assert associations(negative)[0].power_law is None
