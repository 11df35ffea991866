"""A module that gets one tensor as several of its arguments: h is all of them, and another object is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from interlaw.errors import InterlawError
from interlaw.interaction import agop, energies, measure, measure_layers

N, TIME, WIDTH = 5, 3, 4
X = torch.randn(N, TIME, WIDTH, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
STEP = 1e-5  # central differences in float64: errors near its square


def encoder() -> nn.Sequential:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(WIDTH, 2, dim_feedforward=8, dropout=0.0, batch_first=True)
    return nn.Sequential(layer, nn.Linear(WIDTH, 3)).double().eval()


def by_differences(f: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The mean over samples and positions of J^T J, J from central differences: no derivative of torch's."""
    columns = []
    for index in range(x[0].numel()):
        step = torch.zeros_like(x).flatten(1)
        step[:, index] = STEP
        above, below = (f(x + sign * step.view_as(x)) for sign in (1, -1))
        columns.append(((above - below) / (2 * STEP)).flatten(1))
    J = torch.stack(columns, 2).unflatten(2, (TIME, WIDTH))
    return torch.einsum("nctd,ncte->de", J, J) / (N * TIME)


def through_attention(model: nn.Sequential, x: Tensor) -> Callable[[Tensor], Tensor]:
    """From what enters the attention to the outputs, the residual path as it is: the layer's formula by hand."""
    layer = model[0]

    def f(h: Tensor) -> Tensor:
        with torch.no_grad():
            z = layer.norm1(x + layer.self_attn(h, h, h, need_weights=False)[0])
            return model[1](layer.norm2(z + layer.linear2(torch.relu(layer.linear1(z)))))

    return f


def test_one_tensor_as_query_key_and_value_is_one_h() -> None:
    model = encoder()
    expected = by_differences(through_attention(model, X), X)
    torch.testing.assert_close(agop(model, X, layer="0.self_attn"), expected, rtol=1e-7, atol=1e-10)
    measured = measure(model, X, layer="0.self_attn", probes="exact")
    assert measured.plugin.aofe_ratio == pytest.approx(energies(expected).aofe_ratio, rel=1e-7)


class Attends(nn.Module):
    """An attention that is called in a given way."""

    def __init__(self, call: Callable[[nn.Module, Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.attention, self.call = nn.Linear(WIDTH, WIDTH), Mixes(), call
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        return self.call(self.attention, self.first(x)).flatten(1)


class Mixes(nn.Module):
    """Query, key and value, any of them by name, in a list or in a dict."""

    def forward(self, query: Tensor, *others: Tensor, key: Tensor | None = None, more: object = None) -> Tensor:
        beside = [*others, *([] if key is None else [key])]
        beside += list(more.values()) if isinstance(more, dict) else list(more) if isinstance(more, list) else []
        y = query.sin()
        for other in beside:
            y = y * other.roll(1, -1) if other.shape == query.shape else y + other.mean()
        return y


@pytest.mark.parametrize(
    "call",
    [
        lambda mixes, h: mixes(h, h),
        lambda mixes, h: mixes(h, key=h),
        lambda mixes, h: mixes(query=h, key=h),
        lambda mixes, h: mixes(h, more=[h]),
        lambda mixes, h: mixes(h, more={"key": h}),
    ],
)
def test_wherever_the_tensor_stands_it_is_replaced(call: Callable[[nn.Module, Tensor], Tensor]) -> None:
    model = Attends(call)
    h = model.first(X).detach()
    expected = by_differences(lambda h: h.sin().mul(h.roll(1, -1)).flatten(1), h)
    torch.testing.assert_close(agop(model, X, layer="attention"), expected, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda mixes, h: mixes(h, h.clone()), "argument 2"),
        (lambda mixes, h: mixes(h.transpose(0, 1), h.transpose(0, 1)).transpose(0, 1), "argument 2"),
        (lambda mixes, h: mixes(h, h.flatten(1)), "argument 2"),
        (lambda mixes, h: mixes(h, h, key=h[:, -1:]), "key"),
        (lambda mixes, h: mixes(h, more=[h.mT.contiguous()]), "more"),
    ],
)
def test_views_and_copies_are_refused(call: Callable[[nn.Module, Tensor], Tensor], named: str) -> None:
    with pytest.raises(InterlawError, match=rf"a view or a copy of its first tensor stands at {named},"):
        measure(Attends(call), X, layer="attention")


@pytest.mark.parametrize(
    "call",
    [
        lambda mixes, h: mixes(h, h.detach()),
        lambda mixes, h: mixes(h, torch.ones_like(h)),
        lambda mixes, h: mixes(h, h.cos()),
        lambda mixes, h: mixes(*torch.cat([h, h.cos()], -1).chunk(2, -1)),
    ],
)
def test_constants_and_other_functions_stand_beside_h(call: Callable[[nn.Module, Tensor], Tensor]) -> None:
    model = Attends(call)
    caught: list[tuple[Tensor, ...]] = []
    handle = model.attention.register_forward_pre_hook(lambda module, args: caught.append(args))
    model(X)
    handle.remove()
    h, other = (tensor.detach() for tensor in caught[0])
    expected = by_differences(lambda h: h.sin().mul(other.roll(1, -1)).flatten(1), h)
    torch.testing.assert_close(agop(model, X, layer="attention"), expected, rtol=1e-7, atol=1e-10)


def test_layers_follow_the_same_rule() -> None:
    class Gate(nn.Linear):
        def forward(self, x: Tensor, other: Tensor) -> Tensor:
            return super().forward(x) * other

    class Gated(nn.Module):
        def __init__(self, *, copies: bool) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.gate, self.head, self.copies = Gate(WIDTH, WIDTH), nn.Linear(WIDTH, 2), copies
            self.double()

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.gate(x, x.clone() if self.copies else x)).flatten(1)

    one = Gated(copies=False)
    expected = by_differences(lambda h: one.head(nn.functional.linear(h, *one.gate.parameters()) * h).flatten(1), X)
    gate = next(row for row in measure_layers(one, X) if row.name == "gate")
    assert gate.interaction.plugin.aofe_ratio == pytest.approx(energies(expected).aofe_ratio, rel=1e-7)
    several = measure_layers(Gated(copies=True), X)
    assert [row.name for row in several] == ["head"]
    assert "a view or a copy of its first tensor stands at argument 2" in several.left_out["gate"]
