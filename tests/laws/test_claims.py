"""The claims put to their tests: against plain transcriptions, on truths with and without a relation."""

from __future__ import annotations

import json

import numpy as np
import pytest

from interlaw.laws import Claim, fit_law
from interlaw.laws.claim import CLAIMED, adjust, ask, detectable, holm, not_testable


def measured(sweep, *, slope: float = 0.0, seeds: int = 6, random: int = 0, **options) -> dict[str, np.ndarray]:
    """A sweep of 3 budgets x 8 shapes whose log AOFE follows the loss's deviation within shapes with this slope."""
    options = {"budgets": (1e6, 3e6, 1e7), "depths": (2, 3, 4, 5, 6, 8, 10, 12), "noise": 0.01, **options}
    table = sweep(seeds=seeds, random=random, **options)
    rng = np.random.default_rng([random, 1])
    deviation = np.random.default_rng(random).normal(size=len(table["loss"]))
    x = np.log(table["depth"] / table["width"])
    other = np.sqrt(max(0.0, 1 - slope**2)) * rng.normal(size=x.size)
    return {
        **table,
        "aofe": np.exp(5 + x + 0.3 * (slope * deviation + other)),
        "aofe_ratio": 1 / (1 + np.exp(-x - 0.1 * rng.normal(size=x.size))),
        "aofe_scale_free": np.exp(-1 + 0.2 * x + 0.1 * rng.normal(size=x.size)),
        "excess_ratio": 0.01 * x + 0.01 * rng.normal(size=x.size),
        "aofe_stderr": np.full(x.size, 0.0),
    }


def of(claims: tuple[Claim, ...], test: str, quantity: str = "aofe", view: str = "") -> Claim:
    return next(each for each in claims if (each.test, each.quantity, each.view) == (test, quantity, view))


def test_within_shapes_is_the_correlation_after_both_means(sweep) -> None:
    table = measured(sweep, slope=0.1)
    found = of(fit_law(table, num_bootstrap=100, num_permutations=2000).claims, "within-shapes")
    y, t = (np.log(table[name]).reshape(3, 8, 6) for name in ("loss", "aofe"))

    def centred(z):
        return z - z.mean(axis=1, keepdims=True) - z.mean(axis=2, keepdims=True) + z.mean(axis=(1, 2), keepdims=True)

    effect = (centred(y) * centred(t)).sum() / np.sqrt((centred(y) ** 2).sum() * (centred(t) ** 2).sum())
    assert found.effect == pytest.approx(effect, abs=0.01)  # seeds that chance alone tells apart weigh nearly the same
    assert found.dof == 3 * 7 * 5
    assert found.detectable == pytest.approx(2.4865 / np.sqrt(105), abs=1e-4)

    def studentised(moved):
        sums = (centred(y) * moved).sum(axis=1)
        return sums.sum() / np.sqrt((sums**2).sum())

    rng = np.random.default_rng(7)
    draws = [studentised(centred(rng.permuted(centred(t), axis=2))) for _ in range(2000)]
    assert found.p_value == pytest.approx(np.mean(np.array(draws) >= studentised(centred(t))), abs=0.03)
    assert 0.005 < found.p_value < 0.3  # a case in which the p-value is neither sure nor hopeless
    assert found.low < effect < found.high


def test_a_relation_of_the_claimed_sign_holds(sweep) -> None:
    found = of(fit_law(measured(sweep, slope=0.5), num_bootstrap=100).claims, "within-shapes")
    assert (found.verdict, found.claim) == ("holds", "C2")
    assert "as claimed, a higher value goes with a higher loss" in found.sentence


def test_the_opposite_is_told_and_nothing_is_cannot_tell(sweep) -> None:
    found = of(fit_law(measured(sweep, slope=-0.6), num_bootstrap=100).claims, "within-shapes")
    assert (found.verdict, found.p_adjusted) == ("opposite", 1.0)
    assert "against the claim, a higher value goes with a lower loss" in found.sentence
    found = of(fit_law(measured(sweep, slope=0.0), num_bootstrap=100).claims, "within-shapes")
    assert found.verdict == "cannot tell"
    assert f"Alone, this test would show |r| of {found.detectable:.2f} or more with 80% power" in found.sentence


def test_a_small_effect_known_well_is_negligible(sweep) -> None:
    found = of(fit_law(measured(sweep, seeds=40), num_bootstrap=100, num_permutations=200).claims, "within-shapes")
    assert found.verdict == "negligible"
    assert max(abs(found.low), abs(found.high)) < 0.2


def test_measuring_error_is_taken_off(sweep) -> None:
    table = measured(sweep, slope=0.5)
    noise = 0.3 * np.random.default_rng(3).normal(size=len(table["loss"]))
    noisy = {**table, "aofe": table["aofe"] * np.exp(noise), "aofe_stderr": 0.3 * table["aofe"] * np.exp(noise)}
    found = of(fit_law(noisy, num_bootstrap=100).claims, "within-shapes")
    assert found.reliability == pytest.approx(0.5, abs=0.12)
    assert found.corrected == pytest.approx(found.effect / np.sqrt(found.reliability))
    assert (
        of(
            fit_law({**table, "aofe_stderr": np.full(len(noise), np.nan)}, num_bootstrap=100).claims, "within-shapes"
        ).corrected
        is None
    )


def test_claims_survive_json_and_name_every_quantity_once(sweep) -> None:
    fit = fit_law(measured(sweep), num_bootstrap=100)
    again = type(fit).from_dict(json.loads(json.dumps(fit.to_dict(), allow_nan=False)))
    assert again == fit
    for test in ("within-shapes", "off-the-curve"):
        assert [each.quantity for each in fit.claims if each.test == test] == list(CLAIMED)


def test_every_view_of_a_table_is_tested_and_counts_for_holm(sweep) -> None:
    table = measured(sweep, slope=0.5)
    both = {
        **table,
        **{f"loss_{name}": table[name] for name in CLAIMED},
        "view": np.full(len(table["loss"]), "projected"),
    }
    fit = fit_law(both, num_bootstrap=100)
    one, other = (of(fit.claims, "within-shapes", view=view) for view in ("projected", "loss"))
    assert one.effect == other.effect
    assert one.p_adjusted >= 7 * one.p_value - 1e-12


def test_an_unmeasured_table_is_not_testable(sweep) -> None:
    fit = fit_law(sweep(), num_bootstrap=100)
    assert [each.verdict for each in fit.claims[:3]] == ["not testable"] * 3
    assert fit.claims[0].sentence == "Over seeds of one shape: not testable, interaction was not measured."
    loss = of(fit.claims, "equivalence", "r_star_loss")
    assert (loss.effect, loss.low, loss.high) == (fit.stability.gamma, fit.stability.low, fit.stability.high)


def test_one_seed_says_nothing_within_shapes(sweep) -> None:
    found = of(fit_law(measured(sweep, seeds=1), num_bootstrap=100).claims, "within-shapes")
    assert found.verdict == "not testable"
    assert "no shape was run and measured with two seeds" in found.sentence


def test_holm_is_the_step_down_of_its_definition() -> None:
    p = [0.02, 0.001, 0.04, 0.03]
    expected = []
    for one in p:
        steps = [min(1.0, (len(p) - rank) * value) for rank, value in enumerate(sorted(p)) if value <= one]
        expected.append(max(steps))
    assert holm(p) == pytest.approx(expected)
    assert detectable(1) == 1.0


def test_what_cannot_be_tested_does_not_count_for_holm() -> None:
    silent = not_testable(ask("C2", "within-shapes", quantity="aofe"), "of a reason")
    assert adjust([silent]) == (silent,)
