"""Trials on this machine: one after another, or in worker processes with a fixed number of threads each."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Literal

import torch

from interlaw.errors import InterlawError
from interlaw.machine import num_cores
from interlaw.runs import Record, RunFolder, TrialSpec, open_run, provenance
from interlaw.sweep.conditions import Conditions
from interlaw.sweep.together import TrialGroup, run_group
from interlaw.sweep.trial import LOCK_PATIENCE_SECONDS, MEMORY_ADVICE

DEATHS_ALLOWED = 3


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened to a trial.

    Attributes:
        kind: `started`, `progress` or `ended`; no listener hears `ready` (a worker has started) and `stopped` (no
            trial can go on: a full disk, say).
        key: The trial.
        values: Progress values, or for `ended` the record's status, loss, seconds, reason, unmeasured
            and, on a CUDA device, whether its steps were captured.
    """

    kind: Literal["started", "progress", "ended", "ready", "stopped"]
    key: str = ""
    values: dict[str, Any] = field(default_factory=dict)


Listener = Callable[[Event], None]


WORKERS_A_DEVICE = 4  # each holds a context of its own on the device; small models need a few to fill it


def default_workers(device: str) -> int:
    """Workers when nobody says how many: one a core, or on an accelerator a few."""
    return num_cores() if device == "cpu" else min(num_cores(), WORKERS_A_DEVICE)


def run_sequentially(
    groups: Sequence[TrialGroup],
    run: RunFolder,
    conditions: Conditions,
    *,
    listen: Listener,
) -> None:
    """Runs groups of trials one after another in this process."""
    for group in groups:
        for spec in group.specs:
            listen(Event(kind="started", key=spec.key))
        _run(group, run, conditions, listen)


def _run(group: TrialGroup, run: RunFolder, conditions: Conditions, listen: Listener) -> None:
    """Runs one group here, telling of its progress and of each trial's end."""
    run_group(
        group,
        [run.trial(spec.key) for spec in group.specs],
        conditions,
        progress=lambda key: lambda values: listen(Event(kind="progress", key=key, values=values)),
        ended=lambda spec, record: listen(Event(kind="ended", key=spec.key, values=ending(record))),
    )


def run_in_processes(
    groups: Sequence[TrialGroup],
    run: RunFolder,
    conditions: Conditions,
    *,
    num_workers: int,
    listen: Listener,
) -> None:
    """Runs trials in worker processes; a worker that dies is replaced, and its trials resume from their checkpoints.

    Args:
        groups: Trials that one worker runs, started in this order.
        run: The run's folder.
        conditions: How each trial runs; memory is shared among the processes.
        num_workers: Processes; the machine's cores are divided among them, and one accelerator is shared by all.
        listen: Told what happens.
    """
    waiting = deque(groups)
    deaths: dict[str, int] = {}
    busy: dict[Connection, tuple[BaseProcess, TrialGroup]] = {}
    idle: list[tuple[Connection, BaseProcess]] = []
    started: set[Connection] = set()
    threads = max(1, num_cores() // num_workers)
    arguments = (run.location, num_workers, threads, conditions)
    try:
        while waiting or busy:
            while waiting and len(busy) < num_workers:
                connection, process = idle.pop() if idle else _start_worker(arguments)
                group = waiting.popleft()
                try:
                    connection.send(group.model_dump_json())
                except OSError:  # it was killed while it had nothing to do
                    process.join()
                    if connection not in started:
                        _require_start(process.exitcode)
                    waiting.appendleft(group)
                    continue
                busy[connection] = (process, group)
                for spec in group.specs:
                    listen(Event(kind="started", key=spec.key))
            for ready in wait(list(busy)):
                if not isinstance(ready, Connection):
                    continue
                process, group = busy[ready]
                try:
                    event: Event = ready.recv()
                except (EOFError, OSError):
                    del busy[ready]
                    process.join()
                    if ready not in started:
                        _require_start(process.exitcode)
                    for alone in group.apart():  # one of them may be at fault: the others must not die with it again
                        _after_death(run, alone, process.exitcode, deaths, waiting, listen)
                    continue
                if event.kind == "ready":
                    started.add(ready)
                    continue
                if event.kind == "stopped":
                    raise InterlawError(event.values["reason"])
                listen(event)
                if event.kind == "ended":
                    busy[ready] = (process, group.without(event.key))
                    if not busy[ready][1].specs:
                        del busy[ready]
                        idle.append((ready, process))
    finally:
        for process in [process for process, _ in busy.values()] + [process for _, process in idle]:
            process.terminate()
            process.join()


def _start_worker(arguments: tuple[str, int, int, Conditions]) -> tuple[Connection, BaseProcess]:
    """A fresh process that waits for trials."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, *arguments), daemon=True)
    process.start()
    theirs.close()
    return ours, process


def _require_start(exitcode: int | None) -> None:
    """Tells a worker that Python itself could not start from one that was killed (its exit code is another).

    Raises:
        InterlawError: No worker can start from here, so no trial is to blame.
    """
    if exitcode == 1:
        raise InterlawError(
            "expected a script that worker processes can import, found that they end while they start: each reads the "
            'script again. Put the call under `if __name__ == "__main__":` in a file, or use one worker (num_workers=1)'
        )


def _work(connection: Connection, location: str, num_workers: int, threads: int, conditions: Conditions) -> None:
    """A worker's life: trials until the driver closes the pipe or dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_driver, daemon=True).start()
    torch.set_num_threads(threads)
    run = open_run(location)
    conditions = conditions.shared(num_workers)

    def tell(event: Event) -> None:
        try:
            connection.send(event)
        except OSError:
            os._exit(1)  # the driver is gone; its trials resume from their checkpoints another time

    tell(Event(kind="ready"))
    while True:
        try:
            group = TrialGroup.model_validate_json(connection.recv())
        except (EOFError, OSError):
            return
        try:
            _run(group, run, conditions, tell)
        except InterlawError as error:
            tell(Event(kind="stopped", key=group.specs[0].key, values={"reason": str(error)}))
            return


def _die_with_driver() -> None:
    """Ends this worker as soon as the driver ends: a trial held by an orphan would look taken to the next sweep."""
    driver = multiprocessing.parent_process()
    if driver is not None:
        driver.join()
        os._exit(1)


def _after_death(
    run: RunFolder,
    alone: TrialGroup,
    exitcode: int | None,
    deaths: dict[str, int],
    waiting: deque[TrialGroup],
    listen: Listener,
) -> None:
    """Puts a dead worker's trial back in line, or records that it kills its workers."""
    (spec,) = alone.specs
    deaths[spec.key] = deaths.get(spec.key, 0) + 1
    if deaths[spec.key] < DEATHS_ALLOWED:
        waiting.appendleft(alone)
        return
    reason = (
        f"its worker process died {DEATHS_ALLOWED} times (exit code {exitcode}; -9 is often lack of memory): "
        + MEMORY_ADVICE
    )
    record = record_death(run, spec, reason)
    listen(Event(kind="ended", key=spec.key, values=ending(record)))


def record_death(run: RunFolder, spec: TrialSpec, reason: str) -> Record | None:
    """Records that a trial kills its workers, unless it ended well after all; gives the record that stands.

    Where training had ended, the trial is done, and its measurements are what could not be had.
    """
    folder = run.trial(spec.key)
    with folder.lock(patience_seconds=LOCK_PATIENCE_SECONDS) as free:
        if free and folder.record() is None:
            folder.write_record(_last_record(folder.trained(), spec, reason))
    return folder.record()


def _last_record(trained: Record | None, spec: TrialSpec, reason: str) -> Record:
    """What can be said of a trial that is given up."""
    if trained is None:
        shape = spec.make_shape().to_dict()
        return Record(key=spec.key, status="failed", shape=shape, provenance=provenance(), reason=reason)
    missing = {view.view: reason for view in spec.measure if view.view not in trained.measurements}
    return trained.model_copy(update={"unmeasured": missing})


def ending(record: Record | None) -> dict[str, Any]:
    """What a listener wants to know of a trial that ended; None: another driver has it."""
    if record is None:
        return {"status": "elsewhere"}
    return {
        "status": record.status,
        "loss": record.loss,
        "seconds": record.seconds,
        "reason": record.reason,
        "unmeasured": record.unmeasured,
        "graph": record.provenance.get("graph", ""),
    }
