"""A sweep under a memory limit: batches are cut, what does not fit is a record with advice, and the sweep goes on."""

from __future__ import annotations

import resource
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.processes import answer_of
from tests.recipes import write_recipe

from interlaw.runs import Record, RunFolder
from interlaw.sweep import measuring, prepare_run, read_recipe, run_trials


def cramped(path: Path) -> bool:
    """Sweeps where the first trial's activations do not fit the address space that is left; the second trial's do."""
    torch.set_num_threads(1)
    recipe, text = read_recipe(path)
    run, trials = prepare_run(recipe, text, out=path.parent / "run", folder=path.parent)
    torch.nn.Linear(8, 8)(torch.ones(1, 8)).sum().backward()  # threads and libraries take their room
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    taken = pages * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + 300 * 2**20,) * 2)
    run_trials(run, trials, executor="local", memory_limit=2**40, listen=lambda event: None)
    return True


def records(folder: Path) -> list[Record]:
    found = [trial.record() for trial in RunFolder(folder).trials()]
    assert None not in found
    return [record for record in found if record is not None]


def run(path: Path, name: str = "run", **options: Any) -> list[Record]:
    recipe, text = read_recipe(path)
    run, trials = prepare_run(recipe, text, out=path.parent / name, folder=path.parent)
    run_trials(run, trials, listen=lambda event: None, **options)
    return records(path.parent / name)


ONE = {"top": {"seeds": [0], "depths": [1]}, "measure": {"views": []}}


def test_batches_are_cut_to_the_limit(quick_workers: None, tmp_path: Path) -> None:
    path = write_recipe(tmp_path, **ONE, training={"batch_size": 16})
    (whole,) = run(path, "whole", executor="local")
    assert whole.provenance["micro_batch"] == 16
    assert whole.provenance["compiled"] is False
    limit = whole.provenance["predicted_bytes"] * 2 // 3
    for executor in ("local", "processes"):
        (cut,) = run(path, executor, executor=executor, num_workers=1, memory_limit=limit)
        assert 1 <= cut.provenance["micro_batch"] < 16
        assert cut.provenance["predicted_bytes"] <= limit
        assert cut.key == whole.key
        assert cut.loss == pytest.approx(whole.loss, rel=1e-3)


def test_measuring_plans_with_the_limit_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    real = measuring.measure

    def note(*arguments: Any, memory_limit: int, **options: Any) -> Any:
        asked.append(memory_limit)
        return real(*arguments, memory_limit=memory_limit, **options)

    monkeypatch.setattr(measuring, "measure", note)
    path = write_recipe(tmp_path, top={"seeds": [0], "depths": [1]})
    run(path, executor="local", memory_limit=10**8)
    assert asked == [10**8] * 2


def test_what_never_fits_is_refused_in_words(tmp_path: Path) -> None:
    (record,) = run(write_recipe(tmp_path, **ONE), executor="local", memory_limit=1000)
    assert record.status == "failed"
    assert "expected room for" in record.reason
    assert "found 1k" in record.reason


def test_out_of_memory_on_a_device_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: Any, **options: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr("interlaw.sweep.trial.train", full)
    (record,) = run(write_recipe(tmp_path, **ONE), executor="local")
    assert record.status == "failed"
    assert record.reason.startswith("out of memory on cpu (OutOfMemoryError: CUDA out of memory")
    assert "use fewer --workers, a lower --memory-limit" in record.reason


@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space")
def test_running_out_is_recorded_and_the_sweep_goes_on(tmp_path: Path) -> None:
    path = write_recipe(
        tmp_path,
        top={"seeds": [0], "depths": [1]},
        shape={"context": 128, "head_dim": 4},
        budget={"amounts": ["12k", "600k"], "rule": "nearest"},
        training={"steps": 2, "batch_size": 256, "evaluation_samples": 1, "test_samples": 1},
        measure={"views": []},
    )
    assert answer_of(cramped, path)
    large, small = sorted(records(tmp_path / "run"), key=lambda record: -record.shape["params"])
    assert large.status == "failed"
    assert large.reason.startswith("out of memory on cpu (")
    assert "a smaller batch or context" in large.reason
    assert small.status == "done"
