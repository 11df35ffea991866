"""Several groups in flight: how many, that each ends as alone, and what becomes of them when their process dies."""

from __future__ import annotations

import multiprocessing
import threading
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.sweep.test_together import prepare, results

from interlaw.errors import InterlawError
from interlaw.models import build_model
from interlaw.runs import TrialSpec
from interlaw.sweep import Event, flight, run_trials, workers
from interlaw.sweep.conditions import Conditions
from interlaw.sweep.together import TrialGroup, group_trials, run_group
from interlaw.training import footprint, products_in
from interlaw.training.readback import numbers_of


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> None:
    """The processor as if it were a device: shared by several groups, whose losses are read at intervals."""
    monkeypatch.setattr("interlaw.training.readback.waits_for_reading", lambda parameter: True)


def needed_by(groups: list[TrialGroup]) -> int:
    """Bytes of the larger group with whole batches."""
    needs = []
    for group in groups:
        spec = group.specs[0]
        one = footprint(build_model(spec.make_shape()), spec.task.open(), settings=spec.training)
        needs.append(len(group.specs) * one.peak_bytes(spec.training.batch_size))
    return max(needs)


def in_tfloat32(spec: TrialSpec) -> TrialSpec:
    return spec.model_copy(update={"training": spec.training.model_copy(update={"precision": "tfloat32"})})


@pytest.mark.parametrize(
    ("asked", "room", "workers", "limit", "expected"),
    [
        (8, 2.5, 1, None, 2),
        (8, 1.5, 1, None, 1),
        (8, 0.5, 1, None, 1),
        (8, 99, 1, None, 4),
        (3, 99, 1, None, 3),
        (8, 4.5, 2, None, 2),
        (8, 1.5, 1, 0.5, 3),
        (None, 99, 1, None, 1),
    ],
)
def test_as_many_are_in_flight_as_are_asked_for_and_have_room(
    asked: int | None,
    room: float,
    workers: int,
    limit: float | None,
    expected: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, trials = prepare(tmp_path, depths="1-4")
    groups = group_trials(trials, trials, conditions=Conditions())
    needed = needed_by(groups)
    for place in ("flight", "conditions"):
        monkeypatch.setattr(f"interlaw.sweep.{place}.usable_bytes", lambda device: int(room * needed))
    given = Conditions(memory_limit=limit and int(limit * needed), in_flight=asked)
    found = flight.sharing(groups, given, num_workers=workers)
    assert found.in_flight == expected
    assert found.memory_limit == (given.memory_limit or int(room * needed) // (workers * expected))


def test_where_the_largest_cannot_be_held_the_others_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, trials = prepare(tmp_path)
    for error, message in ((torch.OutOfMemoryError("CUDA out of memory"), None), (RuntimeError("broken"), "broken")):

        def fails(*arguments: Any, error: RuntimeError = error, **options: Any) -> None:
            raise error

        monkeypatch.setattr(flight, "footprint", fails)
        with pytest.raises(RuntimeError, match=message) if message else nullcontext():
            groups = group_trials(trials, trials, conditions=Conditions())
            assert flight.sharing(groups, Conditions(in_flight=2), num_workers=1).in_flight == 1


def test_no_two_in_flight_have_one_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Backward passes on one stream share a workspace: replayed at the same time, they would overwrite each other's."""
    _, trials = prepare(tmp_path, depths="1-6")
    made: list[object] = []
    under_way: list[object] = []
    together: list[list[object]] = []

    class Stream:
        def __enter__(self) -> None:
            under_way.append(self)
            together.append(list(under_way))

        def __exit__(self, *error: object) -> None:
            under_way.remove(self)

    def make(device: str) -> Stream:
        made.append(Stream())
        return made[-1]  # type: ignore[return-value]

    monkeypatch.setattr(flight, "_stream", make)
    met = threading.Barrier(3)

    class Busy:
        """What a device still works on, until two others have come as far."""

        def tolist(self) -> list[float]:
            met.wait(30)
            return []

    def meet(group: TrialGroup) -> None:
        numbers_of(Busy())  # type: ignore[arg-type]

    groups = group_trials(trials, trials, conditions=Conditions())
    flight.fly(groups, Conditions(in_flight=3), work=meet)
    assert len(made) == 3
    assert len(together) == len(groups) == 6
    assert max(map(len, together)) == 3
    assert all(len(set(streams)) == len(streams) for streams in together)


@pytest.mark.parametrize("executor", ["local", "ray"])
def test_groups_in_flight_belong_to_worker_processes(executor: Any, tmp_path: Path) -> None:
    run, trials = prepare(tmp_path)
    with pytest.raises(
        InterlawError, match=f"expected groups in flight in worker processes alone, found the executor '{executor}'"
    ):
        run_trials(run, trials, executor=executor, in_flight=2, listen=lambda event: None)


@pytest.mark.parametrize("count", [0, 33])
def test_more_in_flight_than_there_are_streams_or_none_are_refused(count: int) -> None:
    with pytest.raises(InterlawError, match=f"expected 1 to 32 groups in flight, found {count}"):
        Conditions(in_flight=count)


@pytest.mark.parametrize(
    "family",
    [
        {},
        {
            "family": "gpt",
            "kind": "text",
            "views": ["loss"],
            "shape": "context = 16\nhead_dim = 4",
            "amount": "12k",
            "steps": 8,
        },
    ],
)
def test_each_ends_in_the_bits_that_it_has_alone(family: dict[str, Any], device: None, tmp_path: Path) -> None:
    alone, trials = prepare(tmp_path / "alone", **family)
    groups = group_trials(trials, trials, conditions=Conditions())
    for group in groups:
        run_group(group, alone, conditions=Conditions(), listen=lambda event: None)
    run, _ = prepare(tmp_path / "together", **family)
    heard: list[Event] = []
    conditions = Conditions(in_flight=len(groups)).shared(1)
    flight.fly(groups, conditions, work=partial(run_group, run=run, conditions=conditions, listen=heard.append))
    assert results(run) == results(alone)
    started = [place for place, event in enumerate(heard) if event.kind == "started"]
    assert started[-1] < min(place for place, event in enumerate(heard) if event.kind == "ended")  # at the same time
    assert {trial.record().provenance["in_flight"] for trial in run.trials()} == {len(groups)}  # type: ignore[union-attr]
    assert "in_flight" not in alone.trials()[0].record().provenance  # type: ignore[union-attr]


def test_one_that_ends_leaves_torchs_switches_to_the_others(tmp_path: Path) -> None:
    _, trials = prepare(tmp_path)
    groups = [
        group.model_copy(update={"specs": tuple(in_tfloat32(spec) for spec in group.specs)})
        for group in group_trials(trials, trials, conditions=Conditions())
    ]
    found: list[bool] = []

    def work(group: TrialGroup) -> None:
        with products_in("tfloat32"):
            numbers_of(torch.zeros(1))  # the other's turn: both are inside
            found.append(torch.backends.cuda.matmul.allow_tf32)

    flight.fly(groups, Conditions(in_flight=2), work=work)
    assert found == [True, True]
    assert not torch.backends.cuda.matmul.allow_tf32


def test_what_stops_one_stops_the_sweep(device: None, tmp_path: Path) -> None:
    _, trials = prepare(tmp_path)
    groups = group_trials(trials, trials, conditions=Conditions())

    def work(group: TrialGroup) -> None:
        if group == groups[1]:
            raise InterlawError("the disk is full")

    with pytest.raises(InterlawError, match="the disk is full"):
        flight.fly(groups, Conditions(in_flight=2), work=work)


def test_of_a_dead_worker_the_trials_under_way_run_by_themselves(tmp_path: Path) -> None:
    _, trials = prepare(tmp_path, depths="1-3")
    load = tuple(group_trials(trials, trials, conditions=Conditions()))
    under_way = {spec.key for group in load[1:] for spec in group.specs[1:]}
    left = (load[0], *(group.without(group.specs[0].key) for group in load[1:]))  # one of each has ended
    suspects, rest = workers._apart(left, under_way)
    assert [suspect.specs for suspect in suspects] == [(spec,) for group in left[1:] for spec in group.specs]
    assert all(suspect.stacked for suspect in suspects)
    assert (rest, under_way) == ((load[0],), set())
    assert workers._apart(load, set())[1] == load[1:]  # it died before it told of any: the first is as good as begun


def test_a_worker_that_dies_with_groups_in_flight_costs_nothing(quick_workers: None, tmp_path: Path) -> None:
    """Killed once, while all are under way: each trial ends by itself in the same bits."""
    alone, trials = prepare(tmp_path / "alone")
    conditions = Conditions(in_flight=2)
    groups = group_trials(trials, trials, conditions=conditions)
    for group in groups:
        run_group(group, alone, conditions=Conditions(), listen=lambda event: None)
    run, _ = prepare(tmp_path / "killed")
    pids = set()

    def listen(event: Event) -> None:
        (worker,) = multiprocessing.active_children()
        pids.add(worker.pid)
        if len(pids) == 1 and event == Event(kind="started", key=groups[1].specs[-1].key):  # both are under way
            worker.kill()

    workers.run_in_processes(groups, run, conditions=conditions, plan=trials, num_workers=1, listen=listen)
    assert len(pids) == 2
    assert results(run) == results(alone)
    assert {trial.record().provenance["in_flight"] for trial in run.trials()} == {2}  # type: ignore[union-attr]
