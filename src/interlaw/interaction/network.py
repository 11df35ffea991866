"""The network that is measured: where in it h may live; it runs plainly, stays as it was, and says what it refuses.

Plainly means without compiled code, checkpoints, caches, hooks on gradients and automatic changes of precision.
"""

from __future__ import annotations

import re
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import chain
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn
from torch.utils import checkpoint

from interlaw.errors import InterlawError, did_you_mean, one_line
from interlaw.interaction.batches import Batch, real_names
from interlaw.interaction.layout import CONVOLUTIONS, Place

# what torch says -> what the user reads
CURES = {
    "(?s)forward AD|forward mode AD|not implemented.*derivative|derivative.*not implemented": (
        "an operation of this model cannot be differentiated this way ({said}); for a Hugging Face model load it with "
        'attn_implementation="eager", or measure with probes="exact"'
    ),
    "tensor for argument .*indices": "expected token ids of 32 or 64 bits, found {said}; pass ids.long()",
    "same dtype|scalar type": (
        "expected weights and inputs of one precision, found {said}; pass dtype=torch.float32, which holds "
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
        "expected token ids below the rows of the model's table and no more tokens than it has positions, found one "
        "beyond them; use its own tokenizer, or shorter sequences"
    ),
}


def device_of(model: nn.Module) -> torch.device:
    """Where the model's weights are; the CPU for a model without any."""
    tensor = next(chain(model.parameters(), model.buffers()), None)
    return torch.device("cpu") if tensor is None else tensor.device


def precision_of(model: nn.Module, dtype: torch.dtype | None) -> torch.dtype:
    """Precision of the derivatives."""
    return next((p.dtype for p in model.parameters()), torch.float32) if dtype is None else dtype


def require_module(model: object) -> None:
    """Refuses what cannot be measured at all, such as a name or a path."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"expected a torch.nn.Module, then its inputs: measure(model, x); found {type(model).__name__}")


def find_place(model: nn.Module, batch: Batch, layer: str | None) -> Place:
    """The place of a measurement: a named module's input, else the input, else the embeddings of integer input.

    `layer` is a name as in `model.named_modules()`; "embeddings" and "input" name the other two places.
    """
    if layer == "input":
        return Place(name="input")
    if layer not in (None, "embeddings"):
        modules = {name: module for name, module in model.named_modules() if name}
        if layer not in modules:
            known = ", ".join(list(modules)[:8])
            raise InterlawError(
                f"expected the name of a module, found '{layer}'; this model has {known}, ..."
                f"{did_you_mean(layer, modules)}"
            )
        return Place(name=str(layer), module=modules[str(layer)])
    real = batch.inputs.is_floating_point() if isinstance(batch.inputs, Tensor) else bool(real_names(batch.inputs))
    if layer is None and real:
        return Place(name="input")
    table = token_table(model)
    if table is None:
        raise InterlawError(
            f"integer inputs have no derivative, and {type(model).__name__} has no get_input_embeddings(); "
            "pass layer= with the module that first sees real numbers"
        )
    return Place(name="embeddings", module=table, output=True)


def token_table(model: nn.Module) -> nn.Module | None:
    """The module that the model says turns tokens into vectors; None where it says none, as networks of pictures do."""
    getter = getattr(model, "get_input_embeddings", None)
    try:
        module = getter() if callable(getter) else None
    except (NotImplementedError, AttributeError):  # the library's networks of pictures and sound inherit the method
        return None
    if not isinstance(module, nn.Embedding):
        return module if isinstance(module, nn.Module) else None
    # the encoder of a pair names the table that it shared with its decoder, and runs its own of the same weights
    others = [m for m in model.modules() if isinstance(m, nn.Embedding) and m is not module]
    twins = [m for m in others if m.weight is module.weight]
    return twins[0] if len(twins) == 1 and type(model).__name__.endswith("EncoderModel") else module


def layer_place(name: str, module: nn.Module) -> Place:
    """What a layer's weights act on: its input; the output of an embedding, and a convolution's patches."""
    if isinstance(module, CONVOLUTIONS):
        return Place(name=name, module=module, output=True, columns=partial(by_patch, module))
    return Place(name=name, module=module, output=isinstance(module, nn.Embedding), columns=by_last_axis)


def by_last_axis(g: Tensor) -> Tensor:
    """A gradient at a linear layer or a table as columns (n, D, positions), D what its weights act on."""
    return g.reshape(len(g), -1, g.shape[-1]).mT


def by_patch(conv: Any, g: Tensor) -> Tensor:
    """A gradient at a convolution's output as columns at its patches, (n, C_in * kernel, patches)."""
    columns: Tensor = conv.weight.detach().flatten(1).T.to(g.dtype) @ g.flatten(2)
    return columns


def find_layers(model: nn.Module, names: Sequence[str] | None) -> dict[str, nn.Module]:
    """Linear, convolution and embedding layers by name; all of them when None."""
    known = {name: module for name, module in model.named_modules() if kernel_of(module) is not None}
    tokens = token_table(model)
    if tokens is not None:
        # Tables of positions are shared by all samples: they have no gradient per sample.
        known = {name: m for name, m in known.items() if m is tokens or not isinstance(m, nn.Embedding)}
    missing = [name for name in names or () if name not in known]
    if missing or not known:
        near = did_you_mean(missing[0], known) if missing else ""
        raise InterlawError(
            f"expected linear, convolution or embedding layers, found {missing or 'none'}; "
            f"this model has {', '.join(list(known)[:8]) or 'none of them'}{near}"
        )
    return known if names is None else {name: known[name] for name in names}


def kernel_of(module: nn.Module | None) -> Tensor | None:
    """W (out x in) of a linear, Conv1D (Hugging Face) or convolution layer, the table of an embedding; else None."""
    weight = getattr(module, "weight", None)
    if not isinstance(weight, Tensor) or weight.dim() < 2:
        return None
    if isinstance(module, nn.Linear | nn.Embedding):
        return weight.detach()
    if type(module).__name__ == "Conv1D":
        return weight.detach().T
    if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d) and module.groups == 1:
        return weight.detach().flatten(1)
    return None


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
    _require_weights(model)
    with ExitStack() as stack:
        stack.enter_context(_standing_still(model))
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
        stack.enter_context(torch.autocast(device_of(model).type, enabled=False))  # the precision is `dtype`
        stack.enter_context(torch.enable_grad())
        stack.enter_context(explained())
        yield


def _require_weights(model: nn.Module) -> None:
    """Refuses a script of torch.jit, and weights without numbers: not made, not loaded, or kept elsewhere."""
    if any(isinstance(module, torch.jit.ScriptModule) for module in model.modules()):
        raise InterlawError("expected a network of Python, found one of torch.jit; measure what it was made from")
    unmade = [name for name, tensor in model.named_parameters() if nn.parameter.is_lazy(tensor)]
    if unmade:
        raise InterlawError(
            f"expected weights with a shape, found {unmade[0]} without; run the network on a batch first"
        )
    elsewhere = [name for name, tensor in chain(model.named_parameters(), model.named_buffers()) if tensor.is_meta]
    if elsewhere:
        raise InterlawError(
            f"expected weights in memory, found {len(elsewhere)} without numbers (on the meta device), such as "
            f"{elsewhere[0]}; load the model whole, without offloading them"
        )


@contextmanager
def _standing_still(model: nn.Module) -> Iterator[None]:
    """Runs the network plainly, and leaves it as it was."""
    named = chain(model.named_parameters(), model.named_buffers())
    # tensors made in inference mode count no writes; copies stand in for them
    tensors = {name: tensor for name, tensor in named if not tensor.is_inference()}
    buffers = {name: tensor.detach().clone() for name, tensor in model.named_buffers()}
    modes = {module: module.training for module in model.modules()}
    writes: dict[str, int] = {}

    def settle(*_: object) -> None:
        # RWKV divides its weights by powers of two in its first pass in eval mode, and leaves them so.
        writes.update({name: tensor._version for name, tensor in tensors.items()})
        first.remove()

    refused: InterlawError | None = None
    first = model.register_forward_hook(settle)
    try:
        with ExitStack() as stack:
            if "torch._dynamo" in sys.modules:  # nothing is compiled without it, and loading it takes longer than torch
                stack.enter_context(torch.compiler.set_stance("force_eager"))  # hooks do not run inside compiled code
            stack.enter_context(_without_checkpoints())
            for owner, name, value in _plain_settings(model):
                stack.callback(setattr, owner, name, getattr(owner, name))
                setattr(owner, name, value)
            yield
    except InterlawError as error:  # a change may be its cause, and is then told instead
        refused = error
    finally:
        first.remove()
        changed = [name for name, count in writes.items() if tensors[name]._version != count]
        with torch.no_grad():
            for name, numbers in buffers.items():
                if name in tensors and not torch.equal(tensors[name], numbers):
                    tensors[name].copy_(numbers)
        switched = [module for module, mode in modes.items() if module.training != mode]
        for module in switched:
            module.training = modes[module]
    if changed or switched:
        some = [*changed, *(f"the mode of a {type(module).__name__}" for module in switched)][:3]
        raise InterlawError(
            f"expected a network that a forward pass leaves as it is, found that it changes {', '.join(some)}; call "
            "model.eval(), or measure a copy that does not do this"
        ) from refused
    if refused is not None:
        raise refused


def _plain_settings(model: nn.Module) -> Iterator[tuple[Any, str, Any]]:
    """What is set differently during a measurement: owner, name and value.

    Caches of keys and values, some of which write in place, against the derivative; outputs of Hugging Face networks
    without names, as hidden states would pass for logits; hooks on gradients, which replace the derivative by another.
    """
    for module in model.modules():
        config = getattr(module, "config", None)
        for name, value in (("use_cache", False), ("return_dict", True)):
            if getattr(config, name, None) is (not value):
                yield config, name, value
        for name in ("_backward_hooks", "_backward_pre_hooks"):
            if getattr(module, name, None):
                yield module, name, OrderedDict()


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
        model: The network, where nothing else runs inside: every error is then reported as its own.
    """
    try:
        yield
    except (InterlawError, torch.OutOfMemoryError, MemoryError):
        raise
    except Exception as error:
        for pattern, expected in CURES.items():
            if isinstance(error, RuntimeError | IndexError) and re.search(pattern, str(error)):
                raise InterlawError(expected.format(said=one_line(error))) from error
        if not model:
            raise
        raise InterlawError(
            f"expected inputs that {model} takes, found that it ends with {type(error).__name__}: {one_line(error)}; "
            "call it yourself with one of the batches"
        ) from error
