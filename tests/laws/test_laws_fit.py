from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from interlaw.errors import InterlawError
from interlaw.laws import LawFit, fit_law, verdict


def measured(table: dict[str, np.ndarray], *, ratio: float = 0.03, random: int = 0) -> dict[str, np.ndarray]:
    """Interaction that is best where the loss is: high aofe_ratio and low aofe at R = ratio."""
    rng = np.random.default_rng(random)
    away = np.abs(np.log(table["depth"] / table["width"] / ratio))
    noise = 1e-4 * rng.normal(size=(2, len(away)))
    return {**table, "aofe": np.exp(away + noise[0]), "aofe_ratio": 0.95 - 0.01 * away + noise[1]}


def test_a_known_sweep_is_read_back(sweep) -> None:
    fit = fit_law(measured(sweep(seeds=2, noise=0.002, budgets=(5e5, 1e6, 2e6, 8e6))))
    for budget in fit.budgets:
        assert budget.r_star.status == "optimum"
        assert budget.r_star.low < 0.03 < budget.r_star.high
        assert budget.r_star.value == pytest.approx(0.03, rel=0.1)
        assert budget.loss_interval.low < 0.03 < budget.loss_interval.high
        assert budget.seed_noise.relative == pytest.approx(0.002, rel=0.5)
    assert fit.stability.verdict == "stable"
    assert fit.law.status == "optimum"
    assert fit.interaction_interval.status == "determined"
    assert 0.02 < fit.interaction_interval.low <= fit.interaction_interval.high < 0.045


def test_the_loss_interval_is_where_the_parabola_reaches_the_tolerance() -> None:
    x = np.log([0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.4])
    depth = np.full(8, 4.0)
    table = {"params": np.full(8, 1e6), "depth": depth, "width": depth / np.exp(x), "loss": 2 + 0.02 * (x + 3.5) ** 2}
    interval = fit_law(table, delta=0.01).budgets[0].loss_interval
    half = np.sqrt(0.01 * 2 / 0.02)
    np.testing.assert_allclose(np.log([interval.low, interval.high]), [-3.5 - half, -3.5 + half], rtol=1e-4)
    assert (interval.low_open, interval.high_open) == (False, False)


def test_the_same_seed_gives_the_same_fit_and_the_order_of_rows_changes_nothing(sweep) -> None:
    table = measured(sweep(seeds=2, noise=0.003))
    order = np.random.default_rng(5).permutation(len(table["loss"]))
    first = fit_law(table)
    assert first == fit_law(pd.DataFrame(table))
    shuffled = fit_law({name: values[order] for name, values in table.items()})
    assert [b.r_star.value for b in shuffled.budgets] == pytest.approx([b.r_star.value for b in first.budgets])


def test_it_survives_json(sweep) -> None:
    fit = fit_law(measured(sweep(seeds=2, noise=0.003)))
    plain = json.loads(json.dumps(fit.to_dict(), allow_nan=False))
    assert {"budgets", "law", "interaction_interval", "stability", "warnings"} <= set(plain)
    assert LawFit.from_dict(plain) == fit
    with pytest.raises(
        InterlawError, match=r"expected the JSON of a fit, found budgets: field required; write it again"
    ):
        LawFit.from_dict({"law": None})
    with pytest.raises(
        InterlawError,
        match=r"found budgets\.0: input should be a dictionary or an instance of BudgetFit",
    ):
        LawFit.from_dict({**plain, "budgets": ["x"]})


@pytest.mark.parametrize(("side", "ratio"), [("low", 0.0005), ("high", 2.0)])
def test_a_minimum_at_the_edge_is_an_edge_and_never_an_optimum(sweep, side: str, ratio: float) -> None:
    fit = fit_law(sweep(ratio=ratio, noise=0.001, seeds=2))
    for budget in fit.budgets:
        assert (budget.r_star.value, budget.r_star.edge, budget.r_star.status) == (None, side, "edge")
        assert budget.loss_interval is None
        lowest = budget.near_best[0 if side == "low" else -1]
        assert (lowest.depth, lowest.width) == (budget.best.depth, budget.best.width)
    assert fit.stability.gamma is None
    assert fit.stability.num_edges == 5
    assert "No best shape can be named" in verdict(fit).best
    assert any("where the grid ends" in warning for warning in fit.warnings)


def test_three_points_give_no_number(sweep) -> None:
    budget = fit_law(sweep(depths=(3, 6, 12), budgets=(2e6,), noise=0.001)).budgets[0]
    assert (budget.r_star.value, budget.r_star.status) == (None, "too_few_shapes")
    assert "run at least 5" in budget.r_star.reason
    seeded = fit_law(sweep(depths=(3, 6, 12), budgets=(2e6,), noise=0.001, seeds=3)).budgets[0]
    assert seeded.r_star.low < 0.03 < seeded.r_star.high


def test_two_points_and_one_give_no_number(sweep) -> None:
    two = fit_law(sweep(depths=(3, 6), budgets=(2e6,)))
    assert (two.budgets[0].r_star.status, two.budgets[0].curve) == ("too_few_shapes", None)
    assert two.budgets[0].r_star.reason == "2 shapes have no curve, which takes three ratios: run at least 5"
    seeded = fit_law(sweep(depths=(3, 6), budgets=(2e6,), seeds=3, noise=0.001)).budgets[0].r_star.reason
    assert "without repeated seeds" not in seeded
    one = fit_law(sweep(depths=(3,), budgets=(2e6,)))
    assert one.budgets[0].r_star.status == "too_few_shapes"
    assert "only one shape was run" in one.budgets[0].r_star.reason


def test_ties_are_flat_and_counted(sweep) -> None:
    table = sweep(budgets=(2e6,))
    fit = fit_law({**table, "loss": np.full(7, 2.0)})
    assert (fit.budgets[0].r_star.value, fit.budgets[0].r_star.status) == (None, "flat")
    assert fit.budgets[0].best.num_tied == 6


def test_the_lowest_loss_as_measured_and_at_equal_size_are_told_apart(sweep) -> None:
    """A larger shape is measured lowest by its size alone, by less than four digits show."""
    table = sweep(budgets=(2e6, 8e6))
    params, loss = np.array(table["params"], dtype=float), np.array(table["loss"])
    rows = np.flatnonzero(params > 4e6)
    best, other = rows[np.argsort(loss[rows])[:2]]
    params[other] *= 1.08
    loss[other] = loss[best] * (1 - 1e-6)
    fit = fit_law({**table, "params": params, "loss": loss}, num_bootstrap=200)
    largest = fit.budgets[-1]
    assert (largest.best.depth, largest.measured_best.depth) == (table["depth"][best], table["depth"][other])
    assert largest.measured_best.loss < largest.best.loss
    assert f"the best shape at equal size is {largest.best.depth} layers" in verdict(fit).best


def test_noise_without_a_curve_is_flat(sweep) -> None:
    """The test against a constant has level 10%: of 100 flat truths 82 or more are called so (3 standard errors)."""
    found = [
        fit_law(sweep(budgets=(2e6,), kappa=0.0, noise=0.01, random=random), num_bootstrap=200, num_permutations=100)
        for random in range(100)
    ]
    statuses = [fit.budgets[0].r_star.status for fit in found]
    assert statuses.count("flat") >= 82
    assert statuses.count("optimum") <= 6


def test_a_bound_on_one_side_alone_is_open_and_never_an_optimum(sweep) -> None:
    """A shallow minimum near the deep end: the loss turns, but nothing shows that it rises again."""
    table = sweep(budgets=(2e6,), ratio=0.1, kappa=0.02, noise=0.004, seeds=2, random=1)
    star = fit_law(table).budgets[0].r_star
    assert (star.status, star.open_side, star.value, star.high) == ("open", "high", None, None)
    assert 0.05 < star.low < 0.1
    assert "no upper bound" in star.reason


def test_a_loss_that_falls_and_stays_level_is_no_optimum(sweep) -> None:
    """A cubic turns on the level part, with a bound on both sides; the shapes there do not rise by themselves."""
    table = sweep(budgets=(2e6,), depths=tuple(range(2, 16)), seeds=2, noise=0.001)
    x = np.log(table["depth"] / table["width"])
    place = (x - x.min()) / np.ptp(x)
    noise = np.exp(0.001 * np.random.default_rng(1).normal(size=len(x)))
    star = fit_law({**table, "loss": (2 + 0.16 * np.maximum(0, 0.6 - place)) * noise}).budgets[0].r_star
    assert (star.status, star.open_side) == ("open", "high")
    star = fit_law({**table, "loss": (2 + 0.16 * np.maximum(0, place - 0.4)) * noise}).budgets[0].r_star
    assert (star.status, star.open_side) == ("open", "low")


def test_sizes_that_grow_with_r_leave_nothing_to_compare(sweep) -> None:
    """N rises by 30% over the grid: 6% of the loss at the assumed slope, 3% at the sweep's own."""
    one = sweep(budgets=(2e6,), noise=0.001)
    grow = 1.3 ** np.linspace(0, 1, 7)
    star = fit_law({**one, "params": one["params"] * grow}).budgets[0].r_star
    assert (star.status, star.value) == ("not_comparable", None)
    assert "R only mirrors the size" in star.reason
    several = sweep(noise=0.001)
    fit = fit_law({**several, "params": several["params"] * np.tile(grow, 5)})
    assert {budget.r_star.status for budget in fit.budgets} == {"not_comparable"}
    scattered = fit_law({**several, "params": several["params"] * np.tile([1.02, 0.98, 1.01, 1, 1.01, 0.98, 1.02], 5)})
    assert {budget.r_star.status for budget in scattered.budgets} == {"optimum"}


def test_a_ladder_says_nothing_of_stability_and_given_optima_do(sweep) -> None:
    ladder = sweep(depths=(6,))
    fit = fit_law(ladder)
    assert {budget.r_star.status for budget in fit.budgets} == {"too_few_shapes"}
    assert (fit.stability.verdict, fit.stability.gamma) == ("cannot tell", None)
    assert any("a ladder of models says nothing" in warning for warning in fit.warnings)
    given = fit_law(ladder, given=True)
    assert {budget.r_star.status for budget in given.budgets} == {"given"}
    assert given.stability.gamma is not None
    with pytest.raises(InterlawError, match="expected one optimum a budget, found 7 shapes at 500k"):
        fit_law(sweep(), given=True)


def test_one_budget_has_no_law_and_no_slope(sweep) -> None:
    fit = fit_law(sweep(budgets=(2e6,), noise=0.002))
    assert fit.law is None
    assert (fit.stability.verdict, fit.stability.gamma) == ("cannot tell", None)
    assert any("no law over budgets: one budget" in warning for warning in fit.warnings)
    assert "at least three budgets" in verdict(fit).next


@pytest.mark.parametrize(("loss_scale", "size_scale"), [(1e-9, 1.0), (1e9, 1.0), (1.0, 1e4)])
def test_scales_do_not_matter(sweep, loss_scale: float, size_scale: float) -> None:
    table = sweep(noise=0.002, seeds=2)
    plain = fit_law(table)
    scaled = {**table, "loss": table["loss"] * loss_scale}
    scaled |= {name: table[name] * size_scale for name in ("budget", "params")}
    other = fit_law(scaled)
    for one, two in zip(plain.budgets, other.budgets, strict=True):
        assert two.r_star.value == pytest.approx(one.r_star.value, rel=1e-6)
    assert other.law.parameters["gamma"].value == pytest.approx(plain.law.parameters["gamma"].value, abs=1e-3)


def test_losses_of_wildly_different_size_in_one_budget_do_not_confuse(sweep) -> None:
    table = sweep(noise=0.002, seeds=2)
    table["loss"] = table["loss"].copy()
    table["loss"][:2] = 1e6
    assert fit_law(table).budgets[1].r_star.value == pytest.approx(0.03, rel=0.15)


def test_unmeasured_shapes_are_told_and_left_out_of_the_interaction_interval(sweep) -> None:
    table = measured(sweep(budgets=(2e6,), noise=0.002))
    table["aofe"][0] = table["aofe_ratio"][0] = np.nan
    fit = fit_law(table)
    assert fit.budgets[0].interaction_interval.num_shapes == 6
    assert any("1 of 7 shapes have no interaction measured" in warning for warning in fit.warnings)
    assert fit.budgets[0].points[0].aofe is None
    assert fit_law(sweep(budgets=(2e6,))).interaction_interval is None


def test_the_interaction_interval_never_looks_at_the_loss(sweep) -> None:
    table = measured(sweep(noise=0.002))
    other = {**table, "loss": np.random.default_rng(3).permutation(table["loss"])}
    first, second = fit_law(table), fit_law(other)
    assert [b.interaction_interval for b in first.budgets] == [b.interaction_interval for b in second.budgets]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"delta": 0.0}, "delta= between 0 and 1"),
        ({"delta": 5}, "delta= between 0 and 1"),
        ({"confidence": 1.0}, "confidence= from 0.5 to below 1"),
        ({"window": 0.0}, "window= above 0"),
        ({"num_bootstrap": 10}, "at least 100 bootstrap draws"),
    ],
)
def test_settings_out_of_range_are_refused(sweep, settings: dict[str, float], message: str) -> None:
    with pytest.raises(InterlawError, match=message):
        fit_law(sweep(), **settings)


def test_warnings_name_what_weakens_the_numbers(sweep) -> None:
    table = sweep(noise=0.002)
    table["params"] = table["params"] * np.where(table["depth"] == 2, 1.3, 1.0)
    table["status"] = np.where(table["depth"] == 16, "diverged", "done")
    warnings = " ".join(fit_law(table).warnings)
    assert "mostly deeper and narrower" in warnings
    assert "seed noise is unknown" in warnings
    assert "its sizes differ by 30% (corrected along the sweep's slope)" in warnings


def test_five_shapes_allow_a_symmetric_curve_only_and_it_says_so(sweep) -> None:
    fit = fit_law(sweep(budgets=(2e6,), depths=(3, 4, 6, 8, 12), noise=0.001))
    assert fit.budgets[0].curve.num_coefficients == 3
    assert any("5 shapes allow a symmetric curve only" in warning for warning in fit.warnings)
    assert "yet 5 shapes cannot show a lopsided curve, whose minimum is 10 to 30% off)" in verdict(fit).best
    assert "lopsided" not in verdict(fit_law(sweep(budgets=(2e6,), noise=0.001))).best


def test_seed_noise_widens_every_interval() -> None:
    """Means exactly on a parabola, seeds apart: R* widens in proportion."""
    depth = np.repeat(np.arange(1.0, 9.0), 3)
    width, seed = np.sqrt(1e6 / 12 / depth), np.tile([0, 1, 2], 8)
    found = []
    for noise in (0.001, 0.01, 0.03):
        loss = 2 * (1 + 0.05 * np.log(depth / width / 0.012) ** 2) * (1 + noise * (seed - 1))
        table = {"params": np.full(24, 1e6), "depth": depth, "width": width, "loss": loss, "seed": seed}
        found.append(fit_law(table).budgets[0])
    stars = [np.log(fit.r_star.high / fit.r_star.low) for fit in found]
    assert 4 < stars[1] / stars[0] < 15
    assert 1.5 < stars[2] / stars[1] < 4
    assert all(fit.r_star.low < 0.012 < fit.r_star.high for fit in found)
    # sd of a mean of three, pooled with residuals that are zero
    expected = 0.01 * float(np.mean([point.loss for point in found[1].points])) / np.sqrt(3) * np.sqrt(16 / 20)
    assert found[1].curve.error == pytest.approx(expected, rel=0.05)


def test_a_flat_budget_says_what_it_could_have_seen(sweep) -> None:
    few = fit_law(sweep(budgets=(1e6,), depths=(2, 4, 8, 16), kappa=0.0, noise=0.003, random=2)).budgets[0].r_star
    many = fit_law(sweep(budgets=(1e6,), kappa=0.0, noise=0.003, seeds=3, random=1)).budgets[0].r_star
    assert few.status == many.status == "flat"
    assert few.detectable > 3 * many.detectable > 0
    assert f"a rise of {few.detectable:.1%} from the middle to the ends of the grid would be seen in 80%" in few.reason


def test_a_range_is_flat_where_the_ends_of_the_grid_are_not() -> None:
    x = np.linspace(np.log(0.004), np.log(0.25), 11)
    depth = np.cbrt(2e6 / 12 * np.exp(2 * x))
    loss = 2 * np.exp(0.002 * np.random.default_rng(0).normal(size=11))
    loss[[0, -1]] *= 1.3
    table = {"params": np.full(11, 2e6), "depth": depth, "width": depth / np.exp(x), "loss": loss}
    star = fit_law(table, num_bootstrap=200).budgets[0].r_star
    assert star.status == "flat"
    assert star.reason.startswith("from R = 0.0060 to 0.1653 the loss varies by no more than its noise")
    assert "from the middle to the ends of that range" in star.reason


def test_three_shapes_on_one_falling_side_are_no_optimum() -> None:
    """A parabola through them turns before the last one, which is still the lowest."""
    x = np.log(0.004) + np.array([0.0, 0.5, 1.0]) * np.log(0.25 / 0.004)
    depth = np.cbrt(2e6 / 12 * np.exp(2 * x))
    rng = np.random.default_rng(0)
    loss = 2 * (1 + 0.08 * np.exp([0.0, -2.0, -4.0]))[:, None] * np.exp(0.001 * rng.normal(size=(3, 3)))
    columns = {"params": np.full(3, 2e6), "depth": depth, "width": depth / np.exp(x)}
    fit = fit_law({**{name: np.repeat(each, 3) for name, each in columns.items()}, "loss": loss.ravel()})
    assert (fit.budgets[0].r_star.status, fit.budgets[0].r_star.open_side) == ("open", "high")
