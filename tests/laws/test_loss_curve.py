from __future__ import annotations

import numpy as np
import pytest

from interlaw.laws.loss_curve import _lopsided, fit_curve, minima, near_minimum, tolerance_ends

X = np.log([0.005, 0.01, 0.02, 0.04, 0.08, 0.16])


def fitted(y: np.ndarray, x: np.ndarray = X, noise: float = 0.0, num_bootstrap: int = 300):
    return fit_curve(x, y, noise=noise, noise_dof=1000, num_bootstrap=num_bootstrap, rng=np.random.default_rng(0))


def test_an_exact_parabola_is_recovered() -> None:
    curve = fitted(2 + 0.05 * (X - np.log(0.03)) ** 2)
    assert np.isclose(np.exp(curve.minimum()), 0.03)
    np.testing.assert_allclose(curve.coefficients[2:], [0.05, 0], atol=1e-12)
    assert curve.rmse < 1e-12


def test_no_minimum_lies_at_infinity_on_the_falling_side() -> None:
    x = np.array([-1.0, 1.0])
    parabolas = np.array([[1.0, -1.0, -0.1], [1.0, 1.0, -0.1], [1.0, 1.0, 0.5], [1.0, 4.0, 0.5]])
    assert minima(parabolas, x).tolist() == [np.inf, -np.inf, -1.0, -4.0]
    rising = [1.0, 1.0, 0.0, 0.1]
    falling = [1.0, -1.0, 0.0, -0.1]
    outside = [0.0, 4.0, 0.5, 0.0]
    assert minima(np.array([rising, falling, outside]), x).tolist() == [-np.inf, np.inf, -np.inf]


def test_a_cubics_minimum_is_the_root_of_its_slope_that_curves_upwards() -> None:
    rng = np.random.default_rng(0)
    x = np.linspace(-2, 2, 4001)
    for coefficients in rng.normal(size=(200, 4)):
        found = minima(coefficients[None], x)[0]
        values = np.vander(x, 4, increasing=True) @ coefficients
        inner = np.flatnonzero((values[1:-1] < values[:-2]) & (values[1:-1] < values[2:])) + 1
        assert np.isfinite(found) == bool(len(inner))
        if len(inner):
            assert abs(found - x[inner[0]]) < 2e-3


def test_three_points_have_no_error_without_seeds_and_one_with() -> None:
    y = 2 + 0.05 * (X[:3] - X[1]) ** 2
    assert len(fitted(y, X[:3]).draws) == 0
    draws = fitted(y, X[:3], noise=0.01).draws
    np.testing.assert_allclose((draws[:, 0]).std(), 0.01, rtol=0.15)  # at the centre, an interpolation of that point


def test_the_band_holds_the_curve() -> None:
    y = 2 + 0.05 * (X - np.log(0.03)) ** 2 + 0.002 * np.array([1.0, -1, 0.5, 0.3, -0.8, 0.6])
    curve = fitted(y)
    low, high = np.quantile(curve.predict_draws(X), [0.05, 0.95], axis=0)
    assert (low < curve.predict(X)).all()
    assert (curve.predict(X) < high).all()
    assert not len(fitted(y[:3], X[:3]).draws)


def test_only_the_neighbourhood_of_the_minimum_is_used() -> None:
    y = np.array([9.0, 3.0, 2.1, 2.0, 2.05, 2.1, 2.15, 7.0])
    assert near_minimum(y, window=0.1).tolist() == [1, 2, 3, 4, 5, 6]
    assert near_minimum(y, window=0.01).tolist() == [1, 2, 3, 4, 5, 6]
    assert near_minimum(y, window=3.0).tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert near_minimum(y[:3], window=0.01).tolist() == [0, 1, 2]


def test_a_lopsided_curve_is_not_dragged_to_its_flat_side() -> None:
    """y = 2 + 0.05 z^2 + 0.01 z^3, z = x - log 0.03, has its minimum at z = 0; a parabola's lies elsewhere."""
    z = np.linspace(-1.5, 1.5, 9)
    y = 2 + 0.05 * z**2 + 0.01 * z**3
    assert abs(fitted(y, z + np.log(0.03)).minimum() - np.log(0.03)) < 1e-9
    b, c = np.polynomial.polynomial.polyfit(z, y, 2)[1:]
    assert abs(-b / (2 * c)) > 0.1


def test_the_tolerance_ends_are_where_the_curve_says() -> None:
    z = np.linspace(-2.0, 1.0, 9)
    curve = fitted(2 + 0.02 * z**2, z)
    low, high = tolerance_ends(curve, delta=0.01)
    np.testing.assert_allclose([low, high], [-1.0, np.inf], rtol=1e-4)


def test_leverage_and_chi_square_make_the_bootstrap_spread_right() -> None:
    """With normal noise the draws' variance is the least-squares variance times dof / (dof - 2), on average."""
    rng = np.random.default_rng(0)
    ratios = []
    x = np.linspace(-1, 1, 12)
    for _ in range(200):
        curve = fit_curve(
            x, 2 + 0.1 * x**2 + 0.01 * rng.normal(size=12), noise=0.0, noise_dof=0, num_bootstrap=400, rng=rng
        )
        powers = np.vander(x, 4, increasing=True)
        variance = curve.rmse**2 * np.linalg.inv(powers.T @ powers)[1, 1]
        ratios.append(curve.draws[:, 1].var() / variance)
    assert abs(np.mean(ratios) - 8 / 6) < 0.12


def test_means_that_lie_on_a_parabola_are_no_surer_than_their_seeds() -> None:
    """Draws have the least-squares variance of normal errors of that size."""
    y = 2 + 0.05 * (X - np.log(0.03)) ** 2
    exact, noisy = fitted(y, num_bootstrap=4000), fitted(y, noise=0.01, num_bootstrap=4000)
    design = np.vander(X - X.mean(), 4, increasing=True)
    spread = 0.01 * np.sqrt(1000 / 1002) * np.sqrt(np.diag(np.linalg.inv(design.T @ design)))
    assert exact.draws.std(axis=0).max() < 1e-12
    np.testing.assert_allclose(noisy.draws.std(axis=0), spread, rtol=0.05)


def test_seed_noise_below_the_residuals_changes_nothing() -> None:
    y = 2 + 0.05 * (X - np.log(0.03)) ** 2 + 0.002 * np.array([1.0, -1, 0.5, 0.3, -0.8, 0.6])
    np.testing.assert_array_equal(fitted(y, noise=1e-4).draws, fitted(y).draws)


def test_a_curve_within_the_seed_noise_is_flat() -> None:
    y = 2 + 0.01 * (X - np.log(0.03)) ** 2
    assert fitted(y).flatness() < 1e-6
    assert fitted(y, noise=1e-3).flatness() < 1e-3
    assert fitted(y, noise=0.1).flatness() > 0.9


def test_few_shapes_turn_where_any_of_three_curves_does() -> None:
    """Five shapes of a lopsided curve that is lowest at z = 0: a parabola misses, a third of draws does not."""
    z = np.linspace(-1.2, 1.2, 5)
    y = 2 + 0.05 * (np.exp(0.33 * z) / 0.33 + np.exp(-0.8 * z) / 0.8)
    curve = fitted(y, z, num_bootstrap=3000)
    assert abs(curve.minimum()) > 0.05
    assert np.quantile(curve.turns, 0.05) < 0 < np.quantile(curve.turns, 0.95)
    turns = _lopsided(np.full(3000, 9.0), np.tile(y, (3000, 1)), x=z, rng=np.random.default_rng(0))
    assert 0.30 < (np.abs(turns) < 1e-9).mean() < 0.37  # the curve itself; its mirror image lies elsewhere
    assert 0.30 < (turns == 9.0).mean() < 0.37  # the parabola's
    falling = fitted(2 - 0.05 * z, z, noise=1e-6)
    assert (falling.turns > z[-1]).mean() > 0.99


@pytest.mark.parametrize("num_shapes", [4, 7])
def test_a_rise_as_large_as_the_detectable_one_is_seen_in_four_of_five(num_shapes: int) -> None:
    rng, noise = np.random.default_rng(0), 0.003
    x = np.linspace(-5.0, -2.0, num_shapes)
    bowl = ((x - x.mean()) / (x[-1] - x.mean())) ** 2

    def curve(rise: float):
        return fit_curve(
            x, 2 * (1 + rise * bowl + noise * rng.normal(size=num_shapes)), noise=0.0, noise_dof=0, num_bootstrap=0,
            rng=rng,
        )  # fmt: skip

    # the residuals' error scatters: the statement is about its square's mean, the true variance
    rise = np.sqrt(np.mean([curve(0.0).detectable(confidence=0.9) ** 2 for _ in range(2000)]))
    seen = np.mean([curve(float(rise)).flatness() <= 0.1 for _ in range(2000)])
    assert seen == pytest.approx(0.8, abs=0.04)  # four Monte Carlo errors, and that of the mean square
