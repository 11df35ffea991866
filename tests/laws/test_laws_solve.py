from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from interlaw.laws.forms import additive, aspect, features_of, joint, joint_levels, size_only
from interlaw.laws.solve import Problem, solve

PARAMS, DEPTH = (
    each.ravel() for each in np.meshgrid(np.geomspace(3e5, 3e7, 5), [2.0, 3, 4, 6, 8, 12, 16], indexing="ij")
)
WIDTH = np.sqrt(PARAMS / 12 / DEPTH)
TOKENS = PARAMS * 20 * np.tile([0.5, 1, 2, 4, 1, 0.5, 8], 5)


def features(tokens: bool = False):
    found = features_of(params=PARAMS, depth=DEPTH, width=WIDTH, tokens=TOKENS if tokens else None)
    found["level"] = np.repeat(np.arange(5.0), 7)
    return found


SHAPES = features()
TRUTHS = {
    "size only": (size_only(), SHAPES, [0.3, 1.2, 0.8]),
    "joint": (joint(SHAPES), SHAPES, [0.25, np.log(0.03), 0.1, 1.0, 0.8, 0.04, 0.005]),
    "joint, scaled": (joint(SHAPES, scaled=True), SHAPES, [0.25, np.log(0.03), 0.1, 1.0, 0.8, 0.04, 0.005]),
    "joint, symmetric": (joint(SHAPES, skew=False), SHAPES, [0.25, np.log(0.03), 0.1, 1.0, 0.8, 0.04]),
    "joint, gamma = 0": (joint(SHAPES, gamma=False), SHAPES, [0.25, np.log(0.03), 1.0, 0.8, 0.04, 0.005]),
    "joint, free levels": (
        joint_levels(SHAPES),
        SHAPES,
        [np.log(0.03), -0.1, 3.0, 2.5, 2.2, 2.0, 1.9, 0.06, 0.05, 0.04, 0.03, 0.02, *[0.004] * 5],
    ),
    "additive": (additive(SHAPES), SHAPES, [0.8, 0.5, 1.0, 0.5, 0.4]),
    "additive with tokens": (additive(features(True)), features(True), [0.8, 0.5, 0.3, 1.0, 0.5, 0.4, 0.6]),
    "aspect": (aspect(SHAPES), SHAPES, [0.3, 0.05, 1.2, 1.0, 0.8]),
}


@pytest.mark.parametrize("name", TRUTHS)
def test_parameters_come_back_without_noise(name: str) -> None:
    form, given, truth = TRUTHS[name]
    solution = solve(form, given, loss=form.predict(np.array(truth), given))
    assert solution.converged
    assert solution.num_agreeing >= 2
    np.testing.assert_allclose(solution.theta, truth, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", TRUTHS)
def test_the_loss_comes_back_from_noise(name: str) -> None:
    form, given, truth = TRUTHS[name]
    exact = form.predict(np.array(truth), given)
    noisy = exact * np.exp(0.005 * np.random.default_rng(0).normal(size=len(exact)))
    solution = solve(form, given, loss=noisy)
    assert np.abs(np.log(form.predict(solution.theta, given) / exact)).mean() < 0.005
    assert 0.003 < solution.rmse_log < 0.008


def test_one_ruined_run_hardly_moves_the_joint_law() -> None:
    form, given, truth = TRUTHS["joint, symmetric"]
    loss = form.predict(np.array(truth), given) * np.exp(0.003 * np.random.default_rng(1).normal(size=35))
    clean = solve(form, given, loss=loss).value("gamma")
    loss[33] *= 1.2
    assert abs(solve(form, given, loss=loss).value("gamma") - clean) < 0.04


def test_tokens_tied_to_parameters_are_not_a_feature() -> None:
    assert "tokens" in features(True)
    assert "tokens" not in features_of(params=PARAMS, depth=DEPTH, width=WIDTH, tokens=60 * PARAMS)


def test_a_parameter_on_its_bound_is_named() -> None:
    """A loss that no size explains: A ends at 0."""
    loss = np.exp(0.01 * np.random.default_rng(2).normal(size=35) + 0.02 * SHAPES["size"])
    assert "A" in solve(size_only(), SHAPES, loss=loss).at_bounds


def test_the_polish_agrees_with_scipys_huber() -> None:
    from scipy import optimize

    form, given, truth = TRUTHS["joint"]
    loss = form.predict(np.array(truth), given) * np.exp(0.004 * np.random.default_rng(3).standard_t(2, size=35))
    solution = solve(form, given, loss=loss)
    reference = optimize.least_squares(
        lambda theta: np.log(form.predict(theta, given)) - np.log(loss),
        truth,
        loss="huber",
        f_scale=solution.problem.huber_delta,
        xtol=1e-12,
        ftol=1e-12,
        gtol=1e-12,
    )
    assert solution.cost == pytest.approx(reference.cost, rel=1e-4)
    np.testing.assert_allclose(solution.theta, reference.x, rtol=0.01, atol=0.003)


def test_weights_count_like_copies() -> None:
    form, given, truth = TRUTHS["joint"]
    rng = np.random.default_rng(4)
    loss = form.predict(np.array(truth), given) * np.exp(0.004 * rng.normal(size=35))
    counts = rng.integers(0, 3, size=35)
    start = np.array([truth])
    problem = Problem(form=form, features=given, loss=loss, huber_delta=0.01)
    weighted = problem.polish(start, weights=counts[None].astype(float))[0]
    copied = {name: np.repeat(values, counts) for name, values in given.items()}
    again = replace(problem, features=copied, loss=np.repeat(loss, counts)).polish(start)[0]
    np.testing.assert_allclose(weighted, again, rtol=1e-3, atol=1e-4)
