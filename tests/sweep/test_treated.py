"""Treatments are compared on runs that differ in nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.recipes import write_book, write_recipe
from tests.report.synthetic import write_run

from interlaw.errors import InterlawError
from interlaw.runs import Record, RunFolder
from interlaw.sweep import prepare_run, read_recipe, read_treated

MUP = {"treatment": "mup", "base_width": 10}


def planned(folder: Path, name: str, *, text: str = "book.txt", **changes: Any) -> Path:
    """A run whose trials are planned and recorded as done, without training."""
    path = write_recipe(folder / name, **{**changes, "task": {"corpus": text}})
    write_book(path.parent, lines=400).rename(path.parent / text) if text != "book.txt" else None
    recipe, written = read_recipe(path)
    run, trials = prepare_run(recipe, written, out=path.parent / "run", folder=path.parent)
    for trial in trials:
        shape = trial.make_shape().to_dict()
        run.trial(trial.key).write_record(Record(key=trial.key, status="done", shape=shape, loss=2.0))
    return run.path


def test_runs_that_differ_in_treatment_alone_are_one_table(tmp_path: Path) -> None:
    found = read_treated([planned(tmp_path, "a"), planned(tmp_path, "b", training=MUP)])
    assert sorted(found.table["treatment"].unique()) == ["fixed", "mup"]
    assert len(found.table) == 8
    assert (found.units.loss, found.budget_kind) == ("nats per byte", "params")


def test_the_same_text_may_lie_elsewhere(tmp_path: Path) -> None:
    found = read_treated([planned(tmp_path, "a"), planned(tmp_path, "b", text="novel.txt", training=MUP)])
    assert len(found.table) == 8
    assert (
        len({trial.spec().task.corpus for run in ("a", "b") for trial in RunFolder(tmp_path / run / "run").trials()})
        == 2
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"training": {"steps": 40}}, r"\.steps 12 under fixed but 40 under mup .*for \d+x\d+ of budget 3000"),
        ({"training": {"weight_decay": 0.1}}, r"found training\.weight_decay 0\.01 under fixed but 0\.1 under mup"),
        ({"training": {"batch_size": 4}}, r"found training\.batch_size 2 under fixed but 4 under mup"),
        ({"top": {"depths": [1, 2, 3]}}, r"same shapes under fixed and mup, found 3x.* of budget 3000 under mup"),
        ({"budget": {"amounts": ["6k"]}}, r"expected the same shapes .* and 3 more under fixed alone"),
        ({"budget": {"kind": "params_non_embedding"}}, r"found budget\.kind params under fixed but params_non_embed"),
    ],
)  # fmt: skip
def test_what_else_differs_is_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    changed = {**changes, "training": {**MUP, **changes.get("training", {})}}
    runs = [planned(tmp_path, "a"), planned(tmp_path, "b", **changed)]
    with pytest.raises(InterlawError, match=message):
        read_treated(runs)


def test_one_treatment_in_two_runs_and_no_trials_at_all(tmp_path: Path) -> None:
    runs = [planned(tmp_path, name) for name in ("a", "b")]
    with pytest.raises(InterlawError, match="expected each treatment in one run, found fixed in"):
        read_treated(runs)
    empty = write_run(tmp_path / "c", budgets=(50_000,), seeds=(), depths=(1,))
    with pytest.raises(InterlawError, match=r"expected (runs with ended trials|a run folder)"):
        read_treated([empty])
