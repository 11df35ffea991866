"""Trials in this process, one group after another, and what listeners hear of a trial wherever it runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from interlaw.plain import Json
from interlaw.runs import Record, RunFolder, TrialSpec, provenance
from interlaw.sweep.conditions import Conditions
from interlaw.sweep.together import TrialGroup, run_group
from interlaw.sweep.trial import LOCK_PATIENCE_SECONDS


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
DEATHS_ALLOWED = 3  # judgement: chance kills a worker once or twice; a trial that does so three times does so again


def run_sequentially(groups: Sequence[TrialGroup], run: RunFolder, *, conditions: Conditions, listen: Listener) -> None:
    """Runs groups of trials one after another in this process; the listener hears of start, progress and end."""
    for group in groups:
        for spec in group.specs:
            listen(Event(kind="started", key=spec.key))
        run_group(
            group,
            [run.trial(spec.key) for spec in group.specs],
            conditions=conditions,
            progress=lambda key: lambda values: listen(Event(kind="progress", key=key, values=values)),
            ended=lambda spec, record: listen(Event(kind="ended", key=spec.key, record=record)),
        )


def record_death(run: RunFolder, spec: TrialSpec, *, reason: str) -> Record | None:
    """Records that a trial kills its workers, unless it ended well after all; gives the record that stands.

    Where training had ended, the trial is done, and its measurements are what could not be had.
    """
    folder = run.trial(spec.key)
    with folder.lock(patience_seconds=LOCK_PATIENCE_SECONDS) as free:
        if free and folder.record() is None:
            trained = folder.trained()
            if trained is None:
                shape = spec.make_shape().to_dict()
                last = Record(key=spec.key, status="failed", shape=shape, provenance=provenance(), reason=reason)
            else:
                missing = {view.view: reason for view in spec.measure if view.view not in trained.measurements}
                last = trained.model_copy(update={"unmeasured": missing})
            folder.write_record(last)
    return folder.record()
