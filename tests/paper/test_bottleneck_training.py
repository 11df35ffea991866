"""Batched bottlenecks: the closed-form gradient against NumPy and autograd, training against a plain loop."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from interlaw.models import build_model
from interlaw.shapes import BottleneckShape
from interlaw.tasks import SparseRows, draw_sparse_rows
from interlaw_paper.bottleneck_training import (
    BottleneckSettings,
    EntrySums,
    loss_gradient,
    mean_losses,
    rate_at,
    train_bottlenecks,
)

DIM = 30


def some_rows(num_rows: int = 300, *, seed: int = 0) -> SparseRows:
    rows = draw_sparse_rows(num_rows, dim=DIM, density=0.1, seed=seed)
    return replace(rows, value=rows.value.double())


def some_parameters(num_models: int = 3, width: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(7)
    return torch.randn(num_models, width + 1, DIM, generator=generator, dtype=torch.float64)


def naive_loss(W: np.ndarray, b: np.ndarray, X: np.ndarray) -> float:
    total = 0.0
    for x in X:
        z = W.T @ (W @ x) + b
        total += float(((x - np.abs(np.maximum(z, 0))) ** 2).sum())
    return total / len(X)


def test_mean_losses_are_the_naive_ones() -> None:
    rows, P = some_rows(), some_parameters()
    expected = [naive_loss(p[:-1].numpy(), p[-1].numpy(), rows.dense().numpy()) for p in P]
    np.testing.assert_allclose(mean_losses(P, rows).numpy(), expected, rtol=1e-12)


def test_gradient_is_the_slope_of_the_naive_loss() -> None:
    """Central differences of the NumPy loss, at a few coordinates of each model."""
    rows, P = some_rows(40), some_parameters()
    batch = torch.randint(40, (3, 25), generator=torch.Generator().manual_seed(1))
    found = loss_gradient(P, EntrySums(rows), batch=batch)
    X, step = rows.dense().numpy(), 1e-6
    for model in range(3):
        data = X[batch[model].numpy()]
        for i, j in ((0, 0), (1, 7), (0, 29), (2, 3), (2, 28)):
            ends = []
            for sign in (1, -1):
                p = P[model].numpy().copy()
                p[i, j] += sign * step
                ends.append(naive_loss(p[:-1], p[-1], data))
            assert float(found[model, i, j]) == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("width", [1, 2, 5])
def test_gradient_is_autograds(width: int) -> None:
    """Over more rows than one block holds, with empty rows and repeated ones."""
    rows, P = some_rows(), some_parameters(width=width)
    assert bool((rows.dense().norm(dim=1) == 0).any())
    batch = torch.randint(300, (3, 450), generator=torch.Generator().manual_seed(1))
    found = loss_gradient(P, EntrySums(rows), batch=batch)
    X = rows.dense()
    leaf = P.clone().requires_grad_()
    losses = [
        (X[chosen] - (X[chosen] @ p[:-1].T @ p[:-1] + p[-1]).relu().abs()).square().sum(1).mean()
        for p, chosen in zip(leaf, batch, strict=True)
    ]
    torch.stack(losses).sum().backward()
    torch.testing.assert_close(found, leaf.grad, rtol=1e-11, atol=1e-11)


def test_training_is_a_plain_loop_of_each_model() -> None:
    """The same steps through the module, autograd and its own optimizer."""
    rows = some_rows(60)
    settings = BottleneckSettings(steps=40, batch_size=50, learning_rate=0.02)
    found = train_bottlenecks(rows, seeds=(3, 5), settings=settings)
    X = rows.dense()
    for P, seed in zip(found, (3, 5), strict=True):
        model = build_model(BottleneckShape(depth=1, width=2, input_size=DIM), seed=seed).double()
        optimizer = torch.optim.AdamW(model.parameters(), lr=1.0, weight_decay=settings.weight_decay)
        generator = torch.Generator().manual_seed(seed)
        for step in range(settings.steps):
            optimizer.param_groups[0]["lr"] = rate_at(step, settings)
            optimizer.zero_grad()
            batch = X[torch.randint(60, (50,), generator=generator)]
            (batch - model(batch)).square().sum(1).mean().backward()
            optimizer.step()
        torch.testing.assert_close(P[:-1], model.weight.detach(), rtol=1e-8, atol=1e-8)
        torch.testing.assert_close(P[-1], model.bias.detach(), rtol=1e-8, atol=1e-8)


def test_models_do_not_see_each_other() -> None:
    rows = some_rows(60)
    settings = BottleneckSettings(steps=10, batch_size=16)
    together = train_bottlenecks(rows, seeds=(0, 1), settings=settings)
    alone = train_bottlenecks(rows, seeds=(1,), settings=settings)
    torch.testing.assert_close(together[1], alone[0], rtol=1e-9, atol=1e-12)
