"""Scaled dot products with a forward-mode derivative: torch's fused kernels have none, its plain ones a slow one.

Legend: S = Q K^T / sqrt(d) + mask the scores; A = softmax(S) the weights; dX the tangent of X:
dA = A * (dS - sum(A * dS)), dS = dQ K^T + Q dK^T, d(A V) = dA V + A dV.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode


class ForwardModeAttention(TorchFunctionMode):
    """While it is active, `scaled_dot_product_attention` without dropout has a fast forward-mode derivative."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Hands on every other function as it is."""
        named = kwargs or {}
        if func is F.scaled_dot_product_attention and not (named.get("dropout_p") or args[4:5] not in ((), (0.0,))):
            return attend(*args, **named)
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
    found: Tensor = _Attention.apply(query * root, key, value, mask, attn_mask is not None)  # type: ignore[no-untyped-call]
    return found


class _Attention(torch.autograd.Function):
    """The weighted values of scaled queries, and their tangent."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, guarded: bool) -> Tensor:
        """A V; where `guarded`, a query that may see nothing gets zeros."""
        scores = query @ key.mT
        if mask is not None:
            scores = scores.add_(mask)
        weights = scores.softmax(-1)
        if guarded:
            weights = weights.masked_fill((scores == -torch.inf).all(-1, keepdim=True), 0.0)
        ctx.save_for_forward(query, key, value, weights)
        return weights @ value

    @staticmethod
    def jvp(ctx: Any, dquery: Tensor | None, dkey: Tensor | None, dvalue: Tensor | None, *_: Any) -> Tensor:
        """The tangent; an input without a tangent adds none."""
        query, key, value, weights = ctx.saved_tensors
        found = [] if dvalue is None else [weights @ dvalue]
        moved = [] if dquery is None else [dquery @ key.mT]
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
