"""Slices of a batch on several processes: loss and gradient of the whole batch, for every kind of task."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, distributed, multiprocessing, nn

from interlaw.training import SlicedTask

INPUTS = torch.linspace(-1, 1, 35).view(7, 5)
TARGETS = torch.linspace(2, 3, 7).view(7, 1)


class Regression:
    unit = "sample"
    units_per_sample = 1

    def batch(self, *, seed: int, step: int, size: int) -> tuple[Tensor, Tensor]:
        return INPUTS[:size].roll(step, 0), TARGETS[:size]

    def evaluation(self, split: str, *, num_samples: int, batch_size: int) -> Any:
        return iter([(INPUTS, TARGETS), (INPUTS[:1], TARGETS[:1])])

    def probes(self, *, num_samples: int, with_targets: bool) -> Tensor:
        return INPUTS

    def loss(self, model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        return (model(batch[0]) - batch[1]).square().mean()

    def figures(self, loss: float) -> dict[str, float]:
        return {"half": loss / 2}


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 4), nn.GELU(), nn.Linear(4, 1)).double()


def one_process(rank: int, world: int, port: int, folder: str) -> None:
    distributed.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=world)
    torch.set_num_threads(1)
    model = network()
    task = SlicedTask(Doubled(), model)
    found: list[tuple[float, list[Tensor]]] = []
    for size in (7, 4, 1):  # slices of unequal size, equal ones, and one empty
        model.zero_grad()
        loss = task.loss(model, task.batch(seed=0, step=size, size=size))
        loss.backward()
        found.append((float(loss.detach()), [p.grad.clone() for p in model.parameters()]))
    with torch.no_grad():
        held_out = [float(task.loss(model, b)) for b in task.evaluation("test", num_samples=8, batch_size=7)]
    try:
        SlicedTask(Doubled(), model).batch(seed=0, step=rank, size=4)
        complaint = ""
    except RuntimeError as error:
        complaint = str(error)
    torch.save((found, held_out, complaint), f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


class Doubled(Regression):
    def batch(self, *, seed: int, step: int, size: int) -> tuple[Tensor, Tensor]:
        inputs, targets = super().batch(seed=seed, step=step, size=size)
        return inputs.double(), targets.double()

    def evaluation(self, split: str, *, num_samples: int, batch_size: int) -> Any:
        return ((i.double(), t.double()) for i, t in super().evaluation(split, num_samples=8, batch_size=7))


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.mark.slow  # starts two processes that import torch
def test_two_processes_have_the_loss_and_gradient_of_one(tmp_path: Path) -> None:
    multiprocessing.spawn(one_process, args=(2, free_port(), str(tmp_path)), nprocs=2)
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    model, task = network(), Doubled()
    for (loss, gradients), (other, others), size in zip(first[0], second[0], (7, 4, 1), strict=True):
        model.zero_grad()
        expected = task.loss(model, task.batch(seed=0, step=size, size=size))
        expected.backward()
        assert loss == other == pytest.approx(float(expected.detach()), rel=1e-12)
        for mine, theirs, parameter in zip(gradients, others, model.parameters(), strict=True):
            assert torch.equal(mine, theirs)
            assert parameter.grad is not None
            torch.testing.assert_close(mine, parameter.grad, rtol=1e-10, atol=1e-12)
    with torch.no_grad():
        expected_losses = [float(task.loss(model, b)) for b in task.evaluation("test", num_samples=8, batch_size=7)]
    assert first[1] == second[1] == pytest.approx(expected_losses, rel=1e-12)
    assert "expected the processes of a trial to begin at one step, found [0, 1]" in first[2]
