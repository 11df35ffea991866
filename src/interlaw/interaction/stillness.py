"""The network runs plainly while it is measured, without compiled code, checkpoints and caches, and stays as it was."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn
from torch.utils import checkpoint

from interlaw.errors import InterlawError


def require_weights(model: nn.Module) -> None:
    """Refuses weights without numbers: not loaded, or kept elsewhere until they are needed.

    Raises:
        InterlawError: Some are on the meta device.
    """
    elsewhere = [name for name, tensor in chain(model.named_parameters(), model.named_buffers()) if tensor.is_meta]
    if elsewhere:
        raise InterlawError(
            f"expected weights in memory, found {len(elsewhere)} without numbers (on the meta device), such as "
            f"{elsewhere[0]}; load the model whole, without offloading them"
        )


@contextmanager
def standing_still(model: nn.Module) -> Iterator[None]:
    """Runs the network plainly (without compiled code, checkpoints and caches), and leaves it as it was.

    Raises:
        InterlawError: Forward passes after the first change the network; buffers and modes are put back.
    """
    with ExitStack() as stack:
        stack.enter_context(torch.compiler.set_stance("force_eager"))  # hooks do not run inside compiled code
        stack.enter_context(_without_checkpoints())
        for config in _caching(model):
            config.use_cache = False
            stack.callback(setattr, config, "use_cache", True)
        tensors, writes, numbers, modes = _state(model)
        stack.callback(_require_unchanged, tensors, writes, numbers, modes)

        def settle(*_: object) -> None:
            # RWKV divides its weights by powers of two in its first pass in eval mode, and leaves them so.
            writes.update({name: tensor._version for name, tensor in tensors.items()})
            first.remove()

        first = model.register_forward_hook(settle)
        stack.callback(first.remove)
        yield


State = tuple[dict[str, Tensor], dict[str, int], dict[str, Tensor], dict[nn.Module, bool]]


def _state(model: nn.Module) -> State:
    """Tensors by name, how often each was written, the numbers of buffers, and the mode of each module."""
    tensors = {
        name: tensor
        for name, tensor in chain(model.named_parameters(), model.named_buffers())
        if not tensor.is_inference()  # these count no writes; copies stand in for them
    }
    writes = {name: tensor._version for name, tensor in tensors.items()}
    numbers = {name: tensor.detach().clone() for name, tensor in model.named_buffers()}
    return tensors, writes, numbers, {module: module.training for module in model.modules()}


def _require_unchanged(
    tensors: dict[str, Tensor], writes: dict[str, int], numbers: dict[str, Tensor], modes: dict[nn.Module, bool]
) -> None:
    """Puts back what was changed, and says so unless another error is on its way."""
    changed = [name for name, count in writes.items() if tensors[name]._version != count]
    with torch.no_grad():
        for name, number in numbers.items():
            if name in tensors and not torch.equal(tensors[name], number):
                tensors[name].copy_(number)
    switched = [module for module, mode in modes.items() if module.training != mode]
    for module in switched:
        module.training = modes[module]
    if (changed or switched) and sys.exc_info()[0] is None:
        some = [*changed, *(f"the mode of a {type(module).__name__}" for module in switched)][:3]
        raise InterlawError(
            f"expected a network that a forward pass leaves as it is, found that it changes {', '.join(some)}; call "
            "model.eval(), or measure a copy that does not do this"
        )


def _caching(model: nn.Module) -> list[Any]:
    """The settings of Hugging Face networks that keep keys and values: some write in place, against the derivative."""
    configs = {id(config): config for module in model.modules() if (config := getattr(module, "config", None))}
    return [config for config in configs.values() if getattr(config, "use_cache", None) is True]


@contextmanager
def _without_checkpoints() -> Iterator[None]:
    """Keeps activations where the model would compute them again: a second forward pass has hooks of its own.

    The model may hold `checkpoint` by any name, so what it calls is replaced (torch 2.6 to 2.13 have both names).
    """

    def once(*args: object, **kwargs: object) -> Iterator[None]:
        yield

    class Plain:
        @staticmethod
        def apply(function: Callable[..., Any], preserve: bool, *args: Any) -> Any:
            return function(*args)

    with (
        mock.patch.object(checkpoint, "_checkpoint_without_reentrant_generator", once),
        mock.patch.object(checkpoint, "CheckpointFunction", Plain),
    ):
        yield
