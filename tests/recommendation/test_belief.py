from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from interlaw.laws import LawFit, fit_law
from interlaw.recommendation import measured_pool
from interlaw.recommendation.belief import LEAST_STDERR, OWN, Belief, about_fit, believe, own_vote

KAPPA, BEST, GAMMA = 0.05, 0.03, -0.1
SIZES = (1e6, 3e6, 1e7, 3e7)


@cache
def fitted(*, sizes: tuple[float, ...] = SIZES, best: float = BEST) -> LawFit:
    """A fit of losses that obey the law up to a little noise."""
    rng = np.random.default_rng(0)
    rows: dict[str, list[float]] = {name: [] for name in ("params", "budget", "depth", "width", "loss")}
    for size in sizes:
        for depth in range(2, 15):
            width = round(math.sqrt(size / 12 / depth))
            away = math.log(depth / width / (best * (size / 3e6) ** GAMMA))
            loss = 1 + 20 * size**-0.25 + KAPPA * away**2 + 0.001 * rng.normal()
            for name, value in zip(rows, (size, size, depth, width, loss), strict=True):
                rows[name].append(value)
    return fit_law(rows, num_bootstrap=100, num_permutations=100)


def belief(params: float, fit: LawFit | None = None) -> Belief:
    return believe(params, fit=fit)


def test_without_a_fit_it_is_the_pool() -> None:
    found, pooled = belief(1e9), measured_pool().predict(1e9)
    assert (found.ratio, found.low, found.high) == pytest.approx((pooled.ratio, pooled.low, pooled.high))
    assert found.weights == pooled.weights
    assert OWN not in found.weights


def test_a_fit_is_combined_with_the_pool_by_precision() -> None:
    found, pooled = belief(1e7, fitted()), measured_pool().predict(1e7)
    vote = own_vote(fitted(), 1e7, drift=measured_pool().carry)
    assert vote is not None
    share = (1 / vote.variance) / (1 / vote.variance + 1 / pooled.log_sd**2)
    assert found.weights[OWN] == pytest.approx(share)
    assert sum(found.weights.values()) == pytest.approx(1)
    assert math.log(found.ratio) == pytest.approx(share * vote.log_ratio + (1 - share) * math.log(pooled.ratio))
    assert found.log_sd == pytest.approx((1 / vote.variance + 1 / pooled.log_sd**2) ** -0.5)
    assert share > 0.8
    assert math.exp(vote.log_ratio) == pytest.approx(BEST * (1e7 / 3e6) ** GAMMA, rel=0.1)
    assert vote.variance >= LEAST_STDERR**2
    assert found.high / found.low < 0.4 * pooled.high / pooled.low


def test_a_fit_weighs_less_with_the_distance_from_its_budgets() -> None:
    """Over sizes that the pool has measured: beyond, both are foretold from afar."""
    shares = [belief(params, fitted()).weights[OWN] for params in (1e7, 1e8, 1e9)]
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] < 0.3
    assert not belief(1e7, fitted()).extrapolated
    assert belief(1e9, fitted()).extrapolated
    assert any("outside the budgets" in said for said in about_fit(fitted(), belief(1e9, fitted())))


def test_a_fit_without_an_optimum_is_never_used_and_that_is_said() -> None:
    edge = fitted(best=3.0)
    assert own_vote(edge, 1e7, drift=0.3) is None
    found = belief(1e7, edge)
    assert found == belief(1e7)
    said = list(about_fit(edge, found))
    assert len(said) == 1
    assert said[0].startswith("your fit has no optimum inside its grid (the loss still falls")
    assert "it is not used. Run deeper and narrower shapes" in said[0]
    few = replace(fitted(sizes=(1e6,)).budgets[0], num_shapes=4)
    (told,) = about_fit(replace(fitted(sizes=(1e6,)), budgets=(few,), law=None), found)
    assert told == "your fit has fewer than 5 shapes where it has an optimum, so it is not used"


def test_how_much_each_weighs_is_told() -> None:
    found = belief(1e7, fitted())
    first = next(iter(about_fit(fitted(), found)))
    assert first == f"your fit weighs {found.weights[OWN]:.0%}, the pooled data sets {1 - found.weights[OWN]:.0%}"


def test_one_budget_is_enough() -> None:
    single = fitted(sizes=(1e7,))
    vote = own_vote(single, 1e7, drift=0.3)
    assert vote is not None
    assert math.exp(vote.log_ratio) == pytest.approx(BEST * (1e7 / 3e6) ** GAMMA, rel=0.1)
    assert vote.curvature == pytest.approx(KAPPA / (1 + 20 * 1e7**-0.25), rel=0.15)


def test_the_predicted_loss_is_a_parabola_in_log_ratio() -> None:
    found = belief(1e9)
    assert found.penalty(found.ratio).value == 0.0
    assert found.penalty(2 * found.ratio).value == pytest.approx(found.curvature * math.log(2) ** 2)
    near = found.within(0.005)
    assert found.penalty(near.low).value == pytest.approx(0.005)
    assert found.penalty(near.high).value == pytest.approx(0.005)
    far = found.penalty(found.high * 2)
    assert far.low == pytest.approx(found.curvature * math.log(2) ** 2)
    assert far.high == pytest.approx(found.curvature * math.log(2 * found.high / found.low) ** 2)
    assert found.penalty(found.ratio).low == 0.0
