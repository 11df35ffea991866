"""Levels and powers of the claims' tests, the small form of `python -m benchmarks levels`."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.levels_claims import (
    KINDS,
    asked,
    drift_verdicts,
    optima,
    optima_of_treatments,
    rejections,
    related,
    tracked,
    two_treatments,
    unrelated,
    unusual,
    wrongly_named,
)

from interlaw.laws.off_the_curve import off_the_curve
from interlaw.laws.within_shapes import within_shapes

DRAWS = 300
WORLDS = {**{kind: unrelated(kind) for kind in KINDS}, **unusual(), "two treatments": two_treatments()}
ERROR = 3 * np.sqrt(0.08 * 0.92 / DRAWS)  # three Monte Carlo standard errors of a share of 8%


@pytest.mark.parametrize("name", WORLDS)
def test_every_world_of_the_benchmark_can_be_asked(name: str) -> None:
    assert all(claim.p_value is not None for claim in asked(within_shapes, WORLDS[name], draws=2))
    for claim in asked(off_the_curve, WORLDS[name], draws=2):
        assert claim.p_value is not None or "smooth remainder" in claim.sentence


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    ["independent", "a seed shifts all shapes", "AR(.8)", "deep shapes", "one seed", "heavy tails", "one rate for all"],
)
def test_within_shapes_holds_its_level(kind: str) -> None:
    high, low, silent = rejections(asked(within_shapes, unrelated(kind), draws=DRAWS))
    assert max(high, low) <= 0.08 + ERROR
    assert min(high, low) >= 0.005  # a test that never rejects sees nothing either
    assert silent == 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["independent", "AR(.8)", "one seed"])
def test_treatments_that_share_their_seeds_do_not_fool_it(kind: str) -> None:
    high, low, _ = rejections(asked(within_shapes, two_treatments(kind), draws=DRAWS // 2))
    assert max(high, low) <= 0.08 + 3 * np.sqrt(0.08 * 0.92 / (DRAWS // 2))


@pytest.mark.slow
def test_treatments_of_a_budget_count_once_in_tracking() -> None:
    high, low, _ = rejections(tracked(optima_of_treatments(4, 3, treatments=3), draws=DRAWS))
    assert max(high, low) <= 0.08 + ERROR


@pytest.mark.slow
def test_within_shapes_sees_a_third_and_its_interval_holds_it() -> None:
    """Three budgets, eight shapes, six seeds: at least 80% at r = .3, the interval at its 90%."""
    claims = asked(within_shapes, related(0.3), draws=DRAWS)
    assert rejections(claims)[0] >= 0.8
    assert np.mean([each.low <= 0.3 <= each.high for each in claims]) >= 0.9 - 3 * np.sqrt(0.09 / DRAWS)


@pytest.mark.slow
@pytest.mark.parametrize("noise", [0.001, 0.03, 0.1])
@pytest.mark.parametrize("alike", [True, False])
def test_off_the_curve_is_not_fooled_by_smooth_curves(noise: float, alike: bool) -> None:
    """A plain cubic rejects up to 35% of these."""
    high, low, _ = rejections(asked(off_the_curve, unrelated(noise=noise * np.sqrt(6), alike=alike), draws=DRAWS))
    assert max(high, low) <= 0.08 + ERROR


@pytest.mark.slow
@pytest.mark.parametrize(("sources", "budgets"), [(12, 1), (8, 2), (4, 3), (2, 4), (1, 10)])
def test_tracking_is_not_fooled_by_drifts_and_shifts(sources: int, budgets: int) -> None:
    """The plain permutation rejects up to 30% of these."""
    high, low, _ = rejections(tracked(optima(sources, budgets, drift=0.4, shift=0.6), draws=DRAWS))
    assert max(high, low) <= 0.08 + ERROR


@pytest.mark.slow
def test_tracking_sees_what_follows() -> None:
    assert rejections(tracked(optima(12, 1, follows=1.0), draws=DRAWS))[0] >= 0.8


@pytest.mark.slow
def test_a_slope_at_the_margin_is_seldom_said_to_stay_put() -> None:
    put, _ = drift_verdicts(0.1, scatter_of_optima=0.1, budgets=6, draws=DRAWS)
    assert put <= 0.05 + ERROR
    _, moves = drift_verdicts(0.0, scatter_of_optima=0.1, budgets=6, draws=DRAWS)
    assert moves <= 0.10 + ERROR


@pytest.mark.slow
@pytest.mark.parametrize("gap", [0.25, 1.0])
def test_a_wrong_shape_is_seldom_named_as_surely_efficient(gap: float) -> None:
    wrong, _ = wrongly_named(gap, seeds=3, draws=DRAWS // 3)
    assert wrong <= 0.1
