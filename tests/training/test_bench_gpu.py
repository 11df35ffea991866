"""The rows of `make bench-gpu` run small on a processor; a machine without an accelerator gets them by name."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from benchmarks import bench_gpu
from benchmarks.row import Row

NAMED = {"name": "a row"}
SMALL: dict[str, Any] = {**NAMED, "context": 16, "head_dim": 4}


def checked(row: Row) -> None:
    """The ratio says how many times as fast ours is, also where a row gives times."""
    assert row.ours is not None
    assert row.ours > 0
    if row.baseline is not None:
        speed = row.baseline / row.ours if row.unit == "ms" else row.ours / row.baseline
        assert row.ratio == pytest.approx(speed)


def test_each_row_runs_small() -> None:
    checked(
        bench_gpu.share(
            "cpu", params="20k", depth=2, target=".1", batch_size=2, steps=9, size=64, compiled=False, **SMALL
        )
    )
    checked(bench_gpu.stacked("cpu", depth=1, params="10k", batch_size=2, steps=6, plain_steps=2, **SMALL))
    checked(bench_gpu.byte_sweep("cpu", timed=("10k",), depths=(1, 2), batch_size=2, steps=6, **SMALL))
    checked(bench_gpu.measured("cpu", **NAMED, depth=1, width=16, vocab_size=64, context=16, samples=8))
    (shape,) = bench_gpu.match_shapes(family="gpt", params=10_000, depths=[1], rule="nearest", context=16, head_dim=4)
    assert bench_gpu.plain_seconds(shape, "cpu", steps=2, batch_size=2) > 0


@pytest.mark.slow
def test_the_sweep_runs_small() -> None:
    checked(bench_gpu.packed("cpu", params="10k", depths="1-2", steps=4, plain_steps=2, **SMALL))


def test_without_an_accelerator_rows_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    rows = list(bench_gpu.run())
    assert len(rows) == 8
    assert all(row.name.endswith("(skipped: no CUDA device)") and row.ours is None for row in rows)
