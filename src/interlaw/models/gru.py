"""A stacked GRU that maps a sequence to features read at its last step."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from interlaw.models.roles import Roles
from interlaw.shapes import GRUShape


class WrittenOut:
    """A module that can do without its fused operator, whose weights `torch.func.vmap` cannot batch.

    Attributes:
        written_out: Compute step by step, with the same result up to the last bits.
    """

    written_out: bool = False


class GRU(WrittenOut, nn.Module):
    """`depth` layers of `width` units and a linear readout; see `GRUShape` for its sizes and counts.

    Weights and biases start uniform on +-1 / sqrt(width), torch's own choice for recurrent layers.

    Args:
        shape: The sizes.
        generator: Source of the initial weights.
    """

    roles = Roles(
        inputs=("layers.weight_ih_l0",), outputs=("readout",), writers=(), width_scaled=("input", "hidden", "output")
    )

    def __init__(self, shape: GRUShape, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.shape = shape
        self.layers = nn.GRU(shape.input_size, shape.width, num_layers=shape.depth, batch_first=True)
        self.readout = nn.Linear(shape.width, shape.output_size)
        bound = 1 / math.sqrt(shape.width)
        with torch.no_grad():
            for parameter in self.parameters():
                nn.init.uniform_(parameter, -bound, bound, generator=generator)

    def forward(self, x: Float[Tensor, "batch time inputs"]) -> Float[Tensor, "batch outputs"]:
        """Features of a batch of sequences."""
        states = self._step_by_step(x) if self.written_out else self.layers(x)[0]
        out: Tensor = self.readout(states[:, -1])
        return out

    def _step_by_step(self, x: Float[Tensor, "batch time inputs"]) -> Float[Tensor, "batch time width"]:
        """The layers' states as `torch.nn.GRU` defines them, its gates in the order reset, update, new."""
        for layer in range(self.shape.depth):
            from_input, bias_input, from_state, bias_state = (
                getattr(self.layers, f"{name}_l{layer}") for name in ("weight_ih", "bias_ih", "weight_hh", "bias_hh")
            )
            gates = F.linear(x, from_input, bias_input)
            state = torch.zeros_like(gates[:, 0, : self.shape.width])
            states = []
            for step in gates.unbind(1):
                reset_in, update_in, new_in = step.chunk(3, dim=1)
                reset_state, update_state, new_state = F.linear(state, from_state, bias_state).chunk(3, dim=1)
                reset, update = torch.sigmoid(reset_in + reset_state), torch.sigmoid(update_in + update_state)
                new = torch.tanh(new_in + reset * new_state)
                state = new + update * (state - new)
                states.append(state)
            x = torch.stack(states, dim=1)
        return x
