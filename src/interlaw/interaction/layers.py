"""Layer by layer in one pass: interaction at every layer's input, superposition of its weights, and how they agree.

Legend: W (out x in) a layer's weights; G (in x in) the AGOP at its input; the Neural Feature Ansatz says that W^T W is
proportional to G (Radhakrishnan et al. 2022, arXiv 2212.13881). E (V x d) an embedding table read as a layer on one-hot
inputs, so that W^T W = E E^T (V x V), which is never formed: its functionals follow from C = E^T E.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Unpack

import torch
from torch import Tensor, nn

from interlaw.charted import Charted
from interlaw.errors import InterlawError
from interlaw.interaction.batches import Batch, Batches
from interlaw.interaction.flow import Gathered, gather
from interlaw.interaction.grams import haar_null
from interlaw.interaction.known_views import VIEWS
from interlaw.interaction.layout import Place
from interlaw.interaction.matrix import Energies, energies_from
from interlaw.interaction.network import device_of, explained, find_layers, kernel_of, layer_place
from interlaw.interaction.options import MeasureOptions, options_from
from interlaw.interaction.result import Interaction
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

    def to_dict(self) -> dict[str, Any]:
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
        """The table that a notebook shows."""
        return str(self.to_frame().to_html(index=False, float_format="{:.4f}".format))


def measure_layers(
    model: nn.Module, inputs: object, *, layers: Sequence[str] | None = None, **options: Unpack[MeasureOptions]
) -> Layers:
    """Measures every linear, convolution and embedding layer from the same forward and backward passes.

    Layers that the outputs do not depend on, that do not run once in a forward pass, or whose input has no part for
    each sample (a table of positions, an expert's tokens) are left out: `left_out` of the result says why.

    Args:
        model: The network.
        inputs: As in `measure`.
        layers: Names of the modules; all of the known kinds when None.
        **options: As in `measure`, without `layer`; `view` is "input" for J^T J of the outputs, "loss" for gradients of
            the summed next-token loss.

    Raises:
        InterlawError: No layer can be measured, one of `layers` cannot, another view, or what `measure` raises.

    Example:
        >>> import torch
        >>> linear = torch.nn.Linear(3, 4, bias=False)
        >>> (layer,) = measure_layers(torch.nn.Sequential(linear), torch.randn(5, 3))
        >>> round(layer.nfa, 4)  # for a linear network G is W^T W
        1.0
    """
    asked = options_from(options, without=("layer",))
    if not asked.record.layers:
        known = " or ".join(repr(name) for name, view in VIEWS.everything().items() if view.layers)
        raise InterlawError(f"expected the view of all layers to be {known}, found '{asked.view}'")

    def find(batch: Batch) -> list[Place]:
        return [layer_place(*named) for named in find_layers(model, layers).items()]

    gathered = gather(model, inputs, asked, find=find, optional=layers is None)
    places = gathered.places
    places.leave_out({name: "its derivative is all zeros" for name in places.kept if gathered.is_flat(name)})
    weights = {name: kernel_of(place.module) for name, place in places.kept.items()}
    places.leave_out(
        {name: "its weights are all zeros" for name, W in weights.items() if W is None or not bool(W.any())}
    )
    results = [gathered.result(name) for name in places.kept]
    unknown = {} if layers else _unknown_kinds(model, {*places.kept, *places.left_out})
    return Layers([_row(gathered, result) for result in results], left_out={**places.left_out, **unknown})


def _unknown_kinds(model: nn.Module, chosen: set[str]) -> dict[str, str]:
    """Matrices that are in no layer of a known kind, such as the fused weights of experts, and why they have no row."""
    reasons = {}
    for name, module in model.named_modules():
        matrices = [p for p in module.parameters(recurse=False) if p.dim() > 1]
        if matrices and name not in chosen:
            what = "a table of positions" if isinstance(module, nn.Embedding) else f"a {type(module).__name__}"
            count = sum(p.numel() for p in matrices)
            reasons[name or type(module).__name__] = (
                f"its {count:,} weights are those of {what}, which is no linear, convolution or token embedding layer"
            )
    return reasons


def _row(gathered: Gathered, interaction: Interaction) -> LayerInteraction:
    """One row: interaction from K and H, superposition from the weights, agreement from both."""
    name = interaction.layer
    module = gathered.places.kept[name].module
    assert module is not None
    nfa, centered = agreement(module, gathered.totals[name].kept.mean())
    return LayerInteraction(
        name=name,
        kind=type(module).__name__,
        interaction=interaction,
        superposition=superposition(module),
        nfa=nfa,
        nfa_centered=centered,
    )


def superposition(module: nn.Module) -> Energies:
    """Energies of W^T W, of E E^T for an embedding.

    Example:
        >>> import torch
        >>> layer = torch.nn.Linear(2, 2)
        >>> with torch.no_grad():
        ...     _ = layer.weight.copy_(torch.eye(2))
        >>> superposition(layer).aofe  # two features, a direction each
        0.0
    """
    W = kernel_of(module)
    assert W is not None
    W = W.double()
    C = W.T @ W
    diagonal = W.square().sum(1) if isinstance(module, nn.Embedding) else C.diagonal()
    # Energy and trace of E E^T are those of E^T E: both have the same eigenvalues.
    return energies_from(C.square().sum(), diagonal.square().sum(), C.trace(), dim=len(diagonal), null=haar_null)


def agreement(module: nn.Module, G: Tensor) -> tuple[float, float]:
    """Cosine of W^T W and G, plain and after the mean entry of each is taken away.

    For an embedding G is taken at its output, and E E^T is compared with E G E^T, the AGOP at one-hot inputs.

    Source: Radhakrishnan et al. 2022, arXiv 2212.13881 (the ansatz, and correlation as its measure).
    """
    W = kernel_of(module)
    assert W is not None
    W, G = W.double(), G.double()
    if not isinstance(module, nn.Embedding):
        first, second = W.T @ W, G
        products = (first * second).sum(), first.square().sum(), second.square().sum()
        sums, size = (first.sum(), second.sum()), first.numel()
    else:
        C, total = W.T @ W, W.sum(0)
        CG = C @ G
        # <E E^T, E G E^T> = tr(C C G) and ||E G E^T||^2 = tr(C G C G); sums of entries are 1^T E . E^T 1.
        products = (CG * C).sum(), C.square().sum(), (CG * CG.T).sum()
        sums, size = (total @ total, total @ G @ total), len(W) ** 2
    plain = products[0] / (products[1] * products[2]).sqrt()
    inner, *squares = (
        product - a * b / size for product, a, b in zip(products, (sums[0], *sums), (sums[1], *sums), strict=True)
    )
    spread = (squares[0] * squares[1]).clamp(min=0).sqrt()
    # One coordinate has no spread of entries: the correlation is undefined and reads 0.
    return float(plain), float(inner / spread) if float(spread) > 0 else 0.0


def list_layers(model: nn.Module, batch: Tensor | dict[str, Tensor] | None = None) -> list[dict[str, Any]]:
    """The places where a network can be measured: name, class, width of what its weights act on, and calls.

    Args:
        model: The network.
        batch: Inputs of one sample, for the number of calls in a forward pass; not counted when None.

    Example:
        >>> import torch
        >>> list_layers(torch.nn.Sequential(torch.nn.Linear(3, 2)), torch.randn(1, 3))
        [{'name': '0', 'kind': 'Linear', 'width': 3, 'calls': 1}]
    """
    layers = find_layers(model, None)
    calls: Counter[str] = Counter()
    with ExitStack() as stack, torch.no_grad():
        for name, module in layers.items():
            stack.callback(module.register_forward_pre_hook(lambda *_, name=name: calls.update([name])).remove)
        if batch is not None:
            stack.enter_context(explained(type(model).__name__))
            next(iter(Batches([batch], device=device_of(model)))).fed_to(model)
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
