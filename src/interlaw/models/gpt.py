"""The byte-level GPT of arXiv 2605.27989: from a shape to logits in one file."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from interlaw.models.roles import Roles
from interlaw.models.windows import require_within
from interlaw.shapes import GPTShape

INIT_STD = 0.02  # GPT-2's
# On a CPU, heads of at most this width are attended in blocks,
_NARROW = 8
# for contexts of these lengths: what autograd keeps of the blocks grows with the square of the length.
_BLOCKED = range(65, 513)
_BLOCK = 32  # queries; 16 and 64 are as fast within noise (docs/log.md)


def causal_attention(
    query: Float[Tensor, "batch heads time head_dim"],
    *,
    key: Float[Tensor, "batch heads time head_dim"],
    value: Float[Tensor, "batch heads time head_dim"],
) -> Float[Tensor, "batch heads time head_dim"]:
    """Sums of the values so far, weighted by the softmax of query times key / sqrt(head_dim).

    By torch's fused kernel, but for narrow heads on a CPU: their products are so small that the kernel is slow. There
    a block of queries of all heads is multiplied with the keys up to it, in half to two thirds of the time.
    """
    time, head_dim = query.shape[2:]
    if query.device.type != "cpu" or head_dim > _NARROW or time not in _BLOCKED:
        return F.scaled_dot_product_attention(query, key, value, is_causal=True)
    q, k, v = (part.flatten(0, 1) for part in (query, key, value))
    future = q.new_full((time, time), -math.inf).triu(1)
    mixed = []
    for first in range(0, time, _BLOCK):
        past = min(first + _BLOCK, time)
        keys = k[:, :past].transpose(1, 2)
        scores = torch.baddbmm(future[first:past, :past], q[:, first:past], keys, alpha=1 / math.sqrt(head_dim))
        mixed.append(scores.softmax(-1) @ v[:, :past])
    return torch.cat(mixed, dim=1).view_as(query)


class Attention(nn.Module):
    """Causal self-attention; the heads are `head_dim` wide."""

    def __init__(self, shape: GPTShape) -> None:
        super().__init__()
        self.head_dim = shape.head_dim
        self.qkv = nn.Linear(shape.width, 3 * shape.width, bias=False)
        self.out = nn.Linear(shape.width, shape.width, bias=False)

    def forward(self, x: Float[Tensor, "batch time width"], keep: int) -> Float[Tensor, "batch keep width"]:
        """Mixes each of the last `keep` positions with the ones before it."""
        batch, time, width = x.shape
        qkv = self.qkv(x).view(batch, time, 3, width // self.head_dim, self.head_dim)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        if keep == time:
            mixed = causal_attention(query, key=key, value=value)
        else:
            seen = torch.ones(keep, time, dtype=torch.bool, device=x.device).tril(time - keep)
            mixed = F.scaled_dot_product_attention(query[:, :, time - keep :], key, value, attn_mask=seen)
        out: Tensor = self.out(mixed.transpose(1, 2).reshape(batch, keep, width))
        return out


class Block(nn.Module):
    """x + attention(norm(x)), then x + MLP(norm(x)) with an exact GELU."""

    def __init__(self, shape: GPTShape) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(shape.width)
        self.attention = Attention(shape)
        self.norm2 = nn.LayerNorm(shape.width)
        self.up = nn.Linear(shape.width, shape.d_ff, bias=False)
        self.down = nn.Linear(shape.d_ff, shape.width, bias=False)

    def forward(self, x: Float[Tensor, "batch time width"], keep: int) -> Float[Tensor, "batch keep width"]:
        """One residual block, worked out for the last `keep` positions."""
        x = x[:, x.shape[1] - keep :] + self.attention(self.norm1(x), keep)
        out: Tensor = x + self.down(F.gelu(self.up(self.norm2(x))))
        return out


class GPT(nn.Module):
    """Decoder-only transformer with learned positions; see `GPTShape` for its sizes and counts.

    Weights start as in GPT-2: normal with std `INIT_STD`, divided by sqrt(2 depth) for the two matrices that write to
    the residual stream (Radford et al. 2019, section 2.3).

    Args:
        shape: The sizes.
        generator: Source of the initial weights; torch's default generator when None.
    """

    roles = Roles(
        inputs=("tokens", "positions"), outputs=("head",), writers=("attention.out", "down"), depth_scaled=True
    )

    def __init__(self, shape: GPTShape, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.shape = shape
        self.tokens = nn.Embedding(shape.vocab_size, shape.width)
        self.positions = nn.Embedding(shape.context, shape.width)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.depth))
        self.norm = nn.LayerNorm(shape.width)
        self.head = nn.Linear(shape.width, shape.vocab_size, bias=False)
        if shape.tied:
            self.head.weight = self.tokens.weight
        self.reset_parameters(generator)

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draws new weights."""
        for name, parameter in self.named_parameters():
            if parameter.dim() < 2:
                continue
            writes_residual = name.endswith(("out.weight", "down.weight"))
            std = INIT_STD / math.sqrt(2 * self.shape.depth) if writes_residual else INIT_STD
            nn.init.normal_(parameter, std=std, generator=generator)

    def get_input_embeddings(self) -> nn.Module:
        """The token table, under the name that Hugging Face models use."""
        return self.tokens

    def forward(self, ids: Int[Tensor, "batch time"], logits_to_keep: int = 0) -> Float[Tensor, "batch keep vocab"]:
        """Logits of the next token at every position, or at the last ones alone.

        Args:
            ids: Token ids; time is at most the shape's context.
            logits_to_keep: How many of the last positions are asked for, as in the Hugging Face library; 0 for all.
                The last block and the head then work out nothing else.

        Raises:
            InterlawError: When the sequences are longer than the context.
        """
        require_within(ids, context=self.shape.context)
        place = torch.arange(ids.shape[1], device=ids.device)
        x = self.tokens(ids) + self.positions(place)
        time = ids.shape[1]
        for index, block in enumerate(self.blocks, 1):
            last = logits_to_keep and index == len(self.blocks)
            x = block(x, min(logits_to_keep, time) if last else time)
        logits: Tensor = self.head(self.norm(x))
        return logits
