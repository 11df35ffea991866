"""The network while it is measured: its weights stand still, and what torch refuses is explained."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from interlaw.errors import InterlawError
from interlaw.interaction.stillness import require_weights, standing_still

# what torch says -> what the user is told
CURES = {
    "(?s)forward AD|forward mode AD|not implemented.*derivative|derivative.*not implemented": (
        "an operation of this model cannot be differentiated this way ({said}); for a Hugging Face model load it with "
        'attn_implementation="eager", or measure with probes="exact"'
    ),
    "same dtype|scalar type": (
        "expected weights and inputs of one precision, found {said}; pass dtype=torch.float32 (--float32), which holds "
        "for both while measuring"
    ),
    "Inference tensors": (
        "expected tensors that autograd can follow, found some that the model made under torch.inference_mode(); build "
        "the model outside of it"
    ),
    "inplace|in-place": (
        "an in-place operation overwrote what the derivative needs ({said}); replace it by one that returns a new "
        "tensor"
    ),
    r"cannot be multiplied|must match the (existing )?size|size mismatch|[Ee]xpected (\dD|input)|normalized_shape|"
    r"to have \d+ channels|invalid for input of size": (
        "expected inputs of the shape that the model takes, found {said}; check their axes, the first of which counts "
        "samples"
    ),
    "index out of range": (
        "expected token ids below the rows of the model's table, found one beyond them; use its own tokenizer"
    ),
}


def device_of(model: nn.Module) -> torch.device:
    """Where the model's weights are; the CPU for a model without any."""
    tensor = next(chain(model.parameters(), model.buffers()), None)
    return torch.device("cpu") if tensor is None else tensor.device


def precision_of(model: nn.Module, dtype: torch.dtype | None) -> torch.dtype:
    """Precision of the derivatives."""
    return next((p.dtype for p in model.parameters()), torch.float32) if dtype is None else dtype


def token_table(model: nn.Module) -> nn.Module | None:
    """The module that the model says turns tokens into vectors; None where it says none, as networks of pictures do."""
    getter = getattr(model, "get_input_embeddings", None)
    try:
        module = getter() if callable(getter) else None
    except (NotImplementedError, AttributeError):  # the library's networks of pictures and sound inherit the method
        return None
    return module if isinstance(module, nn.Module) else None


def require_module(model: object) -> None:
    """Refuses what cannot be measured at all, a name or a path say."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"expected a torch.nn.Module, then its inputs: measure(model, x); found {type(model).__name__}")


@contextmanager
def frozen(model: nn.Module, dtype: torch.dtype | None = None) -> Iterator[None]:
    """Freezes the weights, so that no graph outlives a batch, and allows gradients; all restored afterwards.

    Args:
        model: The network.
        dtype: Precision of weights and derivatives for the time being; the weights' own when None.

    Raises:
        InterlawError: A normalisation layer in train mode mixes the samples of a batch.
    """
    _require_independent_samples(model)
    require_weights(model)
    with ExitStack() as stack:
        stack.enter_context(standing_still(model))
        stack.enter_context(_made_outside_inference(model))
        trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
        for parameter in trainable:
            parameter.requires_grad_(False)
            stack.callback(parameter.requires_grad_, True)
        if dtype is not None:
            for tensor in chain(model.parameters(), model.buffers()):
                if tensor.is_floating_point():
                    stack.callback(setattr, tensor, "data", tensor.data)
                    tensor.data = tensor.data.to(dtype)
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        stack.enter_context(explained())
        yield


@contextmanager
def _made_outside_inference(model: nn.Module) -> Iterator[None]:
    """Copies in place of weights made under `torch.inference_mode`, which autograd cannot follow; put back after."""
    copies: dict[int, Tensor] = {}
    tables: list[dict[str, Any]] = [t for m in model.modules() for t in (m._parameters, m._buffers)]
    replaced = [
        (table, name, tensor)
        for table in tables
        for name, tensor in table.items()
        if tensor is not None and tensor.is_inference()
    ]
    with torch.inference_mode(False):
        for table, name, tensor in replaced:
            copy = copies.setdefault(id(tensor), tensor.clone())
            table[name] = nn.Parameter(copy, requires_grad=False) if isinstance(tensor, nn.Parameter) else copy
    try:
        yield
    finally:
        for table, name, tensor in replaced:
            table[name] = tensor


def _require_independent_samples(model: nn.Module) -> None:
    """Refuses batch statistics: they make each sample's output depend on the others."""
    mixing = [
        name or type(module).__name__
        for name, module in model.named_modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm)
        and (module.training or (module.running_mean is None and module.running_var is None))
    ]
    if mixing:
        raise InterlawError(
            f"expected samples that do not affect each other, found batch normalisation in train mode: "
            f"{', '.join(mixing)}; call model.eval()"
        )


@contextmanager
def explained(model: str = "") -> Iterator[None]:
    """Turns torch's errors about missing derivatives and unfit inputs into ones that name the cure.

    Args:
        model: The network that runs inside, where nothing else does: whatever it raises is then said of it.
    """
    try:
        yield
    except (InterlawError, torch.OutOfMemoryError, MemoryError):
        raise
    except Exception as error:
        text = str(error) or type(error).__name__
        for pattern, expected in CURES.items():
            if isinstance(error, RuntimeError | IndexError) and re.search(pattern, text):
                raise InterlawError(expected.format(said=text.splitlines()[0][:120])) from error
        if not model:
            raise
        raise InterlawError(
            f"expected inputs that {model} takes, found that it ends with {type(error).__name__}: "
            f"{text.splitlines()[0][:160]}; call it yourself with one of the batches"
        ) from error
