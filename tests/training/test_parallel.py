"""Batches and weights divided among processes: loss, gradient, training and checkpoints are those of one process."""

from __future__ import annotations

import math
import os
import shutil
import signal
import socket
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.training.stopping import Killed, killer
from torch import Tensor, distributed, multiprocessing, nn

from interlaw.models import build_model
from interlaw.shapes import GPTShape, GRUShape, make_shape
from interlaw.sweep.trial import is_lost_peer
from interlaw.training import SlicedTask, TrainSettings, train

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
    task = SlicedTask(Doubled(), network())
    model = task.network
    found: list[tuple[float, list[Tensor]]] = []
    for size in (7, 4, 1):  # slices of unequal size, equal ones, and one empty
        model.zero_grad()
        loss = task.loss(model, task.batch(seed=0, step=size, size=size))
        loss.backward()
        found.append((float(loss.detach()), [p.grad.full_tensor().clone() for p in model.parameters()]))
    with torch.no_grad():
        held_out = [float(task.loss(model, b)) for b in task.evaluation("test", num_samples=8, batch_size=7)]
    held_here = sum(parameter.to_local().numel() for parameter in model.parameters())
    try:
        SlicedTask(Doubled(), network()).batch(seed=0, step=rank, size=4)
        complaint = ""
    except RuntimeError as error:
        complaint = str(error)
    torch.save((found, held_out, complaint, held_here), f"{folder}/{rank}.pt")
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
    params = sum(parameter.numel() for parameter in model.parameters())
    assert first[3] + second[3] == params
    assert max(first[3], second[3]) < 0.7 * params
    assert "expected the processes of a trial to begin at one step, found [0, 1]" in first[2]


class Tokens(Regression):
    """The next byte, on sequences of eight."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def batch(self, *, seed: int, step: int, size: int) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(step)
        if self.kind == "gru":
            return torch.randn(size, 8, 3, generator=generator), torch.randn(size, 2, generator=generator)
        ids = torch.randint(0, 11, (size, 9), generator=generator)
        return ids[:, :-1], ids[:, 1:]

    def evaluation(self, split: str, *, num_samples: int, batch_size: int) -> Any:
        return iter([self.batch(seed=0, step=1000 + place, size=4) for place in range(2)])

    def loss(self, model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        found = model(batch[0])
        if self.kind == "gru":
            return (found - batch[1]).square().mean()
        return nn.functional.cross_entropy(found.flatten(0, 1), batch[1].flatten())


SHAPES = {
    "gpt": GPTShape(depth=2, width=12, head_dim=4, context=8, vocab_size=11),
    "tied": GPTShape(depth=2, width=12, head_dim=4, context=8, vocab_size=11, tied=True),
    "llama": make_shape("hf:llama", depth=2, width=16, head_dim=4, context=8, vocab_size=11),
    "gru": GRUShape(depth=2, width=5, input_size=3, output_size=2),
}
SETTINGS = TrainSettings(
    steps=12,
    batch_size=5,
    learning_rate=0.01,
    weight_decay=0.1,
    clip=0.5,
    evaluations=3,
    evaluation_samples=8,
    test_samples=8,
)
SAVE_ALWAYS = 0.0


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


def trains(rank: int, world: int, port: int, folder: str) -> None:
    distributed.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=world)
    torch.set_num_threads(1)
    found = {}
    for kind, shape in SHAPES.items():
        model = build_model(shape, seed=1)
        task = SlicedTask(Tokens(kind), model)
        result = train(task.network, task, settings=SETTINGS)
        task.restore(model)
        checkpoints = Path(folder) / kind / str(rank)
        again = build_model(shape, seed=1)
        task = SlicedTask(Tokens(kind), again)
        seconds = math.inf if rank else SAVE_ALWAYS  # the second process's clock never asks for a checkpoint
        with pytest.raises(Killed):
            train(
                task.network,
                task,
                settings=SETTINGS,
                checkpoints=checkpoints,
                checkpoint_seconds=seconds,
                report=killer(7),
            )
        assert checkpoints.exists() == (rank == 0)
        task = SlicedTask(Tokens(kind), again)
        distributed.barrier()  # until the first process has written
        shutil.copytree(Path(folder) / kind / "0", Path(folder) / kind / f"again-{rank}")
        train(
            task.network,
            task,
            settings=SETTINGS,
            checkpoints=Path(folder) / kind / f"again-{rank}",
            checkpoint_seconds=seconds,
        )
        task.restore(again)
        found[kind] = (result.loss, weights_of(model), weights_of(again))
    torch.save(found, f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


@pytest.mark.slow  # starts two processes that import torch
def test_two_processes_train_to_the_weights_of_one_and_go_on_exactly(tmp_path: Path) -> None:
    multiprocessing.spawn(trains, args=(2, free_port(), str(tmp_path)), nprocs=2)
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    for kind, shape in SHAPES.items():
        loss, weights, gone_on = first[kind]
        model = build_model(shape, seed=1)
        begun = weights_of(model)
        expected = train(model, Tokens(kind), settings=SETTINGS)
        assert loss == second[kind][0] == pytest.approx(expected.loss, rel=1e-4)
        for name, parameter in model.named_parameters():
            torch.testing.assert_close(weights[name], parameter.detach(), rtol=1e-3, atol=1e-4, msg=f"{kind}: {name}")
            assert torch.equal(weights[name], gone_on[name]), f"{kind}: {name}"
            assert torch.equal(second[kind][1][name], begun[name]), "the other process's whole model stays as it was"
        alone = build_model(shape, seed=1)  # a checkpoint of two processes is one of a single process
        train(alone, Tokens(kind), settings=SETTINGS, checkpoints=tmp_path / kind / "0", checkpoint_seconds=math.inf)
        for name, parameter in alone.named_parameters():
            torch.testing.assert_close(weights[name], parameter.detach(), rtol=1e-3, atol=1e-4, msg=f"{kind}: {name}")


def loses_its_peer(rank: int, world: int, port: int, folder: str) -> None:
    distributed.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=world)
    task = SlicedTask(Doubled(), network())
    try:
        for step in range(1000):
            task.loss(task.network, task.batch(seed=0, step=step, size=4)).backward()
            if rank and step == 3:
                os.kill(os.getpid(), signal.SIGKILL)
    except Exception as error:
        Path(f"{folder}/found.txt").write_text(f"{is_lost_peer(error)} {error}")
    os._exit(0)


@pytest.mark.slow  # starts two processes that import torch
def test_the_death_of_another_process_is_told_from_an_error_of_ones_own(tmp_path: Path) -> None:
    processes = multiprocessing.spawn(loses_its_peer, args=(2, free_port(), str(tmp_path)), nprocs=2, join=False)
    for process in processes.processes:
        process.join()
    assert (tmp_path / "found.txt").read_text().startswith("True ")
    assert not is_lost_peer(RuntimeError("shapes cannot be multiplied"))
