"""From a recipe to trials: as many as asked for, paired, and each with the data its budget pays for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.recipes import recipe_text, write_book

from interlaw.errors import InterlawError
from interlaw.interaction import VIEWS
from interlaw.runs import TrialSpec
from interlaw.shapes import match_shapes
from interlaw.sweep import parse_recipe, plan_trials, planned_flops
from interlaw.sweep.affordable import LEAST_MEASURED, MEASURING, measured_samples


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_book(tmp_path_factory.mktemp("book")).parent


def plan(folder: Path, **changes: dict[str, Any]) -> list[TrialSpec]:
    return plan_trials(parse_recipe(recipe_text(**changes), source="r"), folder=folder)


def test_budgets_times_depths_times_seeds(folder: Path) -> None:
    trials = plan(folder, top={"depths": [3, 1, 2], "seeds": [5, 0]}, budget={"amounts": ["3k", "6k"]})
    found = [(trial.budget.amount, trial.shape["depth"], trial.training.seed) for trial in trials]
    assert found == [(amount, depth, seed) for amount in (3000, 6000) for depth in (3, 1, 2) for seed in (5, 0)]
    assert len({trial.key for trial in trials}) == 12


def test_shapes_are_those_of_the_matching_rule(folder: Path) -> None:
    for kind, argument in (
        ("params", "params"),
        ("params_non_embedding", "params"),
        ("flops_per_token", "flops_per_token"),
    ):
        for rule in ("nearest", "largest"):
            trials = plan(
                folder, budget={"kind": kind, "rule": rule, "amounts": ["50k"], "multiple_of": 3}, top={"seeds": [0]}
            )
            expected = match_shapes(
                depths=[1, 2],
                rule=rule,  # type: ignore[arg-type]
                multiple_of=3,
                count="non-embedding" if kind == "params_non_embedding" else "total",
                vocab_size=256,
                context=8,
                head_dim=2,
                **{argument: 50_000},  # type: ignore[arg-type]
            )
            assert [trial.make_shape() for trial in trials] == expected


def test_everything_but_shape_and_seed_is_shared(folder: Path) -> None:
    """Shapes of one budget and seed differ in their shape alone: same batches, same schedule, same measurement."""
    trials = plan(folder)
    for trial in trials:
        other = next(t for t in trials if t.training.seed == trial.training.seed)
        assert (trial.training, trial.task, trial.measure, trial.budget) == (
            other.training,
            other.task,
            other.measure,
            other.budget,
        )
    seeds = {trial.training.seed for trial in trials if trial.shape == trials[0].shape}
    assert seeds == {0, 1}


def test_tokens_are_those_of_the_nominal_budget(folder: Path) -> None:
    """All shapes of a budget see the same tokens, whatever their exact counts."""
    trials = plan(folder, training={"steps": None, "tokens_per_param": 20}, budget={"amounts": ["3k", "6k"]})
    for amount in (3000, 6000):
        steps = {trial.training.steps for trial in trials if trial.budget.amount == amount}
        assert steps == {round(20 * amount / (2 * 8))}
    assert len({trial.make_shape().params for trial in trials}) > 2


def test_a_budget_in_flops_pays_for_each_shapes_own_tokens(folder: Path) -> None:
    trials = plan(
        folder, training={"steps": None, "tokens_per_param": 20}, budget={"kind": "train_flops", "amounts": ["2e12"]}
    )
    for trial in trials:
        shape = trial.make_shape()
        assert trial.training.steps == round(20 * shape.params / (2 * 8))
        assert planned_flops(trial) == trial.training.steps * 2 * 8 * shape.flops_per_token
        assert planned_flops(trial) == pytest.approx(2e12, rel=0.1)


def test_a_budget_in_tokens_per_param_trains_one_size_for_several_lengths(folder: Path) -> None:
    trials = plan(
        folder,
        training={"steps": None},
        budget={"kind": "tokens_per_param", "params": "3k", "amounts": [0.5, 5, 20]},
    )
    same = plan(folder, training={"steps": None, "tokens_per_param": 20}, budget={"amounts": ["3k"]})
    for amount in (0.5, 5, 20):
        chosen = [trial for trial in trials if trial.budget.amount == amount]
        assert [trial.shape for trial in chosen] == [trial.shape for trial in same]
        assert {trial.training.steps for trial in chosen} == {round(amount * 3000 / (2 * 8))}
    assert {trial.budget.kind for trial in trials} == {"tokens_per_param"}
    assert len({trial.key for trial in trials}) == 12
    assert all(TrialSpec.model_validate_json(trial.canonical()) == trial for trial in trials)


def test_precision_is_part_of_a_trial_and_leaves_older_names_alone(folder: Path) -> None:
    plain, rounded = plan(folder), plan(folder, training={"precision": "bfloat16"})
    assert {trial.training.precision for trial in rounded} == {"bfloat16"}
    assert not {trial.key for trial in plain} & {trial.key for trial in rounded}
    assert all("precision" not in trial.canonical() for trial in plain)
    assert all(type(trial).model_validate_json(trial.canonical()) == trial for trial in (*plain, *rounded))


def test_unsaid_samples_are_what_a_part_of_the_training_pays_for(folder: Path) -> None:
    unsaid = {"evaluation_samples": None, "test_samples": None}
    for steps, found in ((3000, (38, 307, 43)), (10, (16, 128, 32)), (10**5, (64, 512, 256))):
        for trial in plan(folder, training={**unsaid, "steps": steps, "evaluations": 5}, measure={"samples": None}):
            training = trial.training
            assert (training.evaluation_samples, training.test_samples) == found[:2]
            assert [view.samples for view in trial.measure] == [found[2]] * 2
    for trial in plan(folder, training={"steps": 2000}):  # said is said
        assert (trial.training.evaluation_samples, trial.training.test_samples) == (4, 8)
        assert {view.samples for view in trial.measure} == {8}


def test_every_view_has_a_cost() -> None:
    for trained in (4000, 50_000, 10**6):
        for views in (["projected", "loss"], ["loss"], ["output"], list(VIEWS)):
            samples = measured_samples(views, trained_samples=trained)
            affordable = samples == LEAST_MEASURED or samples * sum(VIEWS[v].cost for v in views) <= MEASURING * trained
            assert affordable


def test_a_trial_that_tries_a_rate_measures_nothing(folder: Path) -> None:
    rates = {"treatment": "search", "learning_rate": None, "learning_rates": [1e-3, 2e-3, 4e-3]}
    assert {(trial.stage, trial.measure) for trial in plan(folder, training=rates)} == {("search", ())}


def test_warmup_is_a_fraction_of_the_steps(folder: Path) -> None:
    trials = plan(folder, training={"steps": 200, "warmup_fraction": 0.1})
    assert {trial.training.warmup_steps for trial in trials} == {20}


def test_the_same_plan_twice_and_from_another_folder(folder: Path, tmp_path: Path) -> None:
    keys = [trial.key for trial in plan(folder)]
    assert [trial.key for trial in plan(folder)] == keys
    again = plan(tmp_path, task={"corpus": str(folder / "book.txt")})
    assert [trial.key for trial in again] == keys


def test_another_text_makes_other_trials(folder: Path, tmp_path: Path) -> None:
    write_book(tmp_path, lines=401)
    assert not {trial.key for trial in plan(folder)} & {trial.key for trial in plan(tmp_path)}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": {"corpus": "nowhere.txt"}}, "expected a corpus file, folder, .* found no such path '.*nowhere.txt'"),
        (
            {"shape": {"context": 5000}, "budget": {"amounts": ["1M"]}},
            "expected at least 5001 tokens in the validation split",
        ),
        (
            {"budget": {"amounts": ["3"]}},
            "no gpt of depth 1 spends 3 parameters: the narrowest .width 2.",
        ),
        ({"shape": {"heads": 2}}, "expected settings of gpt among .*, found 'heads'"),
        ({"shape": {"head_dim": 0}}, "expected head_dim to be at least 1"),
        ({"shape": {"context": 0}}, "expected context to be at least 1"),
        ({"shape": {"tied": 3}}, "expected tied to be true or false, found 3"),
        ({"shape": {"context": True}}, "expected context to be a whole number, found True"),
        ({"top": {"depths": [0]}}, "expected depth to be at least 1"),
        (
            {
                "top": {"family": "mlp"},
                "shape": {"context": None, "head_dim": None},
                "task": {"corpus": None, "kind": "waves"},
            },
            "expected views without next tokens for a task of waves, found 'loss' in measure.views; name others, such "
            "as views = ..input",
        ),
        ({"budget": {"amounts": [3000, 3001]}}, None),
    ],
)
def test_what_cannot_be_planned_is_refused_before_anything_runs(
    folder: Path, changes: dict[str, Any], message: str | None
) -> None:
    if message is None:  # two budgets so close that they give the same shapes are still two budgets
        assert len(plan(folder, **changes)) == 8
        return
    with pytest.raises(InterlawError, match=message):
        plan(folder, **changes)
