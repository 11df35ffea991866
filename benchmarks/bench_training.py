"""Training tokens per second against a plain loop: explicit attention, unfused AdamW, an int64 DataLoader."""

from __future__ import annotations

import math
import statistics
import time
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from interlaw.models import GPT, build_model
from interlaw.shapes import GPTShape, match_shapes
from interlaw.sweep import parse_recipe
from interlaw.tasks import TextTask, open_corpus
from interlaw.training import TrainSettings, TrainState, train

ROUNDS = 5
STEPS = 20
WARM_UP = 5


def explicit_attention(attention: nn.Module, x: Tensor) -> Tensor:
    """Scores, mask, softmax and sum written out, as a textbook has them."""
    batch, time_, width = x.shape
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


def plain_tokens_per_second(shape: GPTShape, task: TextTask, batch_size: int) -> float:
    """The baseline: median over blocks of steps."""
    model = GPT(shape)
    for block in model.blocks:
        block.attention.forward = explicit_attention.__get__(block.attention)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=False, foreach=False)
    loader = iter(DataLoader(Windows(task.corpus.tokens("train"), shape.context), batch_size=batch_size, shuffle=True))
    for step in range(WARM_UP + STEPS):
        if step == WARM_UP:
            started = time.perf_counter()
        inputs, targets = next(loader)
        loss = F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        loss.item()
    return STEPS * batch_size * shape.context / (time.perf_counter() - started)


def our_tokens_per_second(shape: GPTShape, task: TextTask, batch_size: int) -> float:
    """The package's own loop; its final test is left out, as the baseline has none."""
    times: list[float] = []

    def note(state: TrainState) -> None:
        times.append(time.perf_counter())

    settings = TrainSettings(
        steps=WARM_UP + STEPS + 1,
        batch_size=batch_size,
        learning_rate=1e-3,
        evaluations=1,
        evaluation_samples=1,
        test_samples=1,
    )
    train(build_model(shape), task, settings, report=note)
    return STEPS * batch_size * shape.context / (times[WARM_UP + STEPS - 1] - times[WARM_UP - 1])


def compare(name: str, shape: GPTShape, batch_size: int, target: str) -> dict[str, Any]:
    """Both in turn, several times; the median of the ratios."""
    task = TextTask(open_corpus(), context=shape.context)
    pairs = [
        (our_tokens_per_second(shape, task, batch_size), plain_tokens_per_second(shape, task, batch_size))
        for _ in range(ROUNDS)
    ]
    return {
        "name": name,
        "unit": "tokens/s",
        "ours": statistics.median(ours for ours, _ in pairs),
        "baseline": statistics.median(plain for _, plain in pairs),
        "ratio": statistics.median(ours / plain for ours, plain in pairs),
        "target": target,
    }


def largest_of_quickstart() -> tuple[GPTShape, int]:
    """The quickstart's shape with the most parameters and its batch size."""
    from importlib import resources

    recipe = parse_recipe((resources.files("interlaw") / "recipes/quickstart.toml").read_text(), source="quickstart")
    shapes = match_shapes(
        params=max(recipe.budget.amounts), depths=recipe.depths, rule=recipe.budget.rule, **recipe.shape
    )
    largest = max(shapes, key=lambda shape: shape.params)
    assert isinstance(largest, GPTShape)
    return largest, recipe.training.batch_size


def run() -> list[dict[str, Any]]:
    """Training speed against the plain loop."""
    largest, batch_size = largest_of_quickstart()
    wide = GPTShape(depth=5, width=120, vocab_size=256, context=256, head_dim=4)
    return [
        compare(f"training, quickstart's largest GPT {largest.depth}x{largest.width}", largest, batch_size, "-"),
        compare("training, GPT 5x120, context 256, batch 16, head_dim 4", wide, 16, ">= 3.5"),
    ]
