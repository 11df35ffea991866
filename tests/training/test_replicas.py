"""Networks trained together end as they would have ended alone."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.training.stopping import Killed
from torch import Tensor, nn
from torch.nn import functional as F

from interlaw.errors import InterlawError
from interlaw.models import GRU, build_model
from interlaw.shapes import GRUShape, Shape, make_shape
from interlaw.training import Replica, TrainResult, TrainSettings, scale_initial_weights, train, train_together

SHAPES: dict[str, Shape] = {
    "gpt": make_shape("gpt", depth=2, width=8, head_dim=4, vocab_size=11, context=6),
    "mlp": make_shape("mlp", depth=2, width=8, input_size=5, output_size=2),
    "cnn": make_shape("cnn", depth=1, width=4),
    "gru": make_shape("gru", depth=2, width=5, input_size=3, output_size=2),
    "hf:llama": make_shape("hf:llama", depth=1, width=8, head_dim=4, vocab_size=11, context=6),
}
SETTINGS = TrainSettings(
    steps=50,
    batch_size=4,
    learning_rate=0.02,
    warmup_steps=3,
    weight_decay=0.1,
    clip=0.5,
    evaluations=5,
    evaluation_samples=6,
    test_samples=7,
    blow_up=1e9,
    base_width=4,
    base_depth=1,
)


class Noise:
    """Random inputs of a family's kind, in float64, with targets that follow from them."""

    unit = "sample"
    units_per_sample = 1

    def __init__(self, shape: Shape) -> None:
        self.shape = shape

    def draw(self, seed: int, size: int) -> tuple[Tensor, Tensor]:
        source = torch.Generator().manual_seed(seed)
        sizes: dict[str, Any] = self.shape.to_dict()
        if "vocab_size" in sizes:
            ids = torch.randint(sizes["vocab_size"], (size, sizes["context"] + 1), generator=source)
            return ids[:, :-1], ids[:, 1:]
        inner = {
            "mlp": (sizes.get("input_size"),),
            "gru": (4, sizes.get("input_size")),
            "cnn": (sizes.get("channels", 0) + 1, 8, 8),
        }[self.shape.family]
        x = torch.randn(size, *inner, generator=source, dtype=torch.float64)
        return x, x.flatten(1).mean(1, keepdim=True)

    def batch(self, *, seed: int, step: int, size: int) -> tuple[Tensor, Tensor]:
        return self.draw(1000 * seed + step, size)

    def evaluation(self, split: str, *, num_samples: int, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        inputs, targets = self.draw(len(split), num_samples)
        for first in range(0, num_samples, batch_size):
            yield inputs[first : first + batch_size], targets[first : first + batch_size]

    def loss(self, model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        inputs, targets = batch
        outputs = model(inputs)
        if targets.is_floating_point():
            return (outputs.flatten(1) - targets).square().mean()
        return F.cross_entropy(outputs.flatten(0, 1), targets.flatten())

    def probes(self, *, num_samples: int, with_targets: bool) -> Tensor:
        raise NotImplementedError

    def figures(self, loss: float) -> dict[str, float]:
        return {}


def network(shape: Shape, settings: TrainSettings) -> nn.Module:
    model = build_model(shape, seed=settings.seed)
    scale_initial_weights(model, settings)
    return model.double()


def group_of(settings: TrainSettings) -> list[TrainSettings]:
    return [
        settings.model_copy(update=change) for change in ({"seed": 1}, {"seed": 2}, {"seed": 2, "learning_rate": 0.005})
    ]


def assert_alike(found: TrainResult, expected: TrainResult) -> None:
    assert (found.status, found.units, len(found.curve)) == (expected.status, expected.units, len(expected.curve))
    assert found.loss == pytest.approx(expected.loss, rel=1e-6, nan_ok=True)
    for row, other in zip(found.curve, expected.curve, strict=True):
        assert row == pytest.approx(other, rel=1e-6)


@pytest.mark.parametrize(
    ("family", "treatment"),
    [*((family, "standard") for family in SHAPES), ("gpt", "mup"), ("gpt", "completep"), ("mlp", "completep")],
)
def test_each_ends_as_it_would_have_alone(family: str, treatment: Any) -> None:
    task, shape = Noise(SHAPES[family]), SHAPES[family]
    settings = group_of(SETTINGS.model_copy(update={"parametrization": treatment}))
    alone = [network(shape, one) for one in settings]
    together = [network(shape, one) for one in settings]
    expected = [train(model, task, settings=one) for model, one in zip(alone, settings, strict=True)]
    found = train_together(
        [Replica(model=model, settings=one) for model, one in zip(together, settings, strict=True)], task
    )
    for result, other, model, reference in zip(found, expected, together, alone, strict=True):
        assert result.status == "done"
        assert_alike(result, other)
        for (name, weights), other_weights in zip(model.named_parameters(), reference.parameters(), strict=True):
            torch.testing.assert_close(weights, other_weights, rtol=1e-6, atol=1e-9, msg=name)


def test_a_batch_in_parts_gives_the_same() -> None:
    task, shape = Noise(SHAPES["mlp"]), SHAPES["mlp"]
    settings = group_of(SETTINGS)
    expected = [train(network(shape, one), task, settings=one) for one in settings]
    replicas = [Replica(model=network(shape, one), settings=one) for one in settings]
    for result, other in zip(train_together(replicas, task, micro_batch=3), expected, strict=True):
        assert_alike(result, other)


def test_a_diverged_one_leaves_the_others_untouched() -> None:
    task, shape = Noise(SHAPES["mlp"]), SHAPES["mlp"]
    settings = [
        SETTINGS.model_copy(update={"seed": 1}),
        SETTINGS.model_copy(update={"seed": 2, "learning_rate": 1000000.0}),
    ]
    expected = train(network(shape, settings[0]), task, settings=settings[0])
    calm, wild = train_together([Replica(model=network(shape, one), settings=one) for one in settings], task)
    assert wild.status == "diverged"
    assert "against" in wild.reason
    assert math.isnan(wild.loss)
    assert_alike(calm, expected)


def test_patience_ends_each_at_its_own_step() -> None:
    task, shape = Noise(SHAPES["mlp"]), SHAPES["mlp"]
    settings = [
        SETTINGS.model_copy(update={"evaluations": 25, "patience": 1, "seed": seed, "learning_rate": rate})
        for seed, rate in ((1, 0.3), (2, 0.02), (3, 0.5))
    ]
    expected = [train(network(shape, one), task, settings=one) for one in settings]
    assert len({result.units for result in expected}) > 1, "they stop at different steps"
    found = train_together([Replica(model=network(shape, one), settings=one) for one in settings], task)
    for result, other in zip(found, expected, strict=True):
        assert_alike(result, other)


def test_a_stopped_group_resumes_together_or_apart(tmp_path: Path) -> None:
    task, shape = Noise(SHAPES["mlp"]), SHAPES["mlp"]
    settings = group_of(SETTINGS)
    whole = train_together([Replica(model=network(shape, one), settings=one) for one in settings], task)

    def stop(state: Any) -> None:
        if state.step == 30:
            raise Killed

    def replicas(report: Any = None) -> list[Replica]:
        return [
            Replica(model=network(shape, one), settings=one, checkpoints=tmp_path / str(place), report=report)
            for place, one in enumerate(settings)
        ]

    with pytest.raises(Killed):
        train_together(replicas(stop), task, checkpoint_seconds=0)
    assert all(any((tmp_path / str(place)).iterdir()) for place in range(3))
    alone = train(
        network(shape, settings[2]), task, settings=settings[2], checkpoints=tmp_path / "2", checkpoint_seconds=1e9
    )
    assert_alike(alone, whole[2])
    found = train_together(replicas(), task, checkpoint_seconds=1e9)
    for result, other in zip(found, whole, strict=True):
        assert_alike(result, other)
        assert result.curve == other.curve, "to the same bits"


def test_replicas_differ_in_seed_and_rate_alone() -> None:
    settings = [SETTINGS, SETTINGS.model_copy(update={"batch_size": 5})]
    replicas = [Replica(model=network(SHAPES["mlp"], one), settings=one) for one in settings]
    with pytest.raises(InterlawError, match="in seed and learning_rate alone, found batch_size 4 and 5; train them"):
        train_together(replicas, Noise(SHAPES["mlp"]))


def test_what_only_one_network_can_do_is_refused() -> None:
    settings = SETTINGS.model_copy(update={"keeps": "best"})
    with pytest.raises(InterlawError, match="keep their last weights, found 'none' and 'best'; train them apart"):
        train_together([Replica(model=network(SHAPES["mlp"], settings), settings=settings)], Noise(SHAPES["mlp"]))


def test_a_frozen_weight_is_refused() -> None:
    models = [network(SHAPES["mlp"], one) for one in group_of(SETTINGS)]
    for model in models:
        next(iter(model.parameters())).requires_grad_(False)
    with pytest.raises(InterlawError, match=r"weights all train, found 'enter.weight' frozen"):
        train_together([Replica(model=model, settings=SETTINGS) for model in models], Noise(SHAPES["mlp"]))


def test_the_written_out_gru_is_torchs_own() -> None:
    model = GRU(GRUShape(depth=3, width=5, input_size=4, output_size=2)).double()
    x = torch.randn(6, 7, 4, dtype=torch.float64)
    expected = model(x)
    model.written_out = True
    torch.testing.assert_close(model(x), expected, rtol=1e-12, atol=1e-14)
