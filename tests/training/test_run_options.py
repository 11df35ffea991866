"""Cutting batches, bfloat16 and compilation: what they may change of a result, and what not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.training.test_loop import SETTINGS, SHAPE, RandomWalk

from interlaw.models import build_model
from interlaw.training import TrainResult, TrainSettings, train

ROOT = Path(__file__).parents[2]


def trained(settings: TrainSettings = SETTINGS, **options: Any) -> tuple[torch.nn.Module, TrainResult]:
    model = build_model(SHAPE, seed=settings.seed)
    return model, train(model, RandomWalk(), settings=settings, **options)


def curve(result: TrainResult) -> list[float]:
    return [row[name] for row in result.curve for name in ("train_loss", "val_loss")]


@pytest.mark.parametrize("micro_batch", [1, 2, 3, 4, 100])
def test_parts_of_a_batch_give_the_same_numbers(micro_batch: int) -> None:
    settings = SETTINGS.model_copy(update={"batch_size": 4})
    (whole, expected), (cut, found) = trained(settings), trained(settings, micro_batch=micro_batch)
    assert found.status == expected.status == "done"
    assert found.units == expected.units
    assert curve(found) == pytest.approx(curve(expected), rel=1e-4)  # float32 sums in another order, 12 steps
    assert found.loss == pytest.approx(expected.loss, rel=1e-4)
    for one, other in zip(whole.parameters(), cut.parameters(), strict=True):
        assert torch.allclose(one, other, atol=2e-4)
    if micro_batch >= 4:
        assert curve(found) == curve(expected)


@pytest.mark.parametrize("size", [1, 7, 64])
def test_held_out_batches_of_any_size_give_the_same_losses(size: int) -> None:
    (_, expected), (_, found) = trained(), trained(evaluation_batch=size)
    assert [row["train_loss"] for row in found.curve] == [row["train_loss"] for row in expected.curve]
    assert curve(found) == pytest.approx(curve(expected), rel=1e-6)
    assert found.loss == pytest.approx(expected.loss, rel=1e-6)
    assert 0 < found.evaluation_seconds < found.seconds


def test_a_step_of_parts_is_the_step_of_the_batch() -> None:
    """In double precision nothing hides: one step, parts of unequal size, the same gradient."""
    settings = SETTINGS.model_copy(update={"steps": 1, "batch_size": 5, "warmup_steps": 0, "evaluations": 1})
    found = []
    for micro_batch in (5, 2):
        model = build_model(SHAPE).double()
        train(model, RandomWalk(), settings=settings, micro_batch=micro_batch)
        found.append(torch.cat([parameter.detach().flatten() for parameter in model.parameters()]))
    assert torch.allclose(*found, atol=1e-9)  # Adam's first step divides a gradient by its own size


def test_bfloat16_is_near_and_not_the_same() -> None:
    (_, exact), (model, rounded) = trained(), trained(SETTINGS.model_copy(update={"precision": "bfloat16"}))
    assert rounded.loss == pytest.approx(exact.loss, rel=0.02)
    assert rounded.loss != exact.loss
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert curve(rounded) == curve(trained(SETTINGS.model_copy(update={"precision": "bfloat16"}))[1])


COMPILED = """
import json
from tests.training.test_run_options import curve, trained

model, found = trained(compiled=True)
print(json.dumps([found.loss, curve(found), [name for name, _ in model.named_parameters()]]))
"""


@pytest.mark.slow(reason="compiles C++")
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_a_compiled_run_gives_the_same_numbers(tmp_path: Path) -> None:
    """In a process without the tests' checks of tensors, which cannot be compiled."""
    done = subprocess.run(
        [sys.executable, "-c", COMPILED],
        env={**os.environ, "TORCHINDUCTOR_CACHE_DIR": str(tmp_path)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    loss, found, names = json.loads(done.stdout)
    _, plain = trained()
    assert found == pytest.approx(curve(plain), rel=1e-3)
    assert loss == pytest.approx(plain.loss, rel=1e-3)
    assert any(tmp_path.rglob("*.so"))  # the cache is kept where it was asked for
    assert names == [name for name, _ in build_model(SHAPE).named_parameters()]
