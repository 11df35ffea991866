"""Training against plain loops and transformers' Trainer, beside what evaluating, measuring and sweeping add to it.

On one thread and in processor time, which other programs of the machine change little; the sweep alone is in wall time.
"""

from __future__ import annotations

import math
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from benchmarks.clock import one_thread, processor_seconds
from benchmarks.row import Row
from interlaw.interaction import measure
from interlaw.machine import num_cores
from interlaw.models import GPT, build_model
from interlaw.runs import MeasureSpec
from interlaw.shapes import CHINCHILLA_TOKENS_PER_PARAM, GPTShape, match_shapes
from interlaw.sweep import MeasurePart, Recipe, TrainingPart, packaged_recipe, parse_recipe, prepare_run, run_trials
from interlaw.tasks import TextTask, open_corpus
from interlaw.training import TrainSettings, TrainState, evaluate, footprint, train

ROUNDS = 3  # in turn, so that a slow minute of the machine meets both; the median counts
WARM_UP = 1  # steps that allocate
SMALL_STEPS, STEPS = 40, 5  # of a GPT 5x120 one step takes seconds
TRAINER_STEPS = 10  # more: its start counts
LONG_SECONDS = 5.0  # what takes so long is not timed twice
MOST_TIMED = 64  # samples that are judged or measured; the time of more is in proportion
RATE = 1e-3  # it does not change the time
# as small as the published byte models, with their heads; and one whose products suit the processor
WIDE = GPTShape(depth=5, width=120, vocab_size=256, context=256, head_dim=4)
SQUARE = GPTShape(depth=5, width=128, vocab_size=256, context=256, head_dim=32)
BATCH = 16  # of both, as in recipe gpt-budgets-tiny
# a shape of the packaged recipe fair.toml, with its batch, and its 10 tokens for each of 25,000 parameters
FAIR = GPTShape(depth=8, width=16, vocab_size=256, context=64, head_dim=4)
FAIR_BATCH, FAIR_TOKENS = 4, 10 * 25_000
PLAIN = TrainingPart(learning_rate=RATE, tokens_per_param=CHINCHILLA_TOKENS_PER_PARAM)
SWEEP = """
name = "orchestration"
depths = [2, 4]
seeds = {seeds}
[shape]
context = 64
head_dim = 8
[budget]
amounts = ["60k"]
[training]
learning_rate = 1e-3
steps = 400
"""


def explicit_attention(attention: nn.Module, x: Tensor, keep: int) -> Tensor:
    """Scores, mask, softmax and sum written out, as a textbook has them; all positions are kept."""
    batch, time_, width = x.shape
    assert keep == time_
    head_dim = attention.head_dim
    query, key, value = (
        part.view(batch, time_, -1, head_dim).transpose(1, 2) for part in attention.qkv(x).split(width, dim=2)
    )
    scores = query @ key.transpose(-2, -1) / math.sqrt(head_dim)
    mask = torch.triu(torch.ones(time_, time_, dtype=torch.bool), diagonal=1)
    mixed = scores.masked_fill(mask, -math.inf).softmax(dim=-1) @ value
    return attention.out(mixed.transpose(1, 2).reshape(batch, time_, width))


class Windows(Dataset[tuple[Tensor, Tensor]]):
    """Every window of a corpus held as int64 in memory."""

    def __init__(self, tokens: np.ndarray, context: int) -> None:
        self.tokens = torch.from_numpy(tokens.astype(np.int64))
        self.context = context

    def __len__(self) -> int:
        return len(self.tokens) - self.context

    def __getitem__(self, place: int) -> tuple[Tensor, Tensor]:
        window = self.tokens[place : place + self.context + 1]
        return window[:-1], window[1:]


def plain_tokens_per_second(shape: GPTShape, task: TextTask, *, batch_size: int, steps: int) -> float:
    """The baseline: median over blocks of steps."""
    model = GPT(shape)
    for block in model.blocks:
        block.attention.forward = explicit_attention.__get__(block.attention)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, fused=False, foreach=False)
    loader = iter(DataLoader(Windows(task.corpus.tokens("train"), shape.context), batch_size=batch_size, shuffle=True))
    for step in range(WARM_UP + steps):
        if step == WARM_UP:
            started = time.process_time()
        inputs, targets = next(loader)
        loss = F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        loss.item()
    return steps * batch_size * shape.context / (time.process_time() - started)


def our_tokens_per_second(shape: GPTShape, task: TextTask, *, batch_size: int, steps: int = STEPS) -> float:
    """The package's own loop; its final test is left out, as the baseline has none."""
    times: list[float] = []

    def note(state: TrainState) -> None:
        times.append(time.process_time())

    settings = TrainSettings(
        steps=WARM_UP + steps + 1,
        batch_size=batch_size,
        learning_rate=RATE,
        evaluations=1,
        evaluation_samples=1,
        test_samples=1,
    )
    train(build_model(shape), task, settings=settings, report=note)
    return steps * batch_size * shape.context / (times[WARM_UP + steps - 1] - times[WARM_UP - 1])


def compare(name: str, shape: GPTShape, *, batch_size: int, target: str, steps: int = STEPS) -> Row:
    """Both in turn, several times; the median of the ratios."""
    task = TextTask(open_corpus(), context=shape.context)
    how = {"batch_size": batch_size, "steps": steps}
    pairs = [
        (our_tokens_per_second(shape, task, **how), plain_tokens_per_second(shape, task, **how)) for _ in range(ROUNDS)
    ]
    return of_pairs(name, pairs, unit="tokens/s", target=target)


def of_pairs(name: str, pairs: list[tuple[float, float]], *, unit: str, target: str) -> Row:
    """The medians of what was measured in turn, and of the ratios within each turn."""
    ours, baseline = (statistics.median(each) for each in zip(*pairs, strict=True))
    ratio = statistics.median(mine / other for mine, other in pairs)
    return Row(name=name, unit=unit, ours=ours, baseline=baseline, ratio=ratio, target=target)


def quickstart_recipe() -> Recipe:
    """The embedded default."""
    return parse_recipe(packaged_recipe("quickstart.toml"), source="quickstart")


def largest_of_quickstart() -> tuple[GPTShape, int]:
    """The quickstart's shape with the most parameters and its batch size."""
    recipe = quickstart_recipe()
    shapes = match_shapes(
        params=max(recipe.budget.amounts), depths=recipe.depths, rule=recipe.budget.rule, **recipe.shape
    )
    largest = max(shapes, key=lambda shape: shape.params)
    assert isinstance(largest, GPTShape)
    return largest, recipe.training.batch_size


def gemm_flops_per_second(size: int = 2048, products: int = 20) -> float:
    """What one thread multiplies in float32, over a stretch of products as training is over its steps."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    torch.mm(a, b)
    started = time.process_time()
    for _ in range(products):
        torch.mm(a, b)
    return products * 2 * size**3 / (time.process_time() - started)


def utilisation(shape: GPTShape, batch_size: int, *, target: str) -> Row:
    """Model FLOP/s of training over the rate of a plain product, measured in turn."""
    task = TextTask(open_corpus(), context=shape.context)
    giga_flops = shape.flops_per_token / 1e9  # a token
    pairs = [
        (our_tokens_per_second(shape, task, batch_size=batch_size) * giga_flops, gemm_flops_per_second() / 1e9)
        for _ in range(ROUNDS)
    ]
    name = f"training, GPT {shape.depth}x{shape.width}, head_dim {shape.head_dim}: model FLOP/s over 2048^3 GEMM"
    return of_pairs(name, pairs, unit="GFLOP/s", target=target)


def trainer_seconds(shape: GPTShape, task: TextTask, *, batch_size: int, steps: int) -> float:
    """GPT2LMHeadModel of the same sizes through transformers' own Trainer, from nothing to the last step."""
    from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments

    class Labelled(Windows):
        def __getitem__(self, place: int) -> dict[str, Tensor]:  # type: ignore[override]
            window = self.tokens[place : place + self.context]
            return {"input_ids": window, "labels": window}

    with tempfile.TemporaryDirectory() as folder:
        started = time.process_time()
        config = GPT2Config(
            vocab_size=shape.vocab_size,
            n_positions=shape.context,
            n_embd=shape.width,
            n_layer=shape.depth,
            n_head=shape.num_heads,
            tie_word_embeddings=shape.tied,
            resid_pdrop=0.0,  # ours has no dropout
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            bos_token_id=None,
            eos_token_id=None,
        )
        arguments = TrainingArguments(
            output_dir=folder,
            max_steps=steps,
            per_device_train_batch_size=batch_size,
            learning_rate=RATE,
            lr_scheduler_type="cosine",
            logging_strategy="no",
            save_strategy="no",
            report_to=[],
            use_cpu=True,
            disable_tqdm=True,
        )
        data = Labelled(task.corpus.tokens("train"), shape.context)
        Trainer(model=GPT2LMHeadModel(config), args=arguments, train_dataset=data).train()
        return time.process_time() - started


def our_seconds(shape: GPTShape, task: TextTask, *, batch_size: int, steps: int) -> float:
    """The same steps through the package's loop, from nothing to the last step."""
    settings = TrainSettings(
        steps=steps, batch_size=batch_size, learning_rate=RATE, evaluations=1, evaluation_samples=1, test_samples=1
    )
    return processor_seconds(lambda: train(build_model(shape), task, settings=settings))


def against_trainer(shape: GPTShape, batch_size: int, *, target: str) -> Row:
    """Both in turn; the first pair loads what the library needs and is left out."""
    name = f"training, GPT {shape.depth}x{shape.width}, against transformers' GPT-2 and Trainer"
    if find_spec("accelerate") is None:  # the Trainer asks for it
        return Row(name=f"{name} (skipped: accelerate is not installed)", unit="", target=target)
    task = TextTask(open_corpus(), context=shape.context)
    how = {"batch_size": batch_size, "steps": TRAINER_STEPS}
    pairs = [(our_seconds(shape, task, **how), trainer_seconds(shape, task, **how)) for _ in range(ROUNDS)][1:]
    tokens = TRAINER_STEPS * batch_size * shape.context
    rates = [(tokens / ours, tokens / theirs) for ours, theirs in pairs]
    return of_pairs(name, rates, unit="tokens/s", target=target)


def timed(work: Callable[[], object]) -> float:
    """Processor seconds of the better of two runs; of one that takes long."""
    first = processor_seconds(work)
    return first if first >= LONG_SECONDS else min(first, processor_seconds(work))


def side_costs(
    name: str, shape: GPTShape, *, batch_size: int, tokens: float, part: TrainingPart, steps: int = SMALL_STEPS
) -> list[Row]:
    """Evaluating and measuring against training alone, for a trial of so many tokens: each piece timed by itself.

    The samples are those that a recipe gets which does not name their number.
    """
    task = TextTask(open_corpus(), context=shape.context)
    model = build_model(shape)
    training = tokens / our_tokens_per_second(shape, task, batch_size=batch_size, steps=steps)
    trained_samples = round(tokens / shape.context)
    settings = TrainSettings(steps=1, batch_size=batch_size, learning_rate=RATE)
    at_once = footprint(model, task, settings=settings).evaluation_batch(batch_size)

    def judge(split: str, samples: int) -> float:
        few = min(samples, MOST_TIMED)
        return samples / few * timed(lambda: evaluate(model, task, split=split, num_samples=few, batch_size=at_once))

    def look(view: MeasureSpec) -> float:
        few = min(view.samples, MOST_TIMED)
        inputs = task.probes(num_samples=few, with_targets=view.view == "loss")
        return view.samples / few * timed(lambda: measure(model, inputs, view=view.view))

    judged = part.settings(steps=trained_samples // part.batch_size, learning_rate=RATE)
    evaluating = part.evaluations * judge("validation", judged.evaluation_samples) + judge("test", judged.test_samples)
    measuring = sum(look(view) for view in MeasurePart().specs(trained_samples=trained_samples))
    return [
        Row(name=f"{what} a trial, {name}", unit="s", ours=seconds, baseline=training, target=target)
        for what, seconds, target in (("evaluating", evaluating, "< 0.03"), ("measuring", measuring, "< 0.05"))
    ]


def orchestration() -> list[Row]:
    """Wall time of a sweep of 12 trials on all cores, against its trials' own time by workers, and their training."""
    workers = num_cores()
    text = SWEEP.format(seeds=list(range(6)))
    with tempfile.TemporaryDirectory() as folder:
        recipe = parse_recipe(text, source="benchmark")
        run, trials = prepare_run(recipe, text, out=Path(folder) / "run", folder=Path(folder))
        started = time.perf_counter()
        run_trials(run, trials, num_workers=workers, listen=lambda event: None)
        wall = time.perf_counter() - started
        records = [run.trial(trial.key).record() for trial in trials]
        training = sum(record.seconds for record in records if record)
        busy = training + sum(record.measure_seconds for record in records if record)
    name = f"a sweep of {len(trials)} trials, {workers} workers: wall time over "
    return [
        Row(name=name + what, unit="s", ours=wall, baseline=base, target=target)
        for what, base, target in (
            ("its trials' own by workers", busy / workers, "near 1"),
            ("the sum of its trials' training", training, f"near {1 / workers:.2g}"),
        )
    ]


def run() -> Iterator[Row]:
    """Training speed against plain loops and what is not training, on one thread; then the sweep around it."""
    with one_thread():
        yield from _on_one_thread()
    yield from orchestration()


def _on_one_thread() -> Iterator[Row]:
    largest, batch_size = largest_of_quickstart()
    quickstart = quickstart_recipe().training
    name = f"training, quickstart's largest GPT {largest.depth}x{largest.width}"
    yield compare(name, largest, batch_size=batch_size, target="-", steps=SMALL_STEPS)
    label = "training, GPT 5x120, context 256, batch 16, head_dim 4"
    yield compare(label, WIDE, batch_size=BATCH, target=">= 3.5")
    yield utilisation(SQUARE, BATCH, target=">= 0.5, aim 0.65")
    yield against_trainer(SQUARE, BATCH, target=">= 1.3")
    tokens = largest.params * (quickstart.tokens_per_param or 0)
    yield from side_costs("quickstart", largest, batch_size=batch_size, tokens=tokens, part=quickstart)
    label = "GPT 5x120, 20 tokens a parameter"
    yield from side_costs(
        label, WIDE, batch_size=BATCH, tokens=CHINCHILLA_TOKENS_PER_PARAM * WIDE.params, part=PLAIN, steps=STEPS
    )
    yield from side_costs("GPT 8x16 of the fair sweep", FAIR, batch_size=FAIR_BATCH, tokens=FAIR_TOKENS, part=PLAIN)
