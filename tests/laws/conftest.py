"""Synthetic sweeps with a known law."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

Sweep = Callable[..., dict[str, np.ndarray]]

DEPTHS = (2, 3, 4, 6, 8, 12, 16)
BUDGETS = (5e5, 1e6, 2e6, 4e6, 8e6)


def build_sweep(
    *,
    budgets: tuple[float, ...] = BUDGETS,
    depths: tuple[int, ...] = DEPTHS,
    seeds: int = 1,
    noise: float = 0.0,
    gamma: float = 0.0,
    ratio: float = 0.03,
    kappa: float = 0.05,
    random: int = 0,
) -> dict[str, np.ndarray]:
    """L = 1 + 0.8 (N / 1M)^-0.25 + kappa (log R - log(ratio (N / 1M)^gamma))^2, times exp(noise * normal)."""
    budget, depth, seed = (
        each.ravel()
        for each in np.meshgrid(np.array(budgets), np.array(depths, float), np.arange(seeds), indexing="ij")
    )
    width = np.sqrt(budget / 12 / depth)
    size = np.log(budget / 1e6)
    away = np.log(depth / width) - np.log(ratio) - gamma * size
    normal = np.random.default_rng(random).normal(size=budget.size)
    loss = (1 + 0.8 * np.exp(-0.25 * size) + kappa * away**2) * np.exp(noise * normal)
    return {"budget": budget, "params": budget, "depth": depth, "width": width, "seed": seed, "loss": loss}


@pytest.fixture
def sweep() -> Sweep:
    return build_sweep
