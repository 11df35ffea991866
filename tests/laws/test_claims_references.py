"""Off the curve, tracking and the slopes of C4 against plain transcriptions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import special

from interlaw.laws import fit_law
from interlaw.laws.claim import CLAIMED, ask
from interlaw.laws.contexts import Contexts, read_contexts
from interlaw.laws.drift import interaction_drift
from interlaw.laws.grouping import group_shapes
from interlaw.laws.off_the_curve import off_the_curve
from interlaw.laws.partial import orders_within
from interlaw.laws.table import read_runs
from interlaw.laws.tracking import efficient_ratio, tracking
from interlaw.laws.within_shapes import within_shapes

DEPTHS = (2, 3, 4, 5, 6, 8, 10, 12)


def contexts_of(table: dict[str, np.ndarray]) -> Contexts:
    runs = read_runs(table)
    budgets = fit_law(table, num_bootstrap=100, num_permutations=100).budgets
    return read_contexts(runs, group_shapes(runs), budgets=budgets)


def asked_of(base: Contexts, **columns: np.ndarray) -> Contexts:
    """The same runs with other contexts, their size the logarithm that is given as budget."""
    return replace(base, contexts=pd.DataFrame({**columns, "size": columns["budget"]}))


def rough(sweep, *, size_noise: float = 0.0, **options) -> dict[str, np.ndarray]:
    """Shapes with deviations of their own from the curve, the same for all seeds, in loss and in log AOFE."""
    table = sweep(budgets=(1e6, 3e6, 1e7), depths=DEPTHS, seeds=2, noise=0.001, **options)
    rng = np.random.default_rng(6)
    shape = np.unique(np.column_stack([table["budget"], table["depth"]]), axis=0, return_inverse=True)[1].ravel()
    own, other = rng.normal(size=(2, shape.max() + 1))
    own = np.abs(own) * (-1.0) ** np.arange(len(own))  # from shape to shape up and down: as rough as can be
    x = np.log(table["depth"] / table["width"])
    size = np.exp(size_noise * rng.normal(size=shape.max() + 1))[shape]
    return {
        **table,
        "params": table["params"] * size,
        "loss": table["loss"] * np.exp(0.02 * own[shape]),
        "aofe": np.exp(x + 0.3 * (0.8 * own + 0.6 * other)[shape]),
        "aofe_ratio": 1 / (1 + np.exp(0.1 * x + 0.01 * rng.normal(size=len(x)))),
    }


@pytest.mark.parametrize("size_noise", [0.0, 0.01])
def test_off_the_curve_is_the_partial_correlation_given_cubics(sweep, size_noise: float) -> None:
    contexts = contexts_of(rough(sweep, size_noise=size_noise))
    measured = contexts.interaction[""]["aofe"]
    asked = ask("C2", "off-the-curve", quantity="aofe")
    options = {"asked": asked, "confidence": 0.9, "num_permutations": 2000}
    found = off_the_curve(contexts, rng=np.random.default_rng(0), **options)
    y, x = contexts.shapes["log_loss"].to_numpy(), contexts.means(measured)
    context, log_ratio = (contexts.shapes[name].to_numpy() for name in ("context", "log_ratio"))
    columns = [(context == one) * log_ratio**power for one in range(3) for power in range(4)]
    if size_noise:
        size = contexts.shapes["log_spent"].to_numpy(copy=True)
        for one in range(3):
            size[context == one] -= size[context == one].mean()
        columns.append(size)
    design = np.column_stack(columns)

    def left(values):
        return values - design @ np.linalg.lstsq(design, values, rcond=None)[0]

    assert found.effect == pytest.approx(np.corrcoef(left(y), left(x))[0, 1], abs=1e-6)
    assert found.dof == 24 - 12 - bool(size_noise)
    rng, draws = np.random.default_rng(9), []
    for _ in range(2000):
        key = rng.random(8)
        moved = left(np.concatenate([left(x)[context == one][np.argsort(key)] for one in range(3)]))
        draws.append(left(y) @ moved / np.linalg.norm(left(y)) / np.linalg.norm(moved))
    assert found.p_value == pytest.approx(np.mean(np.array(draws) >= found.effect), abs=0.02)
    assert (found.verdict, found.claim) == ("not testable", "C2")  # judged only together with the others


def test_two_smooth_curves_off_a_cubic_are_not_testable(sweep) -> None:
    """No noise at all: what is left of both is the curve's own next degree."""
    table = sweep(budgets=(1e6, 3e6, 1e7), depths=DEPTHS)
    x = np.log(table["depth"] / table["width"])
    table |= {"loss": 2 + np.exp(x / 2) + 0.1 * np.exp(-x / 2), "aofe": np.exp(np.sin(x)), "aofe_ratio": 0.5 + 0 * x}
    found = next(
        each for each in fit_law(table, num_bootstrap=100).claims if each.quantity == "aofe" and "off" in each.test
    )
    assert found.verdict == "not testable"
    assert "leave a smooth remainder of both" in found.sentence


def test_the_most_efficient_shape_is_the_top_of_the_score(sweep) -> None:
    contexts = contexts_of(rough(sweep))
    ratios, inside = efficient_ratio(contexts, "")
    rows = (contexts.shapes["context"] == 1).to_numpy()
    scores = []
    for name, measured in contexts.interaction[""].items():
        values = contexts.means(measured)[rows]
        scores.append(-CLAIMED[name][0] * (values - values.mean()) / values.std())
    x = contexts.shapes["log_ratio"].to_numpy()[rows]
    grid = np.linspace(x.min(), x.max(), 401)
    curve = np.polyval(np.polyfit(x, np.mean(scores, axis=0), 3), grid)
    assert ratios[1] == pytest.approx(grid[curve.argmax()], abs=1e-9)
    assert bool(inside[1]) == (0 < curve.argmax() < 400)


def test_tracking_is_the_gain_over_other_contexts_studentised_over_sources(sweep) -> None:
    rng = np.random.default_rng(2)
    base = contexts_of(rough(sweep))
    source = np.repeat(np.arange(5), 2)
    size = np.tile([14.0, 16.0], 5)
    loss = 0.3 * rng.normal(size=10)
    interaction = 0.5 * loss + 0.3 * rng.normal(size=10)
    contexts = asked_of(base, source=source, group=source, budget=size, log_r_star=loss)
    found = tracking(
        contexts, interaction, view="", confidence=0.9, num_permutations=3000, rng=np.random.default_rng(0)
    )
    design = np.column_stack([np.ones(10), size])

    def left(values):
        return values - design @ np.linalg.lstsq(design, values, rcond=None)[0]

    def statistic(values):
        gains = [
            np.mean([abs(v - other) for other in left(loss)]) - abs(v - own)
            for v, own in zip(values, left(loss), strict=True)
        ]
        sums = np.array([sum(g for g, s in zip(gains, source, strict=True) if s == one) for one in range(5)])
        return sums.sum() / np.sqrt((sums**2).sum())

    draws = [statistic(left(rng.permutation(left(interaction)))) for _ in range(1000)]
    assert found.p_value == pytest.approx(np.mean(np.array(draws) >= statistic(left(interaction))), abs=0.05)
    assert found.effect == pytest.approx(np.corrcoef(left(loss), left(interaction))[0, 1])
    assert found.dof == 8


def test_treatments_of_one_budget_count_as_one_context(sweep) -> None:
    """Ten budgets of one source under three treatments that agree are ten contexts, in T3 and in C4."""
    rng = np.random.default_rng(5)
    base = contexts_of(rough(sweep))
    size = np.linspace(14.0, 18.0, 10)
    loss = 0.3 * rng.normal(size=10)
    interaction = 0.5 * loss + 0.3 * rng.normal(size=10)

    def asked(treatments: int) -> tuple:
        many = np.tile(size, treatments)
        group = np.repeat(np.arange(treatments), 10)
        # each treatment moves every R* alike
        moved = np.tile(loss, treatments) + 0.7 * group
        contexts = asked_of(base, source=0 * group, group=group, budget=many, log_r_star=moved)
        found = np.tile(interaction, treatments) + 0.4 * group
        options = {"view": "", "confidence": 0.9}
        claim = tracking(contexts, found, num_permutations=200, rng=np.random.default_rng(0), **options)
        return claim, *interaction_drift(contexts, found, inside=np.ones(len(group)), **options)

    for one, three in zip(asked(1), asked(3), strict=True):
        assert (three.dof, three.verdict) == (one.dof, one.verdict)
        assert three.effect == pytest.approx(one.effect)
        assert three.low == pytest.approx(one.low)
        assert three.p_value == pytest.approx(one.p_value)


def test_the_slope_of_interaction_is_least_squares_with_an_intercept_a_group(sweep) -> None:
    rng = np.random.default_rng(3)
    base = contexts_of(rough(sweep))
    group, size = np.repeat([0, 1], 4), np.tile(np.log([1e6, 3e6, 1e7, 3e7]), 2)
    values = 0.05 * size + group + 0.02 * rng.normal(size=8)
    loss = values - 0.4 * size
    contexts = asked_of(base, source=group, group=group, budget=size, log_r_star=loss)
    own, difference = interaction_drift(contexts, values, inside=np.ones(8), view="loss", confidence=0.9)
    design = np.column_stack([group == 0, group == 1, size]).astype(float)
    theta, squares = np.linalg.lstsq(design, values, rcond=None)[:2]
    stderr = np.sqrt(squares[0] / 5 * np.linalg.inv(design.T @ design)[2, 2])
    assert own.effect == pytest.approx(theta[2])
    assert own.high - own.effect == pytest.approx(2.0150484 * stderr)  # t_.95 with 5 degrees of freedom
    assert own.low > 0  # not 0, but surely within the margin: it stays put
    assert (own.verdict, own.dof) == ("holds", 5)
    assert difference.effect == pytest.approx(0.4)
    assert difference.verdict == "opposite"
    assert "of the loss view as the budget grows: moves, against the claim" in difference.sentence
    # two groups leave no degree of freedom to three budgets
    inside = np.isin(np.arange(8), (0, 1, 4)).astype(float)
    few, _ = interaction_drift(contexts, values, inside=inside, view="", confidence=0.9)
    assert "budgets that have it inside their grid: 3, where 4 are needed" in few.sentence


def test_the_slope_of_interaction_needs_budgets_of_several_sizes(sweep) -> None:
    contexts = asked_of(
        contexts_of(rough(sweep)), source=np.zeros(4), group=np.zeros(4), budget=np.arange(4), log_r_star=np.zeros(4)
    )
    contexts.contexts["size"] = 14.0
    own, _ = interaction_drift(contexts, np.arange(4.0), inside=np.ones(4), view="", confidence=0.9)
    assert own.sentence.endswith("not testable, 4 budgets have it inside their grid, all of one size.")


def test_permutations_stay_within_their_group_and_move_equal_labels_alike() -> None:
    groups = np.array([2, 0, 2, 1, 0, 2, 1, 3])
    orders = np.concatenate(
        list(orders_within(groups, np.arange(8), num_permutations=500, rng=np.random.default_rng(0)))
    )
    assert orders.shape == (500, 8)
    assert (groups[orders] == groups).all()
    assert (np.sort(orders, axis=1) == np.arange(8)).all()
    shares = [(orders[:, 0] == entry).mean() for entry in (0, 2, 5)]  # three places, each in a third of the draws
    np.testing.assert_allclose(shares, 1 / 3, atol=3 * np.sqrt(2 / 9 / 500))
    twice = np.concatenate(
        list(
            orders_within(np.repeat([0, 1], 4), np.tile(range(4), 2), num_permutations=50, rng=np.random.default_rng(0))
        )
    )
    assert (twice[:, 4:] == twice[:, :4] + 4).all()
    assert len(np.unique(twice, axis=0)) > 10


def two_way(values, weights, shape, seed):
    """Weighted least squares on shape and seed indicators by the normal equations; whitened residuals and leverage."""
    design = np.column_stack([np.equal.outer(shape, np.unique(shape)), np.equal.outer(seed, np.unique(seed))])
    design = design.astype(float) * weights[:, None]
    hat = design @ np.linalg.pinv(design.T @ design) @ design.T
    return values * weights - hat @ (values * weights), np.diag(hat)


def test_a_seed_counts_by_one_over_its_noise() -> None:
    """Fixed point: the variance of each seed, over one minus leverage, drawn together as Smyth (2004) says."""
    rng = np.random.default_rng(4)
    noise = rng.standard_normal((2, 1, 5, 30)) * np.where(np.arange(5) == 0, 6, 1)[:, None]
    depth = np.arange(2.0, 32)
    table = {
        "params": np.full(150, 1e6),
        "depth": np.tile(depth, 5),
        "width": np.tile(np.round(400 / np.sqrt(depth)), 5),
        "seed": np.repeat(np.arange(5), 30),
        "loss": np.exp(0.01 * noise[0].ravel()),
        "aofe": np.exp(0.1 * noise[1].ravel()),
        "aofe_ratio": np.full(150, 0.5),
    }
    contexts = contexts_of(table)
    measured = contexts.interaction[""]["aofe"]
    found = within_shapes(
        contexts,
        asked=ask("C2", "within-shapes", quantity="aofe"),
        confidence=0.9,
        num_permutations=200,
        rng=np.random.default_rng(0),
    )
    shape, seed = (contexts.runs[name].to_numpy() for name in ("shape", "seed"))
    sides = []
    for values in (contexts.runs["log_loss_of_run"].to_numpy(), measured.to_numpy()):
        weights = np.ones(150)
        for _ in range(30):
            left, leverage = two_way(values, weights, shape, seed)
            dof = np.array([(1 - leverage[seed == one]).sum() for one in range(5)])
            log_variance = np.log([((left / weights)[seed == one] ** 2).sum() for one in range(5)] / dof)
            log_variance += np.log(dof / 2) - special.digamma(dof / 2)
            chance = special.polygamma(1, dof / 2)
            spread = max(0.0, log_variance.var(ddof=1) - chance.mean())
            logs = (log_variance - log_variance.mean()) * spread / (spread + chance)
            weights = np.exp(-logs / 2)[seed.astype(int)]
        sides.append(two_way(values, weights, shape, seed)[0])
        assert weights[seed == 1][0] / weights[seed == 0][0] == pytest.approx(6, rel=0.4)
    assert found.effect == pytest.approx(np.corrcoef(*sides)[0, 1], abs=2e-3)
