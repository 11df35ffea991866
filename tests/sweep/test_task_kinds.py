"""A recipe chooses its task by kind; every task reaches the trial whole, and the data decide the model's ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from interlaw.errors import InterlawError
from interlaw.runs import RunFolder, TrialSpec, load_table
from interlaw.sweep import parse_recipe, plan_trials, prepare_run, run_trials

TASKS = {
    "vectors": ("mlp", 'kind = "vectors"\ndim = 6\ntrain = 64\nvalidation = 32\ntest = 32', "input"),
    "waves": ("mlp", 'kind = "waves"\ndim = 6\ntrain = 64\nvalidation = 32\ntest = 32', "input"),
    "images": ("cnn", 'kind = "images"\nimages = "digits"\npatch = 2', "patch"),
    "sequences": (
        "gru",
        'kind = "sequences"\ntime = 5\nteacher_width = 4\ntrain = 64\nvalidation = 32\ntest = 32',
        "output",
    ),
}


def recipe_text(kind: str, *, extra: str = "") -> str:
    family, task, view = TASKS[kind]
    return f"""
name = "{kind}"
family = "{family}"
depths = [1, 2]
[budget]
amounts = [2000]
[task]
{task}
[training]
steps = 4
batch_size = 8
learning_rate = 1e-3
evaluation_samples = 16
test_samples = 16
blow_up = 1e6
{extra}
[measure]
views = ["{view}"]
samples = 8
"""


@pytest.mark.parametrize("kind", TASKS)
def test_every_kind_is_trained_and_measured(kind: str, tmp_path: Path) -> None:
    text = recipe_text(kind)
    run, trials = prepare_run(parse_recipe(text, source="r"), text, out=tmp_path / "run", folder=tmp_path)
    run_trials(run, trials, executor="local", listen=lambda event: None)
    table = load_table(run.path)
    assert table["status"].tolist() == ["done", "done"]
    assert table["family"].unique().tolist() == [TASKS[kind][0]]
    view = TASKS[kind][2]
    assert table[f"{view}_aofe_ratio"].between(-1, 1).all()
    read_back = RunFolder(run.path).trials()[0].spec()
    assert read_back in trials
    assert TrialSpec.model_validate_json(read_back.canonical()).key == read_back.key


@pytest.mark.parametrize("kind", TASKS)
def test_the_data_decide_the_ends_and_a_recipe_may_not(kind: str, tmp_path: Path) -> None:
    trials = plan_trials(parse_recipe(recipe_text(kind), source="r"), folder=tmp_path)
    decided = trials[0].task.plan(folder=tmp_path).sizes
    assert decided.items() <= trials[0].shape.items()
    size = next(iter(decided))
    with pytest.raises(InterlawError, match=rf"shape\.{size} follows from .*; remove it"):
        parse_recipe(recipe_text(kind).replace("[budget]", f"[shape]\n{size} = 3\n[budget]"), source="r")


def test_an_unknown_kind_is_named_with_the_known_ones() -> None:
    text = recipe_text("vectors").replace('"vectors"\ndim', '"vector"\ndim')
    with pytest.raises(InterlawError, match=r"task: kind must be one of text, vectors.*found 'vector'"):
        parse_recipe(text, source="r")


def test_an_unknown_key_of_a_task_is_named_without_its_kind() -> None:
    with pytest.raises(InterlawError, match=r"unknown key 'task\.trian'"):
        parse_recipe(recipe_text("vectors").replace("train = 64", "trian = 64"), source="r")


@pytest.mark.parametrize(
    ("extra", "steps"), [("warmup_fraction = 0.5", 2), ("warmup_steps = 3", 3), ("warmup_steps = 9", 4)]
)
def test_warmup_as_a_part_or_as_steps(extra: str, steps: int, tmp_path: Path) -> None:
    trials = plan_trials(parse_recipe(recipe_text("vectors", extra=extra), source="r"), folder=tmp_path)
    assert trials[0].training.warmup_steps == steps


def test_patience_reaches_the_trial(tmp_path: Path) -> None:
    trials = plan_trials(parse_recipe(recipe_text("vectors", extra="patience = 7"), source="r"), folder=tmp_path)
    assert trials[0].training.patience == 7
    assert trials[0].training.blow_up == 1e6


def test_a_text_task_needs_a_family_with_a_context(tmp_path: Path) -> None:
    text = recipe_text("vectors").replace(TASKS["vectors"][1], 'corpus = "text.txt"')
    (tmp_path / "text.txt").write_text("some words\n" * 500)
    with pytest.raises(InterlawError, match=r"vocab_size|context"):
        plan_trials(parse_recipe(text, source="r"), folder=tmp_path)
