from __future__ import annotations

import math

import numpy as np
import pytest
from benchmarks.levels_evidence import coverage, levels
from scipy import stats

from interlaw.published import SIZE_BINS, Correlation, correlate


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


def test_interval_equals_a_plain_jackknife_over_families() -> None:
    x, y, control, _ = sample()
    families = [*"aaaaaaaabbbbbbccccddde", *"ee"]
    result = correlate(x, y, families=families, controls=[control])
    columns, labels = np.array([x, y, control]), np.array(families)
    each = []
    for name in "abcde":
        inverse = np.linalg.inv(np.corrcoef(columns[:, labels != name]))
        each.append(math.atanh(-inverse[0, 1] / math.sqrt(inverse[0, 0] * inverse[1, 1])))
    error = math.sqrt(4 / 5 * sum((one - np.mean(each)) ** 2 for one in each))
    effective = 24**2 / (8**2 + 6**2 + 4**2 + 3**2 + 3**2)
    assert result.value is not None
    z, t = math.atanh(result.value), stats.t(effective - 1)
    assert result.effective_families == pytest.approx(effective)
    assert (result.low, result.high) == pytest.approx(
        (math.tanh(z - t.ppf(0.975) * error), math.tanh(z + t.ppf(0.975) * error))
    )
    assert result.p_value == pytest.approx(2 * t.sf(abs(z) / error))
    assert result.detectable == pytest.approx(math.tanh((t.ppf(0.975) + t.ppf(0.8)) * error))
    assert result.differs == (result.p_value < 0.05)


def test_spearman_ranks_anew_without_a_family() -> None:
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


LAYOUTS = [*SIZE_BINS, "all"]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shared", [0.0, 0.9])
def test_intervals_are_level_in_the_layouts_of_the_table(layout: str, shared: float) -> None:
    """R, N, tokens and families of the table; scores that have nothing to do with them, alike within families."""
    found = levels(layout, shared=shared, draws=150)
    # nominal .05, up to .08 with 400 draws (docs/published-models.md), and two Monte Carlo errors of .02
    assert max(found.values()) <= 0.12
    assert set(found) >= {"plain", "given N"}


@pytest.mark.slow
@pytest.mark.parametrize("truth", [-0.6, 0.6])
def test_intervals_hold_a_correlation_that_is_there(truth: float) -> None:
    assert 0.9 < coverage(truth, shared=0.5, draws=400) < 0.99


def test_a_table_of_few_families_sees_what_it_says_it_could() -> None:
    rng = np.random.default_rng(0)
    families = [str(index // 3) for index in range(36)]

    def drawn(truth: float) -> Correlation:
        x, noise = rng.normal(size=(2, 36))
        return correlate(x, truth * x + math.sqrt(1 - truth**2) * noise, families=families)

    detectable = float(np.median([drawn(0.0).detectable or 1 for _ in range(100)]))
    seen = np.mean([drawn(detectable).differs for _ in range(300)])
    assert abs(seen - 0.8) < 0.1  # Monte Carlo error .023, and the noise of a standard error from twelve families


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
