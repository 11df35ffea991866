"""Published figures, verdicts by rule, and the two open questions on tables whose answers are known."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest

from interlaw.laws import fit_law
from interlaw.reproduce.agreement import Published, as_markdown, claim, compare, published_figures, remarks
from interlaw.reproduce.open_questions import answer_open_questions, tail_probability

FIGURE = Published(experiment="toy", figure="loss", at="3", value=1.0, spread=0.1, source="here")


@pytest.mark.parametrize(
    ("ours", "verdict"),
    [(1.0999, "agrees"), (0.9001, "agrees"), (1.11, "does not agree"), (None, "not comparable")],
)
def test_a_figure_agrees_within_the_published_spread(ours: float | None, verdict: str) -> None:
    assert compare(FIGURE, ours).verdict == verdict


def test_without_a_published_spread_a_tolerance_of_ours_decides_and_is_called_so() -> None:
    alone = Published(experiment="toy", figure="loss", at="3", value=2.0, tolerance=0.01, source="one seed")
    assert compare(alone, 2.019).verdict == "agrees"
    assert compare(alone, 1.979).verdict == "does not agree"
    line = compare(alone, 2.0)
    assert line.spread is None
    assert line.rule == "within 1% of the published figure, a tolerance of ours: no spread was published"
    assert "| loss | 3 | 2 | 2 |" in as_markdown([line])
    assert compare(FIGURE, 1.0).rule == "within the published standard deviation over seeds"


def test_no_spread_is_made_up() -> None:
    """The byte-level sweep was published with one seed, the toy with five."""
    assert {(p.spread, p.tolerance) for p in published_figures("gpt-budgets")} == {(None, 0.01)}
    toy = published_figures("double-descent")
    assert all(p.spread is not None and p.tolerance is None for p in toy)


def test_a_loss_that_is_not_finite_is_not_compared() -> None:
    assert compare(FIGURE, math.nan).verdict == "not comparable"


@pytest.mark.parametrize(
    ("holds", "verdict"),
    [(True, "agrees"), (False, "does not agree"), ("partly", "partly agrees"), (None, "not comparable")],
)
def test_a_claim_holds_or_not(holds: bool | Literal["partly"] | None, verdict: str) -> None:
    assert claim("peak", published="at 500", ours="at 500", holds=holds, rule="same").verdict == verdict


def test_the_table_for_a_page() -> None:
    lines = [
        compare(FIGURE, 1.05, our_spread=0.02, differs="data"),
        claim("x", published="p", ours=None, holds=None, rule="r"),
    ]
    assert as_markdown(lines).splitlines()[2:] == [
        "| loss | 3 | 1 ± 0.1 | 1.05 ± 0.02 | agrees |",
        "| x |  | p | - | not comparable |",
    ]


def test_what_differs_is_said_once_for_all_that_share_it() -> None:
    lines = [
        *(claim(name, published="p", ours="o", holds=True, rule="r", differs="data; seed") for name in "aba"),
        claim("c", published="p", ours="o", holds=True, rule="other", differs="seed"),
    ]
    assert remarks(lines) == [
        "What differs from the published setting (a; b): data.",
        "What differs from the published setting: seed.",
        "Agreement means (a; b): r.",
        "Agreement means (c): other.",
    ]


def test_figures_of_different_things_get_no_verdict() -> None:
    line = compare(FIGURE, 1.0, comparable=False, differs="text")
    assert (line.verdict, line.ours, line.differs) == ("not comparable", 1.0, "text")


def test_published_double_descent_is_as_stated() -> None:
    losses = {p.at: p for p in published_figures("double-descent") if p.figure == "test loss"}
    stated = {"3": 1.103, "100": 1.032, "500": 1.534, "1000": 1.058, "5282": 0.9927}
    for size, loss in stated.items():
        assert losses[size].value == pytest.approx(loss, abs=5e-4)
    assert losses["500"].spread == pytest.approx(0.16, abs=0.005)
    assert published_figures("nothing") == ()


@pytest.mark.parametrize("count", range(5))
def test_tail_probability_is_the_enumerated_one(count: int) -> None:
    chances = [0.1, 0.4, 0.5, 0.9]
    expected = sum(
        math.prod(p if hit else 1 - p for p, hit in zip(chances, hits, strict=True))
        for hits in itertools.product([0, 1], repeat=4)
        if sum(hits) >= count
    )
    assert tail_probability(chances, count) == pytest.approx(expected, rel=1e-12)


def a_table(*, num_budgets: int, excess_sign: int, best_is_pareto: bool) -> dict[str, list[float]]:
    """Budgets of nine shapes whose loss is a parabola; the ratio falls with the loss, the excess as told."""
    columns: dict[str, list[float]] = {
        name: [] for name in ("params", "depth", "width", "loss", "aofe", "aofe_ratio", "null_ratio", "excess_ratio")
    }
    for budget in range(num_budgets):
        for depth in range(2, 11):
            width = 400 / math.sqrt(depth)
            distance = abs(math.log(depth / 5))
            near = distance if best_is_pareto else -distance
            columns["params"].append(1e6 * 3**budget)
            columns["depth"].append(depth)
            columns["width"].append(width)
            columns["loss"].append(3 * 0.8**budget + 0.1 * distance**2 + 1e-5 * math.sin(7 * depth))
            columns["aofe"].append(1 + near + 0.01 * depth)
            columns["aofe_ratio"].append(0.9 - 0.05 * distance)
            columns["excess_ratio"].append(0.2 - excess_sign * 0.05 * distance)
            columns["null_ratio"].append(columns["aofe_ratio"][-1] - columns["excess_ratio"][-1])
    return columns


def test_an_interval_around_the_best_holds_it_more_often_than_chance() -> None:
    fit = fit_law(a_table(num_budgets=6, excess_sign=1, best_is_pareto=True), num_bootstrap=100)
    best, sign = answer_open_questions(fit)
    assert best.answer == "yes"
    assert best.numbers["inside"] == 6
    assert best.numbers["p_value"] < 0.05
    assert sign.answer == "yes"


def test_one_budget_is_answered_by_its_overlap() -> None:
    table = a_table(num_budgets=1, excess_sign=1, best_is_pareto=True)
    fit = fit_law(table, num_bootstrap=100)
    (budget,) = fit.budgets
    assert budget.overlap is not None
    best, _ = answer_open_questions(fit)
    assert best.numbers["p_value"] == budget.overlap.p_value
    assert best.answer == ("yes" if budget.overlap.p_value <= 0.05 else "cannot tell")
    sharp = replace(budget.overlap, p_value=0.01, best_inside=True)
    for overlap, answer in (
        (sharp, "yes"),
        (replace(sharp, p_value=0.2), "cannot tell"),
        (replace(sharp, best_inside=False), "cannot tell"),
    ):
        (found, _) = answer_open_questions(replace(fit, budgets=(replace(budget, overlap=overlap),)))
        assert found.answer == answer
        assert f"(p = {overlap.p_value:.2g})" in found.evidence


def test_too_few_shapes_a_budget_are_not_called_unmeasured() -> None:
    table = a_table(num_budgets=3, excess_sign=1, best_is_pareto=True)
    two = {name: [value for place, value in enumerate(values) if place % 9 < 2] for name, values in table.items()}
    best, _ = answer_open_questions(fit_law(two, num_bootstrap=100))
    assert (best.answer, best.evidence) == (
        "cannot tell",
        "no budget has three measured shapes to find an interval among",
    )


def test_an_excess_of_the_other_sign_is_seen() -> None:
    fit = fit_law(a_table(num_budgets=6, excess_sign=-1, best_is_pareto=True), num_bootstrap=100)
    _, sign = answer_open_questions(fit)
    assert sign.answer == "no"
    assert np.sign(sign.numbers["aofe_ratio"]["rho"]) == -np.sign(sign.numbers["excess_ratio"]["rho"])


def test_without_measurements_nothing_can_be_told() -> None:
    table = a_table(num_budgets=2, excess_sign=1, best_is_pareto=True)
    bare = {name: table[name] for name in ("params", "depth", "width", "loss")}
    answers = answer_open_questions(fit_law(bare, num_bootstrap=100))
    assert [answer.answer for answer in answers] == ["cannot tell", "cannot tell"]
    assert answers[0].evidence == "interaction was not measured"
