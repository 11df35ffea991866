"""What would make a measurement a number of something else: looked for at the first samples, and refused by name.

Operators that autograd takes for constants; outputs that are drawn, that follow other samples, or that read padding; a
next-token loss whose predictor sees its targets, or gives no logits.
"""

from __future__ import annotations

import warnings
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn

from interlaw.errors import InterlawError
from interlaw.interaction.batches import IGNORED, Batch
from interlaw.interaction.entering import changed, doubles_of, entering, tensors_in
from interlaw.interaction.layout import Place
from interlaw.interaction.network import token_tables
from interlaw.interaction.place import Places, leaf, output_tensor, pattern

# An operator on numbers of 8 bits gives other outputs for inputs that differ by this share; many of them change, while
# of a decision (a mask, the choice of an expert) few do.
NUDGE, LEAST_CHANGE = 0.1, 0.25
# So little is seen in what a layer passes on, also in 32 bits, and turns hardly any decision made from it.
TOUCH = 1e-4
# Of the largest derivative at tokens that may be seen: convolutions by Fourier transform leak rounding errors.
LEAK = 1e-4
NAMED = 4  # of the layers at fault, in a message: enough to see which kind they are; any number from 3 to 8 does
CUTS = 6  # places of a sequence where "earlier" ends: a prefix, a block or the last tokens may see what follows
# Of the mean size of outputs: so little do they differ between batch sizes, which round otherwise, in at least 32 bits
# and in 16; dropout, batch statistics and experts that are full change them by more.
DIFFERENT, DIFFERENT_16 = 0.01, 0.1
CROWD = 8  # samples that run together: experts of limited capacity are full
DRAWN = 1e-4  # two passes of one batch round alike, but for sums whose order a GPU does not fix


@dataclass(frozen=True)
class _Constant:
    """A module whose outputs autograd takes for constants though its inputs are none."""

    module: nn.Module
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    outputs: list[Tensor]


def require_sound(places: Places, batch: Batch, *, causal: bool, most: int) -> bool:
    """All that is checked of a network before it is measured.

    Args:
        places: Where the measurement differentiates.
        batch: The first samples.
        causal: Whether logits must not depend on later tokens.
        most: So many samples run at once.

    Returns:
        Whether padding was checked: the first samples have some, or nothing is differentiated.
    """
    one, checked = batch.take(0, 1), True
    if places.kept:
        _require_derivatives(places, one)
        _require_whole(places, one)
        _require_one_output(places, batch.take(0, min(CROWD, most)))
        checked = require_padding_unread(places, batch)
    if causal:
        _require_logits(places, one)
        _require_causal(places.model, one, most=most)
    return checked


def _outputs(places: Places, batch: Batch) -> Tensor:
    """What the network gives, without a derivative."""
    with torch.no_grad():
        return output_tensor(places.run(batch, lambda place, h: h, once=False))


def _differ(one: Tensor, other: Tensor, *, limit: float = DIFFERENT) -> bool:
    """Whether outputs differ by more than rounding."""
    limit = DIFFERENT_16 if one.dtype in (torch.bfloat16, torch.float16) else limit
    near = (one - other).double().abs().mean() <= limit * one.double().abs().mean()
    return not bool(near) and bool(one.isfinite().all())  # a NaN of the first is met as an error of its own


def _require_one_output(places: Places, batch: Batch) -> None:
    """Refuses a network whose outputs for a sample are not a function of that sample."""
    together, again = _outputs(places, batch), _outputs(places, batch)
    if _differ(together, again, limit=DRAWN):
        raise InterlawError(
            "expected one output for one input, found another in each pass (dropout in train mode, noise, or numbers "
            "that the network keeps); call model.eval(), or measure a copy without them"
        )
    for row in {0, len(batch) - 1} if len(batch) > 1 else ():
        alone = _outputs(places, batch.take(row, row + 1))
        if together.shape == (len(batch), *alone.shape[1:]) and _differ(together[row : row + 1], alone):
            raise InterlawError(
                "expected samples that do not affect each other, found outputs of one that change with the others in "
                "its batch (batch statistics, or experts of limited capacity); pass batch_size=1 to measure each alone"
            )


def require_padding_unread(places: Places, batch: Batch) -> bool:
    """Refuses a network whose outputs at real tokens depend on padding; whether a sample with padding was there.

    No mask reaches a Fourier transform or a convolution, and positions count padding on the left unless they are given.
    """
    if batch.mask is None or batch.mask.dim() != 2:
        return False
    real = batch.mask.bool()
    time = real.shape[1]
    # in one piece: a hole within the tokens is no padding
    padded = (real.sum(1) < time) & real.any(1) & ((real[:, 1:] & ~real[:, :-1]).sum(1) + real[:, 0] == 1)
    if not bool(padded.any()):
        return False
    row = int(padded.int().argmax())
    keep, whole = real[row], batch.take(row, row + 1)
    cut = {k: v[:, keep] if v.dim() > 1 and v.shape[1] == time else v for k, v in whole.inputs.items()}
    y, bare = _outputs(places, whole), _outputs(places, Batch(inputs=cut))
    y = y[:, keep] if y.dim() > 2 and y.shape[1] == time else y
    if y.shape == bare.shape and _differ(bare, y):
        raise InterlawError(
            f"expected outputs that do not depend on padding, found that those of {type(places.model).__name__} do; "
            "pad on the right, give position_ids with the batch, or measure sequences of one length"
        )
    return True


def _require_derivatives(places: Places, batch: Batch) -> None:
    """Refuses modules whose outputs follow their inputs while their derivative says that they do not."""
    suspects = _constants(places, batch)
    with torch.no_grad():
        follow = {name: each for name, each in suspects.items() if _follows_its_inputs(each)}
        names = [name for name, each in follow.items() if _reaches_outputs(each, places, batch=batch)]
    if names:
        raise InterlawError(
            f"expected layers that have a derivative, found none in {', '.join(names[:NAMED])}"
            f"{', ...' if len(names) > NAMED else ''} (quantised, or under no_grad or detach), whose outputs change "
            "with their inputs; measure the network before it was quantised, or name a layer behind them"
        )


def _require_whole(places: Places, batch: Batch) -> None:
    """Leaves out modules that get a view or a copy of their first tensor beside it: a derivative at the first alone."""
    doubles: dict[str, list[str]] = {}

    def watch(name: str, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        h = entering(args, kwargs, name=name)
        if h.is_floating_point() and (named := doubles_of(h, args, kwargs)):
            doubles[name] = named

    def traced(tensor: Tensor) -> Tensor:
        return tensor.detach().requires_grad_().clone() if tensor.is_floating_point() else tensor.clone()

    inside = [place for place in places.kept.values() if place.module is not None and not place.output]
    if not inside:
        return
    with ExitStack() as stack:
        for module in places.model.modules():
            if isinstance(module, nn.Embedding):
                stack.callback(module.register_forward_hook(lambda module, args, output: traced(output)).remove)
        for place in inside:
            watched = cast("nn.Module", place.module)
            stack.callback(watched.register_forward_pre_hook(partial(watch, place.name), with_kwargs=True).remove)
        batch.changed(traced).fed_to(places.model)
    places.leave_out(
        {
            name: f"a view or a copy of its first tensor stands at {' and '.join(named)}, which a derivative at that "
            "one would leave out (pass one tensor as all of them)"
            for name, named in doubles.items()
        }
    )


def _constants(places: Places, batch: Batch) -> dict[str, _Constant]:
    """The innermost modules that a gradient enters and none leaves."""
    constants: dict[str, _Constant] = {}
    ran: list[str] = []

    def watch(name: str, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        outputs = [tensor for tensor in tensors_in(output) if tensor.is_floating_point()]
        entered = [tensor for tensor in tensors_in((args, kwargs)) if tensor.requires_grad]
        inside = any(other.startswith(f"{name}.") for other in constants)
        whole = any(other.startswith(f"{name}.") for other in ran)  # quantised layers have parts that never run
        ran.append(name)
        if entered and outputs and not inside and not _has_derivative(outputs, entered, any_is_enough=whole):
            constants[name] = _Constant(module, args, kwargs, outputs)

    with ExitStack() as stack:
        for name, module in places.model.named_modules():
            if name:
                stack.callback(module.register_forward_hook(partial(watch, name), with_kwargs=True).remove)
        places.run(batch, leaf)
    return constants


def _has_derivative(outputs: list[Tensor], entered: list[Tensor], *, any_is_enough: bool) -> bool:
    """Whether a gradient gets through a module; for one made of others it is enough that autograd says so."""
    ways = [tensor for tensor in outputs if tensor.requires_grad]
    if not ways or any_is_enough:
        return bool(ways)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch says of some operators what is said here by name
            probes = [pattern(y) for y in ways]
            gradients = torch.autograd.grad(ways, entered, probes, retain_graph=True, allow_unused=True)
    except RuntimeError:  # refused where all gradients are taken, with its cure
        return True
    return any(g is not None and bool(g.any()) for g in gradients)


def _follows_its_inputs(suspect: _Constant) -> bool:
    """Whether many of the outputs change when the inputs do, a little."""
    args, kwargs = changed((suspect.args, suspect.kwargs), partial(_shaken, by=NUDGE))
    again = tensors_in(suspect.module(*args, **kwargs))
    pairs = zip(suspect.outputs, [tensor for tensor in again if tensor.is_floating_point()], strict=False)
    return any(
        before.shape == after.shape and float((before != after).double().mean()) > LEAST_CHANGE
        for before, after in pairs
        if before.numel()
    )


def _shaken(tensor: Tensor, *, by: float) -> Tensor:
    """Real numbers, each changed by at most such a share of it; other tensors as they are."""
    return tensor.detach() * (1 + by * pattern(tensor)) if tensor.is_floating_point() else tensor


def _reaches_outputs(suspect: _Constant, places: Places, *, batch: Batch) -> bool:
    """Whether the network's outputs follow those of a module: not where it only ranks tokens or experts to choose."""
    before = tensors_in(places.run(batch, lambda place, h: h))
    touch = partial(_shaken, by=TOUCH)
    handle = suspect.module.register_forward_hook(lambda module, args, output: changed(output, touch))
    try:
        after = tensors_in(places.run(batch, lambda place, h: h))
    finally:
        handle.remove()
    return any(not torch.equal(one, other) for one, other in zip(before, after, strict=False))


def _require_logits(places: Places, batch: Batch) -> None:
    """Refuses outputs that are probabilities already: the loss would take their softmax once more."""
    y = _outputs(places, batch).double()
    if y.dim() == 3 and bool((y >= 0).all()) and bool(((y.sum(-1) - 1).abs() < DIFFERENT).all()):
        raise InterlawError(
            "the loss view needs next-token logits, found probabilities (none negative, their sum 1); return what goes "
            "into the softmax, or its logarithm"
        )


def _require_causal(model: nn.Module, batch: Batch, *, most: int) -> None:
    """Refuses a next-token loss of a network whose logits depend on later tokens, the targets among them."""
    # copies of one sample run together; each asks for the logits before a place of its own
    tables = token_tables(model, batch)
    if not tables or batch.targets is None or batch.targets.shape[1] < 2:
        return
    time = batch.targets.shape[1]
    count = max(1, min(CUTS, most, time - 1))
    cuts = torch.linspace(1, time - 1, count) if count > 1 else torch.tensor([time // 2])
    earlier = (torch.arange(time) < cuts.round()[:, None]).to(batch.targets.device)
    asked = (earlier & (batch.targets != IGNORED))[:, :, None]
    places = Places(model, [Place(name=name, module=each, output=True) for name, each in tables.items()], optional=True)

    def before_the_cuts(y: Tensor) -> list[Tensor]:
        return [pattern(y[0]) * asked]

    copies = batch.repeated(count)
    for gradients in places.gradients(copies, lambda output, _: output_tensor(output), cotangents=before_the_cuts):
        for g in gradients.values():
            if g.dim() != 3 or g.shape[1] < time:
                continue
            size = g.abs().amax(2)[:, -time:]  # behind a prompt of the network's own
            if float(size[~earlier].max()) > LEAK * float(size[earlier].max()):
                raise InterlawError(
                    f"the loss view needs a network that predicts from earlier tokens alone, found that logits of "
                    f"{type(model).__name__} depend on later ones, so it sees its targets; set is_decoder=True where "
                    "its settings have that, give labels of -100 to the tokens of a prefix, or use the input view"
                )
