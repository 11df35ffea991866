"""Trials as Ray tasks: the same plan, records and numbers, on a cluster that shares the run's folder."""

from __future__ import annotations

import contextlib
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import torch

from interlaw.errors import InterlawError, brought_by, one_line
from interlaw.runs import Record, RunFolder, TrialSpec, is_url, open_run
from interlaw.sweep.cluster import RayOptions, open_cluster, require_resources, require_shared, room, trials_beside
from interlaw.sweep.conditions import Conditions
from interlaw.sweep.spanning import GroupDiedError, end_with_node, span_trial
from interlaw.sweep.together import Event, Listener, TrialGroup, group_trials, run_group
from interlaw.sweep.trial import DEATHS_ALLOWED, LOCK_PATIENCE_SECONDS, PROGRESS_SECONDS, record_death

NODE_DEATHS_ALLOWED = 20  # judgement: a node that is taken away is not the trial's fault; so many are no chance
ORPHAN_SECONDS = 60.0  # judgement: how long a process may outlive its node's death and hold its trial
CANCEL_SECONDS = 20.0  # judgement: Ray ends a task within a few
# judgement: tasks beyond what the cluster holds now, so that a node that comes finds work and an autoscaler sees some
AHEAD = 32
STALE_SECONDS = 15.0  # judgement: what was noted longer ago is of a trial that stands still


def run_on_ray(
    missing: Sequence[TrialSpec],
    run: RunFolder,
    *,
    conditions: Conditions,
    plan: Sequence[TrialSpec],
    num_workers: int | None = None,
    options: RayOptions,
    listen: Listener,
) -> None:
    """Runs trials as Ray tasks; a trial whose worker or node dies resumes elsewhere from its checkpoint.

    Trials that train together are one task, unless each is divided among several devices; they are submitted in the
    given order, `num_workers` at a time or as many as the cluster's resources allow. The run lies in a folder under the
    same path on every node or under a URL; memory is shared among the trials of a node. Progress is read from the
    trials' folders, and the first of it is the start.

    Raises:
        InterlawError: When there is no cluster at the address, it is lost, none of its nodes can hold a trial, or one
            of them does not share the run's folder.
        MissingExtraError: When ray is not installed.
    """
    with brought_by("ray", "the executor ray"):
        import ray
    with _faults(ray), open_cluster(ray, options.address):
        require_resources(ray, options)
        require_shared(ray, run)
        location = run.location if is_url(run.location) else str(run.path.resolve())
        if options.num_devices > 1:
            # the group's processes take the resources, the task only waits for them
            task = ray.remote(_spanning).options(num_cpus=0, max_retries=0)
            groups = [TrialGroup(specs=(spec,)) for spec in missing]
        else:
            task = ray.remote(_trials).options(num_cpus=options.num_cpus, num_gpus=options.num_gpus, max_retries=0)
            groups = group_trials(missing, plan, conditions=conditions, num_workers=num_workers or room(ray, options))
        ahead = AHEAD if options.num_devices == 1 else 0
        _drive(
            ray,
            groups,
            submit=partial(task.remote, location=location, options=options, conditions=conditions),
            most=lambda: num_workers or max(1, room(ray, options) + ahead),
            begun=_Begun(run, listen),
        )


def _drive(
    ray: Any, groups: Iterable[TrialGroup], *, submit: Callable[..., Any], most: Callable[[], int], begun: _Begun
) -> None:
    """Keeps as many tasks as `most` says submitted until all groups have ended; cancels what is left otherwise."""
    waiting = deque(groups)
    deaths: Counter[tuple[str, str]] = Counter()
    pending: dict[Any, TrialGroup] = {}
    next_look = time.monotonic()
    try:
        while waiting or pending:
            limit = most()
            while waiting and len(pending) < limit:
                group = waiting.popleft()
                # the process before this one may be an orphan that still holds the trial
                again = any(key == spec.key for spec in group.specs for key, _ in deaths)
                patience = ORPHAN_SECONDS if again else LOCK_PATIENCE_SECONDS
                pending[submit(group, patience_seconds=patience)] = group
            done, _ = ray.wait(list(pending), timeout=PROGRESS_SECONDS)
            for reference in done:
                waiting.extendleft(_left(ray, reference, group=pending.pop(reference), deaths=deaths, begun=begun))
            if time.monotonic() >= next_look:
                begun.look(spec for group in pending.values() for spec in group.specs)
                next_look = time.monotonic() + begun.run.look_seconds
    finally:  # waits until their processes are gone: their trials stay resumable
        for reference in pending:
            ray.cancel(reference, force=True)
        if pending:
            ray.wait(list(pending), num_returns=len(pending), timeout=CANCEL_SECONDS)


@contextlib.contextmanager
def _faults(ray: Any) -> Iterator[None]:
    """A cluster that is lost is no fault of the program: the user gets one line, and the run can resume."""
    try:
        yield
    except ray.exceptions.RayError as error:
        raise InterlawError(
            f"expected the Ray cluster to stay, found {type(error).__name__}: {one_line(error)}; "
            "run the same command again to resume"
        ) from error


def _trials(
    group: TrialGroup, location: str, *, options: RayOptions, conditions: Conditions, patience_seconds: float
) -> dict[str, Record | None]:
    """The task: a group in a Ray worker; its records by key, None for what another driver has."""
    import ray

    end_with_node()
    torch.set_num_threads(max(1, int(options.num_cpus)))
    records: dict[str, Record | None] = {}

    def listen(event: Event) -> None:
        if event.kind == "ended":
            records[event.key] = event.record

    shared = conditions.shared(trials_beside(ray, options, device=conditions.device))
    run_group(group, open_run(location), conditions=shared, patience_seconds=patience_seconds, listen=listen)
    return records


def _spanning(
    group: TrialGroup, location: str, *, options: RayOptions, conditions: Conditions, patience_seconds: float
) -> dict[str, Record | None]:
    """The task of a trial on several devices: the same, in a group of processes."""
    end_with_node()
    (spec,) = group.specs
    record = span_trial(spec, location, options=options, conditions=conditions, patience_seconds=patience_seconds)
    return {spec.key: record}


def _left(
    ray: Any, reference: Any, *, group: TrialGroup, deaths: Counter[tuple[str, str]], begun: _Begun
) -> list[TrialGroup]:
    """Reports a task that ended; gives the trials to start again, each by itself, as its worker or node died."""
    failures = ray.exceptions
    lost = (failures.NodeDiedError, failures.ObjectLostError)  # with the node that held it, the task's answer is lost
    died = (failures.WorkerCrashedError, failures.OutOfMemoryError, GroupDiedError, *lost)
    again = []
    try:
        records = ray.get(reference)
        for spec in group.specs:
            begun.end(spec, records[spec.key])
    except died as error:
        what, allowed = ("node", NODE_DEATHS_ALLOWED) if isinstance(error, lost) else ("worker", DEATHS_ALLOWED)
        for alone in group.apart():
            (spec,) = alone.specs
            deaths[spec.key, what] += 1
            if deaths[spec.key, what] < allowed:
                begun.again(spec)
                again.append(alone)
            else:
                reason = f"its Ray {what} died {allowed} times: {str(error).splitlines()[0]}"
                begun.end(spec, record_death(begun.run, spec, reason=reason))
    except failures.RayTaskError as error:  # a full disk, say: what ends a sweep here ends it there
        raise error.cause from None
    return again


class _Begun:
    """Which trials have started, by their folders, and who hears of it."""

    # Ray does not say when a task leaves the queue, and most of what is submitted waits in it

    def __init__(self, run: RunFolder, listen: Listener) -> None:
        self.run, self._listen = run, listen
        self._keys: set[str] = set()

    def look(self, specs: Iterable[TrialSpec]) -> None:
        """Reports what the trials under way noted in their folders."""
        with contextlib.suppress(InterlawError):  # storage that is away for a while ends no sweep
            self.run.fetch()
        now = time.time()
        for spec in specs:
            values = self.run.trial(spec.key).progress()
            if "step" in values and abs(now - values["updated"]) < STALE_SECONDS:
                self._start(spec)
                self._listen(Event(kind="progress", key=spec.key, values=values))

    def again(self, spec: TrialSpec) -> None:
        """Its worker or node died: it will start once more."""
        self._keys.discard(spec.key)

    def end(self, spec: TrialSpec, record: Record | None) -> None:
        """Reports how a trial ended."""
        self._start(spec)
        self._keys.discard(spec.key)
        self._listen(Event(kind="ended", key=spec.key, record=record))

    def _start(self, spec: TrialSpec) -> None:
        """Reports once that a trial started."""
        if spec.key not in self._keys:
            self._keys.add(spec.key)
            self._listen(Event(kind="started", key=spec.key))
