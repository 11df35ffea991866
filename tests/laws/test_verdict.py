from __future__ import annotations

import numpy as np

from interlaw.laws import fit_law, verdict


def test_it_says_where_how_sure_and_whether_it_stays(sweep) -> None:
    table = sweep(seeds=2, noise=0.002)
    away = np.abs(np.log(table["depth"] / table["width"] / 0.03))
    sentences = verdict(fit_law({**table, "aofe": np.exp(away), "aofe_ratio": 0.9 - 0.01 * away}))
    text = " ".join(sentences)
    assert sentences[0].startswith("At 8M parameters the loss is lowest near R = depth / width = 0.0")
    assert "90% interval" in sentences[0]
    assert "The interaction interval, found without the loss, is R = 0.0" in sentences[1]
    assert "stays put as the budget grows: gamma" in text
    assert "the joint law of all runs says" in text


def test_it_names_the_runs_that_would_settle_most(sweep) -> None:
    edge = verdict(fit_law(sweep(ratio=2.0, noise=0.001)))[-1]
    assert "deeper and narrower shapes at 500k, 1M, 2M, 4M, 8M" in edge
    assert "a second seed" in edge
    short = verdict(fit_law(sweep(budgets=(1e6, 2e6, 4e6), seeds=2, noise=0.001)))[-1]
    assert "a budget of 10M or more" in short


def test_optima_found_elsewhere_are_called_so(sweep) -> None:
    sentences = verdict(fit_law(sweep(depths=(6,))))
    assert "taken as optima found elsewhere" in sentences[0]
    assert "a grid of depths with two seeds" in sentences[-1]


def test_it_asks_for_no_shape_shallower_than_one_layer(sweep) -> None:
    table = sweep(ratio=1e-4, noise=0.001, depths=(1, 2, 3, 4, 6, 8))
    assert min(table["depth"]) == 1
    sentence = verdict(fit_law(table))[-1]
    assert "no shape is shallower than the one layer that did best" in sentence
    assert "wider and shallower shapes" not in sentence


def test_the_loss_of_the_best_shape_is_the_one_that_it_was_chosen_by(sweep) -> None:
    even = sweep()
    fit = fit_law(even)
    best = fit.budgets[-1].best
    assert not best.is_corrected
    assert "the best shape measured is" in verdict(fit)[0]
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
    assert f"the best shape at equal size is {best.depth} layers x {best.width} with loss" in verdict(fit)[0]
    assert f"{found.adjusted:.4g} at equal size ({found.loss:.4g} as measured)" in verdict(fit)[0]
    led = f"{best.depth}x{best.width} leads only once sizes are corrected for"
    assert any("6x" in warning and led in warning for warning in fit.warnings)


def test_a_budget_has_one_name(sweep) -> None:
    table = sweep(ratio=2.0, noise=0.001)
    told = " ".join(verdict(fit_law({**table, "params": 0.95 * table["params"]})))
    assert "budget 8M (mean of 7.6M parameters)" in told
    assert told.count("7.6M") == 1
