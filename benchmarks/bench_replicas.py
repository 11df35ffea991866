"""Networks of one shape trained together over stacked weights, against the same loop over one at a time; one core.

Then a whole sweep both ways, on all cores.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from unittest.mock import patch

import torch

from benchmarks.clock import children_seconds, one_thread, processor_seconds
from benchmarks.row import Row
from interlaw.machine import num_cores
from interlaw.models import build_model
from interlaw.shapes import Shape, make_shape
from interlaw.sweep import parse_recipe, prepare_run, run_trials, together
from interlaw.tasks import RegressionTask
from interlaw.training import Replica, TrainSettings, train, train_together

# family, sizes, replicas, steps; the target is what makes the grouping of sweeps worth while
CASES: tuple[tuple[str, dict[str, int], int, int], ...] = (
    *(("mlp", {"depth": 4, "width": 20}, replicas, 150) for replicas in (5, 10, 30)),
    *(("mlp", {"depth": 12, "width": 28}, replicas, 100) for replicas in (5, 10, 30)),
    *(("mlp", {"depth": 4, "width": 46}, replicas, 100) for replicas in (5, 10, 30)),
    ("mlp", {"depth": 6, "width": 88}, 10, 60),
    *(("gru", {"depth": 2, "width": 24}, replicas, 20) for replicas in (5, 10)),
)
RATE = 1e-3  # it does not change the time
BATCH, GRU_BATCH = 256, 64  # as in the packaged recipes mlp-tiny and gru-tiny
SAMPLES = 512  # of each split: two batches
GRU_TIME = 80  # steps of a sequence, as in the paper's recipe of GRUs
SWEEP = """
name = "mlps"
family = "mlp"
depths = "1-8"
seeds = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
[budget]
amounts = ["20k"]
[task]
kind = "vectors"
[training]
learning_rate = 1e-3
batch_size = 256
steps = 120
blow_up = 1e6
evaluations = 1
[measure]
views = []
"""


def run() -> list[Row]:
    """Processor time of a step of all replicas, together and one after another; then of a whole sweep."""
    with one_thread():
        rows = [_row(family, sizes, num_replicas=count, steps=steps) for family, sizes, count, steps in CASES]
    return [*rows, *_sweep_rows()]


def _row(family: str, sizes: dict[str, int], *, num_replicas: int, steps: int) -> Row:
    """One row of the table; the plain loop is timed on one network before and after, and its faster time is taken."""
    shape = make_shape(family, **sizes)
    task = _noise(shape)
    settings = [
        TrainSettings(
            steps=steps,
            batch_size=BATCH if family == "mlp" else GRU_BATCH,
            learning_rate=RATE,
            evaluations=1,
            evaluation_samples=64,
            test_samples=64,
            blow_up=1e9,
            seed=seed,
        )
        for seed in range(num_replicas)
    ]

    def alone() -> None:
        train(build_model(shape, seed=0), task, settings=settings[0])

    def together() -> None:
        train_together([Replica(model=build_model(shape, seed=one.seed), settings=one) for one in settings], task)

    before, ours, after = (processor_seconds(work) for work in (alone, together, alone))
    baseline = num_replicas * min(before, after)
    return Row(
        name=f"{num_replicas} replicas of {family} {shape.depth}x{shape.width}, {shape.params:,} parameters",
        unit="ms of processor a step of all",
        ours=1e3 * ours / steps,
        baseline=1e3 * baseline / steps,
        ratio=baseline / ours,
        target="above 1",
    )


def _sweep_rows() -> list[Row]:
    """A sweep of 80 trials by processes, their start included: wall and processor time, together and one at a time."""
    ours = _sweep_seconds()
    with patch.object(together, "FEWEST", 1_000):  # more than any group has: none is stacked
        baseline = _sweep_seconds()
    name = f"a sweep of 8 shapes x 10 seeds of 20k MLPs, {num_cores()} workers"
    return [
        Row(name=name, unit=f"s, {clock}", ours=mine, baseline=plain, ratio=plain / mine, target="above 1")
        for clock, mine, plain in zip(("wall", "processor"), ours, baseline, strict=True)
    ]


def _sweep_seconds() -> tuple[float, float]:
    """Wall seconds of the sweep and processor seconds of its workers."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        recipe = parse_recipe(SWEEP, source="benchmark")
        run, trials = prepare_run(recipe, SWEEP, out=folder / "run", folder=folder)
        started, before = time.perf_counter(), children_seconds()
        run_trials(run, trials, executor="processes", num_workers=num_cores(), listen=lambda event: None)
        return time.perf_counter() - started, children_seconds() - before


def _noise(shape: Shape) -> RegressionTask:
    """Random inputs and targets of the family's shape."""
    sizes = shape.to_dict()
    inner = (sizes["input_size"],) if shape.family == "mlp" else (GRU_TIME, sizes["input_size"])
    generator = torch.Generator().manual_seed(0)
    splits = {
        split: (
            torch.randn(SAMPLES, *inner, generator=generator),
            torch.randn(SAMPLES, sizes["output_size"], generator=generator),
        )
        for split in ("train", "validation", "test")
    }
    return RegressionTask(splits)
