"""Who uses the host when several trainings are in flight."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from interlaw.training.readback import numbers_of, on_turn


def test_turns_go_round_and_no_two_use_the_host_at_once() -> None:
    told: list[int] = []
    inside = threading.Semaphore(1)
    ready = threading.Barrier(3)

    def work(who: int) -> None:
        ready.wait()
        with on_turn():
            for _ in range(5):
                assert inside.acquire(blocking=False), "two use the host at once"
                told.append(who)
                time.sleep(0.002)  # long enough for another to come in, if it could
                inside.release()
                assert numbers_of(torch.tensor([1.0, 2.0])) == [1.0, 2.0]

    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(work, who) for who in range(3)]:
            done.result()
    assert sorted(told) == [0] * 5 + [1] * 5 + [2] * 5
    first = told.index(told[-1])  # from when the last one came until the first one left, in a fixed order
    both = told[first : len(told) - first]
    assert all(a == b for a, b in zip(both, both[3:], strict=False))


def test_a_work_that_fails_ends_its_turn() -> None:
    with pytest.raises(RuntimeError, match="broken"), on_turn():
        raise RuntimeError("broken")
    with on_turn():
        assert numbers_of(torch.tensor(3)) == 3


def test_who_takes_no_turns_waits_for_nobody() -> None:
    with on_turn(), ThreadPoolExecutor(1) as pool:
        assert pool.submit(numbers_of, torch.tensor([4])).result(timeout=10) == [4]
