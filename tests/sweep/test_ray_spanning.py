"""A trial divided among two processes: the numbers of one process up to rounding, and its own bits after a death."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.recipes import write_recipe
from tests.sweep.clusters import Nodes, at_work, checkpoints, processes_named, sweep, wait_until

from interlaw.runs import Record, RunFolder, load_curve
from interlaw.sweep import prepare_run, read_recipe, run_trials

pytestmark = [pytest.mark.ray, pytest.mark.filterwarnings("default")]
pytest.importorskip("ray", reason="the extra 'ray' is not installed")
TWO_CORES = {"num_cpus": 2}


def only_record(run: RunFolder) -> Record:
    (trial,) = run.trials()
    record = trial.record()
    assert record is not None
    assert record.status == "done", record.traceback
    return record


def test_two_processes_on_two_nodes_give_the_losses_of_one(nodes: Nodes, tmp_path: Path) -> None:
    path = write_recipe(tmp_path, top={"depths": [2], "seeds": [0]}, training={"steps": 60, "batch_size": 5})
    local, _ = sweep(path, tmp_path / "local", executor="local")
    options = replace(nodes.have({"num_cpus": 1}, {"num_cpus": 1}), num_cpus=2, num_devices=2)
    spanned, events = sweep(path, tmp_path / "ray", executor="ray", ray=options)
    one, two = only_record(local), only_record(spanned)
    assert two.provenance["processes"] == 2
    assert one.key == two.key
    assert two.loss == pytest.approx(one.loss, rel=1e-5)
    curves = [load_curve(run.trials()[0]) for run in (local, spanned)]
    assert len(curves[0]) == len(curves[1]) > 1
    for column in curves[0].columns:
        assert curves[1][column].tolist() == pytest.approx(curves[0][column].tolist(), rel=1e-5), column
    assert set(two.measurements) == set(one.measurements)
    assert [event.kind for event in events if event.kind != "progress"] == ["started", "ended"]


def plain(record: Record) -> dict[str, Any]:
    return json.loads(
        record.model_dump_json(exclude={"seconds", "evaluation_seconds", "measure_seconds", "provenance"})
    )


def group_processes() -> list[psutil.Process]:
    """The processes that train together."""
    return processes_named("RayTrainWorker")


def test_a_death_in_the_group_costs_nothing(nodes: Nodes, tmp_path: Path) -> None:
    path = write_recipe(tmp_path, top={"depths": [1], "seeds": [0]}, training={"steps": 1500, "batch_size": 4})
    options = replace(nodes.have(TWO_CORES), num_cpus=2, num_devices=2)
    untouched, _ = sweep(path, tmp_path / "untouched", executor="ray", ray=options)
    watcher, killed = at_work(tmp_path / "ray", psutil.Process.kill, who=group_processes)
    run, events = sweep(path, tmp_path / "ray", executor="ray", ray=options, checkpoint_seconds=0.2)
    watcher.join()
    assert len(killed) == 1
    assert plain(only_record(run)) == plain(only_record(untouched))
    assert run.trials()[0].weights.read_bytes() == untouched.trials()[0].weights.read_bytes()
    assert [event.kind for event in events if event.kind != "progress"] == ["started", "started", "ended"]
    assert checkpoints(tmp_path / "ray") == []


def test_an_error_in_a_group_is_a_failed_record(nodes: Nodes, tmp_path: Path) -> None:
    path = write_recipe(tmp_path, top={"depths": [1], "seeds": [0]})
    recipe_book = tmp_path / "book.txt"
    options = replace(nodes.have(TWO_CORES), num_cpus=2, num_devices=2)
    recipe, text = read_recipe(path)
    run, trials = prepare_run(recipe, text, out=tmp_path / "ray", folder=tmp_path)
    recipe_book.write_text(recipe_book.read_text() + "more\n")  # not what the trial was planned on
    run_trials(run, trials, executor="ray", ray=options, listen=lambda event: None)
    (trial,) = run.trials()
    record = wait_until(trial.record)
    assert record.status == "failed"
    assert "expected corpus" in record.reason
