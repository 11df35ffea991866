from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from interlaw.errors import InterlawError
from interlaw.laws import PublishedLaw, equivalence, fit_law, published_laws, published_slopes
from interlaw.laws.stability import JOINT, OPTIMA, Slope, Stability, compare_routes, meta_slope
from interlaw.published import PAPER_INTERVAL


def optima(gamma: float, decades: float, noise: float, count: int = 9) -> dict[str, np.ndarray]:
    """One shape a budget, as published tables have it."""
    size = np.geomspace(1e6, 1e6 * 10**decades, count)
    wiggle = noise * np.resize([1.0, -1.0, -1.0, 1.0], count)
    ratio = 0.03 * (size / 1e6) ** gamma * np.exp(wiggle)
    depth = np.maximum(1.0, np.cbrt(size / 12 * ratio**2))
    return {"budget": size, "params": size, "depth": depth, "width": depth / ratio, "loss": size**-0.05}


def test_the_slope_without_errors_is_least_squares() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 12))
    slope, stderr, dof = meta_slope(x, y)
    reference = stats.linregress(x, y)
    assert (slope, stderr, dof) == (pytest.approx(reference.slope), pytest.approx(reference.stderr), 10)
    assert meta_slope(x[:2], y[:2])[1:] == (np.inf, 0)


def test_known_errors_weigh_and_unknown_scatter_levels_the_weights() -> None:
    x = np.arange(6.0)
    errors = np.array([0.1, 0.1, 0.1, 0.1, 0.1, 10.0])
    y = 0.5 * x + np.array([0.01, -0.02, 0.01, 0.01, -0.01, 8.0])
    assert meta_slope(x, y, errors=errors)[0] == pytest.approx(0.5, abs=0.01)
    scattered = 0.5 * x + np.array([4.0, -4, 4, -4, 4, -4])
    levelled = meta_slope(x, scattered, errors=np.full(6, 0.01))
    assert levelled[:2] == pytest.approx(meta_slope(x, scattered)[:2], rel=1e-3)


def test_two_one_sided_tests_agree_with_scipys_t() -> None:
    found = equivalence("0", 0.0, slope=0.02, stderr=0.03, dof=7, confidence=0.9)
    lower = stats.t.sf((0.02 + 0.1) / 0.03, 7)
    upper = stats.t.cdf((0.02 - 0.1) / 0.03, 7)
    assert found.p_value == pytest.approx(max(lower, upper))
    assert (found.verdict == "same") == (found.p_value < 0.05)


@pytest.mark.parametrize(
    ("slope", "stderr", "verdict"),
    [(0.0, 0.01, "same"), (0.3, 0.01, "different"), (0.0, 0.2, "cannot tell"), (0.05, 0.01, "same")],
)
def test_the_three_verdicts(slope: float, stderr: float, verdict: str) -> None:
    assert equivalence("0", 0.0, slope=slope, stderr=stderr, dof=8, confidence=0.9).verdict == verdict


def test_sameness_is_declared_falsely_at_most_at_its_level() -> None:
    """Truth on the margin: TOST of size 5% may say `same` in 5% of the draws."""
    rng = np.random.default_rng(0)
    x = np.linspace(0, 5, 8)
    same = 0
    for _ in range(2000):
        slope, stderr, dof = meta_slope(x, 0.1 * x + 0.05 * rng.normal(size=8))
        same += equivalence("0", 0.0, slope=slope, stderr=stderr, dof=dof, confidence=0.9).verdict == "same"
    assert 0.03 < same / 2000 < 0.07


def test_stable_moving_and_short_sweeps() -> None:
    assert fit_law(optima(0.0, 2, 0.02), given=True).stability.verdict == "stable"
    moving = fit_law(optima(0.3, 2, 0.02), given=True).stability
    assert moving.verdict == "moves"
    assert moving.low < 0.3 < moving.high
    short = fit_law(optima(0.0, 0.5, 0.001), given=True).stability
    assert short.verdict == "cannot tell"
    assert "only a factor 3.16" in short.reason
    assert {test.verdict for test in short.tests} == {"cannot tell"}


def test_a_slope_that_hangs_on_one_budget_says_so() -> None:
    table = optima(0.0, 2, 0.02)
    table["width"] = table["width"] * np.where(np.arange(9) == 8, 0.1, 1.0)
    stability = fit_law(table, confidence=0.8, given=True).stability
    assert stability.verdict == "moves"
    assert "yet leaving one budget out it lies between -0.0" in stability.reason
    two = fit_law({name: values[:2] for name, values in optima(0.0, 20, 0.0).items()}, given=True).stability
    assert "two budgets give a slope without an error bar" in two.reason


def told(low: float, high: float, verdict: str) -> Stability:
    middle = (low + high) / 2
    return Stability(
        gamma=middle,
        low=low,
        high=high,
        num_budgets=5,
        num_edges=0,
        decades=2.0,
        margin=0.1,
        verdict=verdict,
        reason="r",
    )


def slope(low: float, high: float, verdict: str, *, window: float = 0.1, route: str = JOINT) -> Slope:
    return Slope(route=route, window=window, gamma=(low + high) / 2, low=low, high=high, verdict=verdict)


def test_routes_that_exclude_each_other_cannot_tell() -> None:
    both = compare_routes(told(-0.5, -0.3, "moves"), joint=slope(-0.2, 0.0, "cannot tell"), windows=())
    assert both.verdict == "cannot tell"
    assert "yet the joint law says gamma = -0.10 (-0.20 to +0.00): the two exclude each other" in both.reason
    overlapping = compare_routes(told(-0.5, -0.3, "moves"), joint=slope(-0.4, -0.2, "moves"), windows=())
    assert (overlapping.verdict, len(overlapping.others)) == ("moves", 1)


def test_an_answer_that_changes_with_the_window_cannot_tell() -> None:
    near = slope(-0.6, 0.3, "cannot tell", window=0.05, route=OPTIMA)
    away = compare_routes(told(-0.5, -0.3, "moves"), joint=None, windows=[near])
    assert away.verdict == "cannot tell"
    assert "the answer changes with the window: with shapes within 5% of the best it is gamma = -0.15" in away.reason
    moves = slope(0.0, 0.3, "moves", window=0.15, route=OPTIMA)
    opposite = compare_routes(told(-0.2, 0.3, "stable"), joint=None, windows=[moves])
    assert opposite.verdict == "cannot tell"
    unsure = slope(-1.0, 0.2, "cannot tell", window=0.05, route=OPTIMA)
    wide = compare_routes(told(-0.5, -0.3, "moves"), joint=None, windows=[unsure])
    assert wide.verdict == "moves"


def test_a_joint_law_that_changes_with_the_window_cannot_tell() -> None:
    joint, near = slope(-0.5, -0.3, "moves"), slope(-0.2, 0.0, "cannot tell", window=0.05)
    both = compare_routes(told(-0.6, -0.2, "moves"), joint=joint, windows=[near])
    assert both.verdict == "cannot tell"
    assert "yet the joint law's gamma is no sounder: the answer changes with the window" in both.reason
    nothing = replace(told(0.0, 0.0, "cannot tell"), gamma=None, low=None, high=None)
    alone = compare_routes(nothing, joint=joint, windows=[near])
    assert "(-0.50 to -0.30), but the answer changes with the window: with shapes within 5% of the best" in alone.reason
    assert len(alone.others) == 2


def test_the_joint_law_alone_is_told_but_decides_nothing() -> None:
    nothing = replace(told(0.0, 0.0, "cannot tell"), gamma=None, low=None, high=None)
    alone = compare_routes(nothing, joint=slope(-0.6, -0.4, "moves"), windows=())
    assert alone.verdict == "cannot tell"
    assert "the joint law alone says gamma = -0.50 (-0.60 to -0.40)" in alone.reason


@pytest.mark.parametrize("count", [3, 4])
def test_budgets_of_one_size_have_no_slope_by_any_route(sweep, count: int) -> None:
    """Budgets that differ in tokens alone: gamma of the joint law would be wherever its search starts."""
    one = sweep(budgets=(1e6,) * count, seeds=2, noise=0.002)
    fit = fit_law({**one, "budget": np.repeat(1e6 * 4.0 ** np.arange(count), 14)})
    assert [each.r_star.status for each in fit.budgets] == ["optimum"] * count
    assert (fit.law, fit.stability.gamma, fit.stability.others) == (None, None, ())
    assert fit.stability.reason.startswith(f"{count} budgets have an optimum inside their grid, all of one size")
    assert "no law over budgets: all budgets are of one size" in fit.warnings


def test_the_published_optima_do_not_settle_the_slope() -> None:
    """Eleven best shapes of the byte-level sweep (arXiv 2605.27989): the smallest budget alone decides the sign."""
    shapes = [
        (1, 128),
        (6, 84),
        (5, 120),
        (6, 128),
        (5, 156),
        (5, 176),
        (6, 172),
        (5, 204),
        (5, 216),
        (8, 224),
        (10, 284),
    ]
    loss = [2.2186, 1.7342, 1.4459, 1.3487, 1.2909, 1.2340, 1.2138, 1.1847, 1.1598, 1.0777, 0.9732]
    depth, width = np.array(shapes, dtype=float).T
    table = {"params": 12 * depth * width**2 + 4 * depth * width + 770 * width, "depth": depth, "width": width}
    stability = fit_law({**table, "loss": loss}, given=True).stability
    assert stability.verdict == "cannot tell"
    assert stability.gamma == pytest.approx(0.14, abs=0.01)
    assert "neither excludes 0" in stability.reason


def test_published_ratios_are_near_the_figures_their_sources_give() -> None:
    laws = {law.key: law for law in published_laws()}
    levine = {3.3e6: 0.0279, 13e6: 0.0400, 38e6: 0.0430, 98e6: 0.0411, 319e6: 0.0351, 2.8e9: 0.0217, 164e9: 0.0061}
    for params, ratio in levine.items():
        assert laws["levine2020"].ratio(params) == pytest.approx(ratio, rel=0.01)
    for params, ratio in {1e6: 0.0255, 1e8: 0.0188, 1e9: 0.0161, 1e10: 0.0138}.items():
        assert laws["depthscaling2026"].ratio(params) == pytest.approx(ratio, rel=0.02)
    for params, ratio in {5e7: 0.025, 3e8: 0.020, 1.5e9: 0.016}.items():
        assert laws["completep2025"].ratio(params) == pytest.approx(ratio)
    assert laws["gemstones2025"].ratio(7e8) == pytest.approx(0.0277, rel=0.01)
    assert (laws["nanochat"].ratio(1e9), laws["marin"].ratio(1e9)) == pytest.approx((1 / 64, 1 / 128))
    assert laws["kaplan2020"].ratio(1e9) is None
    assert (laws["kaplan2020"].ratio_low, laws["kaplan2020"].slope(1e6, 1e7)) == (0.0014, None)
    assert laws["depthdelusion2026"].ratio(1e9) is None


def test_every_published_line_has_a_source_and_a_trust_mark() -> None:
    laws = published_laws()
    assert len({law.key for law in laws}) == len(laws) >= 13
    for law in laws:
        assert law.source
        assert law.statement
        assert law.trust in {"P", "D", "S"}
        assert law.params_low <= law.params_high
        ratio = law.ratio(law.params_high)
        assert ratio is None or 0.001 < ratio < 0.1


def test_published_slopes_say_when_the_source_speaks_of_other_sizes() -> None:
    near, far = published_slopes(5e7, 1.5e9), published_slopes(1e5, 1e6)
    assert near["CompleteP"][0] == pytest.approx(-0.131, abs=0.002)
    assert "other sizes" not in near["CompleteP"][1]
    assert "other sizes" in far["CompleteP"][1]
    assert near["Levine"][0] < 0 < far["Levine"][0]
    assert "Kaplan" not in near


def test_a_size_must_be_positive() -> None:
    with pytest.raises(InterlawError, match="positive number of parameters, found -1"):
        published_laws()[0].ratio(-1)


def test_optima_on_a_line_by_luck_are_no_surer_than_their_errors() -> None:
    x = np.log([1e6, 4e6, 1.6e7, 6.4e7])
    errors = np.array([0.1, 0.2, 0.1, 0.2])
    slope, stderr, dof = meta_slope(x, 0.05 * x, errors=errors)
    weights = np.diag(errors**-2.0)
    design = np.column_stack([np.ones(4), x])
    assert (slope, dof) == (pytest.approx(0.05), 2)
    assert stderr == pytest.approx(np.sqrt(np.linalg.inv(design.T @ weights @ design)[1, 1]))


def test_a_small_slope_has_one_verdict_by_both_routes(sweep) -> None:
    """Surely above 0 and surely within the margin: R* stays put, and no window says the opposite."""
    stability = fit_law(sweep(gamma=0.02, noise=1e-4)).stability
    routes = {each.route for each in stability.others}
    assert routes == {JOINT, OPTIMA}
    assert all(0 < each.low < each.high < 0.1 for each in stability.others)
    assert {each.verdict for each in stability.others} == {"stable"}
    assert stability.verdict == "stable"


def test_the_papers_interval_stands_alike_in_both_tables() -> None:
    law = next(law for law in published_laws() if law.key == "sun2026")
    assert (law.ratio_low, law.ratio_high) == PAPER_INTERVAL


def test_a_law_says_what_it_is() -> None:
    rule = {"key": "mine", "name": "Mine", "source": "a note", "statement": "", "params_low": 1e6, "params_high": 1e9}
    with pytest.raises(InterlawError, match="expected trust= of the law mine among P, D, S, found 'x'"):
        PublishedLaw(**rule, trust="x", standing="chosen")  # type: ignore[arg-type]
    with pytest.raises(InterlawError, match=r"expected standing= of the law mine among measured, .*, found 'gut'"):
        PublishedLaw(**rule, trust="P", standing="gut")  # type: ignore[arg-type]
    with pytest.raises(InterlawError, match=r"expected points= or formula= of the law mine, found both"):
        PublishedLaw(**rule, trust="P", standing="chosen", points=((1e6, 0.02),), formula=lambda params: 0.02)
