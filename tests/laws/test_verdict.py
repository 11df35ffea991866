from __future__ import annotations

import numpy as np
import pytest

from interlaw.laws import LawFit, fit_law, status_text, verdict
from interlaw.laws.result import RStar
from interlaw.size import format_ratio


def measured(table: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    away = np.abs(np.log(table["depth"] / table["width"] / 0.03))
    return {**table, "aofe": np.exp(away), "aofe_ratio": 0.9 - 0.01 * away}


def test_three_labelled_lines_say_where_whether_interaction_agrees_and_what_is_next(sweep) -> None:
    said = verdict(fit_law(measured(sweep(seeds=2, noise=0.002, budgets=(5e5, 1e6, 2e6, 8e6)))))
    assert [label for label, _ in said.lines] == ["Best shape", "Interaction", "Next"]
    assert said.best.startswith("At 8M parameters the loss is lowest near R = depth / width = 0.0")
    assert "90% interval" in said.best
    assert "costs at most 1%" in said.best
    assert "stays put as the budget grows." in said.best
    assert "gamma" not in said.best
    assert said.details[0].startswith("gamma = d log R* / d log N: gamma = ")
    assert "The joint law of all runs says gamma = " in said.details[1]


def test_a_budget_that_counts_no_parameters_has_its_unit(sweep) -> None:
    table = sweep(budgets=(1e6,), depths=(3, 6))
    fit = fit_law({**table, "budget": [2.5, 2.5], "budget_kind": ["tokens_per_param"] * 2})
    said = verdict(fit)
    assert "At 2.5 tokens per parameter (mean of 1M parameters) the lowest loss" in said.best
    assert "at least five shapes at 2.5 tokens per parameter" in said.next
    assert any(note.startswith("budget 2.5 tokens per parameter: no optimum") for note in fit.warnings)
    assert LawFit.from_dict(fit.to_dict()).budgets[0].amount == "2.5 tokens per parameter"


def test_a_turn_without_a_bound_is_one_sentence_with_one_but(sweep) -> None:
    rows = sweep(budgets=(1e6,), depths=(2, 3, 4, 6, 8, 12), noise=0.002, seeds=2, ratio=0.012)
    fit = fit_law(rows)
    assert fit.budgets[0].r_star.status == "open"
    assert verdict(fit).best.count(", but ") == 1
    assert ", and the data give no " in verdict(fit).best
    assert any(
        note.startswith("budget 1M: no bounded optimum to report; the loss turns near ") for note in fit.warnings
    )


def test_unmeasured_interaction_is_said_to_be_so(sweep) -> None:
    assert "not testable, interaction was not measured" in verdict(fit_law(sweep(seeds=2))).interaction


def test_claims_are_named_by_what_they_came_to_and_never_by_a_bare_no(sweep) -> None:
    table = sweep(seeds=4, noise=0.003)
    rng = np.random.default_rng(7)
    curve = sweep()["loss"].repeat(4)
    tied = {**table, "aofe": (table["loss"] / curve) ** 40, "aofe_ratio": 0.9 + 0.001 * rng.normal(size=len(curve))}
    said = verdict(fit_law(tied))
    assert "As claimed: AOFE (within shapes)" in said.interaction
    assert "tests cannot tell; the sharpest, alone, would show |r| = 0." in said.interaction
    assert any(sentence.startswith("Over seeds of one shape, AOFE: as claimed") for sentence in said.details)
    told = [
        sentence.startswith("Of the tests below, the interval of r is two-sided at 90%; p is")
        for sentence in said.details
    ]
    assert sum(told) == 1
    assert said.details[told.index(True) + 1].startswith("Over seeds of one shape")
    against = verdict(fit_law({**tied, "aofe": 1 / tied["aofe"]}))
    assert "Against the claim: AOFE (within shapes)" in against.interaction


def test_tests_that_could_see_nothing_name_no_correlation(sweep) -> None:
    table = sweep(budgets=(1e6,), seeds=3, noise=0.003)
    noise = np.random.default_rng(3).normal(size=len(table["loss"]))
    said = verdict(fit_law({**table, "aofe": np.exp(noise), "aofe_ratio": 0.9 + 0.01 * noise[::-1]})).interaction
    assert "cannot tell; with so few seeds and shapes they would see no relation, however close" in said
    assert "1.00" not in said


def test_it_names_the_runs_that_would_settle_most(sweep) -> None:
    edge = verdict(fit_law(sweep(ratio=2.0, noise=0.001))).next
    assert edge.startswith("Run deeper and narrower shapes at 500k, 1M, 2M, 4M, 8M; a second seed")
    short = verdict(fit_law(sweep(budgets=(1e6, 2e6, 4e6), seeds=2, noise=0.001))).next
    assert "a budget of 10M or more" in short


def test_a_tenfold_span_is_one_of_parameters_from_the_smallest_budget_with_an_optimum(sweep) -> None:
    short, edge = sweep(budgets=(1e6, 2e6, 4e6), seeds=2, noise=0.001), sweep(budgets=(1e5,), ratio=2.0, seeds=2)
    wider = verdict(fit_law({name: np.concatenate([edge[name], short[name]]) for name in short})).next
    assert wider.startswith("Run deeper and narrower shapes at 100k; a budget of 10M or more, for a tenfold span")
    flops = verdict(fit_law({**short, "budget": 1e12 * short["params"]})).next
    assert "a budget of 10M parameters or more, for a tenfold span" in flops


def test_given_optima_are_called_so(sweep) -> None:
    said = verdict(fit_law(sweep(depths=(6,)), given=True))
    assert "5 optima are given, and nothing here checks them" in said.best
    assert "a grid of depths with two seeds" in said.next


def test_a_ladder_never_stays_put(sweep) -> None:
    said = verdict(fit_law(sweep(depths=(6,))))
    assert "The best ratio stays put" not in said.best
    assert "at least five shapes at 500k, 1M, 2M, 4M, 8M" in said.next


def test_it_asks_for_no_shape_shallower_than_one_layer(sweep) -> None:
    table = sweep(ratio=1e-4, noise=0.001, depths=(1, 2, 3, 4, 6, 8))
    assert min(table["depth"]) == 1
    said = verdict(fit_law(table))
    assert said.next.startswith(
        "At 500k, 1M, 2M, 4M, 8M the best shape may be a single layer: run larger budgets, train longer or try another "
        "learning rate. Run a second seed"
    )
    assert "wider and shallower shapes" not in said.next
    assert "the loss still falls towards fewer and wider layers where the grid ends" in said.best
    assert "No other shape is within 1% of it." in said.best


def test_the_loss_of_the_best_shape_is_the_one_that_it_was_chosen_by(sweep) -> None:
    even = sweep(noise=0.0005)
    fit = fit_law(even)
    best = fit.budgets[-1].best
    assert not best.is_corrected
    assert "the best shape measured is" in verdict(fit).best
    # one depth beside the best has 30% more parameters at every budget, and the lower loss for it alone
    budget = even["budget"]
    params = np.where(even["depth"] == 6, 1.3, 1.0) * budget
    loss = even["loss"] + 0.8 * ((params / 1e6) ** -0.25 - (budget / 1e6) ** -0.25)
    fit = fit_law({**even, "params": params, "loss": loss})
    found = fit.budgets[-1].best
    largest = budget == budget.max()
    assert even["depth"][largest][loss[largest].argmin()] == 6
    assert (found.depth, found.width) == (best.depth, best.width)
    assert found.adjusted == min(point.adjusted for point in fit.budgets[-1].points)
    assert found.loss > loss[largest].min()
    assert f"the best shape at equal size is {best.depth} layers x {best.width}, loss" in verdict(fit).best
    assert f"{found.adjusted:.4g} at equal size ({found.loss:.4g} as measured)" in verdict(fit).best
    led = f"{best.depth}x{best.width} leads only once sizes are corrected for"
    assert any("6x" in warning and led in warning for warning in fit.warnings)


def test_a_budget_has_one_name(sweep) -> None:
    table = sweep(ratio=2.0, noise=0.001)
    said = verdict(fit_law({**table, "params": 0.95 * table["params"]}))
    told = f"{said.best} {said.next}"
    assert "budget 8M (mean of 7.6M parameters)" in told
    assert told.count("7.6M") == 1


@pytest.mark.parametrize(
    ("status", "edge", "open_side", "words"),
    [
        ("optimum", None, None, "optimum"),
        ("edge", "low", None, "falls towards fewer layers"),
        ("edge", "high", None, "falls towards more layers"),
        ("open", None, "low", "turns, no lower bound"),
        ("open", None, "both", "turns, no bound"),
        ("flat", None, None, "no difference seen"),
        ("too_few_shapes", None, None, "too few shapes"),
        ("not_comparable", None, None, "sizes too unequal"),
        ("given", None, None, "given"),
    ],
)
def test_every_status_has_words(status: str, edge: str | None, open_side: str | None, words: str) -> None:
    star = RStar(value=None, low=None, high=None, edge=edge, open_side=open_side, status=status, reason="")
    assert status_text(star) == words


def test_a_fit_prints_in_fifteen_lines_and_is_a_table(sweep) -> None:
    fit = fit_law(measured(sweep(seeds=2, noise=0.002)))
    assert len(str(fit).splitlines()) <= 15
    assert repr(fit) == str(fit)
    assert str(fit).startswith("Best shape: At 8M parameters")
    assert "    8M  R* 0.0" in str(fit)
    many = fit_law(sweep(budgets=tuple(5e5 * 1.6**i for i in range(12)), noise=0.002))
    assert len(str(many).splitlines()) <= 15
    assert "7 smaller budgets in .to_frame()" in str(many)
    table = fit.to_frame()
    assert table["status"].tolist() == [status_text(budget.r_star) for budget in fit.budgets]
    assert table["r_star"].iloc[0] == fit.budgets[0].r_star.value
    html = fit._repr_html_()
    assert "<b>Next.</b>" in html
    assert html.count("<tr") == 6
    assert "<td>500k</td>" in html
    assert "e+0" not in html
    assert f"<td>{format_ratio(fit.budgets[0].r_star.value)}</td>" in html
