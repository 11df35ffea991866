"""The term that moves interaction: closed forms, NumPy, finite differences, and what it does to a trained network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from interlaw.errors import InterlawError
from interlaw.interaction import measure
from interlaw.models import build_model
from interlaw.shapes import GPTShape, MLPShape
from interlaw.tasks import WaveTaskSpec
from interlaw.training import TrainSettings, intervention_term, train


class Quadratic(nn.Module):
    """y = x^T Q x / 2, whose gradient is Q x."""

    def __init__(self, Q: Tensor) -> None:
        super().__init__()
        self.Q = nn.Parameter(Q)

    def forward(self, x: Tensor) -> Tensor:
        return 0.5 * torch.einsum("ni,ij,nj->n", x, (self.Q + self.Q.T) / 2, x)


def term(model: nn.Module, inputs: Tensor, *, on: Any) -> Tensor:
    """The term of a network with one output, which does not ask for the loss."""
    return intervention_term(model, (inputs,), on=on, loss=nn.MSELoss())


def draw(*sizes: int, seed: int = 0) -> Tensor:
    return torch.randn(*sizes, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def symmetric(size: int) -> Tensor:
    Q = draw(size, size)
    return Q + Q.T


def test_a_linear_network_has_a_closed_form() -> None:
    model = nn.Linear(5, 1).double()
    w = model.weight.detach().numpy()[0]
    expected = 1 - (w**4).sum() / (w**2).sum() ** 2
    assert float(term(model, draw(7, 5), on="interaction").detach()) == pytest.approx(expected, rel=1e-12)
    assert float(term(model, draw(7, 5), on="trace").detach()) == pytest.approx(np.log((w**2).sum()), rel=1e-12)


@pytest.mark.parametrize("count", [8, 9])
def test_a_quadratic_is_that_of_numpy(count: int) -> None:
    Q, x = symmetric(4), draw(count, 4, seed=1)
    g = x.numpy() @ Q.numpy()
    half = count // 2
    A_1, A_2 = (sum(np.outer(row, row) for row in part) / len(part) for part in (g[:half], g[half:]))
    off = sum(A_1[i, j] * A_2[i, j] for i in range(4) for j in range(4) if i != j)
    traces = np.trace(A_1) * np.trace(A_2)
    model = Quadratic(Q)
    assert float(term(model, x, on="interaction").detach()) == pytest.approx(off / traces, rel=1e-12)
    assert float(term(model, x, on="trace").detach()) == pytest.approx(np.log(traces) / 2, rel=1e-12)


def test_halves_leave_no_bias() -> None:
    """Over all ordered pairs of a finite population: an orthogonal Q and unit points make both traces 1."""
    Q, _ = torch.linalg.qr(symmetric(3))
    Q = Q @ torch.diag(torch.tensor([1.0, -1.0, 1.0], dtype=torch.float64)) @ Q.T  # symmetric and orthogonal
    x = nn.functional.normalize(draw(6, 3, seed=2), dim=1)
    model = Quadratic(Q)
    terms = [float(term(model, torch.stack([a, b]), on="interaction").detach()) for a in x for b in x]
    G = ((x @ Q).T @ (x @ Q) / len(x)).numpy()
    assert np.mean(terms) == pytest.approx(((G - np.diag(np.diag(G))) ** 2).sum(), rel=1e-10)


@pytest.mark.parametrize("on", ["interaction", "trace"])
def test_its_gradient_is_that_of_finite_differences(on: Any) -> None:
    model, x, step = Quadratic(symmetric(3)), draw(6, 3, seed=1), 1e-6
    term(model, x, on=on).backward()
    for i, j in [(0, 0), (0, 2), (2, 1)]:
        values = []
        for sign in (1, -1):
            moved = Quadratic(model.Q.detach().clone())
            moved.Q.data[i, j] += sign * step
            values.append(float(term(moved, x, on=on).detach()))
        assert float(model.Q.grad[i, j]) == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-5, abs=1e-8)


def trained_interaction(on: Any, strength: float) -> tuple[float, float]:
    """Scale-free AOFE and trace of a small network trained under an intervention."""
    task = WaveTaskSpec(dim=4, hidden=4, train=2000, validation=500, test=10).open()
    model = build_model(MLPShape(depth=1, width=12, input_size=4, output_size=1), seed=0)
    settings = TrainSettings(
        steps=150, batch_size=64, learning_rate=0.02, blow_up=100, intervention=on, strength=strength
    )
    train(model, task, settings=settings)
    found = measure(model, task.probes(num_samples=500, with_targets=False), view="input", seed=0)
    return found.aofe_scale_free.value, found.trace.value


def test_each_strength_moves_what_it_is_on() -> None:
    low, plain, high = (
        trained_interaction("interaction", 1.0)[0],
        trained_interaction("none", 0.0)[0],
        trained_interaction("interaction", -1.0)[0],
    )
    assert low < 0.8 * plain < plain < high
    assert trained_interaction("trace", 0.1)[1] < trained_interaction("none", 0.0)[1]


def token_loss(model: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
    """Mean cross-entropy of the next token."""
    return nn.functional.cross_entropy(model(batch[0]).flatten(0, 1), batch[1].flatten())


def a_gpt(*, context: int) -> tuple[nn.Module, tuple[Tensor, Tensor]]:
    """A small GPT with sizeable weights and a batch of four sequences."""
    shape = GPTShape(depth=2, width=8, vocab_size=11, context=context, head_dim=4)
    model = build_model(shape, seed=0).double()
    for parameter in model.parameters():
        parameter.data.mul_(5)
    ids = torch.randint(11, (4, context + 1), generator=torch.Generator().manual_seed(3))
    return model, (ids[:, :-1], ids[:, 1:])


@pytest.mark.parametrize("context", [5, 70])  # torch's attention, and the one in blocks
def test_on_tokens_it_is_that_of_the_view_loss(context: int) -> None:
    """Gradients of each half alone, by a leaf in place of the embeddings, and the energies in NumPy."""
    model, (inputs, targets) = a_gpt(context=context)
    halves = []
    for part in (slice(0, 2), slice(2, 4)):
        leaf = model.get_submodule("tokens")(inputs[part]).detach().requires_grad_()
        hook = model.get_submodule("tokens").register_forward_hook(lambda *_, h=leaf: h)
        losses = nn.functional.cross_entropy(
            model(inputs[part]).flatten(0, 1), targets[part].flatten(), reduction="sum"
        )
        hook.remove()
        g = torch.autograd.grad(losses, leaf)[0].flatten(0, 1).numpy()
        halves.append(g.T @ g / len(g))
    A_1, A_2 = halves
    off = (A_1 * A_2).sum() - np.diag(A_1) @ np.diag(A_2)
    traces = np.trace(A_1) * np.trace(A_2)
    for on, expected in (("interaction", off / traces), ("trace", np.log(traces) / 2)):
        found = intervention_term(model, (inputs, targets), on=on, loss=token_loss)  # type: ignore[arg-type]
        assert float(found.detach()) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("context", [5, 70])
def test_on_tokens_its_gradient_is_that_of_finite_differences(context: int) -> None:
    model, batch = a_gpt(context=context)
    intervention_term(model, batch, on="interaction", loss=token_loss).backward()
    step = 1e-5
    for name, place in (("tokens.weight", (3, 2)), ("blocks.0.attention.qkv.weight", (1, 4)), ("head.weight", (5, 1))):
        parameter = model.get_parameter(name)
        values = []
        for sign in (1, -1):
            parameter.data[place] += sign * step
            values.append(float(intervention_term(model, batch, on="interaction", loss=token_loss).detach()))
            parameter.data[place] -= sign * step
        assert parameter.grad is not None
        assert float(parameter.grad[place]) == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-5, abs=1e-9)


def test_what_it_cannot_be_applied_to_is_refused() -> None:
    with pytest.raises(InterlawError, match=r"expected a network with get_input_embeddings .* found Embedding"):
        term(nn.Embedding(3, 1), torch.zeros(4, dtype=torch.int64), on="interaction")
    with pytest.raises(InterlawError, match="at least 2 samples a batch"):
        term(nn.Linear(3, 1), torch.zeros(1, 3), on="interaction")
    with pytest.raises(InterlawError, match=r"one output for an intervention, found outputs of shape \(2,\)"):
        term(nn.Linear(3, 2), torch.zeros(4, 3), on="interaction")


@pytest.mark.parametrize(("on", "strength"), [("none", 0.1), ("trace", 0.0), ("interaction", float("inf"))])
def test_a_strength_belongs_to_an_intervention(on: Any, strength: float) -> None:
    with pytest.raises(InterlawError, match="expected a finite strength, 0 without an intervention"):
        TrainSettings(steps=1, batch_size=2, learning_rate=0.1, intervention=on, strength=strength)
