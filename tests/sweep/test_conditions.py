"""How trials are run: the ranges of the numbers, and the share of memory."""

from __future__ import annotations

import pytest

from interlaw.errors import InterlawError
from interlaw.sweep import Conditions
from interlaw.training import usable_bytes


def test_numbers_out_of_range_are_refused() -> None:
    with pytest.raises(InterlawError, match="expected seconds between checkpoints of at least 0, found -1"):
        Conditions(checkpoint_seconds=-1)
    with pytest.raises(InterlawError, match="expected seconds between checkpoints of at least 0, found nan"):
        Conditions(checkpoint_seconds=float("nan"))
    with pytest.raises(InterlawError, match="expected a memory limit of at least 1 byte, found 0"):
        Conditions(memory_limit=0)


def test_memory_is_shared_where_no_limit_was_set() -> None:
    shared = Conditions().shared(4).memory_limit
    assert shared is not None
    assert shared == pytest.approx(usable_bytes("cpu") / 4, rel=0.2)  # other processes come and go meanwhile
    limited = Conditions(memory_limit=1000)
    assert limited.shared(4) == limited
