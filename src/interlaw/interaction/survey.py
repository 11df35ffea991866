"""Which layers of a network can be measured side by side, found on a few samples; and why others are left out."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from interlaw.errors import InterlawError
from interlaw.interaction.batches import Batch, batch_length, take
from interlaw.interaction.differentiation import Outputs, explained
from interlaw.interaction.layout import Layout
from interlaw.interaction.locate import FEW, halves, require_row_per_sample
from interlaw.interaction.site import Site, call
from interlaw.interaction.taps import Reasons, gradients_at, layouts_at, reads_output, tapped


class Survey:
    """The layers in question, their layouts once a batch of several samples was seen, and those left out.

    Attributes:
        left_out: Why, by name.
    """

    def __init__(self, layers: dict[str, nn.Module], *, named: bool) -> None:
        self._layers = layers
        self._named = named
        self._layouts: dict[str, Layout] = {}
        self.left_out: Reasons = {}

    @property
    def layers(self) -> dict[str, nn.Module]:
        """The layers that are not left out."""
        return {name: module for name, module in self._layers.items() if name not in self.left_out}

    @property
    def first(self) -> Site:
        """The site of the first of them."""
        name, module = next(iter(self.layers.items()))
        layout = self._layouts.get(name)
        return Site(name=name, module=module, side="output" if reads_output(module) else "input", layout=layout)

    def see(self, model: nn.Module, batch: Batch, outputs: Outputs) -> None:
        """Finds the layouts, at the first batch of several samples.

        Raises:
            InterlawError: None of the layers can be measured, or one that was asked for by name cannot.
        """
        if self._layouts or batch_length(batch) == 1:
            return
        few = take(batch, 0, FEW)
        gradients = self.gradients(model, few, outputs, halves)
        self._layouts, left_out = layouts_at(self.layers, gradients, batch_length(few))
        self.leave_out(left_out)

    def gradients(self, model: nn.Module, batch: Batch, outputs: Outputs, cotangents: Any) -> dict[str, list[Tensor]]:
        """J^T r at every layer, from one forward pass, in the layer's own arrangement."""
        with tapped(self.layers) as taps, explained():
            y = outputs(call(model, batch), batch)
        require_row_per_sample(y, batch)
        drawn = list(cotangents(y))
        with explained():
            found, left_out = gradients_at(taps, y, drawn)
        self.leave_out(left_out)
        return found

    def by_sample(self, gradients: dict[str, list[Tensor]], num_clusters: int) -> dict[str, list[Tensor]]:
        """The gradients with their samples on the first axis."""
        layouts = self._layouts
        if num_clusters == 1:
            layouts, left_out = layouts_at(self.layers, gradients, 1)
            self.leave_out(left_out)
        return {
            name: [layouts[name].arrange(g, num_clusters) for g in gradients[name]]
            for name in self.layers
            if name in gradients
        }

    def leave_out(self, reasons: Reasons) -> None:
        """Notes layers that cannot be measured.

        Raises:
            InterlawError: None is left, or one of them was asked for by name.
        """
        self.left_out.update(reasons)
        if reasons and (self._named or not self.layers):
            name, reason = next(iter(reasons.items()))
            raise InterlawError(f"expected layers that can be measured, found '{name}': {reason}")
