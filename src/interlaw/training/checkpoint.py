"""Everything a run needs to resume, in one safetensors file that names its own digest.

A checkpoint is `step-<number>-<digest>.safetensors`: it appears by one rename, and a file whose content does not match
the digest in its name (cut short, a flipped bit), or that another version or network wrote, is passed over in favour
of the one before it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, distributed, nn

from interlaw.files import write_atomically
from interlaw.plain import Json

CHECKPOINT_SECONDS = 30.0  # judgement: a killed trial loses at most so much work; more often costs more writing
_NAME = re.compile(r"step-(\d{9})-([0-9a-f]{64})\.safetensors")
_KEPT = 2  # the newest may be damaged by the crash that makes it needed; then the one before it serves
_LAYOUT = "1"  # raised whenever older checkpoints cannot be resumed


def save_checkpoint(
    folder: Path,
    *,
    step: int,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    state: Mapping[str, Any],
    best: Mapping[str, Tensor] | None = None,
) -> None:
    """Writes weights, optimizer state and plain values atomically; keeps the newest two.

    Where processes divide the model among them, all must call, and the first one writes.

    Args:
        folder: Made when missing.
        step: Steps done.
        model: Its parameters and buffers are saved.
        optimizer: Its per-parameter tensors are saved.
        state: Plain values (JSON) that the loop needs to resume.
        best: The weights of the lowest validation loss, where they are kept.
    """
    tensors = {f"model.{name}": tensor for name, tensor in distinct_weights(model).items()}
    for index, values in optimizer.state_dict()["state"].items():
        tensors.update({f"optimizer.{index}.{name}": tensor for name, tensor in values.items()})
    tensors.update({f"best.{name}": tensor for name, tensor in (best or {}).items()})
    whole = _whole(tensors)
    if whole is None:
        return
    content = save(whole, {"state": json.dumps(state), "layout": _LAYOUT})
    path = folder / f"step-{step:09d}-{hashlib.sha256(content).hexdigest()}.safetensors"
    write_atomically(path, content)
    for _, old in _checkpoints(folder)[:-_KEPT]:
        old.unlink(missing_ok=True)


def load_checkpoint(
    folder: Path, *, model: nn.Module, optimizer: torch.optim.Optimizer, best: dict[str, Tensor] | None = None
) -> Json | None:
    """Restores the newest sound checkpoint in place and returns its plain values, or None when there is none.

    The weights of the lowest validation loss are put into `best`, where they were kept.
    """
    for _, path in reversed(_checkpoints(folder)):
        content = _read(path)
        if content is None:
            continue
        tensors, state = content
        weights, lowest = _named(tensors, "model."), _named(tensors, "best.")
        own = distinct_weights(model)
        if {name: t.shape for name, t in weights.items()} != {name: t.shape for name, t in own.items()}:
            continue
        load_weights(model, weights)
        _restore_optimizer(optimizer, tensors)
        if best is not None:
            best.update({name: _like(own[name], tensor) for name, tensor in lowest.items()})
        return state
    return None


def _named(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin so, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _read(path: Path) -> tuple[dict[str, Tensor], Json] | None:
    """The tensors and plain values of a checkpoint; None when it is not sound or of another layout."""
    try:
        match = _NAME.fullmatch(path.name)
        if match is None or hashlib.sha256(path.read_bytes()).hexdigest() != match[2]:
            return None
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            if header.get("layout") != _LAYOUT:
                return None
            return {name: file.get_tensor(name) for name in file.keys()}, json.loads(header["state"])  # noqa: SIM118
    except (OSError, SafetensorError, KeyError):  # a folder of this name, or a file that no version of ours wrote
        return None


def save_weights(path: Path, model: nn.Module) -> None:
    """Writes the weights alone as safetensors, atomically."""
    weights = whole_weights(model)
    if weights is not None:
        write_atomically(path, save(weights))


def whole_weights(model: nn.Module) -> dict[str, Tensor] | None:
    """The weights by name, on the CPU; shared ones once.

    Where processes divide the model among them, all must call; only the first one gets the weights, the others None.
    """
    return _whole(distinct_weights(model))


def is_divided(tensor: Tensor) -> bool:
    """Whether processes hold a part each of it (a DTensor; its module takes most of a second to import)."""
    return hasattr(tensor, "full_tensor")


def load_weights(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Puts named weights into the model; shared weights are stored once.

    Raises:
        KeyError: When the names are not those of the model.
    """
    own = distinct_weights(model)
    if set(tensors) != set(own):
        raise KeyError(f"weights {sorted(set(own) ^ set(tensors))} do not match the model")
    with torch.no_grad():
        for name, tensor in tensors.items():
            own[name].copy_(_like(own[name], tensor))


def distinct_weights(model: nn.Module) -> dict[str, Tensor]:
    """Its parameters and buffers, each storage once, under the first of its names."""
    seen: set[int] = set()
    kept = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        place = id(tensor) if is_divided(tensor) else tensor.data_ptr()
        if tensor.numel() and place in seen:
            continue
        seen.add(place)
        kept[name] = tensor
    return kept


def _whole(tensors: Mapping[str, Tensor]) -> dict[str, Tensor] | None:
    """The tensors on the CPU; parts are gathered from all processes for the first one, the others get None."""
    kept: dict[str, Tensor] | None = {}
    for name, tensor in sorted(tensors.items()):  # a state that was read has an order of its own in each process
        if is_divided(tensor):
            gathered = tensor.full_tensor()  # type: ignore[attr-defined]
            if distributed.get_rank():
                kept = None
        else:
            gathered = tensor
        if kept is not None:
            kept[name] = gathered.detach().cpu().contiguous()
    return kept


def _like(own: Tensor, tensor: Tensor) -> Tensor:
    """The tensor, or this process's part of it where `own` is divided."""
    if not is_divided(own):
        return tensor
    from torch.distributed.tensor import distribute_tensor

    mesh, placements = own.device_mesh, own.placements  # type: ignore[attr-defined]
    return distribute_tensor(tensor.to(own.device), mesh, placements, src_data_rank=None)


def _restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in _named(tensors, "optimizer.").items():
        index, key = name.split(".", 1)
        own = parameters[int(index)]
        is_moment = tensor.shape == own.shape and tensor.dim() > 0
        state.setdefault(int(index), {})[key] = _like(own, tensor) if is_moment else tensor
    whole = optimizer.state_dict()
    whole["state"] = state
    optimizer.load_state_dict(whole)


def _checkpoints(folder: Path) -> list[tuple[int, Path]]:
    """Checkpoints in the folder, oldest first."""
    if not folder.is_dir():
        return []
    matches = [(_NAME.fullmatch(path.name), path) for path in folder.iterdir()]
    return sorted((int(match[1]), path) for match, path in matches if match)
