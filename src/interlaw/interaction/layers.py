"""What a measurement of every layer is: a row for each, the table of them, and the list of layers there are.

Legend: W (out x in) a layer's weights, E an embedding's table; G (in x in) the AGOP at the layer's input. The Neural
Feature Ansatz says that W^T W is proportional to G (Radhakrishnan et al. 2022, arXiv 2212.13881).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from interlaw.charted import Charted
from interlaw.interaction.batches import Batches
from interlaw.interaction.matrix import Energies
from interlaw.interaction.network import device_of, find_layers, kernel_of
from interlaw.interaction.result import Interaction
from interlaw.plain import Json
from interlaw.size import counted

if TYPE_CHECKING:
    import pandas as pd

SHOWN_ROWS = 10  # of a table that is printed: with the title and the line of dots it stays below 15 lines


@dataclass(frozen=True, kw_only=True)
class LayerInteraction:
    """One layer.

    Attributes:
        name: The module's name.
        kind: Its class.
        interaction: Interaction at its input (for an embedding at its output, for a convolution over its patches).
        superposition: Energies of W^T W, the parameter-space counterpart (of E E^T for an embedding).
        nfa: Cosine of W^T W and the averaged G.
        nfa_centered: The same after the mean entry of each is taken away, a correlation of entries.
    """

    name: str
    kind: str
    interaction: Interaction
    superposition: Energies
    nfa: float
    nfa_centered: float

    def to_dict(self) -> Json:
        """One row, ready for JSON."""
        return {
            "layer": self.name,
            "kind": self.kind,
            "interaction": self.interaction.to_dict(),
            "superposition": self.superposition.to_dict(),
            "nfa": self.nfa,
            "nfa_centered": self.nfa_centered,
        }


class Layers(Charted, tuple[LayerInteraction, ...]):
    """The layers in the order of the network.

    Attributes:
        left_out: Layers of a known kind that could not be measured, with the reason.
    """

    left_out: dict[str, str]

    def __new__(cls, rows: Iterable[LayerInteraction], *, left_out: dict[str, str]) -> Layers:
        """The rows, and what is not among them."""
        self = super().__new__(cls, rows)
        self.left_out = left_out
        return self

    def to_frame(self) -> pd.DataFrame:
        """One row a layer: ratio and excess over chance with their intervals, those of W^T W, and their agreement."""
        import pandas as pd

        rows = [
            {
                "layer": row.name,
                "kind": row.kind,
                "dim": row.interaction.dim,
                "aofe_ratio": row.interaction.aofe_ratio.value,
                "low": row.interaction.aofe_ratio.low,
                "high": row.interaction.aofe_ratio.high,
                "null_ratio": row.interaction.null_ratio,
                "excess_ratio": row.interaction.excess_ratio,
                "excess_low": row.interaction.excess.low,
                "excess_high": row.interaction.excess.high,
                "superposition_ratio": row.superposition.aofe_ratio,
                "nfa": row.nfa,
                "nfa_centered": row.nfa_centered,
            }
            for row in self
        ]
        return pd.DataFrame(rows)

    def __repr__(self) -> str:
        """The layers in at most 15 lines: all of them, or the first and the last."""
        columns = ["layer", "dim", "aofe_ratio", "excess_ratio", "excess_low", "excess_high", "nfa"]
        left_out = f"\n{len(self.left_out)} left out: see left_out" if self.left_out else ""
        table = self.to_frame()[columns].to_string(
            index=False, max_rows=SHOWN_ROWS, float_format="{:.4f}".format, show_dimensions=False
        )
        return f"{counted(len(self), 'layer')}, {self[0].interaction.view} view\n{table}{left_out}"

    def _repr_html_(self) -> str:
        return str(self.to_frame().to_html(index=False, float_format="{:.4f}".format))


def list_layers(model: nn.Module, batch: Tensor | dict[str, Tensor] | None = None) -> list[Json]:
    """The places where a network can be measured: name, class, width of what its weights act on, and calls.

    Args:
        model: The network.
        batch: Inputs of one sample, for the number of calls in a forward pass; not counted when None.

    Raises:
        InterlawError: There is no layer, or the network does not take the batch.
        TypeError: `batch` is neither a tensor nor a dict of tensors.

    Example:
        >>> import torch
        >>> list_layers(torch.nn.Sequential(torch.nn.Linear(3, 2)), torch.randn(1, 3))
        [{'name': '0', 'kind': 'Linear', 'width': 3, 'calls': 1}]
    """
    one = None if batch is None else next(iter(Batches([batch], device=device_of(model))))
    layers = find_layers(model, None, batch=one)
    calls: Counter[str] = Counter()
    with ExitStack() as stack, torch.no_grad():
        for name, module in layers.items():
            stack.callback(module.register_forward_pre_hook(lambda *_, name=name: calls.update([name])).remove)
        if one is not None:
            one.fed_to(model)
    return [
        {
            "name": name,
            "kind": type(module).__name__,
            "width": W.shape[1],
            "calls": None if batch is None else calls[name],
        }
        for name, module in layers.items()
        if (W := kernel_of(module)) is not None
    ]
