"""The matrix-free claims, in bytes."""

import torch
from benchmarks.peak_interaction import peak
from torch import nn

from interlaw.interaction import measure
from interlaw.interaction.grams import DenseAccumulator, _max_groups, accumulator


def test_token_view_never_holds_its_matrix() -> None:
    _, extra = peak("token", 64)
    matrix = (64 * 256) ** 2 * 4 / 2**20
    assert matrix == 1024
    assert extra < 0.4 * matrix


def test_dense_route_keeps_a_bounded_number_of_matrices() -> None:
    into = accumulator("dense", dim=512)
    assert isinstance(into, DenseAccumulator)
    for _ in range(40):
        into.add(torch.randn(16, 512, 1), torch.ones(16))
    assert len(into.grams().counts) <= 2 * _max_groups(512) < 640


def test_wide_inputs_are_measured_by_pairs_of_factors() -> None:
    # G would be 100,000 x 100,000: 40 GB
    model = nn.Sequential(nn.Linear(100_000, 4), nn.Tanh(), nn.Linear(4, 2))
    found = measure(model, torch.randn(8, 100_000))
    assert found.dim == 100_000
    assert 0 < found.aofe_ratio.value <= 1
