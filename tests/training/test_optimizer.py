"""AdamW, its schedule and clipping against a transcription in NumPy float64."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn

from interlaw.errors import InterlawError
from interlaw.training import TrainSettings, learning_rate_at, make_optimizer, train

A = np.array([[3.0, 1.0, 0.0], [1.0, 2.0, 0.5], [0.0, 0.5, 1.0]])


class Quadratic(nn.Module):
    """A matrix, which decays, and a vector, which does not."""

    def __init__(self) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.tensor([[1.0, -2.0, 3.0], [0.5, 1.0, -1.0]], dtype=torch.float64))
        self.vector = nn.Parameter(torch.tensor([2.0, -1.0, 0.5], dtype=torch.float64))


class QuadraticTask:
    """Loss 1e4 + sum of (w - c) A (w - c) / 2 over the rows w of both; c moves with the step."""

    unit = "sample"
    units_per_sample = 1

    def batch(self, *, seed: int, step: int, size: int) -> tuple[Tensor]:
        return (torch.full((size,), float((seed + step) % 5), dtype=torch.float64),)

    def evaluation(self, split: str, *, num_samples: int, batch_size: int) -> Iterator[tuple[Tensor]]:
        yield self.batch(seed=0, step=0, size=num_samples)

    def loss(self, model: nn.Module, batch: tuple[Tensor]) -> Tensor:
        quadratic = torch.from_numpy(A)
        rows = torch.cat([model.matrix, model.vector[None]]) - batch[0].mean()
        return 1e4 + torch.einsum("ij,jk,ik->", rows, quadratic, rows) / 2

    def probes(self, *, num_samples: int, with_targets: bool) -> Tensor:
        raise NotImplementedError

    def figures(self, loss: float) -> dict[str, float]:
        return {}


def transcription(settings: TrainSettings) -> NDArray[np.float64]:
    """The four rows after training; AdamW as in Loshchilov & Hutter 2017, algorithm 2."""
    weights = np.array([[1.0, -2.0, 3.0], [0.5, 1.0, -1.0], [2.0, -1.0, 0.5]])
    decay = np.array(
        [[settings.weight_decay], [settings.weight_decay], [settings.weight_decay * (settings.decays == "all")]]
    )
    first, second = np.zeros_like(weights), np.zeros_like(weights)
    for step in range(settings.steps):
        gradient = (weights - (settings.seed + step) % 5) @ A
        norm = math.sqrt((gradient**2).sum())
        if settings.clip:
            gradient = gradient * min(1.0, settings.clip / (norm + 1e-6))
        if step < settings.warmup_steps:
            rate = settings.learning_rate * (step + 1) / settings.warmup_steps
        else:
            past = (step - settings.warmup_steps) / (settings.steps - settings.warmup_steps)
            low = settings.learning_rate * settings.final_fraction
            rate = low + (settings.learning_rate - low) * (1 + math.cos(math.pi * past)) / 2
        first = settings.beta1 * first + (1 - settings.beta1) * gradient
        second = settings.beta2 * second + (1 - settings.beta2) * gradient**2
        mean, spread = first / (1 - settings.beta1 ** (step + 1)), second / (1 - settings.beta2 ** (step + 1))
        weights = weights - rate * decay * weights - rate * mean / (np.sqrt(spread) + 1e-8)
    return weights


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"clip": 0.0},
        {"clip": 0.1},
        {"weight_decay": 0.5},
        {"weight_decay": 0.5, "decays": "all"},
        {"weight_decay": 0.0, "final_fraction": 0.0},
        {"warmup_steps": 30},
        {"warmup_steps": 0, "beta1": 0.5, "beta2": 0.999, "seed": 3},
    ],
)
def test_trajectory_equals_the_transcription(changes: dict[str, Any]) -> None:
    settings = TrainSettings(**{"steps": 30, "batch_size": 2, "learning_rate": 0.1, "warmup_steps": 5, **changes})
    model = Quadratic()
    assert train(model, QuadraticTask(), settings=settings).status == "done"
    found = torch.cat([model.matrix, model.vector[None]]).detach().numpy()
    np.testing.assert_allclose(found, transcription(settings), rtol=1e-9, atol=1e-12)


def test_frozen_parameters_stay() -> None:
    model = Quadratic()
    model.vector.requires_grad_(False)
    before = model.vector.clone()
    train(model, QuadraticTask(), settings=TrainSettings(steps=3, batch_size=1, learning_rate=0.1))
    assert torch.equal(model.vector, before)
    groups = make_optimizer(model, TrainSettings(steps=1, batch_size=1, learning_rate=0.1)).param_groups
    assert [len(group["params"]) for group in groups] == [1]


@given(steps=st.integers(1, 500), fraction=st.floats(0, 1), share=st.floats(0, 1))
def test_schedule_rises_then_falls_between_its_ends(steps: int, fraction: float, share: float) -> None:
    warmup = round(share * steps)
    settings = TrainSettings(steps=steps, batch_size=1, learning_rate=2.0, warmup_steps=warmup, final_fraction=fraction)
    rates = [learning_rate_at(step, settings) for step in range(steps)]
    assert rates[:warmup] == sorted(rates[:warmup])
    assert rates[warmup:] == sorted(rates[warmup:], reverse=True)
    assert max(rates) == pytest.approx(2.0)
    assert all(rate > 0 for rate in rates[:warmup])
    assert all(rate >= 2.0 * fraction - 1e-12 for rate in rates[warmup:])
    assert learning_rate_at(steps, settings) == pytest.approx(2.0 * fraction if warmup < steps else 2.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 0}, "expected steps to be greater than or equal to 1, found 0"),
        ({"batch_size": 0}, "expected batch_size to be greater than or equal to 1, found 0"),
        ({"evaluations": 0}, "expected evaluations to be greater than or equal to 1, found 0"),
        ({"evaluation_samples": 0}, "expected evaluation_samples to be greater than or equal to 1, found 0"),
        ({"test_samples": -1}, "expected test_samples to be greater than or equal to 1, found -1"),
        ({"learning_rate": -1.0}, "expected learning_rate to be greater than or equal to 0, found -1.0"),
        ({"learning_rate": math.nan}, "expected learning_rate to be a finite number, found nan"),
        ({"learning_rate": math.inf}, "expected learning_rate to be a finite number, found inf"),
        ({"weight_decay": -0.1}, "expected weight_decay to be greater than or equal to 0, found -0.1"),
        ({"clip": math.inf}, "expected clip to be a finite number, found inf"),
        ({"warmup_steps": 11}, r"expected warmup_steps from 0 to steps \(10\), found 11; shorten it"),
        ({"warmup_steps": -1}, "expected warmup_steps to be greater than or equal to 0, found -1"),
        ({"final_fraction": 1.5}, "expected final_fraction to be less than or equal to 1, found 1.5"),
        ({"beta1": 1.0}, "expected beta1 to be less than 1, found 1.0"),
        ({"beta2": -0.5}, "expected beta2 to be greater than or equal to 0, found -0.5"),
        ({"patience": -1}, "expected patience to be greater than or equal to 0, found -1"),
        ({"blow_up": 1.0}, "expected blow_up to be greater than 1, found 1.0"),
        ({"seed": -1}, "expected seed to be greater than or equal to 0, found -1"),
        ({"seed": 2**64}, "expected seed to be less than 18446744073709551616, found 18446744073709551616"),
    ],
)
def test_settings_out_of_range_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InterlawError, match=message):
        TrainSettings(**{"steps": 10, "batch_size": 1, "learning_rate": 0.1, **changes})
