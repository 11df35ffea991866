"""`measure`, `agop` and `measure_layers`, which are one flow, for one place or for many.

Options, batches, places, a view's contributions, K and H, estimates. Around it the network stands still: its weights
are frozen, and put back as they were.

Legend: h the activation at a place, y the outputs (C of them), J = dy/dh; A_n what cluster n adds, D x D; G = E[A_n];
K and H the inner products of the A_n and of their diagonals; W a layer's weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, Unpack

import torch
from jaxtyping import Float
from torch import Tensor, nn

from interlaw.errors import InterlawError
from interlaw.interaction.asked import options_from
from interlaw.interaction.batches import Batch, Batches
from interlaw.interaction.grams import NULLS, fourth_moment, heavy_shift, jackknife, spread_over_bases, widened
from interlaw.interaction.intervals import with_intervals
from interlaw.interaction.known_views import VIEWS
from interlaw.interaction.layers import LayerInteraction, Layers
from interlaw.interaction.layout import Place, layer_place
from interlaw.interaction.matrix import plugin
from interlaw.interaction.network import (
    agreement,
    device_of,
    find_layers,
    frozen,
    kernel_of,
    superposition,
    unknown_kinds,
)
from interlaw.interaction.options import MatrixOptions, MeasureOptions, Options
from interlaw.interaction.place import Places, Readout
from interlaw.interaction.result import Interaction
from interlaw.interaction.routes import Total
from interlaw.interaction.soundness import require_padding_unread, require_sound
from interlaw.interaction.views import next_tokens

# Clusters before the precision is asked for the first time, and how much longer until the next: a quarter keeps the
# cost of asking below that of measuring.
FIRST_CHECK, CHECK_GROWTH = 64, 1.25
STEP = 64  # clusters at once where something is decided, or much is kept, between pieces

COPIES = "all {samples} samples are the same one, so that intervals over them say nothing; give samples that differ"
HEAVY = (
    "one cluster more or less like one of the {groups} would move the ratio by {shift:.1f} standard errors: its "
    "interval may miss; give more samples, or look for one unlike the others"
)


class NoDerivativeError(InterlawError):
    """Every derivative at a place is zero, so that the ratio is undefined."""

    def __init__(self, layer: str) -> None:
        super().__init__(
            f"expected a derivative at '{layer}', found all zeros, so that the ratio is undefined; measure trained "
            "weights, another layer, or tiny derivatives with dtype=torch.float64"
        )


def measure(model: nn.Module, inputs: object, **options: Unpack[MeasureOptions]) -> Interaction:
    """Measures the AOFE, its ratio and related quantities without bias and with intervals, against chance.

    Args:
        model: The network; called as model(x) for tensors and model(**batch) for dicts.
        inputs: A tensor, or an iterable of batches (tensors or dicts); the first axis counts clusters.
        **options: Any of the following.
            view: Which matrix G is meant: "input" (as by default), "loss", "projected", "output", "patch",
            "convolution", "bottleneck" or "token".
            layer: Where h lives: the input of this module (a name from `named_modules`), "input" or "embeddings"; when
            None the input itself, or the token embeddings where the input is integer.
            probes: Random vectors per cluster, or "exact" for every output. None takes every output when there are few
            and one fresh probe per cluster when there are many.
            seed: Seed of the probes.
            positions: For outputs (batch, time, C): "last" token or "all" of them; None is the view's own choice.
            outputs: Indices of the outputs that count; all when None.
            center: Subtract from each position's outputs their mean.
            scale: "rms" divides the outputs by their root mean square over the whole sample, a constant that is not
            differentiated.
            route: How inner products are formed, "gram" or "dense"; the cheaper one when None.
            level: Coverage of the intervals.
            interval: Their kind, "jackknife", "bootstrap-t" or "percentile"; `with_intervals` changes it afterwards.
            rel_error: Stop once the jackknife interval of the AOFE-ratio reaches at most this fraction of it to either
            side; `target_met` of the result says whether it did before the inputs (or `max_clusters`) ran out.
            max_clusters: Use at most so many samples.
            groups: One label a sample, for samples that share a document, a subject or an image: samples that depend
            on each other, so each group is one cluster.
            batch_size: Clusters per forward pass; chosen from free memory when None.
            memory_limit: Bytes that the choice may plan with; what is free when None.
            dtype: Precision of the derivatives, such as torch.float32 for bf16 weights; the weights' own when None.
            progress: Called with the number of clusters done so far.
            name: What to call the network in the result; its class when None.

    Returns:
        Unbiased estimates of the energies of G = E[A_n] (mean over clusters, each weighing as many positions as it
        has), intervals over clusters, the plug-in values beside them.

    Raises:
        InterlawError: A mistake; the message says how to correct it.
        TypeError: `model` is no torch module, `inputs` neither a tensor nor an iterable of batches, or there is no
            such option.

    Example:
        >>> import torch
        >>> from interlaw.interaction import energies
        >>> model = torch.nn.Linear(3, 2, bias=False)
        >>> result = measure(model, torch.randn(8, 3))
        >>> W = model.weight.detach()
        >>> abs(result.aofe_ratio.value - energies(W.T @ W).aofe_ratio) < 1e-5
        True

    Source: Sun et al. 2026, arXiv 2605.27989; U-statistics: Hoeffding 1948.
    """
    gathered = gather(model, inputs, options=options_from(options))
    (name,) = gathered.totals
    return gathered.result(name)


def agop(model: nn.Module, inputs: object, **options: Unpack[MatrixOptions]) -> Float[Tensor, "d d"]:
    """The matrix G itself, the mean of A_n over clusters; for D small enough to hold D x D numbers.

    Its entries are unbiased, its energies are not: use `measure` for those. Options as in `measure`, but for those of
    intervals; every output is taken unless `probes` says otherwise.

    Example:
        >>> import torch
        >>> model = torch.nn.Linear(3, 2, bias=False)
        >>> torch.allclose(agop(model, torch.randn(5, 3)), model.weight.T @ model.weight, atol=1e-6)
        True
    """
    beside = ("groups", "route", "level", "interval", "rel_error", "name")
    asked = options_from(options, without=beside, probes="exact")
    gathered = gather(model, inputs, options=asked, route="matrix")
    (total,) = gathered.totals.values()
    return (total.kept.mean() / gathered.mean_square).to(gathered.dtype)


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
    if not VIEWS[asked.view].layers:
        known = " or ".join(repr(name) for name, view in VIEWS.everything().items() if view.layers)
        raise InterlawError(f"expected the view of all layers to be {known}, found '{asked.view}'")

    def find(batch: Batch) -> list[Place]:
        return [layer_place(*named) for named in find_layers(model, layers, batch=batch).items()]

    gathered = gather(model, inputs, options=asked, find=find, optional=layers is None)
    places, results, flat = gathered.places, {}, {}
    weights = {name: kernel_of(place.module) for name, place in places.kept.items()}
    places.leave_out(
        {name: "its weights are all zeros" for name, W in weights.items() if W is None or not bool(W.any())}
    )
    for name in places.kept:
        try:
            results[name] = gathered.result(name)
        except NoDerivativeError:
            flat[name] = "its derivative is all zeros"
    places.leave_out(flat)
    rows = []
    for name, place in places.kept.items():
        assert place.module is not None
        nfa, centered = agreement(place.module, gathered.totals[name].kept.mean())
        rows.append(
            LayerInteraction(
                name=name,
                kind=type(place.module).__name__,
                interaction=results[name],
                superposition=superposition(place.module),
                nfa=nfa,
                nfa_centered=centered,
            )
        )
    unknown = {} if layers else unknown_kinds(model, {*places.kept, *places.left_out})
    return Layers(rows, left_out={**places.left_out, **unknown})


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """What a pass over the inputs leaves at every place, and how it came about.

    Attributes:
        options: What was measured.
        places: Where.
        totals: By place, what was gathered; G is its `kept.mean()`, over the mean square of the outputs where asked.
        inputs: Digest of the samples.
        num_samples: How many they were.
        dtype: Precision of the derivatives.
        are_copies: Whether all samples are the same one.
        mean_square: Of the outputs, where G is over it; else 1.
        target_met: Whether the precision asked for was reached; None when none was asked for.
    """

    options: Options
    places: Places
    totals: dict[str, Total]
    inputs: str
    num_samples: int
    dtype: torch.dtype
    are_copies: bool
    mean_square: float
    target_met: bool | None

    def result(self, name: str) -> Interaction:
        """The measurement at a place."""
        options, total, by = self.options, self.totals[name], self.mean_square
        grams, null = total.grams(by=by), NULLS[VIEWS[options.view].null]
        estimates: dict[str, Any] = dict(jackknife(grams, null=null, level=options.level))
        ratio = estimates["aofe_ratio"]
        if not bool(grams.trace.sum() > 0):
            raise NoDerivativeError(name)
        if not math.isfinite(ratio.value + ratio.stderr):
            raise InterlawError(
                f"expected samples with a direction in common at '{name}', found {grams.num_clusters} with nearly "
                "none; give more samples"
            )
        energy, participation = estimates["energy"].value, estimates["participation_ratio"].value
        m2 = energy * (1 - participation / grams.dim)
        m4 = fourth_moment([G / by for G in total.quarters])
        spread = spread_over_bases(energy=energy, m2=m2, m4=m4, dim=grams.dim)
        groups, probes = len(grams.counts), total.num_probes
        drawn = f"{probes} fresh probe{'s' if probes > 1 else ''} per cluster" if probes else "exact factors"
        settings = {
            option: getattr(options, option) for option in ("positions", "center", "scale", "level", "rel_error")
        }
        settings["outputs"] = None if options.outputs is None else list(options.outputs)
        result = Interaction(
            view=options.view,
            layer=name,
            dim=grams.dim,
            num_clusters=grams.num_clusters,
            num_groups=groups,
            num_probes=probes,
            seed=options.seed,
            estimator=f"U-statistic over pairs of clusters, {drawn}, {groups}-group jackknife",
            null=estimates.pop("null_ratio"),
            excess=widened(estimates.pop("excess_ratio"), spread, level=options.level),
            basis_spread=spread,
            warnings=self._warnings(groups, shift=heavy_shift(grams)),
            plugin=plugin(grams, null=null),
            settings={**settings, "interval": "jackknife", "null": VIEWS[options.view].null},
            route=total.kept.route,
            grams=grams,
            inputs=self.inputs,
            num_samples=self.num_samples,
            target_met=self.target_met,
            model=options.name or type(self.places.model).__name__,
            dtype=str(self.dtype).removeprefix("torch."),
            **estimates,
        )
        plain = options.interval == "jackknife"
        return result if plain else with_intervals(result, options.interval, seed=options.seed)

    def _warnings(self, groups: int, *, shift: float) -> tuple[str, ...]:
        """What to watch for: samples that do not differ, or else one of them that carries much."""
        if self.are_copies:
            return (COPIES.format(samples=self.num_samples),)
        return (HEAVY.format(groups=groups, shift=shift),) if shift > 0 else ()


def gather(
    model: nn.Module,
    inputs: object,
    *,
    options: Options,
    find: Callable[[Batch], list[Place]] | None = None,
    optional: bool = False,
    route: str | None = None,
) -> Gathered:
    """One pass over the inputs, to their end or until the precision asked for is reached.

    Args:
        model: The network.
        inputs: As the user has them.
        options: What is measured, and how.
        find: From a first batch to the places; the view's one place when None.
        optional: Whether places that cannot be measured are left out, rather than refused.
        route: "matrix" gathers G alone; the options' own when None.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"expected a torch.nn.Module, then its inputs: measure(model, x); found {type(model).__name__}")
    batches = Batches(
        inputs, device=device_of(model), dtype=options.dtype, most=options.max_clusters, groups=options.groups
    )
    view, totals = VIEWS[options.view], dict[str, Total]()
    read, check_at, ended = 0, FIRST_CHECK, True
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))  # autograd follows no tensor that is made in it
        ahead = map(next_tokens, batches) if view.with_targets else iter(batches)
        first = next(ahead)
        named = (find or partial(view.find, model, layer=options.layer))(first)
        stack.enter_context(frozen(model, dtype=options.dtype))
        positions = options.positions or view.positions
        places = Places(model, named, optional=optional, last_only=positions == "last")
        size = options.batch_size or (places.at_once(first, limit_bytes=options.memory_limit) if named else STEP)
        size = size if options.rel_error is None and len(places.kept) <= 1 else min(size, STEP)
        # before the survey, which would take a cut-off network for layers that feed nothing
        checked = require_sound(places, first, causal=view.with_targets, most=size)
        places.survey(first, most=size)
        outputs = Readout(positions=positions, center=options.center, outputs=options.outputs, scale=options.scale)
        contribute = view.start(options, outputs)
        for piece in _pieces(places, chain([first], ahead), checked=checked, size=size):
            parts = contribute(places, piece)
            read += len(piece)
            if options.progress is not None:
                options.progress(read)
            for name, part in parts.items():
                total = totals.setdefault(name, Total(expected=batches.expected, route=route or options.route))
                total.add(part, piece.groups)
            if options.rel_error is not None and (done := min(total.done for total in totals.values())) >= check_at:
                if _are_precise(totals, options, rel_error=options.rel_error):
                    ended = False
                    break
                check_at = int(done * CHECK_GROWTH)
    for total in totals.values():
        total.finish(whole=ended)
    return Gathered(
        options=options,
        places=places,
        totals=totals,
        inputs=batches.digest(read),
        num_samples=read,
        dtype=options.dtype or next((p.dtype for p in model.parameters()), torch.float32),
        are_copies=batches.are_copies,
        mean_square=outputs.mean_square,
        target_met=(None if options.rel_error is None else _are_precise(totals, options, rel_error=options.rel_error)),
    )


def _pieces(places: Places, batches: Iterable[Batch], *, checked: bool, size: int) -> Iterator[Batch]:
    """The batches in pieces of a size, each batch surveyed first; `checked`: whether padding was seen to be unread."""
    for batch in batches:
        checked = checked or require_padding_unread(places, batch)
        places.survey(batch, most=size)
        yield from batch.pieces(size)


def _are_precise(totals: dict[str, Total], options: Options, *, rel_error: float) -> bool:
    """Whether the interval of every AOFE-ratio is as narrow as asked for."""
    null = NULLS[VIEWS[options.view].null]
    return all(total.is_precise(rel_error, null=null, level=options.level) for total in totals.values())
