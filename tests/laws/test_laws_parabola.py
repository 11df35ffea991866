from __future__ import annotations

import numpy as np
from scipy import stats

from interlaw.laws.parabola import cubic_minimum, fit_parabola, near_minimum, profile_interval, vertices

X = np.log([0.005, 0.01, 0.02, 0.04, 0.08, 0.16])


def fitted(y: np.ndarray, x: np.ndarray = X, noise: float | None = None):
    return fit_parabola(x, y, noise=noise, num_bootstrap=300, rng=np.random.default_rng(0))


def test_an_exact_parabola_is_recovered() -> None:
    parabola = fitted(2 + 0.05 * (X - np.log(0.03)) ** 2)
    assert np.isclose(np.exp(vertices(parabola.coefficients[None], centre=parabola.centre)[0]), 0.03)
    assert np.isclose(parabola.coefficients[2], 0.05)
    assert parabola.rmse < 1e-12


def test_no_minimum_lies_at_infinity_on_the_falling_side() -> None:
    coefficients = np.array([[1.0, -1.0, -0.1], [1.0, 1.0, -0.1], [1.0, 1.0, 0.5]])
    assert vertices(coefficients, centre=2.0).tolist() == [np.inf, -np.inf, 1.0]


def test_the_closed_profile_equals_a_search() -> None:
    """Refit a + c (x - x0)^2 for each x0 and keep what an F test does not reject."""
    y = 2 + 0.05 * (X - np.log(0.03)) ** 2 + 0.004 * np.array([1.0, -1, 0.5, 0.3, -0.8, 0.6])
    parabola = fitted(y)
    low, high = profile_interval(parabola, confidence=0.9)
    kept = []
    least = ((y - parabola.predict(X)) ** 2).sum()
    for x0 in np.linspace(low - 0.5, high + 0.5, 4001):
        design = np.column_stack([np.ones_like(X), (X - x0) ** 2])
        rss = ((y - design @ np.linalg.lstsq(design, y, rcond=None)[0]) ** 2).sum()
        if rss - least <= stats.f.ppf(0.9, 1, 3) * least / 3:
            kept.append(x0)
    assert abs(min(kept) - low) < 1e-3
    assert abs(max(kept) - high) < 1e-3


def test_a_curvature_lost_in_noise_bounds_nothing() -> None:
    parabola = fitted(2 + np.array([0.01, -0.02, 0.02, -0.01, 0.02, -0.02]))
    assert profile_interval(parabola, confidence=0.9) == (-np.inf, np.inf)


def test_three_points_have_no_error_without_seeds_and_one_with() -> None:
    y = 2 + 0.05 * (X[:3] - X[1]) ** 2
    assert len(fitted(y, X[:3]).draws) == 0
    assert profile_interval(fitted(y, X[:3]), confidence=0.9) == (-np.inf, np.inf)
    draws = fitted(y, X[:3], noise=0.01).draws
    np.testing.assert_allclose((draws[:, 0]).std(), 0.01, rtol=0.15)  # at the centre, an interpolation of that point


def test_the_band_holds_the_curve() -> None:
    y = 2 + 0.05 * (X - np.log(0.03)) ** 2 + 0.002 * np.array([1.0, -1, 0.5, 0.3, -0.8, 0.6])
    parabola = fitted(y)
    low, high = parabola.band(X, confidence=0.9)
    assert (low < parabola.predict(X)).all()
    assert (parabola.predict(X) < high).all()
    assert fitted(y[:3], X[:3]).band(X, confidence=0.9) is None


def test_only_the_neighbourhood_of_the_minimum_is_used() -> None:
    y = np.array([9.0, 3.0, 2.1, 2.0, 2.05, 2.1, 2.15, 7.0])
    assert near_minimum(np.arange(8.0), y, window=0.1).tolist() == [2, 3, 4, 5, 6]
    assert near_minimum(np.arange(8.0), y, window=0.01).tolist() == [2, 3, 4, 5, 6]
    assert near_minimum(np.arange(8.0), y, window=0.6).tolist() == [1, 2, 3, 4, 5, 6]
    assert near_minimum(np.arange(3.0), y[:3], window=0.01).tolist() == [0, 1, 2]


def test_a_lopsided_curve_is_told_by_its_cubic() -> None:
    """y = 2 + 0.05 z^2 + 0.01 z^3, z = x - log 0.03, has its minimum at z = 0."""
    z = np.linspace(-1.5, 1.5, 9)
    x = z + np.log(0.03)
    wiggle = 1e-4 * np.array([1.0, -1, 1, -1, 1, -1, 1, -1, 1])
    parabola = fitted(2 + 0.05 * z**2 + 0.01 * z**3 + wiggle, x)
    vertex = vertices(parabola.coefficients[None], centre=parabola.centre)[0]
    minimum, p_value = cubic_minimum(parabola)
    assert abs(minimum - np.log(0.03)) < 0.01 < abs(vertex - np.log(0.03))
    assert p_value < 1e-4
    symmetric = cubic_minimum(fitted(2 + 0.05 * z**2 + wiggle, x))
    assert abs(symmetric[0] - np.log(0.03)) < 0.01
    assert symmetric[1] > 0.3
    assert np.isnan(cubic_minimum(fitted(2 + 0.1 * x[:4] ** 2, x[:4]))).all()
    assert np.isnan(cubic_minimum(fitted(3 + z, x))[0])


def test_leverage_and_chi_square_make_the_bootstrap_spread_right() -> None:
    """With normal noise the draws' variance is the least-squares variance times dof / (dof - 2), on average."""
    rng = np.random.default_rng(0)
    ratios = []
    x = np.linspace(-1, 1, 11)
    for _ in range(200):
        parabola = fit_parabola(x, 2 + 0.1 * x**2 + 0.01 * rng.normal(size=11), noise=None, num_bootstrap=400, rng=rng)
        ratios.append(parabola.draws[:, 1].var() / (parabola.rmse**2 / (x**2).sum()))
    assert abs(np.mean(ratios) - 8 / 6) < 0.1
