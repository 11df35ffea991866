"""Factors on weights against networks with written-out multipliers, and activations that move alike in every shape."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from interlaw.errors import InterlawError
from interlaw.models import GPT, build_model
from interlaw.shapes import GPTShape
from interlaw.training import Factors, TrainSettings, factors, make_optimizer, parameter_factors, scale_initial_weights


def settings(**changes: object) -> TrainSettings:
    values = {"steps": 10, "batch_size": 8, "learning_rate": 1e-2, "base_width": 32, "base_depth": 2, "clip": 0.0}
    return TrainSettings(**{**values, **changes})  # type: ignore[arg-type]


def shape(depth: int, width: int, **changes: object) -> GPTShape:
    sizes = {"vocab_size": 64, "context": 16, "head_dim": 16, **changes}
    return GPTShape(depth=depth, width=width, **sizes)  # type: ignore[arg-type]


def step(model: nn.Module, optimizer: torch.optim.Optimizer, ids: Tensor, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate * group["rate_factor"]
    loss = F.cross_entropy(model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def movement(treatment: str, depth: int, width: int) -> tuple[float, float]:
    """How far residual stream and logits move in six steps, root mean square over a fixed batch."""
    ids = torch.randint(0, 64, (8, 17), generator=torch.Generator().manual_seed(0))
    chosen = settings(parametrization=treatment)
    model = build_model(shape(depth, width))
    scale_initial_weights(model, chosen)
    assert isinstance(model, GPT)
    seen: list[Tensor] = []
    model.norm.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach().clone()))
    before = model(ids[:, :-1]).detach()
    optimizer = make_optimizer(model, chosen)
    for _ in range(6):
        step(model, optimizer, ids, chosen.learning_rate)
    after = model(ids[:, :-1]).detach()
    return (seen[-1] - seen[0]).square().mean().sqrt().item(), (after - before).square().mean().sqrt().item()


def slope(sizes: list[int], values: list[float]) -> float:
    """Least-squares slope in log-log."""
    x = torch.tensor(sizes, dtype=torch.float64).log()
    y = torch.tensor(values, dtype=torch.float64).log()
    return float(((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum())


@pytest.mark.parametrize(("treatment", "grows"), [("standard", True), ("mup", False), ("completep", False)])
def test_coordinates_over_width(treatment: str, grows: bool) -> None:
    widths = [32, 64, 128]
    stream, logits = zip(*[movement(treatment, 2, width) for width in widths], strict=True)
    if grows:  # every step of every coordinate is as large as the rate, and widths add up
        assert slope(widths, list(stream)) > 1
    else:
        assert abs(slope(widths, list(stream))) < 0.3
        assert abs(slope(widths, list(logits))) < 0.3


@pytest.mark.parametrize(("treatment", "grows"), [("mup", True), ("completep", False)])
def test_coordinates_over_depth(treatment: str, grows: bool) -> None:
    depths = [2, 4, 8]
    stream = [movement(treatment, depth, 64)[0] for depth in depths]
    assert slope(depths, stream) > 0.6 if grows else abs(slope(depths, stream)) < 0.3


@pytest.mark.parametrize("treatment", ["mup", "completep"])
def test_base_shape_is_standard(treatment: str) -> None:
    found = parameter_factors(build_model(shape(2, 32)), settings(parametrization=treatment))
    assert set(found.values()) == {Factors()}


def test_multiplier_is_absorbed_exactly() -> None:
    """Adam on c W against Adam on a weight with other std, rate, epsilon and decay: the same function at each step."""
    c, rate, decay, epsilon = 0.25, 1e-2, 0.1, 1e-3
    change = Factors().through(c)
    x = torch.randn(32, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    start = torch.randn(3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    target = torch.randn(32, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    explicit = start.clone().requires_grad_()
    absorbed = (start * change.std).requires_grad_()
    runs = [
        (explicit, c, torch.optim.AdamW([explicit], lr=rate, weight_decay=decay, eps=epsilon)),
        (
            absorbed,
            1.0,
            torch.optim.AdamW(
                [absorbed], lr=rate * change.rate, weight_decay=decay * change.decay, eps=epsilon * change.epsilon
            ),
        ),
    ]
    for _ in range(20):
        for weight, multiplier, optimizer in runs:
            optimizer.zero_grad()
            (x @ (multiplier * weight).T - target).square().mean().backward()
            optimizer.step()
    torch.testing.assert_close(c * explicit, absorbed, rtol=1e-12, atol=1e-14)


def test_rules_of_the_papers() -> None:
    wide = settings(parametrization="mup")
    both = settings(parametrization="completep")
    at = {"width": 128, "depth": 8, "roles": GPT.roles}  # m = 4, l = 4
    assert factors("hidden", wide, **at) == Factors(std=0.5, rate=0.25, epsilon=0.25, decay=4.0)
    assert factors("output", wide, **at) == Factors(std=0.25, rate=0.25, epsilon=1.0, decay=4.0)
    assert factors("input", both, **at) == Factors(epsilon=0.25)
    assert factors("vector", both, **at) == Factors(epsilon=1 / 16)
    # hidden factors, residual multiplier 1/4, and the network's own 1/sqrt(depth) start undone
    assert factors("writer", both, **at) == Factors(std=0.5 * math.sqrt(4) / 4, rate=1 / 16, epsilon=0.25, decay=16.0)


def test_tied_head_is_refused() -> None:
    model = build_model(shape(2, 64, tied=True))
    with pytest.raises(InterlawError, match="expected an untied head under mup"):
        make_optimizer(model, settings(parametrization="mup"))


def test_family_without_roles_is_refused() -> None:
    with pytest.raises(InterlawError, match=r"expected a family whose parameters have roles .* found Linear"):
        parameter_factors(nn.Linear(2, 2), settings(parametrization="completep"))
