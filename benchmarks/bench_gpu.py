"""One accelerator: small trials packed onto it, and model FLOP/s of larger shapes over its measured bfloat16 rate.

Without a GPU every row is there by name, with no figures.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from interlaw.models import build_model
from interlaw.shapes import GPTShape, Shape, match_shapes
from interlaw.sweep import parse_recipe, prepare_run, run_trials
from interlaw.tasks import TextTask, open_corpus
from interlaw.training import TrainSettings, TrainState, train

WORKERS = 12
SIZES = {"context": 256, "head_dim": 32}
UTILISED = (("10M", 64, False), ("100M", 64, False), ("10M", 64, True), ("100M", 64, True))
SWEEP = """
name = "packed"
depths = "1-12"
[shape]
context = 256
head_dim = 32
[budget]
amounts = ["1M"]
[training]
learning_rate = 1e-3
batch_size = 32
steps = {steps}
precision = "bfloat16"
evaluations = 1
evaluation_samples = 1
test_samples = 1
[measure]
views = []
"""
PACKED = "GPU: 12 GPTs of 1M parameters at once, against one after another, both bfloat16"


def run() -> list[dict[str, Any]]:
    """All rows; skipped ones where there is no GPU."""
    names = [f"GPU: GPT of {size}{', compiled' if compiled else ''}" for size, _, compiled in UTILISED]
    if not torch.cuda.is_available():
        return [row(f"{name} (skipped: no CUDA device)") for name in (PACKED, *names)]
    return [
        packed(),
        *(utilisation(name, *size) for name, size in zip(names, UTILISED, strict=True)),
    ]


def row(name: str, *, ours: float | None = None, baseline: float | None = None, **values: Any) -> dict[str, Any]:
    """One line of the table."""
    ratio = ours / baseline if ours and baseline else None
    return {"name": name, "unit": "", "ours": ours, "baseline": baseline, "ratio": ratio, "target": "-", **values}


def packed(*, steps: int = 600) -> dict[str, Any]:
    """Tokens a second of 12 trials, eager and in bfloat16: as many processes as trials, against one after another.

    Both pay for starting; the steps are many enough for that to be small.
    """
    rates = []
    text = SWEEP.format(steps=steps)
    for executor, workers in (("processes", WORKERS), ("local", 1)):
        with tempfile.TemporaryDirectory() as folder:
            recipe = parse_recipe(text, source="benchmark")
            run, trials = prepare_run(recipe, text, out=Path(folder) / "run", folder=Path(folder))
            started = time.perf_counter()
            run_trials(
                run,
                trials,
                executor=executor,  # type: ignore[arg-type]
                num_workers=workers,
                device="cuda",
                listen=lambda event: None,
            )
            seconds = time.perf_counter() - started
            rates.append(sum(trial.record().units for trial in run.trials()) / seconds)  # type: ignore[union-attr]
    return row(PACKED, ours=rates[0], baseline=rates[1], unit="tokens/s", target=">= 5")


def utilisation(name: str, params: str, batch_size: int, compiled: bool, *, steps: int = 60) -> dict[str, Any]:
    """Model FLOP/s of training in bfloat16 over the rate of a plain product."""
    depth = {"10M": 8, "100M": 12}[params]
    (shape,) = match_shapes(family="gpt", params=params, depths=[depth], rule="nearest", **{**SIZES, "head_dim": 64})
    rate = tokens_per_second(shape, batch_size, steps=steps, compiled=compiled)
    return row(
        f"{name} {shape.depth}x{shape.width}: model FLOP/s over 8192^3 bfloat16 GEMM",
        ours=rate * shape.flops_per_token / 1e12,
        baseline=gemm_flops_per_second() / 1e12,
        unit="TFLOP/s",
    )


def tokens_per_second(shape: Shape, batch_size: int, *, steps: int, compiled: bool) -> float:
    """The package's own loop, its first third left out."""
    assert isinstance(shape, GPTShape)
    task = TextTask(open_corpus(), context=shape.context, device="cuda")
    times: list[float] = []

    def note(state: TrainState) -> None:
        torch.cuda.synchronize()
        times.append(time.perf_counter())

    settings = TrainSettings(
        steps=steps,
        batch_size=batch_size,
        learning_rate=1e-3,
        evaluations=1,
        evaluation_samples=1,
        test_samples=1,
        precision="bfloat16",
    )
    train(build_model(shape, device="cuda"), task, settings, report=note, compiled=compiled)
    counted = steps - 1 - steps // 3  # the last step holds the evaluation
    return counted * batch_size * shape.context / (times[-2] - times[steps // 3 - 1])


def gemm_flops_per_second(size: int = 8192, repeats: int = 20) -> float:
    """What the device multiplies in bfloat16."""
    a, b = (torch.randn(size, size, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    a @ b
    torch.cuda.synchronize()
    started = time.perf_counter()
    for _ in range(repeats):
        a @ b
    torch.cuda.synchronize()
    return repeats * 2 * size**3 / (time.perf_counter() - started)
