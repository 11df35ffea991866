"""The network that is measured: its places and layers, what the weights of a layer say, and how it is run.

`frozen` runs it plainly (without compiled code, checkpoints, caches, hooks on gradients and automatic changes of
precision), leaves it as it was, and refuses what cannot be measured so.

Legend: h the activation at a place; W (out x in) the weights of a layer; G (in x in) the AGOP at its input. E (V x d)
an embedding table of V tokens, read as a layer on one-hot inputs, so that W^T W = E E^T (V x V). That matrix is never
formed: what is asked of it follows from C = E^T E (d x d).
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import chain
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn
from torch.utils import checkpoint

from interlaw.errors import InterlawError, did_you_mean
from interlaw.interaction.batches import Batch
from interlaw.interaction.cures import explained
from interlaw.interaction.grams import haar_null
from interlaw.interaction.layout import Place
from interlaw.interaction.matrix import Energies, energies_from
from interlaw.interaction.tables import fed_tables, no_table

# Names in a message, and changes: enough of them to see the kind. Any number from 3 to 10 does.
SHOWN, CHANGED = 8, 3


def find_place(model: nn.Module, batch: Batch, *, layer: str | None) -> Place:
    """The place of a measurement: a named module's input, else the input, else the embeddings of integer input.

    `layer` is a name as in `model.named_modules()`; "embeddings" and "input" name the other two places.
    """
    if layer == "input":
        return Place(name="input")
    if layer not in (None, "embeddings"):
        modules = {name: module for name, module in model.named_modules() if name}
        if layer not in modules:
            known = ", ".join(list(modules)[:SHOWN])
            raise InterlawError(
                f"expected the name of a module, found '{layer}'; this model has {known}, ..."
                f"{did_you_mean(layer, modules)}"
            )
        module = modules[str(layer)]  # of a table the output: what enters it are ids
        return Place(name=str(layer), module=module, output=isinstance(module, nn.Embedding))
    if layer is None and batch.real_names:
        return Place(name="input")
    tables = token_tables(model, batch)
    if len(tables) != 1:
        raise no_table(model, batch, fed=list(tables))
    return Place(name="embeddings", module=next(iter(tables.values())), output=True)


def token_tables(model: nn.Module, batch: Batch | None) -> dict[str, nn.Module]:
    """What turns tokens into vectors: the module that the model says, else its tables that are fed with the ids."""
    table = token_table(model)
    if table is not None:
        return {"embeddings": table}
    if batch is None or not any(isinstance(module, nn.Embedding) for module in model.modules()):
        return {}
    with frozen(model):
        return fed_tables(model, batch)


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


def find_layers(model: nn.Module, names: Sequence[str] | None, *, batch: Batch | None) -> dict[str, nn.Module]:
    """Linear, convolution and embedding layers by name; all of them when None."""
    known = {name: module for name, module in model.named_modules() if kernel_of(module) is not None}
    tokens = list(token_tables(model, batch).values())
    if tokens:
        # Tables of positions are shared by all samples: they have no gradient per sample.
        known = {name: m for name, m in known.items() if m in tokens or not isinstance(m, nn.Embedding)}
    missing = [name for name in names or () if name not in known]
    if missing or not known:
        near = did_you_mean(missing[0], known) if missing else ""
        raise InterlawError(
            f"expected linear, convolution or embedding layers, found {missing or 'none'}; "
            f"this model has {', '.join(list(known)[:SHOWN]) or 'none of them'}{near}"
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


def unknown_kinds(model: nn.Module, chosen: set[str]) -> dict[str, str]:
    """Matrices that are in no layer of a known kind, such as the fused weights of experts, and why they have no row."""
    reasons = {}
    for name, module in model.named_modules():
        matrices = [p for p in module.parameters(recurse=False) if p.dim() > 1]
        if matrices and name not in chosen:
            what = "a table of positions" if isinstance(module, nn.Embedding) else f"a {type(module).__name__}"
            count = sum(p.numel() for p in matrices)
            reasons[name or type(module).__name__] = (
                f"its {count:,} weights are those of {what}, which is no linear, convolution or token embedding layer"
            )
    return reasons


def superposition(module: nn.Module) -> Energies:
    """Energies of W^T W, of E E^T for an embedding.

    Example:
        >>> import torch
        >>> layer = torch.nn.Linear(2, 2)
        >>> with torch.no_grad():
        ...     _ = layer.weight.copy_(torch.eye(2))
        >>> superposition(layer).aofe  # two features, a direction each
        0.0
    """
    W = kernel_of(module)
    assert W is not None
    W = W.double()
    C = W.T @ W  # of an embedding W is E, and C stands for E E^T
    diagonal = W.square().sum(1) if isinstance(module, nn.Embedding) else C.diagonal()
    # Energy and trace of E E^T are those of E^T E: both have the same eigenvalues.
    return energies_from(C.square().sum(), diagonal.square().sum(), trace=C.trace(), dim=len(diagonal), null=haar_null)


def agreement(module: nn.Module, G: Tensor) -> tuple[float, float]:
    """Cosine of W^T W and G, plain and after the mean entry of each is taken away.

    For an embedding G is taken at its output, and E E^T is compared with E G E^T, the AGOP at one-hot inputs.

    Source: Radhakrishnan et al. 2022, arXiv 2212.13881 (the ansatz, and correlation as its measure).
    """
    W = kernel_of(module)
    assert W is not None
    W, G = W.double(), G.double()
    if not isinstance(module, nn.Embedding):
        first, second = W.T @ W, G
        products = (first * second).sum(), first.square().sum(), second.square().sum()
        sums, size = (first.sum(), second.sum()), first.numel()
    else:
        C, total = W.T @ W, W.sum(0)
        CG = C @ G
        # <E E^T, E G E^T> = tr(C C G) and ||E G E^T||^2 = tr(C G C G); sums of entries are 1^T E . E^T 1.
        products = (CG * C).sum(), C.square().sum(), (CG * CG.T).sum()
        sums, size = (total @ total, total @ G @ total), len(W) ** 2
    plain = products[0] / (products[1] * products[2]).sqrt()
    inner, *squares = (
        product - a * b / size for product, a, b in zip(products, (sums[0], *sums), (sums[1], *sums), strict=True)
    )
    spread = (squares[0] * squares[1]).clamp(min=0).sqrt()
    # One coordinate has no spread of entries: the correlation is undefined and reads 0.
    return float(plain), float(inner / spread) if float(spread) > 0 else 0.0


def device_of(model: nn.Module) -> torch.device:
    """Where the model's weights are; the CPU for a model without any."""
    tensor = next(chain(model.parameters(), model.buffers()), None)
    return torch.device("cpu") if tensor is None else tensor.device


@contextmanager
def frozen(model: nn.Module, *, dtype: torch.dtype | None = None) -> Iterator[None]:
    """Freezes the weights, so that no graph outlives a batch, and allows gradients; all restored afterwards.

    Args:
        model: The network.
        dtype: Precision of weights and derivatives for the time being; the weights' own when None.
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
    except InterlawError as error:  # a change may be its cause, and is then reported instead
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
        some = [*changed, *(f"the mode of a {type(module).__name__}" for module in switched)][:CHANGED]
        raise InterlawError(
            f"expected a network that a forward pass leaves as it is, found that it changes {', '.join(some)}; call "
            "model.eval(), or measure a copy that does not do this"
        ) from refused
    if refused is not None:
        raise refused


def _plain_settings(model: nn.Module) -> Iterator[tuple[Any, str, Any]]:
    """What is set differently during a measurement: owner, name and value."""
    # caches of keys and values, some of which write in place, against the derivative; outputs of Hugging Face networks
    # without names, as hidden states would pass for logits; hooks on gradients, which replace the derivative
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
    """Keeps activations where the model would compute them again: a second forward pass has hooks of its own."""
    # The model may hold `checkpoint` by any name, so what it calls is replaced (torch 2.6 to 2.13 have both names).

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
