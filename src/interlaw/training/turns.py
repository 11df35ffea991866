"""Whose turn it is on the host: trainings in flight on one device take it one after another, in the order of asking.

A turn ends where its owner waits for the device. So the device has work from all of them, while generators, switches
and whatever else Python and torch hold once for a process are used as if there were one training alone.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor

_changed = threading.Condition()
_asked = _served = 0  # turns so far
_mine = threading.local()


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
    """Waits for its turn."""
    global _asked  # the host is the process's
    with _changed:
        mine, _asked = _asked, _asked + 1
        _changed.wait_for(lambda: _served == mine)


def _give() -> None:
    """Ends its turn."""
    global _served
    with _changed:
        _served += 1
        _changed.notify_all()
