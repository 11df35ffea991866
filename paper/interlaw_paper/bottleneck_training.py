"""Many tied bottlenecks trained at once on one sparse matrix, with the gradient in closed form.

Legend: X rows of data (T x D, about 1% nonzero); W_s (k x D), b_s the parameters of model s; H = X W_s^T (T x k);
Z = H W_s + b_s; P_s = [W_s; b_s] ((k + 1) x D); c_t how often row t is in the batch of B rows.

    loss_s = (1/B) sum_t c_t sum_i (x_ti - relu(z_ti))^2
    dloss/dZ = (2/B) c (relu(Z) - X * 1(Z > 0))

The first term of the gradient is dense, but needs only relu(Z), block by block in cache: three thin products a block.
The second lives on the nonzero entries of X. So a step costs about 8 multiply-adds an entry of Z and no pass over
memory, where a plain loop makes a dozen passes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from interlaw.models import build_model
from interlaw.shapes import BottleneckShape
from interlaw.sweep import InterventionPart
from interlaw.tasks import SparseRows
from interlaw_paper.bottleneck_intervention import push_gradient

BLOCK_ROWS = 64  # a block of five models of 1000 inputs is then 1.3 MB in float32, which stays in cache


@dataclass(frozen=True, kw_only=True)
class BottleneckSettings:
    """How the bottlenecks are trained: as published, AdamW with PyTorch's default moments, decay on every parameter.

    Attributes:
        width: k.
        steps: Optimizer steps.
        learning_rate: Peak rate.
        weight_decay: Decoupled decay of W and b.
        warmup_fraction: Part of the steps in which the rate rises linearly from a tenth of its peak; a cosine after it.
        batch_size: Rows drawn with replacement each step, at most T of them.
    """

    width: int = 2
    steps: int = 3000
    learning_rate: float = 5e-3
    weight_decay: float = 1e-2
    warmup_fraction: float = 0.25
    batch_size: int = 2048


class EntrySums:
    """Sums over the nonzero entries of X by row and by column, for any number of values an entry."""

    def __init__(self, rows: SparseRows) -> None:
        self.rows = rows
        every = torch.arange(len(rows.row))
        self._row_order, self._row_starts = every, _starts(rows.row, rows.num_rows)
        self._column_order = torch.argsort(rows.column, stable=True)
        self._column_starts = _starts(rows.column[self._column_order], rows.dim)

    def times(self, table: Tensor) -> Tensor:
        """X @ table: (D, c) -> (T, c)."""
        summed: Tensor = F.embedding_bag(
            self.rows.column, table, self._row_starts, mode="sum", per_sample_weights=self.rows.value
        )
        return summed

    def by_row(self, values: Tensor) -> Tensor:
        """(entries, ...) -> (T, ...)."""
        return _summed(values, order=self._row_order, starts=self._row_starts)

    def by_column(self, values: Tensor) -> Tensor:
        """(entries, ...) -> (D, ...)."""
        return _summed(values, order=self._column_order, starts=self._column_starts)


def train_bottlenecks(
    rows: SparseRows,
    *,
    seeds: tuple[int, ...],
    settings: BottleneckSettings,
    push: InterventionPart | None = None,
) -> Tensor:
    """Trains one bottleneck a seed, all on the same rows.

    Args:
        rows: X.
        seeds: Each sets one model's initial weights and the rows of its batches.
        settings: How.
        push: A term beside the loss.

    Returns:
        P (seeds, k + 1, D): W above b.
    """
    shape = BottleneckShape(depth=1, width=settings.width, input_size=rows.dim)
    models = [build_model(shape, seed=seed).state_dict() for seed in seeds]
    P = torch.stack([torch.cat([model["weight"], model["bias"][None]]) for model in models]).to(rows.value)
    optimizer = torch.optim.AdamW([P], lr=settings.learning_rate, weight_decay=settings.weight_decay)
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    sums, size = EntrySums(rows), (min(settings.batch_size, rows.num_rows),)
    for step in range(settings.steps):
        optimizer.param_groups[0]["lr"] = rate_at(step, settings)
        batch = torch.stack([torch.randint(rows.num_rows, size, generator=generator) for generator in generators])
        P.grad = loss_gradient(P, sums, batch=batch)
        if push:
            P.grad += push_gradient(P, _chosen(_hidden(P, sums), batch), push=push)
        optimizer.step()
    return P


def as_model(P: Tensor) -> nn.Module:
    """One of the trained models, P (k + 1, D), as a module in float64."""
    model = build_model(BottleneckShape(depth=1, width=len(P) - 1, input_size=P.shape[1])).double()
    model.load_state_dict({"weight": P[:-1], "bias": P[-1]})
    return model


@torch.no_grad()
def loss_gradient(P: Tensor, sums: EntrySums, *, batch: Tensor) -> Tensor:
    """Gradient of every model's mean loss.

    Args:
        P: (S, k + 1, D).
        sums: The data.
        batch: (S, B) rows of each model's batch, repeated ones counting as often as they occur.

    Returns:
        (S, k + 1, D).
    """
    rows, S, k = sums.rows, P.shape[0], P.shape[1] - 1
    table, H1 = P.permute(2, 0, 1).contiguous(), _hidden(P, sums)  # (D, S, k + 1), (T, S, k + 1)
    chosen = _chosen(H1, batch)
    gradient, dense = _dense_part(P, chosen.contiguous())
    spread = dense.new_zeros(S, rows.num_rows, k)
    dH = spread.scatter_add_(1, batch[:, :, None].expand(-1, -1, k), dense).transpose(0, 1).contiguous()
    ones = batch.new_ones(batch.shape, dtype=P.dtype)
    counts = P.new_zeros(S, rows.num_rows).scatter_add_(1, batch, ones).T
    at_entry, its_column = H1[rows.row], table[rows.column]
    active = rows.value[:, None] * ((at_entry * its_column).sum(2) > 0) * counts[rows.row]
    dH -= sums.by_row(active[:, :, None] * its_column[:, :, :k])
    entries = at_entry.mul_(-active[:, :, None])
    entries[:, :, :k] += rows.value[:, None, None] * dH[rows.row]
    gradient += sums.by_column(entries).permute(1, 2, 0)
    return gradient * (2 / batch.shape[1])


@torch.no_grad()
def mean_losses(P: Tensor, rows: SparseRows) -> Tensor:
    """Every model's loss (1/T) sum_t sum_i (x_ti - |y_ti|)^2 on all rows, (S,), summed in float64."""
    X = rows.dense().double()
    return torch.stack([(X - as_model(p)(X)).square().sum(1).mean() for p in P])


def rate_at(step: int, settings: BottleneckSettings) -> float:
    """Learning rate of a step, counted from 0.

    Example:
        >>> settings = BottleneckSettings(steps=8, learning_rate=1.0)
        >>> [round(rate_at(step, settings), 3) for step in (0, 1, 2, 5)]
        [0.1, 0.55, 1.0, 0.5]
    """
    warmup = max(1, int(settings.steps * settings.warmup_fraction))
    if step < warmup:
        return settings.learning_rate * (0.1 + 0.9 * step / warmup)  # as published
    past = (step - warmup) / max(1, settings.steps - warmup)
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * past))


def _hidden(P: Tensor, sums: EntrySums) -> Tensor:
    """H of every row and model beside a column of ones, (T, S, k + 1)."""
    W = P[:, :-1].permute(2, 0, 1)
    H = sums.times(W.flatten(1)).view(-1, *W.shape[1:])
    return torch.cat([H, H.new_ones(*H.shape[:2], 1)], 2)


def _chosen(H1: Tensor, batch: Tensor) -> Tensor:
    """Each model's batch of rows, (S, B, k + 1)."""
    return H1.transpose(0, 1).gather(1, batch[:, :, None].expand(-1, -1, H1.shape[2]))


def _dense_part(P: Tensor, H1: Tensor) -> tuple[Tensor, Tensor]:
    """[H 1]^T relu(Z), (S, k + 1, D), and relu(Z) W^T, (S, B, k), block by block of rows."""
    S, B, k = H1.shape[0], H1.shape[1], H1.shape[2] - 1
    gradient, dH = torch.zeros_like(P), H1.new_empty(S, k, B)
    W, relu_Z = P[:, :k], H1.new_empty(S, min(B, BLOCK_ROWS), P.shape[2])
    for first in range(0, B, BLOCK_ROWS):
        block = H1[:, first : first + BLOCK_ROWS]
        if block.shape[1] < relu_Z.shape[1]:
            relu_Z = H1.new_empty(S, block.shape[1], P.shape[2])
        torch.bmm(block, P, out=relu_Z)  # into the same pages every time: fresh ones cost more than the product
        relu_Z.relu_()
        gradient.baddbmm_(block.transpose(1, 2), relu_Z)
        dH[:, :, first : first + BLOCK_ROWS] = torch.bmm(W, relu_Z.transpose(1, 2))
    return gradient, dH.transpose(1, 2)


def _starts(sorted_groups: Tensor, num_groups: int) -> Tensor:
    """Where each group begins."""
    return torch.searchsorted(sorted_groups, torch.arange(num_groups))


def _summed(values: Tensor, *, order: Tensor, starts: Tensor) -> Tensor:
    """Sums of consecutive runs of entries, taken in an order."""
    flat: Tensor = F.embedding_bag(order, values.flatten(1), starts, mode="sum")
    return flat.view(len(starts), *values.shape[1:])
