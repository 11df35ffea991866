"""Claims over several tables and treatments."""

from __future__ import annotations

import numpy as np
import pytest

from interlaw.errors import InterlawError
from interlaw.laws import FittedTable, compare_treatments, fit_law, judge_together

OPTIONS = {"num_bootstrap": 100, "num_permutations": 300}


def task(sweep, *, best: float, efficient: float, random: int, budgets=(1e6,)) -> dict[str, np.ndarray]:
    """A sweep whose loss is lowest at R = best and whose interaction is most efficient at R = efficient."""
    table = sweep(budgets=budgets, depths=(2, 3, 4, 5, 6, 8, 10, 12), seeds=3, ratio=best, noise=0.002, random=random)
    rng = np.random.default_rng([random, 3])
    away = (np.log(table["depth"] / table["width"]) - np.log(efficient)) ** 2
    noise = 0.02 * rng.normal(size=(2, len(away)))
    return {**table, "aofe": np.exp(away + noise[0]), "aofe_ratio": 1 / (1 + np.exp(away + noise[1]))}


def parts(tables: dict[str, dict[str, np.ndarray]]) -> list[FittedTable]:
    return [
        FittedTable(source=name, treatment=None, table=table, fit=fit_law(table, **OPTIONS))
        for name, table in tables.items()
    ]


OPTIMA = np.array([0.018, 0.05, 0.024, 0.04, 0.03, 0.02, 0.045, 0.027, 0.035, 0.022])


def tracking_of(sweep, efficient: np.ndarray):
    tables = {
        f"task {i}": task(sweep, best=best, efficient=other, random=i)
        for i, (best, other) in enumerate(zip(OPTIMA, efficient, strict=True))
    }
    claims = judge_together(parts(tables), num_permutations=500)
    return next(each for each in claims if each.test == "tracking")


def test_interaction_that_follows_the_loss_is_seen_to(sweep) -> None:
    found = tracking_of(sweep, OPTIMA)
    assert (found.verdict, found.claim, found.quantity) == ("holds", "C3", "efficiency")
    assert found.effect > 0.9


def test_interaction_that_follows_something_else_is_not(sweep) -> None:
    found = tracking_of(sweep, np.roll(OPTIMA, 3))
    assert found.verdict == "cannot tell"
    assert "with 80% power" in found.sentence


def test_a_constant_efficient_shape_has_nothing_to_track(sweep) -> None:
    found = tracking_of(sweep, np.full(10, 0.03))
    assert found.verdict == "not testable"
    assert "nearly the same in all contexts" in found.sentence


def test_runs_that_two_treatments_share_count_once(sweep) -> None:
    """A search that finds the fixed rate adds no evidence."""
    table = task(sweep, best=0.03, efficient=0.03, random=0, budgets=(1e6, 3e6, 1e7))
    twice = {name: np.concatenate([values, values]) for name, values in table.items()}
    twice["treatment"] = np.repeat(["fixed", "search"], len(table["loss"]))
    one = next(each for each in fit_law(table, **OPTIONS).claims if each.p_value is not None)
    both = next(each for each in compare_treatments(twice, num_bootstrap=300).claims if each.p_value is not None)
    assert (both.dof, both.effect) == (one.dof, pytest.approx(one.effect))


def test_contexts_of_two_treatments_add_up(sweep) -> None:
    first, second = (task(sweep, best=0.03, efficient=0.03, random=i, budgets=(1e6, 3e6)) for i in (1, 2))
    both = {name: np.concatenate([first[name], second[name]]) for name in first}
    both["treatment"] = np.repeat(["fixed", "search"], len(first["loss"]))
    found = next(each for each in compare_treatments(both, num_bootstrap=300).claims if each.test == "within-shapes")
    assert found.dof == 2 * 2 * 7 * 2


def test_the_slope_of_several_sources_has_an_intercept_for_each(sweep) -> None:
    """Two tasks whose R* differ by a factor of two and move by the same gamma."""
    budgets = (1e6, 3e6, 1e7, 3e7)
    tables = {
        name: sweep(budgets=budgets, seeds=3, ratio=ratio, gamma=-0.3, noise=0.0003, random=i)
        for i, (name, ratio) in enumerate({"one": 0.02, "two": 0.04}.items())
    }
    found = judge_together(parts(tables))[-1]
    assert (found.claim, found.quantity, found.verdict) == ("C4", "r_star_loss", "opposite")
    assert found.low < -0.3 < found.high
    assert found.dof == 8 - 2 - 1


def test_nothing_is_no_test() -> None:
    with pytest.raises(InterlawError, match="expected at least one fitted table, found none"):
        judge_together([])


def test_tables_are_read_together_as_each_was_fitted(sweep) -> None:
    options = {"budget_tolerance": 0.3, "last_step": True}
    tables = []
    for random in range(2):
        table = sweep(budgets=(1e6, 8e6), noise=0.002, random=random)
        jitter = np.exp(0.1 * np.random.default_rng(random).uniform(-1, 1, len(table["loss"])))
        steps = [{**table, "params": table["params"] * jitter, "train_tokens": np.full(len(jitter), t)} for t in (1, 2)]
        table = {
            name: np.concatenate([step[name] for step in steps]) for name in steps[0] if name not in ("budget", "seed")
        }
        tables.append({**table, "aofe": table["loss"], "aofe_ratio": table["loss"] / 10})
    parts = [
        FittedTable(source=str(i), treatment=None, table=t, fit=fit_law(t, **OPTIONS, **options), **options)
        for i, t in enumerate(tables)
    ]
    assert [len(part.fit.budgets) for part in parts] == [2, 2]
    assert judge_together(parts, num_permutations=100)[-1].claim == "C4"
