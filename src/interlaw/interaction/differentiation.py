"""The two directions of differentiation through a model at a site, with the model left as it was found."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn.attention import SDPBackend, sdpa_kernel

from interlaw.errors import InterlawError
from interlaw.interaction.batches import Batch
from interlaw.interaction.forward_mode import ForwardMode
from interlaw.interaction.site import Site, watch

Outputs = Callable[[Any, Batch], Tensor]

MISFIT = re.compile(
    r"cannot be multiplied|must match the (existing )?size|size mismatch|[Ee]xpected (\dD|input)|normalized_shape|"
    r"to have \d+ channels|invalid for input of size"
)
"""What torch says of a tensor whose shape an operation cannot take."""

with warnings.catch_warnings():
    # torch registers its forward-mode formulas through torch.jit.script, which warns from 2.13 on.
    warnings.simplefilter("ignore")
    from torch._decomp import decompositions_for_jvp as _registered  # noqa: F401


@contextmanager
def measuring(model: nn.Module, *, dtype: torch.dtype | None = None) -> Iterator[None]:
    """Freezes the weights, so that no graph outlives a batch, and allows gradients; all restored afterwards.

    Args:
        model: The network.
        dtype: Precision of weights and derivatives for the time being; the weights' own when None.

    Raises:
        TypeError: It is no torch module.
        InterlawError: A normalisation layer in train mode mixes the samples of a batch.
    """
    require_module(model)
    _require_independent_samples(model)
    with ExitStack() as stack:
        stack.enter_context(_made_outside_inference(model))
        stack.enter_context(_frozen(model, dtype))
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


@contextmanager
def _frozen(model: nn.Module, dtype: torch.dtype | None) -> Iterator[None]:
    """Weights without gradients, in the precision of the measurement."""
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    cast = [t for t in chain(model.parameters(), model.buffers()) if dtype is not None and t.is_floating_point()]
    originals = [tensor.data for tensor in cast]
    for parameter in trainable:
        parameter.requires_grad_(False)
    try:
        for tensor in cast:
            tensor.data = tensor.data.to(dtype)
        yield
    finally:
        for tensor, original in zip(cast, originals, strict=True):
            tensor.data = original
        for parameter in trainable:
            parameter.requires_grad_(True)


def vector_jacobian(
    model: nn.Module, batch: Batch, *, site: Site, outputs: Outputs, cotangents: Callable[[Tensor], Iterable[Tensor]]
) -> Iterator[Tensor]:
    """J^T r for every cotangent r, one forward pass for all.

    Args:
        model: The network.
        batch: One batch.
        site: Where h lives.
        outputs: From the model's output to y (n, C); a scalar y (a summed loss) is fine as well.
        cotangents: From y to tensors of its shape, none of which depends on the results of the others.

    Yields:
        Gradients of the shape of h, one per cotangent.
    """
    seen: list[Tensor] = []
    with explained():
        y = outputs(site.run(model, batch, watch(seen)), batch)
    if not y.requires_grad:
        raise InterlawError(
            f"the output does not depend on '{site.name}'; a no_grad or a detach inside the model cuts it off, "
            "or the layer feeds nothing"
        )
    # One cotangent ahead, so that the last gradient may free the graph as it goes.
    ahead = iter(cotangents(y))
    current = next(ahead, None)
    while current is not None:
        following = next(ahead, None)
        with explained():
            (g,) = torch.autograd.grad(y, seen[0], current, retain_graph=following is not None, materialize_grads=True)
        yield g
        current = following


def jacobian_vector(
    model: nn.Module, batch: Batch, *, site: Site, outputs: Outputs, tangent: Callable[[Tensor], Tensor]
) -> Float[Tensor, "n c"]:
    """J u for the tangent u that `tangent` draws in the shape of h; forward mode, so no graph is kept."""
    with torch.no_grad(), forward_ad.dual_level(), _differentiable_attention(), explained():
        y = outputs(site.run(model, batch, lambda h: _dual(h.detach(), tangent(h))), batch)
        found: Tensor | None = forward_ad.unpack_dual(y).tangent  # type: ignore[no-untyped-call]
        if found is None:
            raise InterlawError(f"the output does not depend on '{site.name}'; check layer=")
        # The tangent must not outlive its dual level as a view of it.
        return found.clone()


def _dual(h: Tensor, tangent: Tensor) -> Tensor:
    """H carrying a tangent."""
    dual: Tensor = forward_ad.make_dual(h, tangent)  # type: ignore[no-untyped-call]
    return dual


@contextmanager
def _differentiable_attention() -> Iterator[None]:
    """Attention in a form that has a forward-mode derivative; torch's own switches are put back afterwards."""
    fast = torch.backends.mha.get_fastpath_enabled()
    with ExitStack() as stack:
        stack.callback(torch.backends.mha.set_fastpath_enabled, fast)
        torch.backends.mha.set_fastpath_enabled(False)
        stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        stack.enter_context(ForwardMode())
        yield


@contextmanager
def explained() -> Iterator[None]:
    """Turns torch's errors about missing derivatives into ones that name the cure."""
    try:
        yield
    except (RuntimeError, NotImplementedError) as error:
        text = str(error)
        if "forward AD" in text or "forward mode AD" in text or ("not implemented" in text and "derivative" in text):
            raise InterlawError(
                f"an operation of this model cannot be differentiated this way ({text.splitlines()[0][:120]}); for a "
                'Hugging Face model load it with attn_implementation="eager", or measure with probes="exact"'
            ) from error
        if "same dtype" in text or "scalar type" in text:
            raise InterlawError(
                f"expected weights and inputs of one precision, found {text.splitlines()[0][:120]}; pass "
                "dtype=torch.float32 (--float32), which holds for both while measuring"
            ) from error
        if "Inference tensors" in text:
            raise InterlawError(
                "expected tensors that autograd can follow, found some that the model made under "
                "torch.inference_mode(); build the model outside of it"
            ) from error
        if "inplace" in text or "in-place" in text:
            raise InterlawError(
                f"an in-place operation overwrote what the derivative needs ({text.splitlines()[0][:120]}); "
                "replace it by one that returns a new tensor"
            ) from error
        if MISFIT.search(text) and not isinstance(error, torch.OutOfMemoryError):
            raise InterlawError(
                f"expected inputs of the shape that the model takes, found {text.splitlines()[0][:120]}; "
                "check their axes, the first of which counts samples"
            ) from error
        raise
    except IndexError as error:
        if "index out of range" not in str(error):
            raise
        raise InterlawError(
            "expected token ids below the rows of the model's table, found one beyond them; use its own tokenizer"
        ) from error


def require_module(model: object) -> None:
    """Refuses what cannot be measured at all, a name or a path say."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"expected a torch.nn.Module, then its inputs: measure(model, x); found {type(model).__name__}")


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
