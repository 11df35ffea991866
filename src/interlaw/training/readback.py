"""What is read from a device, and whose turn it is on the host meanwhile.

Losses are read together, a few times a second, so that training never waits for them. When they are read changes no
result: they are taken in the order of their steps, and what a diverged network did after its divergence counts nowhere.

Trainings in flight on one device take the host one after another, in the order of asking. A turn ends where its owner
waits for the device. So the device has work from all of them, while generators, switches and whatever else Python and
torch hold once for a process are used as if there were one training alone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from interlaw.training.checkpoint import is_divided

READ_SECONDS = 0.5  # as often as progress is reported
QUEUE = 1000  # launches that a device takes ahead, about: a host that finds it full waits within its turn
LAUNCHES = (8, 4)  # of a step, about: for the graph, the rates and the losses, and for each network's batch

_changed = threading.Condition()
_asked = _served = 0  # turns so far
_mine = threading.local()


class Readback:
    """Losses that were not read yet.

    On a CPU, and where processes share a network and must decide alike, each is read at once. On a device the number of
    steps between two readings follows from the pace so far.

    Args:
        parameter: Lies where the losses will.
        networks: How many train together.
    """

    def __init__(self, parameter: Tensor, *, networks: int = 1) -> None:
        self._waits = waits_for_reading(parameter)
        self._most_ahead = max(1, QUEUE // (LAUNCHES[0] + LAUNCHES[1] * networks))
        self._losses: list[Tensor] = []
        self._ahead = 1
        self._read_at = time.monotonic()

    def __len__(self) -> int:
        return len(self._losses)

    def add(self, losses: Tensor) -> None:
        """Takes the losses of one step."""
        self._losses.append(losses)

    @property
    def is_due(self) -> bool:
        """Whether to read now."""
        return not self._waits or len(self._losses) >= self._ahead

    def read(self) -> list[list[float]]:
        """The losses of each step since the last reading; waits for the device."""
        rows = numbers_of(torch.stack(self._losses).reshape(len(self._losses), -1))
        now = time.monotonic()
        pace = len(rows) * READ_SECONDS / max(now - self._read_at, 1e-9)  # a clock may not advance between two readings
        self._ahead, self._read_at = max(1, min(int(pace), 2 * self._ahead, self._most_ahead)), now
        self._losses.clear()
        return [[float(loss) for loss in row] for row in rows]


def waits_for_reading(parameter: Tensor) -> bool:
    """Whether reading a number there makes the host wait for work that it could have queued."""
    return parameter.device.type != "cpu" and not is_divided(parameter)


@contextmanager
def on_turn() -> Iterator[None]:
    """Runs what is inside in this thread's turns; a thread that asks for none runs whenever it likes."""
    _take()
    _mine.takes_turns = True
    try:
        yield
    finally:
        _mine.takes_turns = False
        _give()


def numbers_of(tensor: Tensor) -> list[Any]:
    """The numbers of a tensor; while its device still works on them, it is another one's turn."""
    if not getattr(_mine, "takes_turns", False):
        return tensor.tolist()
    _give()
    try:
        return tensor.tolist()
    finally:
        _take()


def _take() -> None:
    global _asked  # the host is the process's
    with _changed:
        mine, _asked = _asked, _asked + 1
        _changed.wait_for(lambda: _served == mine)


def _give() -> None:
    global _served
    with _changed:
        _served += 1
        _changed.notify_all()
