"""Attention, layer normalisation and linear maps with a fast forward-mode derivative, where torch's is slow or missing.

Legend: dX the tangent of X; S = Q K^T / sqrt(d) + mask the scores, A = softmax(S) the weights:
dA = A * (dS - sum(A * dS)), dS = dQ K^T + Q dK^T, d(A V) = dA V + A dV;
z = (x - mean x) / std x the normalised input: dz = (dx - mean dx - z mean(z * dx)) / std x.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode


@cache
def load_formulas() -> None:
    """Loads torch's forward-mode formulas; it registers them through torch.jit.script, which warns from 2.13 on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch._decomp import decompositions_for_jvp as _registered  # noqa: F401


@contextmanager
def differentiable() -> Iterator[None]:
    """Attention in a form that has a forward-mode derivative; torch's own switches are put back afterwards."""
    load_formulas()
    fast = torch.backends.mha.get_fastpath_enabled()
    with ExitStack() as stack:
        stack.callback(torch.backends.mha.set_fastpath_enabled, fast)
        torch.backends.mha.set_fastpath_enabled(False)
        stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        stack.enter_context(ForwardMode())
        yield


class ForwardMode(TorchFunctionMode):
    """While it is active, these operations (attention without dropout) have a fast forward-mode derivative."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Hands on every other function as it is."""
        named = kwargs or {}
        if func is F.scaled_dot_product_attention and not (named.get("dropout_p") or args[4:5] not in ((), (0.0,))):
            return attend(*args, **named)
        if func is F.layer_norm:
            return normalise(*args, **named)
        if func is F.linear:
            return transform(*args, **named)
        return func(*args, **named)


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """What `scaled_dot_product_attention` computes, for the same arguments; no dropout."""
    if enable_gqa:
        key, value = (x.repeat_interleave(query.shape[-3] // x.shape[-3], -3) for x in (key, value))
    mask = attn_mask
    if is_causal:
        mask = torch.ones(query.shape[-2], key.shape[-2], dtype=torch.bool, device=query.device).tril()
    if mask is not None and mask.dtype == torch.bool:
        mask = torch.zeros_like(mask, dtype=query.dtype).masked_fill_(~mask, -torch.inf)
    root = query.shape[-1] ** -0.5 if scale is None else scale
    found: Tensor = _Attention.apply(query, key, value, mask, attn_mask is not None, root)  # type: ignore[no-untyped-call]
    return found


class _Attention(torch.autograd.Function):
    """The weighted values, and their tangent."""

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, guarded: bool, scale: float
    ) -> Tensor:
        """A V; where `guarded`, a query that may see nothing gets zeros."""
        query = query * scale
        scores = query @ key.mT
        if mask is not None:
            scores = scores.add_(mask)
        weights = scores.softmax(-1)
        if guarded:
            weights = weights.masked_fill((scores == -torch.inf).all(-1, keepdim=True), 0.0)
        ctx.save_for_forward(query, key, value, weights)
        ctx.scale = scale
        return weights @ value

    @staticmethod
    def jvp(ctx: Any, dquery: Tensor | None, dkey: Tensor | None, dvalue: Tensor | None, *_: Any) -> Tensor:
        """The tangent; an input without a tangent adds none."""
        query, key, value, weights = ctx.saved_tensors
        found = [] if dvalue is None else [weights @ dvalue]
        moved = [] if dquery is None else [(dquery * ctx.scale) @ key.mT]
        moved += [] if dkey is None else [query @ dkey.mT]
        if moved:
            tangent = _total(moved).mul_(weights)
            found.append(tangent.sub_(weights * tangent.sum(-1, keepdim=True)) @ value)
        return _total(found)


def _total(terms: list[Tensor]) -> Tensor:
    """The sum, written into the first."""
    first, *rest = terms
    for term in rest:
        first.add_(term)
    return first


def normalise(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """What `layer_norm` computes, for the same arguments."""
    if _moves(weight) or _moves(bias):
        return F.layer_norm(input, normalized_shape, weight, bias, eps)
    found: Tensor = _Normalisation.apply(input, tuple(normalized_shape), weight, bias, eps)  # type: ignore[no-untyped-call]
    return found


class _Normalisation(torch.autograd.Function):
    """A normalisation that stays as it is while its input moves: torch's own adds products with zeros."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, shape: tuple[int, ...], weight: Tensor | None, bias: Tensor | None, eps: float
    ) -> Tensor:
        """W z + b."""
        z, _, inverse = torch.native_layer_norm(x, shape, None, None, eps)
        ctx.save_for_forward(z, inverse, weight)
        ctx.axes = tuple(range(-len(shape), 0))
        y = z.clone() if weight is None else z * weight
        return y if bias is None else y.add_(bias)

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, *_: Any) -> Tensor:
        """W dz."""
        z, inverse, weight = ctx.saved_tensors
        mean, along = dx.mean(ctx.axes, keepdim=True), (z * dx).mean(ctx.axes, keepdim=True)
        dz = (dx - mean).sub_(z * along).mul_(inverse.to(dx.dtype))
        return dz if weight is None else dz.mul_(weight)


def transform(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """What `linear` computes, for the same arguments."""
    if _moves(weight) or _moves(bias):
        return F.linear(input, weight, bias)
    found: Tensor = _Linear.apply(input, weight, bias)  # type: ignore[no-untyped-call]
    return found


def _moves(x: Tensor | None) -> bool:
    """Whether it has a tangent."""
    return x is not None and forward_ad.unpack_dual(x).tangent is not None  # type: ignore[no-untyped-call]


class _Linear(torch.autograd.Function):
    """A linear map that stays as it is while its input moves: torch's own adds a product with zeros."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """W x + b."""
        ctx.save_for_forward(weight)
        return F.linear(x, weight, bias)

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, *_: Any) -> Tensor:
        """W dx."""
        (weight,) = ctx.saved_tensors
        return F.linear(dx, weight)
