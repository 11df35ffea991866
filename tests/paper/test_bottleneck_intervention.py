"""The term that moves a bottleneck's interaction: slopes of a NumPy transcription, and what it does."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
import torch

from interlaw.interaction import measure
from interlaw.sweep import InterventionPart
from interlaw.tasks import draw_sparse_rows
from interlaw_paper.bottleneck_intervention import MOST_POINTS, push_gradient
from interlaw_paper.bottleneck_training import BottleneckSettings, as_model, train_bottlenecks

DIM = 12


def term(W: np.ndarray, active: np.ndarray, on: str) -> float:
    """From each point's own D x D matrix; the first half of the points is paired with the second."""
    half = len(active) // 2
    square = W.T @ (W @ W.T) @ W
    A = [square * np.outer(s, s) for s in active]
    traces = [np.trace(np.mean(part, axis=0)) for part in (A[:half], A[half:])]
    if on == "trace":
        return float(np.log(traces[0] * traces[1]) / 2)
    pairs = [(a * b).sum() - np.diag(a) @ np.diag(b) for a, b in zip(A[:half], A[half:], strict=True)]
    return float(np.mean(pairs) / (traces[0] * traces[1]))


@pytest.mark.parametrize("on", ["interaction", "trace"])
@pytest.mark.parametrize(("width", "points"), [(1, 8), (2, 9), (3, 2 * MOST_POINTS)])
def test_gradient_is_the_slope_of_the_naive_term(on: Literal["interaction", "trace"], width: int, points: int) -> None:
    generator = torch.Generator().manual_seed(0)
    P = torch.randn(2, width + 1, DIM, generator=generator, dtype=torch.float64)
    hidden = torch.randn(2, points, width + 1, generator=generator, dtype=torch.float64)
    hidden[:, :, -1] = 1
    found = push_gradient(P, hidden, push=InterventionPart(on=on, strength=0.7))
    used = 2 * (min(points, MOST_POINTS) // 2)
    step = 1e-6
    for model in range(2):
        active = (hidden[model, :used] @ P[model]).numpy() > 0
        for i, j in ((0, 0), (width - 1, 5), (0, DIM - 1)):
            ends = []
            for sign in (1, -1):
                W = P[model, :-1].numpy().copy()
                W[i, j] += sign * step
                ends.append(term(W, active, on))
            assert float(found[model, i, j]) == pytest.approx(
                0.7 * (ends[0] - ends[1]) / (2 * step), rel=1e-6, abs=1e-9
            )
    assert not found[:, -1].any()


def trained(push: InterventionPart | None) -> tuple[float, float]:
    """Scale-free AOFE and trace of a small bottleneck."""
    rows = draw_sparse_rows(60, dim=40, density=0.1, seed=1)
    settings = BottleneckSettings(steps=400, learning_rate=0.01)
    (P,) = train_bottlenecks(rows, seeds=(0,), settings=settings, push=push)
    points = draw_sparse_rows(1000, dim=40, density=0.1, seed=2).dense().double()
    found = measure(as_model(P), points, view="bottleneck")
    return found.aofe_scale_free.value, found.trace.value


def test_each_strength_moves_what_it_is_on() -> None:
    plain = trained(None)
    lowered, raised = (trained(InterventionPart(on="interaction", strength=strength))[0] for strength in (1.0, -1.0))
    assert lowered < 0.9 * plain[0] < plain[0] < raised
    assert (
        trained(InterventionPart(on="trace", strength=0.1))[1]
        < plain[1]
        < trained(InterventionPart(on="trace", strength=-0.1))[1]
    )
