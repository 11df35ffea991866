"""Which part of a network each parameter is: what rules that follow width and depth need to know of a family."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import nn

Role = Literal["input", "hidden", "writer", "vector", "writer_vector", "output"]


@dataclass(frozen=True, kw_only=True)
class Roles:
    """The roles of a family's modules, by the names that their parameters carry.

    Attributes:
        inputs: Modules, or single weights, that read a fixed number of inputs: token table, positions, first layer.
        outputs: Modules that write a fixed number of outputs.
        writers: Modules whose output is added to the residual stream.
        depth_scaled: Whether the writers' initial std already falls as 1 / sqrt(depth).
        width_scaled: The roles whose initial std already falls as 1 / sqrt(width).
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    writers: tuple[str, ...]
    depth_scaled: bool = False
    width_scaled: tuple[Role, ...] = ()

    def of(self, name: str, parameter: nn.Parameter) -> Role:
        """The role of a named parameter; the matrices between input and output are hidden."""
        module = name.rpartition(".")[0]
        writes = module.endswith(self.writers)
        if parameter.dim() < 2:
            return "writer_vector" if writes else "vector"
        if module in self.outputs:
            return "output"
        if module in self.inputs or name in self.inputs:
            return "input"
        return "writer" if writes else "hidden"
