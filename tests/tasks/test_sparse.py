"""Sparse vectors: unit rows, as many nonzeros as asked for, the same for the same seed."""

from __future__ import annotations

import math

import pytest
import torch

from interlaw.errors import InterlawError
from interlaw.tasks import draw_sparse_rows


def test_rows_have_unit_norm_and_the_density_asked_for() -> None:
    rows = draw_sparse_rows(400, dim=500, density=0.02, seed=1)
    X = rows.dense()
    norms = X.norm(dim=1)
    assert bool(((norms - 1).abs() < 1e-5).logical_or(norms == 0).all())
    expected, spread = 400 * 500 * 0.02, math.sqrt(400 * 500 * 0.02)
    assert abs(len(rows.value) - expected) < 4 * spread
    assert float(X.min()) == 0.0


def test_entries_and_matrix_say_the_same() -> None:
    rows = draw_sparse_rows(20, dim=30, density=0.2, seed=0)
    X = rows.dense()
    assert torch.equal(X[rows.row, rows.column], rows.value)
    assert int((X != 0).sum()) == len(rows.value)
    places = rows.row * 30 + rows.column
    assert torch.equal(places, places.sort().values)


def test_rows_follow_the_seed_alone() -> None:
    first, again, other = (draw_sparse_rows(20, dim=30, density=0.2, seed=seed).dense() for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("density", [0.0, 1.5])
def test_density_is_a_probability(density: float) -> None:
    with pytest.raises(InterlawError, match="density above 0 and at most 1"):
        draw_sparse_rows(2, density=density)
