"""One accelerator: small networks by the dozen, shares of its measured bfloat16 product, a whole sweep, a measurement.

Every row is a function of a device and of sizes, so that a processor can run it small. Without an accelerator each row
is there by name, with no figures. All of them take at most five minutes.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch
from torch import nn

from benchmarks.row import Row
from interlaw.interaction import measure
from interlaw.models import build_model
from interlaw.shapes import GPTShape, make_shape, match_shapes
from interlaw.size import parse_size
from interlaw.sweep import parse_recipe, prepare_run, run_trials
from interlaw.tasks import TextTask, open_corpus
from interlaw.training import Precision, Replica, TrainSettings, TrainState, train, train_together

SWEEP = """
name = "packed"
depths = "{depths}"
seeds = {seeds}
[shape]
context = {context}
head_dim = {head_dim}
[budget]
amounts = ["{params}"]
[training]
learning_rate = {rate}
batch_size = {batch_size}
steps = {steps}
precision = "{precision}"
evaluations = 1
evaluation_samples = 1
test_samples = 1
[measure]
views = []
"""
# the published sweep (recipe gpt-budgets-paper) up to 3M: 12 depths a budget
BYTES_A_PARAMETER, DEPTHS_A_BUDGET = 90, 12
BUDGETS = ("300k", "600k", "1M", "1.3M", "1.6M", "2M", "2.3M", "2.7M", "3M")
RATE = 1e-3  # it does not change the time
SEEDS = 3  # of each shape: the fewest that show how much they differ
BATCH = 32  # sequences of the small networks, as in recipe gpt-depth-paper
WARM_UP = 5  # steps of a plain loop that allocate
PLAIN_PART = 8  # sequences of the Llama that a plain pass takes at a time: half a gigabyte of logits
STACKED = f"steps of {SEEDS} seeds stacked in a graph, against plain eager ones"
NONE_AT_HAND = "skipped: no CUDA device"


def run(device: str = "cuda") -> Iterator[Row]:
    """All rows."""
    makers: dict[str, Callable[..., Row]] = {
        f"GPU: 12 shapes x {SEEDS} seeds of 1M together, against a plain eager loop": packed,
        **{f"GPU: a 1M GPT of depth {depth}, {STACKED}": partial(stacked, depth=depth) for depth in (2, 6, 12)},
        "GPU: GPT of 10M, model FLOP/s over a bfloat16 product": partial(share, params="10M", depth=8, target=".35"),
        "GPU: GPT of 100M, model FLOP/s over a bfloat16 product": partial(share, params="100M", depth=12, target=".5"),
        "GPU: the byte sweep of 0.3M to 3M, 12 depths, 90 bytes a parameter": byte_sweep,
        "GPU: measuring a 125M Llama, loss view, against forward + backward": measured,
    }
    for name, make in makers.items():
        if torch.cuda.is_available():
            yield make(device, name=name)
        else:
            yield Row(name=f"{name} ({NONE_AT_HAND})", unit="", target="-")


def packed(
    device: str,
    *,
    name: str,
    params: str = "1M",
    depths: str = "1-12",
    context: int = 256,
    head_dim: int = 32,
    steps: int = 1000,
    plain_steps: int = 60,
) -> Row:
    """Tokens a second of a sweep, starts included, and of a plain loop over its shapes, one after another."""
    text = SWEEP.format(
        params=params,
        depths=depths,
        seeds=list(range(SEEDS)),
        context=context,
        head_dim=head_dim,
        rate=RATE,
        batch_size=BATCH,
        steps=steps,
        precision="bfloat16",
    )
    with tempfile.TemporaryDirectory() as folder:
        recipe = parse_recipe(text, source="benchmark")
        planned, trials = prepare_run(recipe, text, out=Path(folder) / "run", folder=Path(folder))
        started = time.perf_counter()
        run_trials(planned, trials, executor="processes", device=device, listen=lambda event: None)
        together = sum(trial.record().units for trial in planned.trials()) / (time.perf_counter() - started)  # type: ignore[union-attr]
    shapes = {trial.make_shape().depth: trial.make_shape() for trial in trials}
    seconds = sum(plain_seconds(shape, device, steps=plain_steps) for shape in shapes.values())  # type: ignore[arg-type]
    plain = len(shapes) * plain_steps * BATCH * context / seconds
    return Row(name=name, unit="tokens/s", ours=together, baseline=plain, target=">= 10")


def plain_seconds(shape: GPTShape, device: str, *, steps: int, batch_size: int = BATCH) -> float:
    """An eager loop as one writes it: it reads every loss; the first steps are not counted."""
    task = TextTask(open_corpus(), context=shape.context, device=device)
    model = build_model(shape, device=device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    started = time.perf_counter()
    for step in range(-WARM_UP, steps):
        if step == 0:
            started = time.perf_counter()
        optimizer.zero_grad()
        with torch.autocast(torch.device(device).type, dtype=torch.bfloat16):
            loss = task.loss(model, task.batch(seed=0, step=step + WARM_UP, size=batch_size))
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        loss.item()
    return time.perf_counter() - started


def stacked(
    device: str,
    *,
    name: str,
    depth: int,
    params: str = "1M",
    context: int = 256,
    head_dim: int = 32,
    batch_size: int = BATCH,
    steps: int = 300,
    plain_steps: int = 20,
) -> Row:
    """Milliseconds of a step of one network: of three that differ in seed, together; and of one in a plain loop."""
    (shape,) = match_shapes(
        family="gpt", params=parse_size(params), depths=[depth], rule="nearest", context=context, head_dim=head_dim
    )
    task = TextTask(open_corpus(), context=context, device=device)
    pace = Pace(steps)
    settings = settings_of(steps=steps, batch_size=batch_size, precision="bfloat16")
    train_together(
        [
            Replica(
                model=build_model(shape, seed=seed, device=device),
                settings=settings.model_copy(update={"seed": seed}),
                report=None if seed else pace.note,
            )
            for seed in range(SEEDS)
        ],
        task,
    )
    plain = plain_seconds(shape, device, steps=plain_steps, batch_size=batch_size) / plain_steps  # type: ignore[arg-type]
    ours = pace.seconds / SEEDS
    return Row(name=name, unit="ms", ours=1e3 * ours, baseline=1e3 * plain, ratio=plain / ours, target="-")


class Pace:
    """Seconds of a step, between the first reading after a third of the steps and the last one."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._readings: list[tuple[int, float]] = []

    def note(self, state: TrainState) -> None:
        """Takes a reading."""
        self._readings.append((state.step, time.perf_counter()))

    @property
    def seconds(self) -> float:
        """Of one step."""
        begun = next(reading for reading in self._readings if reading[0] >= self._steps // 3)
        return (self._readings[-1][1] - begun[1]) / (self._readings[-1][0] - begun[0])


def settings_of(*, steps: int, batch_size: int, precision: Precision) -> TrainSettings:
    """Training with as little beside its steps as may be."""
    return TrainSettings(
        steps=steps,
        batch_size=batch_size,
        learning_rate=RATE,
        evaluations=3,
        evaluation_samples=1,
        test_samples=1,
        precision=precision,
    )


def share(
    device: str,
    *,
    name: str,
    params: str,
    depth: int,
    target: str,
    context: int = 256,
    head_dim: int = 64,
    batch_size: int = 64,
    steps: int = 60,
    size: int = 8192,
    compiled: bool = True,
) -> Row:
    """Model FLOP/s of training in bfloat16, compiled, over the rate of a product of the given size."""
    (shape,) = match_shapes(
        family="gpt", params=parse_size(params), depths=[depth], rule="nearest", context=context, head_dim=head_dim
    )
    rate = tokens_per_second(shape, device, batch_size=batch_size, steps=steps, compiled=compiled)  # type: ignore[arg-type]
    return Row(
        name=name,
        unit="TFLOP/s",
        ours=rate * shape.flops_per_token / 1e12,
        baseline=product_flops_per_second(device, size=size) / 1e12,
        target=f">= {target}",
    )


def tokens_per_second(
    shape: GPTShape,
    device: str,
    *,
    batch_size: int,
    steps: int,
    precision: Precision = "bfloat16",
    compiled: bool = False,
) -> float:
    """Of the package's own loop."""
    task = TextTask(open_corpus(), context=shape.context, device=device)
    pace = Pace(steps)
    settings = settings_of(steps=steps, batch_size=batch_size, precision=precision)
    train(build_model(shape, device=device), task, settings=settings, report=pace.note, compiled=compiled)
    return batch_size * shape.context / pace.seconds


def product_flops_per_second(device: str, *, size: int, repeats: int = 20) -> float:
    """What the device multiplies in bfloat16."""
    a, b = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    a @ b
    wait_for(device)
    started = time.perf_counter()
    for _ in range(repeats):
        a @ b
    wait_for(device)
    return repeats * 2 * size**3 / (time.perf_counter() - started)


def byte_sweep(
    device: str,
    *,
    name: str,
    timed: tuple[str, ...] = ("300k", "1M", "3M"),
    depths: tuple[int, ...] = (1, 4, 12, 24),
    context: int = 256,
    head_dim: int = 4,
    batch_size: int = 64,
    steps: int = 150,
) -> Row:
    """Minutes of the whole sweep one trial at a time, foretold from a few steps of some of its shapes."""
    pace = {}
    for budget in map(parse_size, timed):
        shapes = match_shapes(family="gpt", params=budget, depths=list(depths), context=context, head_dim=head_dim)
        rates = [tokens_per_second(shape, device, batch_size=batch_size, steps=steps) for shape in shapes]  # type: ignore[arg-type]
        pace[budget] = sum(1 / rate for rate in rates) / len(rates)
    seconds = 0.0
    for budget in map(parse_size, BUDGETS):
        near = min(pace, key=lambda other: abs(math.log(other / budget)))
        seconds += DEPTHS_A_BUDGET * BYTES_A_PARAMETER * budget * pace[near]  # the next larger or smaller one's
    return Row(
        name=name, unit=f"minutes, foretold from {len(timed) * len(depths)} shapes", ours=seconds / 60, target="< 10"
    )


def measured(
    device: str,
    *,
    name: str,
    depth: int = 12,
    width: int = 768,
    vocab_size: int = 32_000,
    context: int = 512,
    samples: int = 64,
) -> Row:
    """Tokens a second of the loss view, intervals included, and of forward and backward over the same batches."""
    shape = make_shape(
        "hf:llama", depth=depth, width=width, head_dim=min(64, width), vocab_size=vocab_size, context=context
    )
    model = build_model(shape, device=device)
    ids = torch.randint(vocab_size, (samples, context + 1), generator=torch.Generator().manual_seed(0)).to(device)

    def plain() -> None:
        for part in ids.split(PLAIN_PART):
            nn.functional.cross_entropy(model(part[:, :-1]).flatten(0, 1), part[:, 1:].flatten()).backward()
        model.zero_grad()

    rates = []
    for work in (lambda: measure(model, ids, view="loss"), plain):
        work()
        wait_for(device)
        started = time.perf_counter()
        work()
        wait_for(device)
        rates.append(samples * context / (time.perf_counter() - started))
    return Row(name=name, unit="tokens/s", ours=rates[0], baseline=rates[1], target=">= .75")


def wait_for(device: str) -> None:
    """Until the device has done what it was given."""
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)
