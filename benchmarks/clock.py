"""Processor time, which other programs of the machine change little, and the one thread that it is taken on."""

from __future__ import annotations

import contextlib
import resource
import time
from collections.abc import Callable, Iterator

import torch


def processor_seconds(work: Callable[[], object]) -> float:
    """What this process spends on the work."""
    started = time.process_time()
    work()
    return time.process_time() - started


def best_of(work: Callable[[], object], repeats: int) -> float:
    """The least of a few runs: what else the machine does only adds."""
    return min(processor_seconds(work) for _ in range(repeats))


def children_seconds() -> float:
    """What the processes that this one started, and that have ended, spent so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Inside, torch computes on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
