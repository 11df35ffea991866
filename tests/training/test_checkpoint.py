"""Checkpoints: whole or not there, never wrong, and never more than two."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load
from torch import nn

from interlaw.files import write_atomically
from interlaw.models import build_model
from interlaw.shapes import GPTShape
from interlaw.training import TrainSettings, load_weights, make_optimizer, save_weights
from interlaw.training.checkpoint import load_checkpoint, save_checkpoint

SETTINGS = TrainSettings(steps=10, batch_size=1, learning_rate=0.01)


def stepped(seed: int, steps: int = 2, *, tied: bool = False) -> tuple[nn.Module, torch.optim.Optimizer]:
    """A model after a few steps on random gradients."""
    model = build_model(GPTShape(depth=1, width=4, head_dim=2, vocab_size=5, context=3, tied=tied), seed=seed)
    optimizer = make_optimizer(model, SETTINGS)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        for parameter in model.parameters():
            parameter.grad = torch.randn(parameter.shape, generator=generator)
        optimizer.step()
    return model, optimizer


def flat(model: nn.Module, optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    """Every tensor of both."""
    state = optimizer.state_dict()["state"]
    return [*model.state_dict().values(), *(state[i][name] for i in sorted(state) for name in sorted(state[i]))]


def same(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    return len(one) == len(other) and all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def save(folder: Path, step: int, *, seed: int | None = None) -> list[torch.Tensor]:
    model, optimizer = stepped(step if seed is None else seed)
    state = {"step": step, "curve": [{"loss": 0.1 + 0.2}], "first_loss": float("nan")}
    save_checkpoint(folder, step=step, model=model, optimizer=optimizer, state=state)
    return flat(model, optimizer)


def restore(folder: Path) -> tuple[dict[str, Any] | None, list[torch.Tensor]]:
    model, optimizer = stepped(99)
    state = load_checkpoint(folder, model=model, optimizer=optimizer)
    return state, flat(model, optimizer)


def test_everything_comes_back(tmp_path: Path) -> None:
    saved = save(tmp_path, 7)
    state, restored = restore(tmp_path)
    assert state is not None
    assert same(saved, restored)
    assert (state["step"], state["curve"]) == (7, [{"loss": 0.1 + 0.2}])
    assert np.isnan(state["first_loss"])


@pytest.mark.parametrize("tied", [False, True])
def test_the_next_step_is_the_same_after_a_restore(tmp_path: Path, tied: bool) -> None:
    model, optimizer = stepped(1, tied=tied)
    save_checkpoint(tmp_path, step=1, model=model, optimizer=optimizer, state={})
    again, optimizer_again = stepped(2, tied=tied)
    load_checkpoint(tmp_path, model=again, optimizer=optimizer_again)
    for each, its in ((model, optimizer), (again, optimizer_again)):
        for parameter in each.parameters():
            parameter.grad = torch.ones_like(parameter)
        its.step()
    assert same(flat(model, optimizer), flat(again, optimizer_again))
    assert (again.head.weight is again.tokens.weight) == tied


def test_without_a_checkpoint_nothing_changes(tmp_path: Path) -> None:
    untouched = flat(*stepped(99))
    for folder in (tmp_path, tmp_path / "missing"):
        state, tensors = restore(folder)
        assert state is None
        assert same(tensors, untouched)


def test_the_newest_two_are_kept(tmp_path: Path) -> None:
    for step in (3, 20, 100, 1000):
        save(tmp_path, step)
    assert sorted(path.name[:14] for path in tmp_path.iterdir()) == ["step-000000100", "step-000001000"]


def flip(path: Path, place: int, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1 << bit
    path.write_bytes(content)


def test_any_flipped_bit_is_noticed(tmp_path: Path) -> None:
    """Header, names, weights, optimizer state: 150 places over the whole file, each with one bit turned."""
    older, newer = save(tmp_path, 1), save(tmp_path, 2)
    path = max(tmp_path.iterdir())
    whole = path.read_bytes()
    random = np.random.default_rng(0)
    for place in {0, 7, 8, 9, len(whole) - 1, *random.integers(0, len(whole), 150).tolist()}:
        flip(path, place, int(random.integers(8)))
        state, tensors = restore(tmp_path)
        assert state is not None
        assert state["step"] == 1
        assert same(tensors, older)
        path.write_bytes(whole)
    assert same(restore(tmp_path)[1], newer)


@pytest.mark.parametrize("kept", [0, 1, 8, 100, 0.5, -1])
def test_a_file_cut_short_is_passed_over(tmp_path: Path, kept: float) -> None:
    older = save(tmp_path, 1)
    save(tmp_path, 2)
    path = max(tmp_path.iterdir())
    size = path.stat().st_size
    os.truncate(path, int(size * kept) if kept == 0.5 else size - 1 if kept == -1 else int(kept))
    state, tensors = restore(tmp_path)
    assert state is not None
    assert state["step"] == 1
    assert same(tensors, older)


def test_when_all_are_damaged_it_begins_again(tmp_path: Path) -> None:
    save(tmp_path, 1)
    save(tmp_path, 2)
    for path in tmp_path.iterdir():
        flip(path, 50, 3)
    state, tensors = restore(tmp_path)
    assert state is None
    assert same(tensors, flat(*stepped(99)))


def test_other_files_are_no_checkpoints(tmp_path: Path) -> None:
    saved = save(tmp_path, 5)
    (tmp_path / "step-000000009.safetensors").write_bytes(b"from elsewhere")
    (tmp_path / ".step-000000009-0.safetensors.123.tmp").write_bytes(b"half a file")
    save_weights(tmp_path / "model.safetensors", stepped(3)[0])
    assert same(restore(tmp_path)[1], saved)


def test_weights_alone(tmp_path: Path) -> None:
    for tied in (False, True):
        model = stepped(1, tied=tied)[0]
        save_weights(tmp_path / "w.safetensors", model)
        tensors = load((tmp_path / "w.safetensors").read_bytes())
        assert ("head.weight" in tensors) != tied  # shared weights are stored once
        other = stepped(2, tied=tied)[0]
        load_weights(other, tensors)
        assert same(list(model.state_dict().values()), list(other.state_dict().values()))


@pytest.mark.parametrize("change", ["more", "less"])
def test_weights_of_another_model_are_refused(change: str) -> None:
    model = stepped(1)[0]
    tensors = dict(model.state_dict())
    before = [tensor.clone() for tensor in tensors.values()]
    if change == "more":
        tensors["blocks.9.up.weight"] = torch.zeros(1)
    else:
        del tensors["norm.bias"]
    with pytest.raises(KeyError, match=r"weights \['(blocks.9.up.weight|norm.bias)'\] do not match the model"):
        load_weights(model, {name: tensor * 0 for name, tensor in tensors.items()})
    assert same(list(model.state_dict().values()), before)


def test_atomic_writes_replace_the_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.json"
    write_atomically(path, b"one and more")
    write_atomically(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    path = tmp_path / "record.json"
    write_atomically(path, json.dumps({"old": 1}).encode())

    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*((os, "fsync", fail) if moment == "fsync" else (Path, "replace", fail)))
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"new")
    monkeypatch.undo()
    assert json.loads(path.read_text()) == {"old": 1}
    assert list(tmp_path.iterdir()) == [path]
