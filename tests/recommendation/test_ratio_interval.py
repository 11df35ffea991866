from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest

from interlaw.errors import InterlawError
from interlaw.laws import LawFit, fit_law, published_laws
from interlaw.recommendation import law_opinions, similar_models
from interlaw.recommendation.interval import RatioInterval, given_interval, interval_from_fit, interval_from_laws
from interlaw.recommendation.penalty import FLATTEST, SHARPEST, predicted_penalty

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


def fit_interval(params: float, **changes: float) -> RatioInterval:
    found = interval_from_fit(fitted(), params, **changes)
    assert found is not None
    return found


def test_laws_give_quartiles_of_those_that_cover_the_size() -> None:
    params = 3.5e8
    levels = [
        law.ratio(params)
        for law in published_laws()
        if law.covers(params) and law.kind not in ("flat", "slope") and "vision" not in law.name
    ]
    levels.append(math.sqrt(0.020 * 0.065))
    assert len(levels) == 8
    found = interval_from_laws(law_opinions(params))
    expected = np.exp(np.quantile(np.log(np.array(levels, dtype=float)), [0.25, 0.5, 0.75]))
    assert (found.low, found.centre, found.high) == pytest.approx(tuple(expected))
    assert (found.source, found.extrapolated) == ("published laws", False)
    assert "8 published sources" in found.statement


def test_few_covering_laws_widen_the_interval_with_the_gap() -> None:
    near, far = interval_from_laws(law_opinions(3.5e10)), interval_from_laws(law_opinions(3.5e12))
    assert near.extrapolated
    assert far.extrapolated
    assert "widened" in far.statement
    assert far.high / far.low > 1.5 * near.high / near.low


def test_a_law_outside_its_sizes_speaks_from_its_nearest() -> None:
    opinion = next(one for one in law_opinions(1e11) if one.law.key == "gemstones2025")
    assert not opinion.covered
    assert opinion.ratio == opinion.law.ratio(opinion.law.params_high)
    assert opinion.gap == pytest.approx(math.log(1e11 / 2e9))
    assert next(one for one in law_opinions(1e9) if one.law.key == "gemstones2025").gap == 0.0


def test_stances_follow_a_factor_or_a_stated_interval() -> None:
    opinions = {one.law.key: one for one in law_opinions(1e9)}
    marin = opinions["marin"]
    assert marin.ratio == pytest.approx(1 / 128)
    assert [marin.stance(ratio) for ratio in (1 / 128, 1.4 / 128, 1.6 / 128, 0.6 / 128)] == [
        "supports",
        "supports",
        "prefers shallower",
        "prefers deeper",
    ]
    assert opinions["kaplan2020"].stance(0.002) == "supports"
    assert opinions["kaplan2020"].stance(0.04) == "prefers shallower"
    assert opinions["sun2026"].stance(0.015) == "prefers deeper"
    assert opinions["depthdelusion2026"].stance(0.015) == "names no ratio"


def test_similar_models_lie_within_a_factor_of_size() -> None:
    near = similar_models(7e9)
    assert near
    assert all(7e9 / 1.5 <= point.params <= 7e9 * 1.5 for point in near)
    assert [point.ratio for point in near] == sorted(point.ratio for point in near)


def test_a_fit_gives_the_tolerance_around_its_best_ratio() -> None:
    params, delta = 3e6, 0.01
    found = fit_interval(params, delta=delta)
    half = math.sqrt(delta * (1 + 20 * params**-0.25) / KAPPA)
    assert found.centre == pytest.approx(BEST, rel=0.03)
    assert found.high / found.centre == pytest.approx(math.exp(half), rel=0.03)
    assert found.low / found.centre == pytest.approx(math.exp(-half), rel=0.03)
    assert (found.source, found.extrapolated) == ("fit", False)


def test_a_larger_tolerance_widens() -> None:
    assert fit_interval(3e6, delta=0.02).high > fit_interval(3e6).high


def test_extrapolation_is_said_and_widens() -> None:
    near, far = fit_interval(1e7), fit_interval(1e10)
    assert (near.extrapolated, far.extrapolated) == (False, True)
    assert math.log(far.best_high / far.best_low) > 2 * math.log(near.best_high / near.best_low)
    assert far.centre == pytest.approx(BEST * (1e10 / 3e6) ** GAMMA, rel=0.3)


def test_the_band_inside_the_fitted_budgets_is_the_laws_own() -> None:
    law = fitted().law
    assert law is not None
    point, found = law.ratio(1e7), fit_interval(1e7)
    assert (found.best_low, found.best_high) == pytest.approx((point.low, point.high))
    far, beyond = law.ratio(1e9), fit_interval(1e9)
    assert beyond.best_low < far.low < far.high < beyond.best_high
    ratio = 0.06
    penalty = predicted_penalty(ratio, params=1e7, interval=found, fit=fitted())
    assert (penalty.value, penalty.low, penalty.high) == pytest.approx(law.penalty(1e7, ratio))


def test_one_budget_keeps_its_ratio_and_widens_by_published_slopes() -> None:
    single = fitted(sizes=(1e7,))
    here, there = (interval_from_fit(single, params) for params in (1e7, 1e9))
    assert here is not None
    assert there is not None
    assert here.centre == there.centre == pytest.approx(BEST * (1e7 / 3e6) ** GAMMA, rel=0.05)
    assert (here.extrapolated, there.extrapolated) == (False, True)
    assert there.low < here.low < here.high < there.high


def test_a_minimum_at_the_edge_gives_no_interval() -> None:
    assert interval_from_fit(fitted(best=3.0), 1e7) is None


@pytest.mark.parametrize("delta", [0.0, 1.0, math.nan])
def test_impossible_tolerances_are_refused(delta: float) -> None:
    with pytest.raises(InterlawError, match="delta between 0 and 1"):
        interval_from_fit(fitted(), 1e7, delta=delta)


def test_given_interval_has_its_geometric_mean_as_centre() -> None:
    assert given_interval(0.01, 0.04).centre == pytest.approx(0.02)
    assert given_interval(0.01, 0.04).position(0.005) == "below"
    assert given_interval(0.01, 0.04).position(0.05) == "above"
    for low, high in ((0.04, 0.01), (0.0, 0.1), (0.01, math.inf)):
        with pytest.raises(InterlawError, match="an interval 0 < low < high"):
            given_interval(low, high)


def test_penalty_without_a_fit_spans_published_flatness() -> None:
    interval = given_interval(0.02, 0.045)
    penalty = predicted_penalty(0.09, params=1e9, interval=interval, fit=None)
    assert penalty.low == pytest.approx(FLATTEST * math.log(2) ** 2)
    assert penalty.high == pytest.approx(SHARPEST * math.log(4.5) ** 2)
    assert penalty.value == pytest.approx(math.sqrt(FLATTEST * SHARPEST) * math.log(3) ** 2)
    assert predicted_penalty(0.03, params=1e9, interval=interval, fit=None).low == 0.0
    assert pytest.approx(0.0575, abs=1e-4) == SHARPEST
    assert FLATTEST < SHARPEST / 10


def test_penalty_of_a_fit_is_the_laws_own_curvature() -> None:
    params, ratio = 3e6, 0.06
    penalty = predicted_penalty(ratio, params=params, interval=fit_interval(params), fit=fitted())
    truth = KAPPA * math.log(ratio / BEST) ** 2 / (1 + 20 * params**-0.25)
    assert penalty.value == pytest.approx(truth, rel=0.1)
    assert penalty.low <= truth <= penalty.high
    assert penalty.source == "fit"


def test_penalty_of_one_budget_uses_its_parabola() -> None:
    single = fitted(sizes=(1e7,))
    interval = interval_from_fit(single, 1e7)
    assert interval is not None
    penalty = predicted_penalty(0.06, params=1e7, interval=interval, fit=single)
    truth = KAPPA * math.log(0.06 / (BEST * (1e7 / 3e6) ** GAMMA)) ** 2 / (1 + 20 * 1e7**-0.25)
    assert penalty.value == pytest.approx(truth, rel=0.15)
    assert penalty.source == "fit"


def test_penalty_of_an_unused_fit_falls_back_and_says_so() -> None:
    edge = fitted(best=3.0)
    penalty = predicted_penalty(0.03, params=1e8, interval=interval_from_laws(law_opinions(1e8)), fit=edge)
    assert penalty.source == "published flatness"
