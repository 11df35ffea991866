"""The low-rank regression: its formula, its variance in closed form, its batches."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from interlaw.errors import InterlawError
from interlaw.models import build_model
from interlaw.shapes import MLPShape
from interlaw.tasks import ImageTaskSpec, VectorTaskSpec
from interlaw.tasks.samples import RegressionTask
from interlaw.tasks.vectors import NOISE, RANK, draw_directions, target


def test_target_is_the_published_formula() -> None:
    directions = draw_directions(6, generator=torch.Generator().manual_seed(0))
    x = torch.randn(9, 6, generator=torch.Generator().manual_seed(1))
    found = target(x, directions)
    d = directions
    for n, z in enumerate(x.double().numpy()):
        u, v, w = (np.dot(getattr(d, name).numpy(), z) for name in "uvw")
        y = 0.55 * z[0] * z[1]
        y += 0.55 * (0.8 * (u * u - 1) + 0.35 * (v**4 - 6 * v * v + 3))
        y += (
            0.35
            * sum(float(d.mix[k]) * np.dot(d.A[:, k].numpy(), z) * np.dot(d.B[:, k].numpy(), z) for k in range(RANK))
            / math.sqrt(8)
        )
        y += 0.05 * math.sin(2 * w)
        assert float(found[n]) == pytest.approx(y, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize(
    ("variant", "variance"),
    [("product", 0.55**2), ("hermite", 0.55**2 * (0.8**2 * 2 + 0.35**2 * 24))],
)
def test_variance_in_closed_form(variant: str, variance: float) -> None:
    """E He2^2 = 2, E He4^2 = 24, and u, v orthogonal make the Hermite terms independent."""
    directions = draw_directions(8, generator=torch.Generator().manual_seed(0))
    v = directions.v - (directions.v @ directions.u) * directions.u
    directions = directions._replace(v=v / v.norm())
    x = torch.randn(400_000, 8, generator=torch.Generator().manual_seed(1))
    squares = target(x, directions, variant=variant).double().square()
    assert abs(float(squares.mean()) - variance) < 4 * float(squares.std()) / math.sqrt(len(squares))


def test_seeds_of_64_bits_have_batches_of_their_own() -> None:
    vectors, images = VectorTaskSpec(dim=4, train=100, validation=6, test=5).open(), ImageTaskSpec().open()
    for task in (vectors, images):
        first, other = (task.batch(seed=seed, step=0, size=8)[0] for seed in (2**64 - 1, 2**64 - 2))
        assert not torch.equal(first, other)


def test_data_follow_the_seed_alone() -> None:
    spec = VectorTaskSpec(dim=4, train=10, validation=6, test=5)
    first, again = spec.open(), spec.open()
    other = spec.model_copy(update={"data_seed": 1}).open()
    assert torch.equal(first.splits["test"][1], again.splits["test"][1])
    assert not torch.equal(first.splits["test"][1], other.splits["test"][1])
    assert {split: len(x) for split, (x, _) in first.splits.items()} == {
        "train": 10,
        "validation": 6,
        "test": 5,
    }


def test_targets_carry_the_noise() -> None:
    spec = VectorTaskSpec(dim=4, train=20_000, validation=1, test=1)
    generator = torch.Generator().manual_seed(spec.data_seed)
    directions = draw_directions(4, generator=generator)
    x, y = spec.open().splits["train"]
    noise = y[:, 0] - target(x, directions)
    assert float(noise.std()) == pytest.approx(NOISE, rel=0.03)


def test_an_epoch_sees_every_sample_once() -> None:
    x = torch.arange(10.0)[:, None]
    samples = RegressionTask({"train": (x, x)})
    seen = torch.cat([samples.batch(seed=3, step=step, size=4)[0] for step in range(5)])[:, 0]
    assert sorted(seen[:10].tolist()) == sorted(seen[10:].tolist()) == list(range(10))
    assert seen[:10].tolist() != seen[10:].tolist()
    again = RegressionTask({"train": (x, x)}).batch(seed=3, step=2, size=4)[0]
    assert torch.equal(again, seen[8:12, None])


def test_a_batch_may_be_larger_than_the_data() -> None:
    x = torch.arange(3.0)[:, None]
    batch, _ = RegressionTask({"train": (x, x)}).batch(seed=0, step=1, size=9)
    assert sorted(batch[:, 0].tolist()) == [0.0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_loss_and_explained_variance() -> None:
    task = VectorTaskSpec(dim=4, train=10, validation=6, test=50).open()
    mean = float(task.splits["test"][1].mean())

    class Constant(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.full((len(x), 1), mean)

    loss = float(task.loss(Constant(), task.splits["test"]))
    assert task.figures(loss)["explained_variance"] == pytest.approx(0.0, abs=1e-5)
    assert task.figures(0.0)["explained_variance"] == 1.0


def test_the_data_decide_the_models_ends(tmp_path) -> None:  # type: ignore[no-untyped-def]
    spec = VectorTaskSpec(dim=4, train=10, validation=6, test=5)
    plan = spec.plan(folder=tmp_path)
    shape = MLPShape(depth=1, width=8, **plan.sizes)
    assert plan.spec(shape) is spec
    task = spec.open()
    assert build_model(shape)(task.batch(seed=0, step=0, size=3)[0]).shape == (3, 1)


def test_probes_are_validation_points() -> None:
    task = VectorTaskSpec(dim=4, train=10, validation=6, test=5).open()
    assert torch.equal(task.probes(num_samples=4, with_targets=False), task.splits["validation"][0][:4])
    with pytest.raises(InterlawError, match="without targets for a regression task, found loss; choose input"):
        task.probes(num_samples=4, with_targets=True)
