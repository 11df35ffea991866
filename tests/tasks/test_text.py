"""Batches, held-out windows and probes: pure functions of their arguments, and without overlap where they judge."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from interlaw.errors import InterlawError
from interlaw.tasks import Corpus, TextTask

CONTEXT = 7


def counting_corpus(folder: Path, *, train: int = 1000, validation: int = 95, test: int = 64) -> Corpus:
    """Tokens that are their own places, so that a window tells where it comes from."""
    sizes = {"train": train, "validation": validation, "test": test}
    for split, size in sizes.items():
        np.arange(size, dtype=np.uint16).tofile(folder / f"{split}.bin")
    return Corpus(
        source="counting",
        tokenizer="none",
        digest="0",
        vocab_size=1000,
        num_tokens=sizes,
        num_bytes={split: 4 * size for split, size in sizes.items()},
        num_documents=1,
        folder=folder,
    )


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> TextTask:
    return TextTask(counting_corpus(tmp_path_factory.mktemp("counting")), context=CONTEXT)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**64 - 1), step=st.integers(0, 2**40), size=st.integers(1, 30))
def test_batches_are_windows_and_their_next_tokens(task: TextTask, seed: int, step: int, size: int) -> None:
    inputs, targets = task.batch(seed=seed, step=step, size=size)
    assert inputs.shape == targets.shape == (size, CONTEXT)
    assert inputs.dtype == torch.int64
    assert torch.equal(inputs, inputs[:, :1] + torch.arange(CONTEXT))
    assert torch.equal(targets, inputs + 1)
    assert int(targets.max()) < 1000


def test_batches_are_a_function_of_seed_and_step(task: TextTask) -> None:
    first = task.batch(seed=1, step=2, size=8)[0]
    np.random.seed(0)
    torch.manual_seed(0)
    task.batch(seed=9, step=9, size=3)
    assert torch.equal(task.batch(seed=1, step=2, size=8)[0], first)
    assert not torch.equal(task.batch(seed=1, step=3, size=8)[0], first)
    assert not torch.equal(task.batch(seed=2, step=2, size=8)[0], first)
    assert not torch.equal(task.batch(seed=2, step=1, size=8)[0], first)


def test_every_window_of_the_train_split_is_drawn_alike(task: TextTask) -> None:
    """993 places, 100 draws each expected; a chi-square of 992 degrees of freedom has mean 992 and spread 44.5."""
    starts = torch.cat([task.batch(seed=0, step=step, size=993)[0][:, 0] for step in range(100)])
    counts = torch.bincount(starts, minlength=993).double()
    assert counts.shape == (993,)
    assert float(((counts - 100) ** 2 / 100).sum()) == pytest.approx(992, abs=4 * 44.5)


@settings(max_examples=60, deadline=None)
@given(num_samples=st.integers(1, 20), batch_size=st.integers(1, 20), split=st.sampled_from(["validation", "test"]))
def test_held_out_windows_are_spread_and_disjoint(
    task: TextTask, num_samples: int, batch_size: int, split: str
) -> None:
    batches = list(task.evaluation(split, num_samples=num_samples, batch_size=batch_size))
    inputs = torch.cat([batch[0] for batch in batches])
    targets = torch.cat([batch[1] for batch in batches])
    available = {"validation": 11, "test": 8}[split]  # 95 and 64 tokens, 8 a window with its target
    assert len(inputs) == min(num_samples, available)
    assert all(len(batch[0]) <= batch_size for batch in batches)
    tokens = torch.cat([inputs, targets[:, -1:]], 1).flatten()
    assert len(tokens.unique()) == len(tokens)
    assert torch.equal(targets, inputs + 1)
    gaps = inputs[1:, 0] - inputs[:-1, 0]
    if len(gaps):
        assert int(gaps.max() - gaps.min()) <= CONTEXT + 1


def test_probes_are_of_the_validation_split(task: TextTask) -> None:
    inputs = task.probes(num_samples=4, with_targets=False)
    longer = task.probes(num_samples=4, with_targets=True)
    assert inputs.shape == (4, CONTEXT)
    assert torch.equal(longer[:, :-1], inputs)
    assert torch.equal(longer[:, 1:], inputs + 1)
    assert int(longer.max()) < 95
    assert len(task.probes(num_samples=100, with_targets=False)) == 11


class Bigram(nn.Module):
    """Logits of the next token from the last one, as a table."""

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        self.table = nn.Parameter(table)

    def forward(self, ids: Tensor) -> Tensor:
        return self.table[ids]


def test_loss_is_the_mean_cross_entropy(task: TextTask) -> None:
    table = torch.randn(1000, 1000, generator=torch.Generator().manual_seed(0), dtype=torch.float64).float()
    batch = task.batch(seed=0, step=0, size=3)
    losses = []
    for inputs, targets in zip(*(part.tolist() for part in batch), strict=True):
        for now, following in zip(inputs, targets, strict=True):
            row = table[now].double().numpy()
            losses.append(np.log(np.exp(row).sum()) - row[following])
    assert task.loss(Bigram(table), batch).item() == pytest.approx(np.mean(losses), rel=1e-6)


def test_loss_is_taken_in_float32_at_least(task: TextTask) -> None:
    table = torch.zeros(1000, 1000, dtype=torch.bfloat16)
    loss = task.loss(Bigram(table), task.batch(seed=0, step=0, size=2))
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(math.log(1000), rel=1e-6)


def test_bits_per_byte(task: TextTask) -> None:
    assert task.figures(math.log(2)) == {"bits_per_byte": pytest.approx(0.25)}  # one bit a token, four bytes a token


def test_units(task: TextTask) -> None:
    assert (task.unit, task.units_per_sample) == ("token", CONTEXT)


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_a_split_shorter_than_a_window_is_refused(tmp_path: Path, split: str) -> None:
    TextTask(counting_corpus(tmp_path, **{split: CONTEXT + 1}), context=CONTEXT)
    with pytest.raises(
        InterlawError, match=rf"expected at least 8 tokens in the {split} split of counting .*, found 7;"
    ):
        TextTask(counting_corpus(tmp_path, **{split: CONTEXT}), context=CONTEXT)


def test_tokens_kept_on_the_device_give_the_same_batches(task: TextTask) -> None:
    resident = TextTask(task.corpus, context=CONTEXT)
    resident.keep_on_device()
    for one, other in zip(task.batch(seed=1, step=2, size=8), resident.batch(seed=1, step=2, size=8), strict=True):
        assert one.dtype == other.dtype == torch.int64
        assert torch.equal(one, other)
    probes = [each.probes(num_samples=5, with_targets=True) for each in (task, resident)]
    assert torch.equal(*probes)
