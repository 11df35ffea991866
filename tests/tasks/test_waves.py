"""The network of sines: its formula, its scale, and which of its targets carry noise."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from interlaw.tasks import WaveTaskSpec
from interlaw.tasks.waves import draw_matrices, waves


def test_target_is_the_formula() -> None:
    generator = torch.Generator().manual_seed(0)
    matrices = draw_matrices(3, hidden=4, layers=3, gain=1.5, generator=generator)
    last = torch.randn(4, generator=generator)
    x = torch.randn(7, 3, generator=generator)
    found = waves(x, matrices, last=last)
    for n, point in enumerate(x.double().numpy()):
        h = point
        for matrix in matrices:
            h = np.array([math.sin(np.dot(h, matrix.double().numpy()[:, j])) for j in range(4)])
        assert float(found[n]) == pytest.approx(float(np.dot(h, last.double().numpy())), rel=1e-4, abs=1e-5)


@pytest.mark.parametrize(("layers", "rms"), [(1, 2.0), (2, 2.0)])
def test_arguments_of_the_sines_spread_by_the_gain(layers: int, rms: float) -> None:
    """Sines of arguments of variance 4 have mean square (1 - e^-8) / 2, which is 1/2 to .1%; wide layers average."""
    generator = torch.Generator().manual_seed(1)
    matrices = draw_matrices(50, hidden=400, layers=layers, gain=rms, generator=generator)
    h = torch.randn(500, 50, generator=generator)
    for matrix in matrices[:-1]:
        h = torch.sin(h @ matrix)
    assert float((h @ matrices[-1]).square().mean().sqrt()) == pytest.approx(rms, rel=0.03)


def test_only_training_targets_carry_noise_and_have_deviation_one() -> None:
    noisy, clean = WaveTaskSpec(noise=0.5).open(), WaveTaskSpec(noise=0.0).open()
    for split in ("validation", "test"):
        assert torch.equal(noisy.splits[split][1], clean.splits[split][1])
    x, y = noisy.splits["train"]
    assert torch.equal(x, clean.splits["train"][0])
    added = y - clean.splits["train"][1]
    # 128,000 draws: the deviation of a deviation is sd / sqrt(2 n), .2%
    assert float(added.std()) == pytest.approx(0.5, rel=0.01)
    assert float(clean.splits["train"][1].std(correction=0)) == pytest.approx(1, rel=1e-5)


def test_data_follow_the_seed_alone() -> None:
    spec = WaveTaskSpec(train=10, validation=6, test=5)
    other = spec.model_copy(update={"data_seed": 1}).open()
    assert torch.equal(spec.open().splits["test"][1], spec.open().splits["test"][1])
    assert not torch.equal(spec.open().splits["test"][1], other.splits["test"][1])
