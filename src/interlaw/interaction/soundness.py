"""What would make a measurement a number of something else: looked for at the first samples, and refused by name.

Operators that autograd takes for constants, and a next-token loss whose predictor sees its targets.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from interlaw.errors import InterlawError
from interlaw.interaction.batches import Batch
from interlaw.interaction.place import Place, Places, leaf, output_tensor, pattern, token_table

# An operator on numbers of 8 bits tells inputs apart that differ by this share; many of its outputs then change, while
# of a decision (a mask, the choice of an expert) few do.
NUDGE, LEAST_CHANGE = 0.1, 0.25
# So little is seen in what a layer passes on, also in 32 bits, and turns hardly any decision made from it.
TOUCH = 1e-4
# Of the largest derivative at tokens that may be seen: convolutions by Fourier transform leak rounding errors.
LEAK = 1e-4


@dataclass(frozen=True)
class _Constant:
    """A module whose outputs autograd takes for constants though its inputs are none."""

    name: str
    module: nn.Module
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    outputs: list[Tensor]


def require_sound(places: Places, batch: Batch, *, causal: bool) -> None:
    """All that is checked of a network before it is measured.

    Args:
        places: Where the measurement differentiates.
        batch: A sample.
        causal: Whether logits must not depend on later tokens.
    """
    _require_derivatives(places, batch)
    if causal:
        _require_causal(places.model, batch)


def _require_derivatives(places: Places, batch: Batch) -> None:
    """Refuses modules whose outputs follow their inputs while their derivative says that they do not.

    Args:
        places: Where the measurement differentiates.
        batch: A sample.

    Raises:
        InterlawError: There are such modules: quantised layers, say, or code under no_grad.
    """
    suspects = _constants(places, batch) if places.kept else []
    with torch.no_grad():
        names = [each.name for each in suspects if _follows_its_inputs(each) and _reaches_outputs(each, places, batch)]
    if names:
        raise InterlawError(
            f"expected layers that have a derivative, found none in {', '.join(names[:4])}"
            f"{', ...' if len(names) > 4 else ''} (quantised, or under no_grad or detach), whose outputs change with "
            "their inputs; measure the network before it was quantised, or name a layer behind them"
        )


def _constants(places: Places, batch: Batch) -> list[_Constant]:
    """The innermost modules that a gradient enters and none leaves."""
    found: dict[str, _Constant] = {}
    ran: list[str] = []

    def watch(name: str) -> Callable[..., None]:
        def after(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
            outputs = [tensor for tensor in _tensors(output) if tensor.is_floating_point()]
            entered = [tensor for tensor in _tensors((args, kwargs)) if tensor.requires_grad]
            inside = any(other.startswith(f"{name}.") for other in found)
            whole = any(other.startswith(f"{name}.") for other in ran)  # quantised layers have parts that never run
            ran.append(name)
            if entered and outputs and not inside and not _has_derivative(outputs, entered, any_is_enough=whole):
                found[name] = _Constant(name, module, args, kwargs, outputs)

        return after

    with ExitStack() as stack:
        for name, module in places.model.named_modules():
            if name:
                stack.callback(module.register_forward_hook(watch(name), with_kwargs=True).remove)
        places.run(batch, leaf)
    return list(found.values())


def _has_derivative(outputs: list[Tensor], entered: list[Tensor], *, any_is_enough: bool) -> bool:
    """Whether a gradient gets through a module; for one made of others it is enough that autograd says so."""
    ways = [tensor for tensor in outputs if tensor.requires_grad]
    if not ways or any_is_enough:
        return bool(ways)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch says of some operators what is said here by name
            found = torch.autograd.grad(ways, entered, [pattern(y) for y in ways], retain_graph=True, allow_unused=True)
    except RuntimeError:  # refused where all gradients are taken, with its cure
        return True
    return any(g is not None and bool(g.any()) for g in found)


def _follows_its_inputs(suspect: _Constant) -> bool:
    """Whether many of the outputs change when the inputs do, a little."""

    def nudged(value: Any) -> Any:
        if isinstance(value, Tensor) and value.is_floating_point():
            return value.detach() * (1 + NUDGE * pattern(value))
        if isinstance(value, tuple | list):
            return type(value)(map(nudged, value)) if type(value) in (tuple, list) else value
        return {name: nudged(item) for name, item in value.items()} if type(value) is dict else value

    again = _tensors(suspect.module(*nudged(suspect.args), **nudged(suspect.kwargs)))
    pairs = zip(suspect.outputs, [tensor for tensor in again if tensor.is_floating_point()], strict=False)
    return any(
        before.shape == after.shape and float((before != after).double().mean()) > LEAST_CHANGE
        for before, after in pairs
        if before.numel()
    )


def _reaches_outputs(suspect: _Constant, places: Places, batch: Batch) -> bool:
    """Whether the network's outputs follow those of a module: not where it only ranks tokens or experts to choose."""

    def touched(module: nn.Module, args: object, output: Any) -> Any:
        if isinstance(output, tuple):
            return tuple(touched(module, args, item) for item in output)
        return (
            output * (1 + TOUCH * pattern(output))
            if isinstance(output, Tensor) and output.is_floating_point()
            else output
        )

    def runs() -> list[Tensor]:
        return _tensors(places.run(batch, lambda place, h: h))

    before = runs()
    handle = suspect.module.register_forward_hook(touched)
    try:
        after = runs()
    finally:
        handle.remove()
    return any(not torch.equal(one, other) for one, other in zip(before, after, strict=False))


def _tensors(value: Any) -> list[Tensor]:
    """The tensors in nested arguments or outputs."""
    if isinstance(value, Tensor):
        return [value]
    items: Sequence[Any] = ()
    if isinstance(value, dict):
        items = list(value.values())
    elif isinstance(value, tuple | list):
        items = value
    return [tensor for item in items for tensor in _tensors(item)]


def _require_causal(model: nn.Module, batch: Batch) -> None:
    """Refuses a next-token loss of a network whose logits depend on later tokens, the targets among them.

    Raises:
        InterlawError: There is a derivative of logits at tokens after them.
    """
    table = token_table(model)
    if table is None or batch.targets is None or batch.targets.shape[1] < 2:
        return
    half = batch.targets.shape[1] // 2
    places = Places(model, [Place(name="embeddings", module=table, output=True)], optional=True)

    def early(output: Any, batch: Batch) -> Tensor:
        return output_tensor(output)[:, :half]

    for gradients in places.gradients(batch, early, lambda y: [pattern(y)]):
        g = gradients.get("embeddings")
        if g is None or g.dim() != 3 or g.shape[1] != batch.targets.shape[1]:
            return
        seen, hidden = float(g[:, :half].abs().max()), float(g[:, half:].abs().max())
        if hidden > LEAK * seen:
            raise InterlawError(
                f"the loss view needs a network that predicts from earlier tokens alone, found that logits of "
                f"{type(model).__name__} depend on later ones, so it sees its targets; set is_decoder=True where its "
                "settings have that, or use the input view"
            )
