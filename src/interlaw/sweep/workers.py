"""Trials in worker processes of this machine, with a fixed number of threads each.

The processes are managed here. Of the pools of libraries (docs/log.md), concurrent.futures and loky end all workers
when one is killed, pebble's pool of one ends when its worker is killed while it has nothing to do, and none carries
what a worker says while it works.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait

import torch

from interlaw.errors import InterlawError
from interlaw.machine import num_cores
from interlaw.runs import RunFolder, TrialSpec, open_run
from interlaw.sweep.conditions import Conditions
from interlaw.sweep.flight import fly, sharing
from interlaw.sweep.together import Event, Listener, TrialGroup, group_trials, run_group
from interlaw.sweep.trial import DEATHS_ALLOWED, MEMORY_ADVICE, record_death

Load = tuple[TrialGroup, ...]  # what a worker is given at a time


def default_workers(device: str) -> int:
    """Workers when nobody says how many: one a core, one on an accelerator."""
    return num_cores() if device == "cpu" else 1


def run_in_processes(
    groups: Sequence[TrialGroup],
    run: RunFolder,
    *,
    conditions: Conditions,
    plan: Sequence[TrialSpec],
    num_workers: int,
    listen: Listener,
) -> None:
    """Runs trials in worker processes; a worker that dies is replaced, and its trials resume from their checkpoints.

    A worker takes one group at a time, in this order; where several are to be in flight, its share of them all. The
    machine's cores are divided among the workers; each has at most as many threads as this process (`OMP_NUM_THREADS`).
    One accelerator, and the memory, is shared by all.
    """
    in_flight = (conditions.in_flight or 1) > 1
    shares = [groups[first::num_workers] for first in range(num_workers)] if in_flight else [[one] for one in groups]
    setting = _Setting(
        location=run.location,
        num_workers=num_workers,
        threads=min(torch.get_num_threads(), max(1, num_cores() // num_workers)),  # fewer where the user wants fewer
        conditions=conditions,
        plan=tuple(group_trials(plan, plan, conditions=conditions)) if in_flight else (),
    )
    _Pool(setting, [tuple(share) for share in shares if share], run=run, listen=listen).finish()


@dataclass(frozen=True, kw_only=True)
class _Setting:
    """What every worker is given when it starts; `plan` are all groups of the sweep where several are in flight."""

    location: str
    num_workers: int
    threads: int
    conditions: Conditions
    plan: tuple[TrialGroup, ...]


class _Worker:
    """A worker process as its driver sees it."""

    def __init__(self, setting: _Setting) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs, setting), daemon=True)
        self.process.start()
        theirs.close()
        self.load: Load = ()  # what it has not ended yet
        self.is_ready = False

    def bury(self) -> None:
        """Waits for the end of a process that is gone; refuses a script that Python cannot read again."""
        self.process.join()
        # one that was killed has another exit code
        if not self.is_ready and self.process.exitcode == 1:
            raise InterlawError(
                "expected a script that worker processes can import, found that they end while they start: each reads "
                'the script again. Put the call under `if __name__ == "__main__":` in a file, or use one worker '
                "(num_workers=1)"
            )


class _Pool:
    """Workers, what they do, and what waits for one."""

    def __init__(self, setting: _Setting, loads: Iterable[Load], *, run: RunFolder, listen: Listener) -> None:
        self._setting, self._run, self._listen = setting, run, listen
        self._waiting = deque(loads)
        self._busy: dict[Connection, _Worker] = {}
        self._idle: list[_Worker] = []
        self._under_way: set[str] = set()
        self._deaths: Counter[str] = Counter()

    def finish(self) -> None:
        """Works until nothing is left; ends the workers whatever happens."""
        try:
            while self._waiting or self._busy:
                self._hand_out()
                for connection in wait(list(self._busy)):
                    assert isinstance(connection, Connection)
                    self._take(self._busy[connection])
        finally:
            for worker in [*self._busy.values(), *self._idle]:
                worker.process.terminate()
                worker.process.join()

    def _hand_out(self) -> None:
        while self._waiting and len(self._busy) < self._setting.num_workers:
            worker = self._idle.pop() if self._idle else _Worker(self._setting)
            try:
                worker.connection.send(self._waiting[0])
            except OSError:  # it was killed while it had nothing to do
                worker.bury()
                continue
            worker.load = self._waiting.popleft()
            self._busy[worker.connection] = worker

    def _take(self, worker: _Worker) -> None:
        """Takes what a worker sent, or its death."""
        try:
            event: Event = worker.connection.recv()
        except (EOFError, OSError):
            self._replace(worker)
            return
        if event.kind == "ready":
            worker.is_ready = True
            return
        if event.kind == "stopped":
            raise InterlawError(event.values["reason"])
        self._listen(event)
        if event.kind == "started":
            self._under_way.add(event.key)
        if event.kind == "ended":
            worker.load = tuple(left for group in worker.load if (left := group.without(event.key)).specs)
            if not worker.load:
                self._idle.append(self._busy.pop(worker.connection))

    def _replace(self, worker: _Worker) -> None:
        """Puts a dead worker's trials back in line, or records of one that it kills its workers."""
        del self._busy[worker.connection]
        worker.bury()
        suspects, rest = _apart(worker.load, self._under_way)
        self._waiting.extendleft([rest] if rest else [])
        for alone in suspects:
            (spec,) = alone.specs
            self._deaths[spec.key] += 1
            if self._deaths[spec.key] < DEATHS_ALLOWED:
                self._waiting.appendleft((alone,))
                continue
            code = worker.process.exitcode
            reason = f"its worker process died {DEATHS_ALLOWED} times (exit code {code}; -9 is often lack of memory)"
            record = record_death(self._run, spec, reason=f"{reason}: {MEMORY_ADVICE}")
            self._listen(Event(kind="ended", key=spec.key, record=record))


def _apart(load: Load, under_way: set[str]) -> tuple[list[TrialGroup], Load]:
    """What a dead worker left: trials one of which may be at fault, so that each runs by itself, and the others."""
    begun = tuple(group for group in load if group.specs[0].key in under_way) or load[:1]
    suspects = [alone for group in begun for alone in group.apart()]
    under_way.difference_update(alone.specs[0].key for alone in suspects)
    return suspects, tuple(group for group in load if group not in begun)


def _work(connection: Connection, setting: _Setting) -> None:
    """A worker's life: trials until the driver closes the pipe or dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_driver, daemon=True).start()
    torch.set_num_threads(setting.threads)

    def send(event: Event) -> None:
        try:
            connection.send(event)
        except OSError:
            os._exit(1)  # the driver is gone; its trials resume from their checkpoints another time

    send(Event(kind="ready"))
    try:
        run = open_run(setting.location)
        conditions = sharing(setting.plan, setting.conditions, num_workers=setting.num_workers)
        for load in _loads(connection):
            fly(load, conditions, work=lambda group: run_group(group, run, conditions=conditions, listen=send))
    except InterlawError as error:
        send(Event(kind="stopped", values={"reason": str(error)}))


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
