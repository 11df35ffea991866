"""Patience and the divergence threshold, on a task whose losses are written down."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from interlaw.training import TrainSettings, train


class Scripted:
    """Training losses and validation losses as told, whatever the model does."""

    unit = "sample"
    units_per_sample = 1

    def __init__(self, *, training: list[float], validation: list[float]) -> None:
        self._training, self._validation = training, iter(validation)

    def batch(self, *, seed: int, step: int, size: int) -> tuple[Tensor, Tensor]:
        return torch.zeros(size), torch.full((size,), self._training[min(step, len(self._training) - 1)])

    def evaluation(self, split: str, *, num_samples: int, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        yield torch.zeros(1), torch.tensor([next(self._validation) if split == "validation" else 0.5])

    def probes(self, *, num_samples: int, with_targets: bool) -> Tensor:
        return torch.zeros(num_samples)

    def loss(self, model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        return batch[1].mean() + 0.0 * model.weight.sum()

    def figures(self, loss: float) -> dict[str, float]:
        return {}


def settings(**changes: float) -> TrainSettings:
    return TrainSettings(**{"steps": 8, "batch_size": 1, "learning_rate": 0.1, "evaluations": 8, **changes})


@pytest.mark.parametrize(
    ("patience", "stopped_at"),
    [(0, 8), (1, 3), (2, 4), (3, 8)],  # a new lowest at steps 1, 2 and 5
)
def test_training_stops_after_patience_without_a_new_lowest(patience: int, stopped_at: int) -> None:
    task = Scripted(training=[1.0], validation=[5.0, 4.0, 4.5, 4.2, 3.0, 3.0, 3.5, 3.6])
    result = train(nn.Linear(1, 1), task, settings=settings(patience=patience))
    assert result.status == "done"
    assert result.units == stopped_at
    assert len(result.curve) == stopped_at


@pytest.mark.parametrize(("blow_up", "status"), [(2.0, "diverged"), (60.0, "done")])
def test_a_batch_far_above_the_first_is_divergence_where_the_threshold_says_so(blow_up: float, status: str) -> None:
    task = Scripted(training=[1.0, 1.1, 50.0, 1.0], validation=[1.0] * 8)
    assert train(nn.Linear(1, 1), task, settings=settings(blow_up=blow_up)).status == status
