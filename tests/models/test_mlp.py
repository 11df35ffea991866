"""The residual MLP against a NumPy transcription."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.special import erf

from interlaw.models import MLP, build_model
from interlaw.shapes import MLPShape

SHAPE = MLPShape(depth=3, width=16, input_size=5, output_size=2)


def gelu(x: np.ndarray) -> np.ndarray:
    return x * 0.5 * (1 + erf(x / math.sqrt(2)))


def transcribed(weights: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    def linear(name: str, h: np.ndarray) -> np.ndarray:
        return h @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    h = linear("enter", x)
    for block in range(SHAPE.depth):
        h = h + linear(f"blocks.{block}.fc2", gelu(linear(f"blocks.{block}.fc1", gelu(h)))) / math.sqrt(2)
    return linear("leave", h)


def test_forward_is_the_published_formula() -> None:
    model = build_model(SHAPE, seed=3).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.3, generator=torch.Generator().manual_seed(parameter.numel()))
    x = np.random.default_rng(0).standard_normal((7, 5))
    weights = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    found = model(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(found, transcribed(weights, x), rtol=1e-12, atol=1e-12)


def test_initial_weights_follow_the_seed() -> None:
    first, again, other = (build_model(MLPShape(depth=2, width=200), seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first.blocks[0].fc1.weight, again.blocks[0].fc1.weight)
    assert not torch.equal(first.blocks[0].fc1.weight, other.blocks[0].fc1.weight)
    drawn = first.blocks[0].fc1.weight.detach()
    assert abs(float(drawn.std()) - 0.03) < 5 * 0.03 / math.sqrt(2 * 200 * 200)
    assert not first.enter.bias.detach().any()


def test_a_family_made_of_another_has_its_network() -> None:
    class Renamed(MLPShape):
        family = "renamed"

    assert isinstance(build_model(Renamed(depth=1, width=4)), MLP)
