"""Experiments that are sweeps: their recipes, a small one from end to end, and what each judge says of known tables."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from interlaw.errors import WorkFailedError
from interlaw.laws import fit_law
from interlaw.reproduce import SWEEPS, Driver
from interlaw.reproduce import cnn as cnn_experiment
from interlaw.reproduce import gpt as gpt_experiment
from interlaw.reproduce import gru as gru_experiment
from interlaw.reproduce import mlp as mlp_experiment
from interlaw.reproduce.shape_sweep import Part, Result, ShapeSweep, best_row, claimed_signs, recipe_text
from interlaw.runs import RunFolder, TrialSpec
from interlaw.sweep import parse_recipe, plan_trials, run_trials


def in_process(plan: Callable[[], tuple[RunFolder, list[TrialSpec]]]) -> None:
    run, trials = plan()
    run_trials(run, trials, executor="local", listen=lambda event: None)


SMALL_MLP = Part(
    label="small",
    recipe="mlp",
    changes=(
        ('"20k"', '"2k"'),
        ("steps = 1500", "steps = 12"),
        ("batch_size = 256", "batch_size = 8"),
        ("evaluation_samples = 4096", "evaluation_samples = 32"),
        ("test_samples = 8192", "test_samples = 32"),
        ("samples = 512", "samples = 16"),
        ('variant = "full"', 'variant = "full"\ntrain = 64\nvalidation = 32\ntest = 32'),
    ),
)


@pytest.mark.parametrize("scale", ["tiny", "paper"])
@pytest.mark.parametrize(("sweep", "part"), [(sweep, part) for sweep in SWEEPS for part in sweep.parts])
def test_every_recipe_can_be_planned(sweep: ShapeSweep, part: Part, scale: str, tmp_path: Path) -> None:
    written = recipe_text(part, scale=scale)
    for _, new in part.changes:
        assert new in written
    trials = plan_trials(parse_recipe(written, source=part.recipe), folder=tmp_path)
    assert len({trial.shape["depth"] for trial in trials}) >= 6  # enough to associate
    assert {trial.measure[0].view for trial in trials} <= {"input", "loss", "output", "projected", "patch"}


def test_published_shapes_come_out_of_the_paper_recipes(tmp_path: Path) -> None:
    budgets = parse_recipe(recipe_text(gpt_experiment.GPT_BUDGETS.parts[0], scale="paper"), source="r")
    found = {(t.budget.amount, t.shape["depth"]): t.shape["width"] for t in plan_trials(budgets, folder=tmp_path)}
    stated = {
        (300_000, 1): 128,
        (600_000, 6): 84,
        (1_000_000, 5): 120,
        (3_000_000, 5): 216,
        (5_000_000, 8): 224,
        (10_000_000, 10): 284,
    }
    assert {key: found[key] for key in stated} == stated


def test_a_small_sweep_from_end_to_end_and_again(tmp_path: Path) -> None:
    seen: list[str] = []

    def judge(results: dict[str, Result], scale: str) -> list[object]:
        seen.append(scale)
        assert {"aofe", "aofe_ratio", "null_ratio", "loss"} <= set(results["small"].table.columns)
        return []

    sweep = ShapeSweep(
        name="mlp", parts=(SMALL_MLP,), setting="Small.", differs={"tiny": "size", "paper": ""}, judge=judge
    )
    outcome = sweep(scale="tiny", out=tmp_path, driver=Driver(sweep=in_process))
    assert seen == ["tiny"]
    assert len(outcome.table) == 7
    assert {line.figure for line in outcome.agreement} == {
        "the higher the AOFE-ratio, the lower the loss",
        "the lower the AOFE, the lower the loss",
    }
    assert len(outcome.answers) == 2
    assert (tmp_path / "small" / "report.html").exists()
    assert "What differs from the published setting: size." in outcome.notes[0]
    json.dumps(outcome.to_dict(), default=float)
    again = sweep(scale="tiny", out=tmp_path, driver=Driver(sweep=in_process))
    assert again.table == outcome.table  # nothing ran twice: the seconds are the same


def test_a_sweep_in_which_nothing_ends_well_fails(tmp_path: Path) -> None:
    broken = Part(label="broken", recipe="mlp", changes=(*SMALL_MLP.changes, ("blow_up = 1e6", "blow_up = 1.0000001")))
    sweep = ShapeSweep(name="x", parts=(broken,), setting="", differs={"tiny": "", "paper": ""}, judge=lambda r, s: [])
    with pytest.raises(WorkFailedError, match=r"no trial of .* was done"):
        sweep(scale="tiny", out=tmp_path, driver=Driver(sweep=in_process))


def test_a_text_takes_the_place_of_the_embedded_one() -> None:
    part = gpt_experiment.GPT_DEPTH.parts[0]
    assert 'corpus = "datasets:wikitext"' in recipe_text(part, scale="tiny", text="datasets:wikitext")


def a_result(
    *, best: int, depths: range = range(2, 17), params: float = 3e5, ratio_sign: int = -1, offset: float = 1.0
) -> Result:
    """One budget whose loss is a parabola around a depth; the AOFE-ratio goes with the loss as told."""
    rows = []
    for depth in depths:
        width = 400 / math.sqrt(depth)
        distance = math.log(depth / best) ** 2
        loss = offset + 0.1 * distance + 1e-6 * math.sin(9 * depth)
        rows.append(
            {
                "budget": params,
                "params": params,
                "depth": depth,
                "width": width,
                "ratio": depth / width,
                "loss": loss,
                "val_loss": loss,
                "seconds": 1.0,
                "aofe": loss,
                "aofe_ratio": 0.5 + ratio_sign * 0.1 * distance,
                "null_ratio": 0.4,
                "excess_ratio": 0.1 + ratio_sign * 0.1 * distance,
            }
        )
    table = pd.DataFrame(rows)
    return Result(table=table, fit=fit_law(table, num_bootstrap=100))


@pytest.mark.parametrize(("best", "verdict"), [(14, "agrees"), (3, "does not agree")])
def test_mlp_is_judged_by_its_best_depth(best: int, verdict: str) -> None:
    line, halves = mlp_experiment.judge({"full": a_result(best=best)}, "paper")
    assert line.verdict == verdict
    assert str(line.ours).startswith(f"{best} ")
    assert halves.verdict == verdict
    assert mlp_experiment.judge({"full": a_result(best=best)}, "tiny")[0].verdict == "not comparable"


@pytest.mark.parametrize(("best", "verdict"), [(10, "agrees"), (3, "does not agree")])
def test_cnn_is_judged_by_its_best_depth(best: int, verdict: str) -> None:
    (line,) = cnn_experiment.judge({"procedural": a_result(best=best)}, "paper")
    assert line.verdict == verdict
    assert cnn_experiment.judge({"procedural": a_result(best=best)}, "tiny")[0].verdict == "not comparable"


@pytest.mark.parametrize(("sign", "verdict"), [(1, "agrees"), (-1, "does not agree")])
def test_gru_is_judged_by_the_sign_of_its_correlation(sign: int, verdict: str) -> None:
    (line,) = gru_experiment.judge({"students": a_result(best=5, ratio_sign=sign)}, "tiny")
    assert line.verdict == verdict


def test_claimed_signs_are_agreed_with_or_not() -> None:
    verdicts = {
        sign: {line.figure: line.verdict for line in claimed_signs(a_result(best=5, ratio_sign=sign).fit, label="p")}
        for sign in (-1, 1)
    }
    ratio, energy = "p the higher the AOFE-ratio, the lower the loss", "p the lower the AOFE, the lower the loss"
    assert verdicts[-1] == {ratio: "agrees", energy: "agrees"}
    assert verdicts[1] == {ratio: "does not agree", energy: "agrees"}


def test_gpt_depth_is_comparable_at_the_published_budget_alone() -> None:
    result = a_result(best=9, params=3e6)
    (line,) = gpt_experiment.judge_depth({"depths": result}, "paper")
    expected = "agrees" if abs(best_row(result.table)["ratio"] / 0.023 - 1) <= 0.5 else "does not agree"
    assert line.verdict == expected
    assert gpt_experiment.judge_depth({"depths": result}, "tiny")[0].verdict == "not comparable"


def test_gpt_budgets_compares_losses_where_budgets_are_the_same() -> None:
    tables = [
        a_result(best=5, params=1_000_000, offset=1.4459).table,
        a_result(best=5, params=3_000_000, offset=1.5).table,
    ]
    table = pd.concat(tables, ignore_index=True)
    lines = gpt_experiment.judge_budgets(
        {"budgets": Result(table=table, fit=fit_law(table, num_bootstrap=100))}, "paper"
    )
    verdicts = {(line.figure, line.at): line.verdict for line in lines}
    assert verdicts["best test loss", "1000000"] == "agrees"
    assert verdicts["best test loss", "3000000"] == "does not agree"
    assert ("best test loss", "300000") not in verdicts
    band = next(line for line in lines if line.figure.startswith("ratios within"))
    assert band.verdict == "agrees"  # R at the best is 5 / 179 = .028
    assert lines[-1].figure == "the best ratio stays put as the budget grows"
