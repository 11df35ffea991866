"""Experiments that are sweeps: their recipes, a small one from end to end, and what each judge says of known tables."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from inspect import isfunction
from pathlib import Path

import pandas as pd
import pytest

from interlaw.errors import InterlawError, WorkFailedError
from interlaw.laws import fit_law
from interlaw.runs import RunFolder, TrialSpec
from interlaw.sweep import parse_recipe, plan_trials, run_trials
from interlaw_paper import EXPERIMENTS, Driver
from interlaw_paper import cnn as cnn_experiment
from interlaw_paper import gpt as gpt_experiment
from interlaw_paper import gru as gru_experiment
from interlaw_paper import mlp as mlp_experiment
from interlaw_paper.agreement import Agreement
from interlaw_paper.shape_sweep import Part, Result, ShapeSweep, best_row, claimed_signs, recipe_text
from interlaw_paper.text_read import TextRead, text_read


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


def test_every_experiment_goes_by_its_own_name() -> None:
    named = {name: each.run for name, each in EXPERIMENTS.everything().items() if not isfunction(each.run)}
    assert len(named) > 15
    assert {name: each.name for name, each in named.items()} == {name: name for name in named}


SWEEPS = [each.run for each in EXPERIMENTS.everything().values() if isinstance(each.run, ShapeSweep)]


@pytest.mark.parametrize(
    ("sweep", "part", "scale"),
    [(sweep, part, scale) for sweep in SWEEPS for part in sweep.parts for scale in sweep.differs],
)
def test_every_recipe_can_be_planned(sweep: ShapeSweep, part: Part, scale: str, tmp_path: Path) -> None:
    written = recipe_text(part, scale=scale)
    assert all(new in written for _, new in part.changes)
    assert all(f"\n{key} = {value}" in written for key, value in part.settings.items())
    assert f'{part.title}"\n' in written
    trials = plan_trials(parse_recipe(written, source=part.recipe), folder=tmp_path)
    assert len({trial.shape["depth"] for trial in trials}) >= 5  # enough to associate
    assert {measure.view for trial in trials for measure in trial.measure} <= {
        "input",
        "loss",
        "output",
        "projected",
        "patch",
    }


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

    def judge(result: Result, scale: str) -> list[Agreement]:
        seen.append(scale)
        assert {"aofe", "aofe_ratio", "null_ratio", "loss", "min_val_loss"} <= set(result.table.columns)
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
    assert {each.claim for each in outcome.claims["small"]} == {"C2", "C3", "C4"}
    assert any(line.startswith("small, C3: ") for line in outcome.sentences())
    few = [line for line in outcome.sentences() if "no shape was run and measured with two seeds" in line]
    assert few == ["small, C2: Over seeds of one shape: not testable, no shape was run and measured with two seeds."]
    assert (tmp_path / "small" / "report.html").exists()
    assert {line.differs for line in outcome.agreement} == {"size"}
    assert "- What differs from the published setting: size.\n" in outcome.to_markdown()
    assert outcome.lost == ()
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
                "min_val_loss": loss,
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
    line, halves = mlp_experiment.judge(a_result(best=best), "paper")
    assert line.verdict == verdict
    assert str(line.ours).startswith(f"{best} ")
    assert halves.verdict == verdict
    assert mlp_experiment.judge(a_result(best=best), "tiny")[0].verdict == "not comparable"


@pytest.mark.parametrize(("best", "verdict"), [(10, "agrees"), (3, "does not agree")])
def test_cnn_is_judged_by_its_best_depth(best: int, verdict: str) -> None:
    (line,) = cnn_experiment.judge(a_result(best=best), "paper")
    assert line.verdict == verdict
    assert cnn_experiment.judge(a_result(best=best), "tiny")[0].verdict == "not comparable"


@pytest.mark.parametrize(("sign", "verdict"), [(1, "agrees"), (-1, "does not agree")])
def test_gru_is_judged_by_the_sign_of_its_correlation(sign: int, verdict: str) -> None:
    (line,) = gru_experiment.judge(a_result(best=5, ratio_sign=sign), "tiny")
    assert line.verdict == verdict


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        ("holds", "agrees"),
        ("opposite", "does not agree"),
        ("cannot tell", "not comparable"),
        ("negligible", "not comparable"),
    ],
)
def test_claimed_signs_are_agreed_with_or_not(verdict: str, expected: str) -> None:
    """What is no evidence is no disagreement."""
    fit = a_result(best=5).fit
    fit = replace(fit, claims=tuple(replace(each, verdict=verdict) for each in fit.claims))
    assert {line.figure: line.verdict for line in claimed_signs(fit, label="p")} == {
        "p the higher the AOFE-ratio, the lower the loss": expected,
        "p the lower the AOFE, the lower the loss": expected,
    }


def test_gpt_depth_is_comparable_at_the_published_budget_alone() -> None:
    result = a_result(best=9, params=3e6)
    (line,) = gpt_experiment.judge_depth(result, "paper")
    expected = "agrees" if abs(best_row(result.table)["ratio"] / 0.023 - 1) <= 0.5 else "does not agree"
    assert line.verdict == expected
    assert gpt_experiment.judge_depth(result, "tiny")[0].verdict == "not comparable"


ON_WIKITEXT = TextRead(source="datasets:Salesforce/wikitext/wikitext-103-raw-v1", train_tokens=10, most_tokens=5)


def budgets_result(text: TextRead | None) -> Result:
    tables = [
        a_result(best=5, params=1_000_000, offset=1.4459).table,
        a_result(best=5, params=3_000_000, offset=1.5).table,
    ]
    table = pd.concat(tables, ignore_index=True)
    return Result(table=table, fit=fit_law(table, num_bootstrap=100), text=text)


def test_gpt_budgets_compares_losses_where_budgets_and_text_are_the_same() -> None:
    lines = gpt_experiment.judge_budgets(budgets_result(ON_WIKITEXT), "paper")
    verdicts = {(line.figure, line.at): line.verdict for line in lines}
    assert verdicts["best test loss", "1000000"] == "agrees"
    assert verdicts["best test loss", "3000000"] == "does not agree"
    assert ("best test loss", "300000") not in verdicts
    band = next(line for line in lines if line.figure.startswith("ratios within"))
    assert band.verdict == "agrees"  # R at the best is 5 / 179 = .028
    assert lines[-1].figure == "the best ratio stays put as the budget grows"


@pytest.mark.parametrize("source", ["stdlib", "/home/me/books"])
def test_a_loss_on_another_text_is_not_compared(source: str) -> None:
    text = TextRead(source=source, train_tokens=10, most_tokens=5)
    losses = [
        line for line in gpt_experiment.judge_budgets(budgets_result(text), "paper") if line.figure == "best test loss"
    ]
    assert {line.verdict for line in losses} == {"not comparable"}
    assert {line.differs for line in losses} == {"losses on two texts cannot be compared"}
    assert losses[0].ours == pytest.approx(1.4459, abs=1e-4)


@pytest.mark.parametrize(
    ("source", "passes", "differs"),
    [
        ("stdlib", 0.5, "the standard library's source text in place of WikiText-103"),
        ("/data/books", 0.5, "/data/books in place of WikiText-103"),
        ("/data/wikitext-103-raw", 0.5, ""),
        (
            "datasets:Salesforce/wikitext/wikitext-103-raw-v1",
            2.5,
            "8 million training tokens, read up to 2.5 times over",
        ),
    ],
)
def test_the_text_that_was_read_is_named_with_its_passes(source: str, passes: float, differs: str) -> None:
    assert TextRead(source=source, train_tokens=8_000_000, most_tokens=round(8e6 * passes)).differs == differs


def test_the_text_of_a_run_is_that_of_its_trials(tmp_path: Path) -> None:
    book = tmp_path / "book.txt"
    book.write_text("the cat sees a dog and a bird\n" * 800)
    part = gpt_experiment.GPT_DEPTH.parts[0]
    recipe = parse_recipe(recipe_text(part, scale="tiny", text=str(book)), source="r")
    read = text_read(plan_trials(recipe, folder=tmp_path))
    assert read is not None
    assert read.source == str(book)
    assert read.most_tokens == pytest.approx(20 * 50_000, rel=1e-3)
    assert read.train_tokens == pytest.approx(0.9 * 30 * 800, rel=0.01)
    mlp = parse_recipe(recipe_text(SMALL_MLP, scale="tiny"), source="r")
    assert text_read(plan_trials(mlp, folder=tmp_path)) is None
    assert text_read([]) is None


def test_a_grid_with_holes_has_no_verdicts_and_names_what_is_lost(tmp_path: Path) -> None:
    """Six of seven trials diverge: what is left is one shape, and no correlation of it."""
    sweep = replace(mlp_experiment.MLP_SCAN, parts=(SMALL_MLP,))
    sweep(scale="tiny", out=tmp_path, driver=Driver(sweep=in_process))
    records = sorted((tmp_path / "small" / "trials").glob("*/record.json"))
    for path in records[:5]:
        record = json.loads(path.read_text())
        path.write_text(json.dumps({**record, "status": "diverged", "reason": "loss 9 at step 3"}))
    records[5].unlink()
    outcome = sweep(scale="tiny", out=tmp_path, driver=Driver(sweep=lambda plan: plan() and None))
    assert len(outcome.lost) == 6
    assert sum("seed 0 diverged (loss 9 at step 3)" in line for line in outcome.lost) == 5
    assert sum("was not run to its end" in line for line in outcome.lost) == 1
    assert all(line.startswith("small: depth ") for line in outcome.lost)
    assert {line.verdict for line in outcome.agreement} == {"not comparable"}
    assert all(line.differs.startswith("6 of 7 trials are missing; ") for line in outcome.agreement)
    assert "nan" not in outcome.to_markdown()
    assert outcome.to_markdown().count("- Lost: small: depth ") == 6


def test_a_correlation_needs_three_shapes_that_differ() -> None:
    assert gru_experiment.correlation([1.0, 2.0], [1.0, 2.0]) is None
    assert gru_experiment.correlation([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]) is None
    assert gru_experiment.correlation([1.0, 2.0, 3.0], [2.0, 4.0, 6.0]) == pytest.approx(1.0)
    whole = a_result(best=5)
    (line,) = gru_experiment.judge(Result(table=whole.table[:1], fit=whole.fit), "tiny")
    assert (line.ours, line.verdict) == (None, "not comparable")


def test_mlp_is_judged_by_its_lowest_validation_loss() -> None:
    result = a_result(best=14)
    table = result.table.assign(val_loss=result.table["depth"].map(float))  # the last one would choose depth 2
    assert mlp_experiment.judge(Result(table=table, fit=result.fit), "paper")[0].verdict == "agrees"
    older = table.assign(min_val_loss=None)
    line = mlp_experiment.judge(Result(table=older, fit=result.fit), "paper")[0]
    assert line.verdict == "does not agree"
    assert line.differs == "of the last validation, since not every record keeps the lowest"


def test_gpt_depth_takes_widths_in_eights(tmp_path: Path) -> None:
    recipe = parse_recipe(recipe_text(gpt_experiment.GPT_DEPTH.parts[0], scale="paper"), source="r")
    widths = {trial.shape["depth"]: trial.shape["width"] for trial in plan_trials(recipe, folder=tmp_path)}
    # at 9 and 11 the biases that ours lacks decide: one step of 8 narrower as published
    expected = {8: 176, 9: 168, 10: 152, 11: 152, 12: 144, 14: 128, 16: 120}
    assert {depth: widths[depth] for depth in expected} == expected
    assert set(widths) == set(range(2, 17))


STATED = {
    "mlp": {
        "family": "mlp",
        "depths": tuple(range(2, 17)),
        "budget": {"amounts": (300_000,), "rule": "nearest", "multiple_of": 8},
        "training": {
            "batch_size": 256,
            "learning_rate": 3e-4,
            "final_fraction": 0.1,
            "weight_decay": 0.01,
            "clip": 1.0,
            "steps": 60_000,
            "evaluations": 300,  # of 200 steps
            "patience": 20,
            "evaluation_samples": 4096,
            "test_samples": 8192,
        },
        "task": {"dim": 64, "train": 20_000, "validation": 4096, "test": 8192},
        "measure": {"views": ("input",), "samples": 2048},
    },
    "cnn": {
        "family": "cnn",
        "depths": tuple(range(2, 17)),
        "budget": {"amounts": (3_000_000,), "rule": "nearest", "multiple_of": 8},
        "training": {"tokens_per_param": 20, "batch_size": 128, "warmup_steps": 100},
        "task": {"images": "procedural", "patch": 4},
        "measure": {"views": ("patch",)},
    },
    "gru": {
        "family": "gru",
        "depths": tuple(range(3, 13)),
        "budget": {"rule": "nearest", "multiple_of": 8},
        "task": {"time": 80, "teacher_depth": 2, "teacher_width": 64},
        "measure": {"views": ("output",)},
    },
    "gpt-depth": {
        "family": "gpt",
        "depths": tuple(range(2, 17)),
        "shape": {"context": 256, "head_dim": 8, "tied": True},
        "budget": {"amounts": (3_000_000,), "rule": "nearest", "multiple_of": 8},
        "training": {
            "tokens_per_param": 30,
            "learning_rate": 3e-4,
            "batch_size": 32,
            "warmup_steps": 100,
            "weight_decay": 0.1,
        },
        "measure": {"views": ("loss",)},
    },
    "gpt-budgets": {
        "family": "gpt",
        "shape": {"context": 256, "head_dim": 4},
        "budget": {
            "amounts": tuple(
                round(million * 1e6) for million in (0.3, 0.6, 1.0, 1.3, 1.6, 2.0, 2.3, 2.7, 3.0, 5.0, 10.0)
            ),
            "rule": "largest",
        },
        "training": {
            "tokens_per_param": 90,
            "learning_rate": 3e-4,
            "weight_decay": 0.01,
            "decays": "all",
            "beta1": 0.9,
            "beta2": 0.999,
            "final_fraction": 0,
            "keeps": "best",
            "warmup_steps": 300,
            "batch_size": 64,
        },
        "measure": {"views": ("projected",)},
    },
}


@pytest.mark.parametrize("name", STATED)
def test_paper_recipes_hold_the_published_values(name: str) -> None:
    recipe = parse_recipe(recipe_text(Part(label="x", recipe=name), scale="paper"), source=name)
    for key, stated in STATED[name].items():
        found = getattr(recipe, key)
        if isinstance(stated, dict):
            found = found if isinstance(found, dict) else found.model_dump()
            found = {inner: found[inner] for inner in stated}
        assert found == stated, key
    if name == "gpt-budgets":
        assert len(recipe.depths) == 12


@pytest.mark.parametrize("name", ["bücher.txt", "📚.txt", 'a"b.txt', "tab\tand\x7f.txt", "a\\b.txt"])
def test_a_text_of_any_name_comes_back_from_the_recipe(name: str) -> None:
    part = gpt_experiment.GPT_DEPTH.parts[0]
    assert parse_recipe(recipe_text(part, scale="tiny", text=name), source="r").task.corpus == name


def test_a_name_that_no_recipe_can_hold_is_refused() -> None:
    with pytest.raises(InterlawError, match="expected a text whose name is UTF-8, found"):
        recipe_text(gpt_experiment.GPT_DEPTH.parts[0], scale="tiny", text="caf\udce9.txt")


def test_a_change_that_changes_nothing_fails() -> None:
    with pytest.raises(
        ValueError, match=r"expected one line of the recipe like .*step = .*, found 0; correct the part"
    ):
        recipe_text(Part(label="x", recipe="mlp", settings={"step": 8}), scale="tiny")
    with pytest.raises(ValueError, match="expected 'steps = 7' in the recipe, found it nowhere"):
        recipe_text(Part(label="x", recipe="mlp", changes=(("steps = 7", "steps = 8"),)), scale="tiny")
    with pytest.raises(ValueError, match="in the recipe, found it nowhere"):
        recipe_text(Part(label="x", recipe="mlp"), scale="tiny", text="book.txt")
