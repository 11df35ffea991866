from __future__ import annotations

import numpy as np
import pytest

from interlaw.laws import fit_law
from interlaw.laws.compare import corrected_aic
from interlaw.laws.forms import features_of, joint
from interlaw.laws.grouping import group_shapes
from interlaw.laws.joint_law import bootstrap
from interlaw.laws.solve import solve, solve_alike
from interlaw.laws.table import read_runs


def test_natural_parameters_come_back(sweep) -> None:
    law = fit_law(sweep(gamma=0.1, noise=1e-4)).law
    truth = {"E": 1.0, "A": 0.8 * 1e6**0.25, "alpha": 0.25, "kappa": 0.05, "gamma": 0.1, "c": 0.03 / 1e6**0.1}
    for name, value in truth.items():
        assert law.parameters[name].value == pytest.approx(value, rel=0.03), name
        assert law.parameters[name].low <= law.parameters[name].value <= law.parameters[name].high
    assert law.status == "optimum"
    assert law.form == "joint"
    assert law.parameters["skew"].value == pytest.approx(0, abs=1e-3)


def test_the_band_widens_away_from_the_budgets_and_says_so(sweep) -> None:
    law = fit_law(sweep(noise=0.003)).law
    near, far = law.ratio(2e6), law.ratio(2e9)
    assert (near.extrapolated, far.extrapolated) == (False, True)
    assert np.log(far.high / far.low) > 3 * np.log(near.high / near.low)
    for point in law.line:
        again = law.ratio(point.params)
        assert (again.ratio, again.low) == pytest.approx((point.ratio, point.low))


def test_every_form_is_compared_at_one_loss_function() -> None:
    """Two forms alike but for a run ruined by 20%: each at its own Huber scale, the one that fits worse may win."""
    table, _ = additive_sweep(1e-3)
    features = features_of(params=table["params"], depth=table["depth"], width=table["width"])
    loss = table["loss"].copy()
    loss[3] *= 1.2
    solved = solve_alike([joint(features), joint(features, scaled=True)], features, loss=loss)
    assert solved[0].problem.huber_delta == solved[1].problem.huber_delta
    for each in solved:
        errors = np.abs(np.log(each.form.predict(each.theta, features)) - np.log(loss))
        delta = each.problem.huber_delta
        cost = np.where(errors <= delta, errors**2 / 2, delta * (errors - delta / 2)).sum()
        assert each.cost == pytest.approx(cost)
        n, k = len(loss), each.form.num_parameters + 1
        expected = n * np.log(2 * cost / n) + 2 * k + 2 * k * (k + 1) / (n - k - 1)
        assert corrected_aic(each) == pytest.approx(expected)
    own = [solve(each.form, features, loss=loss).problem.huber_delta for each in solved]
    assert own[0] != own[1]


def test_each_draw_takes_the_form_that_fits_it_best(sweep) -> None:
    shapes = group_shapes(read_runs(sweep(noise=0.01)))
    features = features_of(**{name: shapes.frame[name].to_numpy() for name in ("params", "depth", "width")})
    features["level"] = np.unique(shapes.frame["budget"], return_inverse=True)[1].astype(float)
    loss = shapes.frame["loss"].to_numpy()
    solved = solve_alike([joint(features), joint(features, scaled=True)], features, loss=loss)

    def drawn(among: tuple) -> np.ndarray:
        rng = np.random.default_rng(0)
        return bootstrap(among, noise=(0.0, 0), confidence=0.9, num_bootstrap=100, rng=rng).optimum[1:]

    both, plain, scaled = drawn(solved), drawn(solved[:1]), drawn(solved[1:])
    is_plain = [bool((plain == row).all(axis=1).any()) for row in both]
    is_scaled = [bool((scaled == row).all(axis=1).any()) for row in both]
    assert all(one or other for one, other in zip(is_plain, is_scaled, strict=True))
    assert 5 < sum(is_plain) < 95


def test_few_budgets_have_free_levels(sweep) -> None:
    law = fit_law(sweep(budgets=(1e6, 4e6), noise=0.001, gamma=0.1)).law
    assert law.form == "joint, free levels"
    assert "E" not in law.parameters
    assert law.parameters["gamma"].value == pytest.approx(0.1, abs=0.05)
    assert law.comparisons == ()


def test_no_curvature_is_no_optimum(sweep) -> None:
    fit = fit_law(sweep(kappa=0.0, noise=0.003))
    assert fit.law.status in ("flat", "not converged")
    assert any("the joint law gives no best ratio" in warning for warning in fit.warnings)


def test_equal_losses_give_no_law(sweep) -> None:
    fit = fit_law({**sweep(), "loss": np.full(35, 2.0)})
    assert fit.law is None


def test_the_true_form_wins_the_comparison(sweep) -> None:
    table = sweep(gamma=0.2, noise=0.002, seeds=2)
    compared = fit_law(table).law.comparisons
    assert compared[0].name == "joint, symmetric"
    assert compared[0].held_out_rmse < 0.005
    assert compared[0].held_out_largest < 0.02
    by_name = {each.name: each for each in compared}
    assert by_name["size only"].held_out_rmse > 3 * compared[0].held_out_rmse
    assert by_name["joint, gamma = 0"].aicc > by_name["joint"].aicc
    assert {"additive", "aspect", "joint, scaled"} < set(by_name)


def additive_sweep(noise: float, random: int = 0) -> tuple[dict[str, np.ndarray], dict[float, float]]:
    """The additive law of arXiv 2602.05970 at four budgets, and the true R* of each."""
    grids = {1e6: (1, 2, 3, 4, 6, 8, 12), 1e7: (2, 3, 4, 6, 8, 12, 16), 1e8: (4, 6, 8, 12, 16, 24, 32)}
    grids[1e9] = (8, 12, 16, 24, 32, 48, 64)
    budget = np.repeat(list(grids), 7)
    depth = np.array([depth for depths in grids.values() for depth in depths], dtype=float)

    def loss(size, layers):
        return 1.75 + 333 * (size / 12 / layers) ** (-0.977 / 2) + 1284 * (100 * layers) ** -1.2

    noisy = loss(budget, depth) * np.exp(noise * np.random.default_rng(random).normal(size=28))
    table = {"budget": budget, "params": budget, "depth": depth, "width": np.sqrt(budget / 12 / depth), "loss": noisy}
    layers = np.exp(np.linspace(-1, 5, 200_001))
    best = {size: float(layers[np.argmin(loss(size, layers))]) for size in grids}
    return table, {size: layer / np.sqrt(size / 12 / layer) for size, layer in best.items()}


def test_a_lopsided_truth_whose_curvature_shrinks_is_read_without_bias() -> None:
    table, best = additive_sweep(1e-5)
    fit = fit_law(table)
    assert fit.law.form == "joint, scaled"
    assert fit.law.parameters["gamma"].value == pytest.approx(np.log(best[1e9] / best[1e6]) / np.log(1e3), abs=0.01)
    for budget in fit.budgets:
        assert budget.r_star.value == pytest.approx(best[budget.budget], rel=0.03)
        assert fit.law.ratio(budget.budget).ratio == pytest.approx(best[budget.budget], rel=0.05)


def test_an_additive_truth_is_recognised() -> None:
    fit = fit_law(additive_sweep(1e-4)[0])
    assert fit.law.comparisons[0].name == "additive"
    assert any("predicted better by another form: additive" in warning for warning in fit.warnings)


def test_residuals_smaller_than_the_seed_noise_widen_the_joint_law(sweep) -> None:
    """Seeds of each shape 1% to either side of the same means: gamma is no surer than a mean of two."""
    table = sweep(budgets=(1e6, 4e6), seeds=2)
    wobble = np.repeat(np.random.default_rng(0).normal(size=14), 2)
    plain = {**table, "loss": table["loss"] * np.exp(1e-3 * wobble)}
    apart = {**plain, "loss": plain["loss"] * np.where(table["seed"] == 0, 0.99, 1.01)}
    quiet, noisy = (fit_law(each, num_bootstrap=300, num_permutations=100).law for each in (plain, apart))
    # sd of a pair is 1% times sqrt 2, of its mean 1%, from 14 pairs; pooled with the residuals of two curves
    dof = quiet.num_shapes - 8
    times = np.sqrt((dof * quiet.rmse_log**2 + 14 * 0.01**2) / (dof + 14)) / quiet.rmse_log
    for end in ("low", "high"):
        away = [getattr(law.parameters["gamma"], end) - law.parameters["gamma"].value for law in (quiet, noisy)]
        assert away[1] / away[0] == pytest.approx(times, rel=0.15), end  # other draws
