"""The stacked GRU and the convolutional denoiser against NumPy and SciPy transcriptions."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.signal import correlate2d
from scipy.special import erf

from interlaw.models import build_model
from interlaw.shapes import CNNShape, GRUShape


def arrays(model: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in model.state_dict().items()}


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def test_gru_is_the_recurrence_of_cho_et_al() -> None:
    shape = GRUShape(depth=2, width=5, input_size=3, output_size=4, time=7)
    model = build_model(shape, seed=2).double()
    w, x = arrays(model), np.random.default_rng(0).standard_normal((6, 7, 3))
    sequence = x
    for layer in range(2):
        h, states = np.zeros((6, 5)), []
        for step in range(7):
            of_input = sequence[:, step] @ w[f"layers.weight_ih_l{layer}"].T + w[f"layers.bias_ih_l{layer}"]
            of_state = h @ w[f"layers.weight_hh_l{layer}"].T + w[f"layers.bias_hh_l{layer}"]
            reset, update = sigmoid(of_input[:, :5] + of_state[:, :5]), sigmoid(of_input[:, 5:10] + of_state[:, 5:10])
            new = np.tanh(of_input[:, 10:] + reset * of_state[:, 10:])
            h = (1 - update) * new + update * h
            states.append(h)
        sequence = np.stack(states, 1)
    expected = sequence[:, -1] @ w["readout.weight"].T + w["readout.bias"]
    np.testing.assert_allclose(model(torch.from_numpy(x)).detach().numpy(), expected, rtol=1e-10, atol=1e-12)


def test_gru_starts_within_one_over_root_width() -> None:
    weights = arrays(build_model(GRUShape(depth=2, width=64), seed=0))
    assert all(np.abs(weight).max() <= 1 / 8 for weight in weights.values())
    assert abs(weights["layers.weight_hh_l1"].std() - 1 / 8 / math.sqrt(3)) < 0.002


def test_cnn_is_the_published_formula() -> None:
    shape = CNNShape(depth=2, width=6, channels=2, image_size=5, supervised=10)
    model = build_model(shape, seed=1).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(3)).double())
    w, x = arrays(model), np.random.default_rng(0).standard_normal((3, 5, 5))

    def conv(name: str, h: np.ndarray) -> np.ndarray:
        kernels = w[f"{name}.weight"]
        outs = [sum(correlate2d(h[i], kernel[i], mode="same") for i in range(len(h))) for kernel in kernels]
        return np.stack(outs) + w[f"{name}.bias"][:, None, None]

    def norm(name: str, h: np.ndarray) -> np.ndarray:
        groups = h.reshape(6, 1, *h.shape[1:])  # six channels: six groups of one
        mean, var = groups.mean((1, 2, 3), keepdims=True), groups.var((1, 2, 3), keepdims=True)
        flat = ((groups - mean) / np.sqrt(var + 1e-5)).reshape(h.shape)
        return flat * w[f"{name}.weight"][:, None, None] + w[f"{name}.bias"][:, None, None]

    def gelu(h: np.ndarray) -> np.ndarray:
        return h * 0.5 * (1 + erf(h / math.sqrt(2)))

    h = conv("stem", x)
    for block in range(2):
        inner = conv(f"blocks.{block}.conv1", gelu(norm(f"blocks.{block}.norm1", h)))
        h = h + conv(f"blocks.{block}.conv2", gelu(norm(f"blocks.{block}.norm2", inner))) / math.sqrt(2)
    expected = conv("leave", norm("norm", h))
    found = model(torch.from_numpy(x)[None]).detach().numpy()[0]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-10)


def test_groups_are_at_most_eight_and_divide_the_width() -> None:
    assert [CNNShape(depth=1, width=width).num_groups for width in (1, 6, 8, 12, 14, 40)] == [1, 6, 8, 6, 7, 8]
