"""Small real networks by name: what the measurement must handle, each with a batch of inputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True, kw_only=True)
class Case:
    """A network, its inputs, and whether it reads token ids."""

    build: Callable[[], nn.Module]
    inputs: Callable[[int], Tensor | dict[str, Tensor]]
    tokens: bool = False


class TinyAttention(nn.Module):
    """One causal block with fused attention, learned positions and a head."""

    def __init__(self, vocab_size: int = 11, width: int = 8, context: int = 12) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocab_size, width)
        self.positions = nn.Embedding(context, width)
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.up = nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)
        self.head = nn.Linear(width, vocab_size, bias=False)

    def get_input_embeddings(self) -> nn.Module:
        return self.tokens

    def forward(self, ids: Tensor) -> Tensor:
        h = self.tokens(ids) + self.positions(torch.arange(ids.shape[1], device=ids.device))
        query, key, value = self.qkv(self.norm(h)).unflatten(-1, (3, 2, -1)).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        h = h + mixed.transpose(1, 2).flatten(2)
        return self.head(h + self.down(F.gelu(self.up(h))))


class Recurrent(nn.Module):
    """A GRU that reads vectors and answers once."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRU(5, 7, batch_first=True)
        self.head = nn.Linear(7, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.cell(x)[0][:, -1])


class FromDict(nn.Module):
    """Takes its input by name and returns a dict of scores."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(6, 4)

    def forward(self, values: Tensor) -> dict[str, Tensor]:
        return {"logits": torch.tanh(self.linear(values))}


class TwoOutputs(nn.Module):
    """Returns a tuple; the first entry counts."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(6, 5)
        self.heads = nn.ModuleList([nn.Linear(5, 3), nn.Linear(5, 2)])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.relu(self.body(x))
        return self.heads[0](h), self.heads[1](h)


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 16), nn.GELU(), nn.Linear(16, 16), nn.GELU(), nn.Linear(16, 4))


def bias_free() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 9, bias=False), nn.ReLU(), nn.Linear(9, 3, bias=False))


def cnn() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 3, 3), nn.Flatten(), nn.Linear(48, 5)
    )


CASES: dict[str, Case] = {
    "mlp": Case(build=mlp, inputs=lambda n: torch.randn(n, 6)),
    "bias_free": Case(build=bias_free, inputs=lambda n: torch.randn(n, 6)),
    "cnn": Case(build=cnn, inputs=lambda n: torch.randn(n, 2, 6, 6)),
    "gru": Case(build=Recurrent, inputs=lambda n: torch.randn(n, 4, 5)),
    "gpt": Case(build=TinyAttention, inputs=lambda n: torch.randint(0, 11, (n, 9)), tokens=True),
    "dict": Case(build=FromDict, inputs=lambda n: {"values": torch.randn(n, 6)}),
    "tuple": Case(build=TwoOutputs, inputs=lambda n: torch.randn(n, 6)),
}


def build(name: str, num_samples: int = 10, *, seed: int = 0) -> tuple[nn.Module, Tensor | dict[str, Tensor]]:
    """A case's network in eval mode and float64, and its inputs, as a function of the seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        case = CASES[name]
        model = case.build().eval().double()
        inputs = case.inputs(num_samples)
    if isinstance(inputs, dict):
        return model, {key: value.double() if value.is_floating_point() else value for key, value in inputs.items()}
    return model, inputs.double() if inputs.is_floating_point() else inputs
