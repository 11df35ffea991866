"""The views of a trained trial; one that fails says why, and takes neither the others nor the training with it."""

from __future__ import annotations

import time

from torch import nn

from interlaw.interaction import VIEWS, measure
from interlaw.runs import Record, TrialSpec
from interlaw.tasks import Task
from interlaw.training import free_cache, is_out_of_memory

ADVICE = "use fewer --workers or a lower --memory-limit; --retry failed measures again without training again"
SHOWN = 200  # characters of an allocator's message: its sizes stand at its beginning


def measured(spec: TrialSpec, record: Record, *, model: nn.Module, task: Task, memory_limit: int) -> Record:
    """The record of a trained trial with every view of its spec that it does not hold yet; memory_limit in bytes."""
    started = time.monotonic()
    measurements = dict(record.measurements)
    unmeasured: dict[str, str] = {}
    for view in spec.measure:
        if view.view in measurements:
            continue
        try:
            inputs = task.probes(num_samples=view.samples, with_targets=VIEWS[view.view].with_targets)
            interaction = measure(model, inputs, view=view.view, seed=view.seed, memory_limit=memory_limit)
            measurements[view.view] = interaction.to_dict()
        except Exception as error:  # the loss stands, whatever went wrong here
            unmeasured[view.view] = reason_of(error, advice=ADVICE)
            free_cache()
    seconds = record.measure_seconds + time.monotonic() - started
    return record.model_copy(
        update={"measurements": measurements, "unmeasured": unmeasured, "measure_seconds": seconds}
    )


def reason_of(error: Exception, *, advice: str, where: str = "") -> str:
    """What went wrong, in one line; where memory ran out, with advice."""
    reason = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    return f"out of memory{where} ({reason[:SHOWN]}): {advice}" if is_out_of_memory(error) else reason
