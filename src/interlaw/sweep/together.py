"""Trials that train together: which they are, and what becomes of each.

Trials of one shape that differ in seed or learning rate alone train as replicas over stacked weights where that is
faster. Which do so follows from the plan and the device, never from a timing, so that a killed sweep resumes to the
same bits. A trial's record says whether it was stacked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Literal

import torch

from interlaw.models import build_model
from interlaw.plain import Json
from interlaw.runs import Record, RunFolder, StorageError, TrialSpec, storage_faults
from interlaw.sweep.conditions import Conditions
from interlaw.sweep.trial import LOCK_PATIENCE_SECONDS, Attempt
from interlaw.tasks import Strict
from interlaw.training import (
    Replica,
    can_be_stacked,
    footprint,
    require_room,
    scale_initial_weights,
    train_together,
)

FEWEST = 3  # two replicas cost as much as two trainings: batched operators take longer to start
MOST = 16  # beyond it the gain is small, and a group holds one worker for long


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened to a trial.

    Attributes:
        kind: `started`, `progress` or `ended`; no listener hears `ready` (a worker has started) and `stopped` (no
            trial can go on: a full disk, say).
        key: The trial.
        values: Of `progress`: step, steps, train_loss and seconds, as in progress.json.
        record: Of `ended`: the trial's record; None when another driver has it.
    """

    kind: Literal["started", "progress", "ended", "ready", "stopped"]
    key: str = ""
    values: Json = field(default_factory=dict)
    record: Record | None = None


Listener = Callable[[Event], None]


class TrialGroup(Strict):
    """Trials that one worker runs: one, or several that differ in seed and rate alone, over stacked weights."""

    specs: tuple[TrialSpec, ...]
    stacked: bool = False

    def without(self, key: str) -> TrialGroup:
        """The others, when this trial has ended."""
        return self.model_copy(update={"specs": tuple(spec for spec in self.specs if spec.key != key)})

    def apart(self) -> list[TrialGroup]:
        """Each trial by itself, trained in the same way."""
        return [TrialGroup(specs=(spec,), stacked=self.stacked) for spec in self.specs]


def group_trials(
    missing: Sequence[TrialSpec], plan: Sequence[TrialSpec], *, conditions: Conditions, num_workers: int = 1
) -> list[TrialGroup]:
    """What is to be run, in groups and in the given order; cut so that each worker gets one.

    The whole plan is asked: how a trial trains must not depend on which others have ended.
    """
    alike = Counter(map(_kind, plan))
    kinds: dict[str, list[TrialSpec]] = {}
    for spec in missing:
        stacks = alike[_kind(spec)] >= FEWEST and _gains(spec, conditions)
        kinds.setdefault(_kind(spec) if stacks else spec.key, []).append(spec)
    most = max(1, min(MOST, -(-len(missing) // num_workers)))
    return [
        TrialGroup(specs=tuple(specs[first : first + most]), stacked=kind != specs[0].key)
        for kind, specs in kinds.items()
        for first in range(0, len(specs), most)
    ]


def _kind(spec: TrialSpec) -> str:
    """What replicas share: everything but stage, measurements, seed and learning rate."""
    training = spec.training.model_copy(update={"seed": 0, "learning_rate": 1.0})
    return spec.model_copy(update={"stage": "final", "measure": (), "training": training}).model_dump_json()


def _gains(spec: TrialSpec, conditions: Conditions) -> bool:
    """Whether trials of this kind gain by training together on the device."""
    shape = spec.make_shape()
    if conditions.compiled or not can_be_stacked(spec.training) or not shape.stackable:
        return False
    # on a CPU the products of larger networks keep the processor busy; convolutions and fused attention lose
    on_cpu = torch.device(conditions.device).type == "cpu"
    return not on_cpu or shape.params <= shape.stacked_on_cpu


def run_group(
    group: TrialGroup,
    run: RunFolder,
    *,
    conditions: Conditions,
    patience_seconds: float = LOCK_PATIENCE_SECONDS,
    listen: Listener,
) -> None:
    """Trains, tests and measures a group; each trial as `run_trial` would, resuming from its newest checkpoint.

    Raises:
        StorageError: When a folder cannot be written to; the trials are resumed another time.
    """

    def ended(spec: TrialSpec, record: Record | None) -> None:
        listen(Event(kind="ended", key=spec.key, record=record))

    def progress_of(spec: TrialSpec) -> Callable[[Json], None]:
        return lambda values: listen(Event(kind="progress", key=spec.key, values=values))

    for spec in group.specs:
        listen(Event(kind="started", key=spec.key))
    with ExitStack() as locks:
        taken: list[tuple[Attempt, ExitStack]] = []
        for spec in group.specs:
            folder, lock = run.trial(spec.key), locks.enter_context(ExitStack())
            free = lock.enter_context(folder.lock(patience_seconds=patience_seconds))
            record = folder.record() if free else None
            if not free or record is not None:
                ended(spec, record)
                continue
            folder.write_spec(spec)
            one = Attempt(spec=spec, folder=folder, conditions=conditions, progress=progress_of(spec))
            taken.append((one, lock))
        notes = {}
        try:
            if group.stacked:
                _train_stacked([one for one, _ in taken], conditions)
        except StorageError:
            raise
        except Exception as error:  # one of them is at fault, or memory is: each by itself will show which
            notes = {"not_stacked": f"{type(error).__name__}: {error}"}
        for one, lock in taken:
            record = one.folder.record() or one.finish(notes=notes)  # a record: of one that diverged
            lock.close()  # what a driver hears of may be the last before it ends this process
            ended(one.spec, record)


def _train_stacked(taken: Sequence[Attempt], conditions: Conditions) -> None:
    """Trains what has not been trained; leaves weights and figures in the folders, or the record of a divergence."""
    if not taken:
        return
    first, limit = taken[0].spec, conditions.limit_bytes()
    shape = first.make_shape()
    require_room(params=len(taken) * shape.params, limit_bytes=limit)
    task = first.task.open(device=conditions.device)
    members: list[tuple[Attempt, Replica]] = []
    for one in taken:
        settings, checkpoints = one.spec.training, one.folder.checkpoints
        with storage_faults(one.folder.path):
            model = build_model(shape, seed=settings.seed, device=conditions.device)
            if one.trained_before(model) is None:
                scale_initial_weights(model, settings)
                replica = Replica(model=model, settings=settings, checkpoints=checkpoints, report=one.reporter())
                members.append((one, replica))
    if not members:
        return
    needed = footprint(members[0][1].model, task, settings=first.training, stacked=True)
    part = needed.micro_batch(batch_size=first.training.batch_size, limit_bytes=limit // len(members))
    at_once = {"micro_batch": part, "evaluation_batch": needed.evaluation_batch(part)}
    with storage_faults(taken[0].folder.path.parent):
        replicas = [replica for _, replica in members]
        results = train_together(replicas, task, checkpoint_seconds=conditions.checkpoint_seconds, **at_once)
    how = {"processes": 1, "stacked": True, **at_once, "predicted_bytes": len(members) * needed.peak_bytes(part)}
    for (one, replica), result in zip(members, results, strict=True):
        with storage_faults(one.folder.path):
            record = one.keep_training(replica.model, task, result=result, how=how)
            if result.status != "done":
                one.folder.write_record(record)
                one.folder.tidy()
