"""Several groups of trials in flight on one device, in one process, each on a stream of its own.

As many as were asked for and fit into the device's free memory, never by a timing; how many stands in the records.
Results do not depend on it, but for the memory that each may plan with.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from queue import SimpleQueue

import torch

from interlaw.models import build_model
from interlaw.sweep.conditions import Conditions
from interlaw.sweep.together import TrialGroup
from interlaw.training import footprint, free_cache, is_out_of_memory, on_turn, products_in, usable_bytes


def sharing(groups: Sequence[TrialGroup], conditions: Conditions, *, num_workers: int) -> Conditions:
    """The conditions with the number of groups in flight, and the memory that each of them may plan with.

    As many as are asked for and fit beside each other when each is as large as the largest and keeps its batches whole.
    Groups are those of the whole plan, at least one: the number must not depend on which have ended.
    """
    if conditions.in_flight in (None, 1):
        return replace(conditions.shared(num_workers), in_flight=1)
    # what is saved for the backward pass grows with depth and width; a group that needs more has its batches cut
    largest = max(groups, key=lambda one: len(one.specs) * one.specs[0].shape["depth"] * one.specs[0].shape["width"])
    needed = _peak_bytes(largest, conditions.device)
    room = usable_bytes(conditions.device) // num_workers // min(needed, conditions.memory_limit or needed)
    count = int(max(1, min(room, len(groups), conditions.in_flight)))
    return replace(conditions.shared(num_workers * count), in_flight=count)


def _peak_bytes(group: TrialGroup, device: str) -> float:
    """What a group takes with whole batches; infinite where the device cannot even hold what measures it."""
    spec = group.specs[0]
    try:
        model, task = build_model(spec.make_shape(), device=device), spec.task.open(device=device)
        one = footprint(model, task, settings=spec.training, stacked=group.stacked)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        return math.inf  # its trials will fail, and say so; the others need not
    finally:
        free_cache()  # what torch keeps would not count as free
    return len(group.specs) * one.peak_bytes(spec.training.batch_size)


def fly(groups: Sequence[TrialGroup], conditions: Conditions, *, work: Callable[[TrialGroup], None]) -> None:
    """Works on groups of one recipe, `conditions.in_flight` at a time, in the given order.

    Raises:
        Exception: What the first work that failed raised; what is then in flight is left to the process's end.
    """
    if conditions.in_flight == 1:
        for group in groups:
            work(group)
        return

    streams: SimpleQueue[AbstractContextManager[object]] = SimpleQueue()
    for _ in range(conditions.in_flight or 1):
        streams.put(_stream(conditions.device))

    def one(group: TrialGroup) -> None:
        stream = streams.get()
        try:
            with on_turn(), stream:
                work(group)
        finally:
            streams.put(stream)

    pool = ThreadPoolExecutor(conditions.in_flight)
    try:
        # torch's switches are the process's: one that ends must not turn them back under the others
        with products_in(groups[0].specs[0].training.precision):
            for ended in as_completed([pool.submit(one, group) for group in groups]):
                ended.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _stream(device: str) -> AbstractContextManager[object]:
    """A stream of its own; on a CPU there are none."""
    if torch.device(device).type != "cuda":
        return nullcontext()
    return torch.cuda.stream(torch.cuda.Stream(device))  # type: ignore[no-untyped-call]
