from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from interlaw.published import correlate, published_models


def sample(n: int = 24, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    rng = np.random.default_rng(seed)
    control = rng.normal(size=n)
    x = 0.7 * control + rng.normal(size=n)
    y = -0.4 * control + 0.5 * x + rng.normal(size=n)
    return x, y, control, [f"family {index % 6}" for index in range(n)]


def test_pearson_and_spearman_equal_scipy() -> None:
    x, y, _, families = sample()
    y = np.round(y, 1)  # ties
    assert correlate(x, y, families=families).value == pytest.approx(stats.pearsonr(x, y).statistic, abs=1e-12)
    assert correlate(x, y, families=families, ranks=True).value == pytest.approx(
        stats.spearmanr(x, y).statistic, abs=1e-12
    )


def test_partial_equals_correlation_of_least_squares_residuals() -> None:
    x, y, control, families = sample()
    other = np.random.default_rng(1).normal(size=len(x))
    design = np.column_stack([np.ones(len(x)), control, other])
    residuals = [column - design @ np.linalg.lstsq(design, column, rcond=None)[0] for column in (x, y)]
    partial = correlate(x, y, families=families, controls=[control, other]).value
    assert partial == pytest.approx(np.corrcoef(residuals)[0, 1], abs=1e-12)


def test_interval_equals_a_naive_bootstrap_of_families() -> None:
    x, y, control, families = sample()
    labels = np.array(families)
    names = np.unique(labels)
    result = correlate(x, y, families=families, controls=[control], resamples=4000)
    rng = np.random.default_rng(9)
    draws = []
    for _ in range(4000):
        rows = np.concatenate([np.flatnonzero(labels == name) for name in rng.choice(names, len(names))])
        inverse = np.linalg.inv(np.corrcoef([x[rows], y[rows], control[rows]]))
        draws.append(-inverse[0, 1] / np.sqrt(inverse[0, 0] * inverse[1, 1]))
    assert result.value is not None
    reach = stats.t.ppf(0.975, len(names) - 1) * np.arctanh(draws).std(ddof=1)
    expected = [np.tanh(np.arctanh(result.value) - reach), np.tanh(np.arctanh(result.value) + reach)]
    # Two independent sets of 4000 draws: an end's standard error is about .01.
    assert [result.low, result.high] == pytest.approx(expected, abs=0.04)


@pytest.mark.slow
@pytest.mark.parametrize("truth", [0.0, 0.6])
def test_interval_covers_under_dependence_within_families(truth: float) -> None:
    layout = [model for model in published_models() if model.mmlu_pro is not None and model.size_bin == "0.4-2.5B"]
    families = [row.family_key for row in layout]
    _, group = np.unique(families, return_inverse=True)
    mix = np.linalg.cholesky([[1, truth], [truth, 1]])
    rng = np.random.default_rng(1)
    covered = 0
    for repeat in range(400):
        shared, own = rng.normal(size=(group.max() + 1, 2)), rng.normal(size=(len(group), 2))
        x, y = ((np.sqrt(0.6) * shared[group] + np.sqrt(0.4) * own) @ mix.T).T
        result = correlate(x, y, families=families, resamples=400, seed=repeat)
        assert result.low is not None
        assert result.high is not None
        covered += result.low <= truth <= result.high
    # nominal .95; 400 draws have a standard error of .011
    assert 0.90 < covered / 400 < 0.985


def test_resampled_spearman_ranks_within_the_resample() -> None:
    x, y, _, _ = sample(12)
    families = [str(index) for index in range(12)]
    without_first = stats.spearmanr(x[1:], y[1:]).statistic
    result = correlate(x, y, families=families, ranks=True)
    assert result.leave_out_low is not None
    assert result.leave_out_high is not None
    every = [stats.spearmanr(np.delete(x, index), np.delete(y, index)).statistic for index in range(12)]
    assert without_first in every
    assert (result.leave_out_low, result.leave_out_high) == pytest.approx((min(every), max(every)), abs=1e-12)


def test_leaving_a_family_out_names_the_one_that_matters() -> None:
    x = np.arange(12.0)
    y = np.tile([0.0, 1.0, 2.0], 4)
    y[9:] = [50.0, 60.0, 70.0]
    families = [*"aaabbbccc", *"ddd"]
    result = correlate(x, y, families=families)
    assert result.most_influential == "d"
    assert result.leave_out_low == pytest.approx(np.corrcoef(x[:9], y[:9])[0, 1], abs=1e-12)
    assert result.leave_out_low < result.value


def test_family_p_value_by_enumeration() -> None:
    x, y, _, families = sample(12, seed=2)
    labels = np.array(families)
    a, b = x - x.mean(), y - y.mean()
    parts = np.array([(a * b)[labels == name].sum() for name in np.unique(labels)])
    signs = np.array(np.meshgrid(*[[-1, 1]] * len(parts))).reshape(len(parts), -1).T
    exact = np.mean(np.abs(signs @ parts) >= abs(parts.sum()) - 1e-12)
    result = correlate(x, y, families=families, resamples=8000)
    assert result.p_value == pytest.approx(exact, abs=0.03)
    assert exact >= 2.0 ** (1 - len(parts))


def test_p_values_are_level_without_association() -> None:
    rng = np.random.default_rng(3)
    rejected = 0
    for repeat in range(200):
        x, y, control = rng.normal(size=(3, 20))
        families = [str(index // 2) for index in range(20)]
        rejected += (
            correlate(x, y, families=families, controls=[control], resamples=199, seed=repeat).p_value or 0
        ) <= 0.1
    # 200 draws of a 10 % event: .1 +- 3 x .021.
    assert abs(rejected / 200 - 0.1) < 0.064


def test_families_that_move_together_do_not_fool_the_p_value() -> None:
    rng = np.random.default_rng(5)
    rejected = 0
    for repeat in range(120):
        x, y = (np.repeat(rng.normal(size=8), 5) + 0.1 * rng.normal(size=40) for _ in range(2))
        families = [str(index // 5) for index in range(40)]
        rejected += (correlate(x, y, families=families, resamples=199, seed=repeat).p_value or 0) <= 0.05
    assert rejected / 120 < 0.12


@pytest.mark.parametrize(
    ("x", "controls"),
    [
        (np.array([1.0, 2, 3, 4]), []),  # too few
        (np.ones(8), []),  # constant
        (np.arange(8.0), [2 * np.arange(8.0)]),  # the control is x itself
        (np.arange(8.0), [np.ones(8)]),  # a constant control
        (np.full(8, np.nan), []),  # nothing known
        (np.arange(6.0), [np.arange(6.0) ** 2, np.arange(6.0) ** 3]),  # too few for two controls
    ],
)
def test_what_is_undefined_has_no_value(x: np.ndarray, controls: list[np.ndarray]) -> None:
    y = np.array([3.0, 1, 4, 1, 5, 9, 2, 6])[: len(x)]
    result = correlate(x, y, families=list("aabbccdd")[: len(x)], controls=controls)
    assert (result.value, result.low, result.p_value, result.leave_out_low) == (None, None, None, None)


def test_models_with_a_missing_value_are_left_out() -> None:
    x, y, _, families = sample()
    gapped = x.copy()
    gapped[:4] = np.nan
    result = correlate(gapped, y, families=families)
    assert result.num_models == 20
    assert result.value == correlate(x[4:], y[4:], families=families[4:]).value


def test_two_families_give_no_interval() -> None:
    x, y, _, _ = sample()
    result = correlate(x, y, families=["a", "b"] * 12)
    assert result.num_families == 2
    assert (result.low, result.high, result.p_value) == (None, None, None)
    assert result.value is not None


def test_same_seed_same_figures() -> None:
    x, y, _, _ = sample()
    families = [str(index) for index in range(len(x))]
    first = correlate(x, y, families=families, seed=7)
    assert first == correlate(x, y, families=families, seed=7)
    assert first.low != correlate(x, y, families=families, seed=8).low
