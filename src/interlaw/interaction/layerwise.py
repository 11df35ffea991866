"""Layer by layer in one pass: interaction at every layer's input, superposition of its weights, and how they agree.

Legend: W (out x in) a layer's weights; G (in x in) the AGOP at its input; the Neural Feature Ansatz says that W^T W is
proportional to G (Radhakrishnan et al. 2022, arXiv 2212.13881). E (V x d) an embedding table, whose W^T W is E E^T.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from interlaw.errors import InterlawError
from interlaw.interaction.batches import Batch, batch_length
from interlaw.interaction.collect import STEP, Progress, Work, add_contribution, pieces_of, route_for
from interlaw.interaction.contribution import Contribution, Probes, Settings, contribution
from interlaw.interaction.differentiation import Outputs, measuring, require_module
from interlaw.interaction.energies import Energies
from interlaw.interaction.estimates import LEVEL
from interlaw.interaction.fingerprint import Fingerprint
from interlaw.interaction.gradient_views import choose_cotangents, count_predicting, losses, shift
from interlaw.interaction.grams import Accumulator, DenseAccumulator, accumulator
from interlaw.interaction.measure import precision_of, result_of
from interlaw.interaction.options import require_settings, require_work
from interlaw.interaction.readout import padding_mask
from interlaw.interaction.result import Interaction
from interlaw.interaction.site import Site
from interlaw.interaction.superposition import agreement, kernel_of, superposition
from interlaw.interaction.survey import Survey
from interlaw.interaction.taps import columns_at


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


class Layers(tuple[LayerInteraction, ...]):
    """The layers in the order of the network.

    Attributes:
        left_out: Layers of a known kind that could not be measured, with the reason.
    """

    left_out: dict[str, str]

    def __new__(cls, rows: Iterable[LayerInteraction], *, left_out: dict[str, str]) -> Layers:
        """The rows, and what is not among them."""
        found = super().__new__(cls, rows)
        found.left_out = left_out
        return found

    def plot(self) -> Any:
        """Every layer: what exceeds chance, and the same quantities over blocks.

        Returns:
            An Altair chart: a notebook shows it, and `.save("x.pdf")` writes it.
        """
        # the chart lies to the right of this stage: found when it is asked for, by the package's public name
        return import_module("interlaw").chart_of(self)


def measure_layers(
    model: nn.Module,
    inputs: object,
    *,
    layers: Sequence[str] | None = None,
    view: str = "input",
    probes: Probes = None,
    seed: int = 0,
    positions: str | None = None,
    level: float = LEVEL,
    max_clusters: int | None = None,
    batch_size: int | None = None,
    dtype: torch.dtype | None = None,
    progress: Progress | None = None,
) -> Layers:
    """Measures every linear, convolution and embedding layer from the same forward and backward passes.

    Layers that the outputs do not depend on, that do not run once in a forward pass, or whose input has no part for
    each sample (a table of positions, an expert's tokens) are left out: `left_out` of the result says why.

    Args:
        model: The network.
        inputs: As in `measure`.
        layers: Names of the modules; all of the known kinds when None.
        view: "input" for J^T J of the outputs, "loss" for gradients of the summed next-token loss.
        probes: As in `measure`.
        seed: Seed of the probes.
        positions: As in `measure`.
        level: Coverage of the intervals.
        max_clusters: Use at most so many clusters.
        batch_size: Clusters per forward pass; chosen from free memory when None.
        dtype: Precision of the derivatives.
        progress: Called with the number of clusters done so far.

    Raises:
        InterlawError: No layer can be measured, one of `layers` cannot, another view, or what `measure` raises.

    Example:
        >>> import torch
        >>> linear = torch.nn.Linear(3, 4, bias=False)
        >>> (layer,) = measure_layers(torch.nn.Sequential(linear), torch.randn(5, 3))
        >>> round(layer.nfa, 4)  # for a linear network G is W^T W
        1.0
    """
    if view not in ("input", "loss"):
        raise InterlawError(f"expected the view of all layers to be 'input' or 'loss', found '{view}'")
    settings = Settings(view=view, layer=None, probes=probes, seed=seed, positions=positions)
    require_settings(settings)
    require_work(level=level, max_clusters=max_clusters, batch_size=batch_size, dtype=dtype)
    require_module(model)
    chosen = _chosen(model, layers)
    survey = Survey(chosen, named=layers is not None)
    work = Work(batch_size=batch_size, largest=STEP, max_clusters=max_clusters, dtype=dtype, progress=progress)
    totals: dict[str, Accumulator] = {}
    done, probed, seen = 0, 0, Fingerprint(inputs)

    def first_site(batch: Batch) -> Site:
        inside, outputs, _ = _reading(batch, settings)
        survey.see(model, inside, outputs)
        return survey.first

    with measuring(model, dtype=dtype):
        pieces = pieces_of(model, seen.watched, settings=settings, work=work, site=first_site)
        for batch, parts in _contributions(model, pieces, survey, settings):
            for name, part in parts.items():
                if name not in totals:
                    totals[name] = accumulator(route_for(part, inputs, work), dim=part.dim)
                add_contribution(totals[name], part)
                probed = part.num_probes
            done += batch_length(batch)
            if progress is not None:
                progress(done)
        survey.leave_out(_without_energy(survey.layers, totals))
        origin: dict[str, Any] = {
            "model": type(model).__name__,
            "dtype": str(precision_of(model, dtype)).removeprefix("torch."),
            "inputs": seen.of_first(done),
        }
        rows = [
            _layer(name, module, totals[name], settings=settings, level=level, num_probes=probed, origin=origin)
            for name, module in survey.layers.items()
        ]
    return Layers(rows, left_out=survey.left_out)


def _without_energy(layers: dict[str, nn.Module], totals: dict[str, Accumulator]) -> dict[str, str]:
    """Layers of which a ratio would be one of nothing, and why."""
    reasons = {}
    for name, module in layers.items():
        W = kernel_of(module)
        if not bool(totals[name].grams().trace.sum() > 0):
            reasons[name] = "its derivative is all zeros"
        elif W is None or not bool(W.any()):
            reasons[name] = "its weights are all zeros"
    return reasons


def _layer(
    name: str,
    module: nn.Module,
    total: Accumulator,
    *,
    settings: Settings,
    level: float,
    num_probes: int,
    origin: dict[str, Any],
) -> LayerInteraction:
    """One row: interaction from K and H, superposition from the weights, agreement from both."""
    grams = total.grams()
    G = total.sum_of_contributions() / float(grams.weights.sum())
    nfa, centered = agreement(module, G)
    interaction = result_of(grams, layer=name, num_probes=num_probes, settings=settings, level=level)
    route = "dense" if isinstance(total, DenseAccumulator) else "gram"
    return LayerInteraction(
        name=name,
        kind=type(module).__name__,
        interaction=replace(interaction, route=route, **origin),
        superposition=superposition(module),
        nfa=nfa,
        nfa_centered=centered,
    )


def _chosen(model: nn.Module, layers: Sequence[str] | None) -> dict[str, nn.Module]:
    """The modules to measure by name."""
    known = {name: module for name, module in model.named_modules() if kernel_of(module) is not None}
    getter = getattr(model, "get_input_embeddings", None)
    tokens = getter() if callable(getter) else None
    if tokens is not None:
        # Tables of positions are shared by all samples: they have no gradient per sample.
        known = {name: m for name, m in known.items() if m is tokens or not isinstance(m, nn.Embedding)}
    missing = [name for name in layers or () if name not in known]
    if missing or not known:
        raise InterlawError(
            f"expected linear, convolution or embedding layers, found {missing or 'none'}; "
            f"this model has {', '.join(list(known)[:8]) or 'none of them'}"
        )
    return known if layers is None else {name: known[name] for name in layers}


def _contributions(
    model: nn.Module, pieces: Iterable[Batch], survey: Survey, settings: Settings
) -> Iterator[tuple[Batch, dict[str, Contribution]]]:
    """Every piece of the inputs with what it adds at every layer."""
    generator = torch.Generator().manual_seed(settings.seed)
    probes = 0

    def cotangents(y: Tensor) -> Iterator[Tensor]:
        nonlocal probes
        if settings.view == "loss":
            return iter([torch.ones_like(y)])
        drawn, probes = choose_cotangents(y, inside, settings, generator)
        return drawn

    for batch in pieces:
        inside, outputs, tokens = _reading(batch, settings)
        survey.see(model, inside, outputs)
        gradients = survey.by_sample(survey.gradients(model, inside, outputs, cotangents), batch_length(inside))
        parts = {}
        for name, found in gradients.items():
            columns = [columns_at(survey.layers[name], g) for g in found]
            parts[name] = contribution(
                columns,
                layer=name,
                count=len(columns),
                weights=_weight(columns[0], tokens),
                settings=settings,
                num_probes=probes,
            )
        yield batch, parts


def _reading(batch: Batch, settings: Settings) -> tuple[Batch, Outputs, Tensor | None]:
    """What the model reads of a batch, the outputs to differentiate, and how many tokens of each cluster count."""
    if settings.view == "loss":
        inputs, targets = shift(batch)

        def outputs(output: Any, batch: Batch) -> Tensor:
            return losses(output, targets[: batch_length(batch)])

        return inputs, outputs, count_predicting(targets, inputs)
    mask = padding_mask(batch)
    return batch, settings.readout(), None if mask is None else mask.sum(1).double()


def _weight(columns: Tensor, tokens: Tensor | None) -> Tensor:
    """What each cluster counts: its tokens where the layer sees tokens, else its positions."""
    positions = columns.shape[2]
    if tokens is not None and float(tokens.max()) <= positions and positions > 1:
        return tokens
    return torch.full((len(columns),), float(positions), dtype=torch.float64, device=columns.device)
