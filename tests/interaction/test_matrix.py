import json
import math

import numpy as np
import pytest
import torch

from interlaw.errors import InterlawError
from interlaw.interaction import energies, haar_null, projected_null


def test_three_by_three_by_hand() -> None:
    found = energies(torch.tensor([[3.0, 1.0, 0.0], [1.0, 2.0, 2.0], [0.0, 2.0, 1.0]]))
    assert found.energy == 9 + 4 + 1 + 2 * (1 + 4)
    assert found.diagonal_energy == 14
    assert found.aofe == 10
    assert found.aofe_ratio == pytest.approx(10 / 24)
    assert found.trace == 6
    assert found.aofe_scale_free == pytest.approx(10 / 36)
    assert found.participation_ratio == pytest.approx(36 / 24)
    assert found.mean_cos2 == pytest.approx(10 / (2 * (3 * 2 + 3 * 1 + 2 * 1)))
    assert found.null_ratio == pytest.approx((3 - 1.5) / 5)
    assert found.excess_ratio == pytest.approx(10 / 24 - 0.3)
    assert found["aofe"] == found.aofe
    assert json.loads(json.dumps(found.to_dict()))["dim"] == 3


def test_diagonal_and_rank_one_extremes() -> None:
    assert energies(torch.diag(torch.tensor([1.0, 2.0]))).aofe_ratio == 0
    ones = energies(torch.ones(4, 4))
    assert ones.mean_cos2 == pytest.approx(1)
    assert ones.aofe_ratio == pytest.approx(12 / 16)
    assert energies(torch.tensor([[2.0]])).mean_cos2 == 0


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (torch.zeros(2, 2), "all zeros"),
        (torch.ones(2, 3), "square"),
        (torch.tensor([[1.0, 2.0], [0.0, 1.0]]), "symmetric"),
        (torch.tensor([[math.nan, 0.0], [0.0, 1.0]]), "NaN"),
    ],
)
def test_refusals(matrix: torch.Tensor, message: str) -> None:
    with pytest.raises(InterlawError, match=message):
        energies(matrix)


def test_haar_null_is_the_mean_ratio_over_random_bases() -> None:
    rng = np.random.default_rng(0)
    spectrum = np.array([5.0, 2.0, 1.0, 0.5, 0.1, 0.0])
    ratios = []
    for _ in range(4000):
        Q, R = np.linalg.qr(rng.normal(size=(6, 6)))
        Q = Q * np.sign(np.diag(R))
        G = Q @ np.diag(spectrum) @ Q.T
        ratios.append(1 - (np.diag(G) ** 2).sum() / (G**2).sum())
    energy, squared = (spectrum**2).sum(), spectrum.sum() ** 2
    null = float(haar_null(torch.tensor(energy), torch.tensor(squared), dim=6))
    assert null == pytest.approx(np.mean(ratios), abs=3 * np.std(ratios) / math.sqrt(4000))


@pytest.mark.parametrize("rotated", [False, True])
def test_projected_null_recovers_the_rank_before_projection(rotated: bool) -> None:
    rng = np.random.default_rng(1)
    spectrum = 1.0 / np.arange(1, 201) ** 0.5
    rank = spectrum.sum() ** 2 / (spectrum**2).sum()
    G = np.diag(spectrum)
    if rotated:
        Q, _ = np.linalg.qr(rng.normal(size=(200, 200)))
        G = Q @ G @ Q.T
    nulls, ratios = [], []
    for _ in range(60):
        P = rng.normal(size=(64, 200)) / 8
        M = torch.from_numpy(P @ G @ P.T)
        found = energies(M, null=projected_null)
        nulls.append(found.null_ratio)
        ratios.append(found.aofe_ratio)
    assert np.mean(nulls) == pytest.approx(63 / (65 + rank), rel=0.01)
    assert np.mean(ratios) == pytest.approx(np.mean(nulls), rel=0.01)


def test_projected_null_of_one_output_is_zero_and_rank_is_at_least_one() -> None:
    one = torch.tensor(4.0)
    assert float(projected_null(one, one, dim=1)) == 0
    assert float(projected_null(one, one, dim=3)) == pytest.approx(2 / 5)
