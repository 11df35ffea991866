"""Trials on this machine: one after another, or in worker processes with a fixed number of threads each.

The processes are managed here: pools of libraries (concurrent.futures, loky) end all workers when one is killed.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Literal

import torch

from interlaw.errors import InterlawError
from interlaw.machine import num_cores
from interlaw.runs import Record, RunFolder, TrialSpec, open_run, provenance
from interlaw.sweep.conditions import Conditions
from interlaw.sweep.flight import fly, sharing
from interlaw.sweep.together import TrialGroup, group_trials, run_group
from interlaw.sweep.trial import LOCK_PATIENCE_SECONDS, MEMORY_ADVICE

DEATHS_ALLOWED = 3  # judgement: chance kills a worker once or twice; a trial that does so three times does so again


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
Load = tuple[TrialGroup, ...]  # what a worker is given at a time


def default_workers(device: str) -> int:
    """Workers when nobody says how many: one a core, one on an accelerator."""
    return num_cores() if device == "cpu" else 1


def run_sequentially(
    groups: Sequence[TrialGroup],
    run: RunFolder,
    conditions: Conditions,
    *,
    listen: Listener,
) -> None:
    """Runs groups of trials one after another in this process."""
    for group in groups:
        _run(group, run, conditions, listen)


def _run(group: TrialGroup, run: RunFolder, conditions: Conditions, listen: Listener) -> None:
    """Runs one group here, telling of each trial's start, progress and end."""
    for spec in group.specs:
        listen(Event(kind="started", key=spec.key))
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
    plan: Sequence[TrialSpec],
    num_workers: int,
    listen: Listener,
) -> None:
    """Runs trials in worker processes; a worker that dies is replaced, and its trials resume from their checkpoints.

    A worker takes one group at a time; where several are to be in flight, its share of them all.

    Args:
        groups: Trials that belong together, started in this order.
        run: The run's folder.
        conditions: How each trial runs; memory is shared among the processes.
        plan: All trials of the sweep.
        num_workers: Processes. The machine's cores are divided among them; each has at most as many threads as this
            process (`OMP_NUM_THREADS`). One accelerator is shared by all.
        listen: Told what happens.
    """
    in_flight = (conditions.in_flight or 1) > 1
    shares = [groups[first::num_workers] for first in range(num_workers)] if in_flight else [[one] for one in groups]
    waiting: deque[Load] = deque(tuple(share) for share in shares if share)
    deaths: dict[str, int] = {}
    under_way: set[str] = set()
    busy: dict[Connection, tuple[BaseProcess, Load]] = {}
    idle: list[tuple[Connection, BaseProcess]] = []
    started: set[Connection] = set()
    threads = min(torch.get_num_threads(), max(1, num_cores() // num_workers))  # fewer where the user wants fewer
    whole = group_trials(plan, plan, conditions) if in_flight else []
    arguments = (run.location, num_workers, threads, conditions, whole)
    try:
        while waiting or busy:
            while waiting and len(busy) < num_workers:
                connection, process = idle.pop() if idle else _start_worker(arguments)
                try:
                    connection.send(waiting[0])
                except OSError:  # it was killed while it had nothing to do
                    process.join()
                    if connection not in started:
                        _require_start(process.exitcode)
                    continue
                busy[connection] = (process, waiting.popleft())
            for ready in wait(list(busy)):
                assert isinstance(ready, Connection)
                process, load = busy[ready]
                try:
                    event: Event = ready.recv()
                except (EOFError, OSError):
                    del busy[ready]
                    process.join()
                    if ready not in started:
                        _require_start(process.exitcode)
                    suspects, rest = _apart(load, under_way)
                    waiting.extendleft([rest] if rest else [])
                    for alone in suspects:
                        _after_death(run, alone, process.exitcode, deaths, waiting, listen)
                    continue
                if event.kind == "ready":
                    started.add(ready)
                    continue
                if event.kind == "stopped":
                    raise InterlawError(event.values["reason"])
                listen(event)
                if event.kind == "started":
                    under_way.add(event.key)
                if event.kind == "ended":
                    left = [group.without(event.key) for group in load]
                    busy[ready] = (process, tuple(group for group in left if group.specs))
                    if not busy[ready][1]:
                        del busy[ready]
                        idle.append((ready, process))
    finally:
        for process in [process for process, _ in busy.values()] + [process for _, process in idle]:
            process.terminate()
            process.join()


def _apart(load: Load, under_way: set[str]) -> tuple[list[TrialGroup], Load]:
    """What a dead worker left: trials one of which may be at fault, so that each runs by itself, and the others."""
    begun = tuple(group for group in load if group.specs[0].key in under_way) or load[:1]
    suspects = [alone for group in begun for alone in group.apart()]
    under_way.difference_update(alone.specs[0].key for alone in suspects)
    return suspects, tuple(group for group in load if group not in begun)


def _start_worker(arguments: tuple[Any, ...]) -> tuple[Connection, BaseProcess]:
    """A fresh process that waits for trials."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, *arguments), daemon=True)
    process.start()
    theirs.close()
    return ours, process


def _require_start(exitcode: int | None) -> None:
    """Tells a worker that Python itself could not start from one that was killed (its exit code is another)."""
    if exitcode == 1:
        raise InterlawError(
            "expected a script that worker processes can import, found that they end while they start: each reads the "
            'script again. Put the call under `if __name__ == "__main__":` in a file, or use one worker (num_workers=1)'
        )


def _work(
    connection: Connection,
    location: str,
    num_workers: int,
    threads: int,
    conditions: Conditions,
    whole: Sequence[TrialGroup],
) -> None:
    """A worker's life: trials until the driver closes the pipe or dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_driver, daemon=True).start()
    torch.set_num_threads(threads)
    run = open_run(location)

    def tell(event: Event) -> None:
        try:
            connection.send(event)
        except OSError:
            os._exit(1)  # the driver is gone; its trials resume from their checkpoints another time

    tell(Event(kind="ready"))
    try:
        conditions = sharing(whole, conditions, num_workers=num_workers)
        for load in _loads(connection):
            fly(load, conditions, lambda group: _run(group, run, conditions, tell))
    except InterlawError as error:
        tell(Event(kind="stopped", values={"reason": str(error)}))


def _loads(connection: Connection) -> Iterator[Load]:
    """What the driver sends, until it closes the pipe."""
    # around the pipe alone: a fault of the work must not end as if all was done
    with contextlib.suppress(EOFError, OSError):
        while True:
            yield connection.recv()


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
    waiting: deque[Load],
    listen: Listener,
) -> None:
    """Puts a dead worker's trial back in line, or records that it kills its workers."""
    (spec,) = alone.specs
    deaths[spec.key] = deaths.get(spec.key, 0) + 1
    if deaths[spec.key] < DEATHS_ALLOWED:
        waiting.appendleft((alone,))
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
