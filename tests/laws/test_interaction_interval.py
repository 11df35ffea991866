from __future__ import annotations

import numpy as np
import pytest

from interlaw.laws import fit_law
from interlaw.laws.interaction_interval import pareto_front


def naive_front(ratio: np.ndarray, aofe: np.ndarray) -> list[bool]:
    def dominated(i: int) -> bool:
        return any(
            ratio[j] >= ratio[i] and aofe[j] <= aofe[i] and (ratio[j] > ratio[i] or aofe[j] < aofe[i])
            for j in range(len(ratio))
        )

    return [not dominated(i) for i in range(len(ratio))]


def test_the_front_is_what_the_definition_says() -> None:
    rng = np.random.default_rng(0)
    both = rng.integers(0, 5, size=(2, 50, 8)).astype(float)
    expected = [naive_front(ratio, aofe) for ratio, aofe in zip(*both, strict=True)]
    assert pareto_front(*both).tolist() == expected


def test_equal_shapes_are_all_on_the_front() -> None:
    assert pareto_front(np.ones(4), np.ones(4)).all()


def measured(sweep, *, away, noise: float = 0.05, seeds: int = 5, random: int = 0, **options):
    """Log AOFE and logit ratio get worse with `away(x)`, x = log R, with seed noise of both."""
    table = sweep(budgets=(2e6,), seeds=seeds, random=random, **options)
    rng = np.random.default_rng([random, 2])
    worse = away(np.log(table["depth"] / table["width"]))
    normal = noise * rng.normal(size=(2, len(worse)))
    return {**table, "aofe": np.exp(worse + normal[0]), "aofe_ratio": 1 / (1 + np.exp(worse + normal[1]))}


def test_it_is_named_from_sure_shapes_alone(sweep) -> None:
    found = fit_law(measured(sweep, away=lambda x: np.abs(x + 3.5)), num_bootstrap=100).budgets[0].interaction_interval
    assert found.status == "determined"
    sure = [shape.ratio for shape in found.front_probability if shape.probability >= 0.9]
    assert (found.low, found.high) == (min(sure), max(sure))
    assert len(found.front_probability) == found.num_shapes == 7


def test_probabilities_are_those_of_drawn_means(sweep) -> None:
    """Against a plain transcription with its own draws; standard error of either 0.011."""
    table = measured(sweep, away=lambda x: 0.02 * np.abs(x + 3.5), noise=0.05)
    found = fit_law(table, num_bootstrap=100).budgets[0].interaction_interval
    values = np.stack([-np.log(1 / table["aofe_ratio"] - 1), np.log(table["aofe"])], axis=-1).reshape(7, 5, 2)
    means = values.mean(axis=1)
    middle = means.mean(axis=0)
    left = values - means[:, None] - values.mean(axis=0) + values.mean(axis=(0, 1))
    covariance = np.einsum("ijk,ijl->kl", left, left) / (6 * 4)
    kept = np.clip(1 - np.diag(covariance) / 5 / means.var(axis=0, ddof=1), 0, 1)
    centre = middle + kept * (means - middle)
    rng, hits = np.random.default_rng(5), np.zeros(7)
    for _ in range(2000):
        drawn = rng.multivariate_normal(np.zeros(2), covariance / 5, size=7) * np.sqrt(24 / rng.chisquare(24))
        hits += naive_front(*(centre + drawn).T)
    probabilities = np.array([shape.probability for shape in found.front_probability])
    np.testing.assert_allclose(probabilities, hits / 2000, atol=0.05)
    assert ((probabilities > 0.1) & (probabilities < 0.9)).sum() >= 3  # the case is neither sure nor hopeless


def test_a_gap_is_not_filled(sweep) -> None:
    """Two ends on the front, worse shapes between: the ends are sure, and no interval spans them."""

    def two_ends(x):
        low, high = x.min(), x.max()
        return np.where((x == low) | (x == high), 0.0, 2.0)

    found = fit_law(measured(sweep, away=two_ends, noise=0.001), num_bootstrap=100).budgets[0].interaction_interval
    table = measured(sweep, away=two_ends, noise=0.001)
    # the deep end trades a lower AOFE for a lower ratio: neither end beats the other
    deep = table["depth"] == table["depth"].max()
    table["aofe"] = np.where(deep, 0.5 * table["aofe"], table["aofe"])
    table["aofe_ratio"] = np.where(deep, 0.9 * table["aofe_ratio"], table["aofe_ratio"])
    gap = fit_law(table, num_bootstrap=100).budgets[0].interaction_interval
    assert found.num_shapes == 7
    assert (gap.status, gap.low, gap.high) == ("not determined", None, None)
    assert "are no neighbours" in gap.reason


@pytest.mark.parametrize(
    ("seeds", "stderr", "reason"),
    [(1, None, "one seed a shape and no standard errors"), (1, 0.01, "how far seeds move the front is unknown")],
)
def test_one_seed_determines_nothing(sweep, seeds: int, stderr: float | None, reason: str) -> None:
    table = measured(sweep, away=lambda x: np.abs(x + 3.5), seeds=seeds)
    if stderr is not None:
        table |= {f"{name}_stderr": stderr * table[name] for name in ("aofe", "aofe_ratio")}
    fit = fit_law(table, num_bootstrap=100)
    found = fit.budgets[0].interaction_interval
    assert (found.status, fit.interaction_interval.status) == ("not determined", "not determined")
    assert reason in found.reason
    assert (found.front_probability[0].probability is None) == (stderr is None)


def test_measuring_error_counts_where_seeds_hide_it(sweep) -> None:
    table = measured(sweep, away=lambda x: 0.2 * np.abs(x + 3.5), noise=0.001)
    loud = {**table, **{f"{name}_stderr": 0.5 * table[name] for name in ("aofe", "aofe_ratio")}}
    quiet, unsure = (
        [
            shape.probability
            for shape in fit_law(each, num_bootstrap=100).budgets[0].interaction_interval.front_probability
        ]
        for each in (table, loud)
    )
    assert max(quiet) == 1.0
    assert max(unsure) < 0.9


def test_one_loud_seed_does_not_carry_a_shape(sweep) -> None:
    """Means of logs: a run with a thousandfold AOFE moves its shape's mean by a factor of 1000 ** (1 / 5)."""
    table = measured(sweep, away=lambda x: 0 * x, noise=0.0)
    table["aofe"][0] *= 1000
    point = fit_law(table, num_bootstrap=100).budgets[0].points[0]
    assert point.aofe == pytest.approx(1000**0.2)


def test_fewer_than_three_shapes_have_no_interval(sweep) -> None:
    table = measured(sweep, away=lambda x: np.abs(x + 3.5))
    table["aofe"][10:] = np.nan
    fit = fit_law(table, num_bootstrap=100)
    assert fit.budgets[0].interaction_interval is None
    assert fit.interaction_interval is None


def test_pooled_over_budgets_it_is_determined_in_all_or_not(sweep) -> None:
    table = sweep(budgets=(1e6, 4e6), seeds=5)
    worse = np.abs(np.log(table["depth"] / table["width"]) + 3.5)
    noise = 0.02 * np.random.default_rng(0).normal(size=(2, len(worse)))
    table |= {"aofe": np.exp(worse + noise[0]), "aofe_ratio": 1 / (1 + np.exp(worse + noise[1]))}
    fit = fit_law(table, num_bootstrap=100)
    ends = [(each.interaction_interval.low, each.interaction_interval.high) for each in fit.budgets]
    pooled = fit.interaction_interval
    assert pooled.status == "determined"
    assert pooled.low == pytest.approx(np.sqrt(ends[0][0] * ends[1][0]))
    assert pooled.high == pytest.approx(np.sqrt(ends[0][1] * ends[1][1]))
    blurred = np.where(table["budget"] == 1e6, 0.0, worse) + noise[0]
    table |= {"aofe": np.exp(blurred), "aofe_ratio": 1 / (1 + np.exp(blurred))}
    pooled = fit_law(table, num_bootstrap=100).interaction_interval
    assert (pooled.status, pooled.reason) == ("not determined", "1 of 2 budgets determine one")
    assert len(pooled.front_probability) == 14
