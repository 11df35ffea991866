"""Memory: predicted before it is taken, batches cut to fit, and what running out looks like."""

from __future__ import annotations

import json
import subprocess
import sys
import weakref

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.training.test_loop import SETTINGS, SHAPE, RandomWalk
from torch import Tensor, nn

from interlaw.errors import InterlawError
from interlaw.models import build_model
from interlaw.training import Footprint, footprint, is_out_of_memory, require_room, usable_bytes

# Resident memory of a fresh process before and at the peak of a few steps, against the prediction.
MEASURED = """
import json, resource, sys, threading, time
from pathlib import Path
import torch
from interlaw.models import build_model
from interlaw.shapes import make_shape
from interlaw.tasks import TextTask, open_corpus
from interlaw.training import TrainSettings, footprint, train

family, sizes, batch_size, micro_batch, precision = json.loads(sys.argv[1])
torch.set_num_threads(1)
shape = make_shape(family, **sizes)
task = TextTask(open_corpus(), context=shape.context)
settings = dict(learning_rate=1e-3, evaluations=1, evaluation_samples=1, test_samples=1, precision=precision)
small = make_shape(family, **{**sizes, "width": 8, "depth": 1, "head_dim": 8, "d_ff": 16})
train(build_model(small), task, settings=TrainSettings(steps=1, batch_size=1, **settings))  # loads libraries
peak, stop = 0, False
page = resource.getpagesize()
resident = lambda: int(Path("/proc/self/statm").read_text().split()[1]) * page

def watch():
    global peak
    while not stop:
        peak = max(peak, resident())
        time.sleep(0.001)

before = resident()
model = build_model(shape)
wanted = TrainSettings(steps=2, batch_size=batch_size, **settings)
predicted = footprint(model, task, settings=wanted).peak_bytes(micro_batch)
thread = threading.Thread(target=watch)
thread.start()
train(model, task, settings=wanted, micro_batch=micro_batch)
stop = True
thread.join()
print(json.dumps([predicted, peak - before]))
"""
WIDE = {"depth": 4, "width": 64, "context": 128, "head_dim": 16, "d_ff": 256, "vocab_size": 256}
FACTOR = 1.5
KEPT = 64 << 20  # bytes that the C library holds back between tensors of many sizes


@pytest.mark.parametrize(
    ("family", "sizes", "batch_size", "micro_batch", "precision"),
    [
        pytest.param("gpt", WIDE, 64, 64, "float32", marks=pytest.mark.slow(reason="a process of its own")),
        ("gpt", WIDE, 64, 16, "float32"),
        pytest.param("gpt", WIDE, 64, 64, "bfloat16", marks=pytest.mark.slow(reason="bfloat16 is slow on most CPUs")),
        pytest.param("hf:llama", WIDE, 64, 64, "float32", marks=pytest.mark.slow(reason="loads transformers anew")),
    ],
)
def test_the_peak_is_predicted(
    family: str, sizes: dict[str, int], batch_size: int, micro_batch: int, precision: str
) -> None:
    arguments = json.dumps([family, sizes, batch_size, micro_batch, precision])
    answer = subprocess.run(
        [sys.executable, "-c", MEASURED, arguments], capture_output=True, text=True, check=True, timeout=300
    )
    predicted, measured = json.loads(answer.stdout)
    assert (measured - KEPT) / FACTOR < predicted < measured * FACTOR, (predicted, measured)


def test_fixed_part_and_samples_are_told_apart() -> None:
    model = build_model(SHAPE)
    params = sum(parameter.numel() for parameter in model.parameters())
    found = footprint(model, RandomWalk(), settings=SETTINGS)
    assert found.fixed_bytes >= 16 * params
    assert found.fixed_bytes < 16 * params + found.sample_bytes
    one, ten = found.peak_bytes(1), found.peak_bytes(10)
    assert ten - one == 9 * found.sample_bytes
    # at the very least every layer keeps its two norms' inputs and the two hidden layers of its MLP
    assert found.sample_bytes > 4 * SHAPE.context * SHAPE.depth * (2 * SHAPE.width + 2 * 4 * SHAPE.width)


def test_predicting_changes_nothing() -> None:
    model, same = build_model(SHAPE), build_model(SHAPE)
    before = torch.random.get_rng_state()
    footprint(model, RandomWalk(), settings=SETTINGS)
    assert torch.equal(torch.random.get_rng_state(), before)
    for one, other in zip(model.parameters(), same.parameters(), strict=True):
        assert torch.equal(one, other)
        assert one.grad is None


@given(
    fixed=st.integers(0, 1000), sample=st.integers(1, 100), batch_size=st.integers(1, 300), limit=st.integers(0, 10_000)
)
def test_the_part_of_a_batch_fits_and_is_not_needlessly_small(
    fixed: int, sample: int, batch_size: int, limit: int
) -> None:
    needed = Footprint(fixed_bytes=fixed, sample_bytes=sample)
    if needed.peak_bytes(1) > limit:
        with pytest.raises(InterlawError, match=r"expected room for .* take fewer workers"):
            needed.micro_batch(batch_size=batch_size, limit_bytes=limit)
        return
    part = needed.micro_batch(batch_size=batch_size, limit_bytes=limit)
    assert 1 <= part <= batch_size
    assert needed.peak_bytes(part) <= limit
    if part < batch_size:  # one part fewer would not fit
        fewer = -(-batch_size // part) - 1
        assert needed.peak_bytes(-(-batch_size // fewer)) > limit


def test_weights_that_do_not_fit_are_refused_before_they_are_made() -> None:
    require_room(params=100, limit_bytes=1600)
    with pytest.raises(InterlawError, match=r"expected room for 1\.6k bytes"):
        require_room(params=100, limit_bytes=1599)


def test_free_memory_is_known() -> None:
    assert 2**20 < usable_bytes("cpu") < 2**50


def test_predicting_leaves_no_graph_behind() -> None:
    """Tanh saves its own output: a hook that gives it back would keep both for ever."""
    seen: list[weakref.ref[Tensor]] = []
    model = build_model(SHAPE)
    model.register_forward_hook(lambda _module, _inputs, output: seen.append(weakref.ref(output)))
    tanh = nn.Sequential(model, nn.Tanh())
    tanh[1].register_forward_hook(lambda _module, _inputs, output: seen.append(weakref.ref(output)))
    footprint(tanh, RandomWalk(), settings=SETTINGS)
    assert len(seen) == 4
    assert [reference() for reference in seen] == [None] * 4


def test_running_out_is_told_from_other_errors() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**55)
    assert is_out_of_memory(caught.value)
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert not is_out_of_memory(RuntimeError("shapes do not match"))
    assert not is_out_of_memory(InterlawError("not enough memory"))


@pytest.mark.gpu(reason="needs CUDA")
def test_the_peak_is_predicted_on_a_gpu() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    from interlaw.shapes import make_shape
    from interlaw.tasks import TextTask, open_corpus
    from interlaw.training import TrainSettings, train

    shape = make_shape("gpt", **{**WIDE, "width": 512, "d_ff": 2048, "head_dim": 64})
    task = TextTask(open_corpus(), context=shape.settings()["context"], device="cuda")
    for precision in ("float32", "bfloat16"):
        settings = TrainSettings(
            steps=2, batch_size=64, learning_rate=1e-3, evaluations=1, evaluation_samples=1, precision=precision
        )
        model = build_model(shape, device="cuda")
        predicted = footprint(model, task, settings=settings).peak_bytes(64)
        torch.cuda.reset_peak_memory_stats()
        train(model, task, settings=settings)
        measured = torch.cuda.max_memory_allocated()
        assert measured / FACTOR < predicted < measured * FACTOR, (precision, predicted, measured)
        del model


@given(samples=st.integers(1, 64), sample=st.integers(1, 10**6), forward=st.integers(1, 10**6))
def test_evaluation_takes_no_more_memory_than_training(samples: int, sample: int, forward: int) -> None:
    needed = Footprint(fixed_bytes=0, sample_bytes=sample + forward, forward_bytes=forward)
    at_once = needed.evaluation_batch(samples)
    assert at_once >= samples
    assert at_once * forward <= needed.peak_bytes(samples)
    assert at_once <= max(samples, 32)


def test_a_forward_pass_takes_less_than_a_step() -> None:
    needed = footprint(build_model(SHAPE), RandomWalk(), settings=SETTINGS)
    assert 0 < needed.forward_bytes < needed.sample_bytes
