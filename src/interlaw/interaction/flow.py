"""The flow: options, batches, places, a view's contributions, K and H, estimates; the same for one place and for many.

Around it the network stands still: its weights are frozen, and put back as they were.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import Any, Unpack

import torch
from jaxtyping import Float
from torch import Tensor, nn

from interlaw.errors import InterlawError
from interlaw.interaction.batches import Batch, Batches
from interlaw.interaction.grams import (
    LEAST_CLUSTERS,
    NULLS,
    Grams,
    fourth_moment,
    heavy_shift,
    jackknife,
    spread_over_bases,
    widened,
)
from interlaw.interaction.groups import grouped, in_order
from interlaw.interaction.intervals import with_intervals
from interlaw.interaction.layout import Place
from interlaw.interaction.matrix import plugin
from interlaw.interaction.network import device_of, frozen, precision_of, require_module
from interlaw.interaction.options import MatrixOptions, MeasureOptions, Options, options_from
from interlaw.interaction.place import Places, readout
from interlaw.interaction.result import Interaction
from interlaw.interaction.routes import Contribution, Total
from interlaw.interaction.soundness import require_padding_unread, require_sound

# Clusters before the precision is asked for the first time, and how much longer until the next: a quarter keeps the
# cost of asking below that of measuring.
FIRST_CHECK, CHECK_GROWTH = 64, 1.25
STEP = 64  # clusters at once where something is decided, or much is kept, between pieces

FLAT = (
    "expected a derivative at '{layer}', found all zeros, so that the ratio is undefined; measure trained weights, "
    "another layer, or tiny derivatives with dtype=torch.float64"
)
NOTHING_IN_COMMON = (
    "expected samples with a direction in common at '{layer}', found {clusters} with nearly none; give more samples"
)
BEYOND = "expected derivatives whose squares the precision can hold, found larger ones; use dtype=torch.float64"
HEAVY = (
    "one cluster more or less like one of the {groups} would move the ratio by {shift:.1f} standard errors: its "
    "interval may miss; give more samples, or look for one unlike the others"
)

ZEROS = "expected outputs to divide by their root mean square, found all zeros; leave scale out"


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
    gathered = gather(model, inputs, options_from(options))
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
    gathered = gather(model, inputs, options_from(options, without=beside, probes="exact"), route="matrix")
    (total,) = gathered.totals.values()
    return (total.kept.mean() / gathered.mean_square).to(precision_of(model, gathered.options.dtype))


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """What a pass over the inputs leaves at every place, and how it came about.

    Attributes:
        options: What was measured.
        places: Where.
        totals: By place, what was gathered; G is its `kept.mean()`, over the mean square of the outputs where asked.
        inputs: Digest of the samples.
        num_samples: How many they were.
        mean_square: Of the outputs, where G is over it; else 1.
        target_met: Whether the precision asked for was reached; None when none was asked for.
    """

    options: Options
    places: Places
    totals: dict[str, Total]
    inputs: str
    num_samples: int
    mean_square: float
    target_met: bool | None

    @cached_property
    def grams(self) -> dict[str, Grams]:
        """By place, K and H."""
        return {name: divided(total.kept.grams(), self.mean_square) for name, total in self.totals.items()}

    def is_flat(self, name: str) -> bool:
        """Whether every derivative at a place is zero, so that a ratio is undefined."""
        return not bool(self.grams[name].trace.sum() > 0)

    def result(self, name: str) -> Interaction:
        """The measurement at a place."""
        grams, options, total = self.grams[name], self.options, self.totals[name]
        null, groups = NULLS[options.record.null], len(grams.counts)
        estimates: dict[str, Any] = dict(jackknife(grams, null=null, level=options.level))
        ratio = estimates["aofe_ratio"]
        if self.is_flat(name):
            raise InterlawError(FLAT.format(layer=name))
        if not math.isfinite(ratio.value + ratio.stderr):
            raise InterlawError(NOTHING_IN_COMMON.format(layer=name, clusters=grams.num_clusters))
        energy, participation = estimates["energy"].value, estimates["participation_ratio"].value
        m2 = energy * (1 - participation / grams.dim)
        m4 = fourth_moment(total.quarters(by=self.mean_square))
        spread = spread_over_bases(energy=energy, m2=m2, m4=m4, dim=grams.dim)
        probes, shift = total.num_probes, heavy_shift(grams)
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
            warnings=(HEAVY.format(groups=groups, shift=shift),) if shift > 0 else (),
            plugin=plugin(grams, null=null),
            settings={**settings, "interval": "jackknife", "null": options.record.null},
            route=total.kept.route,
            grams=grams,
            inputs=self.inputs,
            num_samples=self.num_samples,
            target_met=self.target_met,
            model=options.name or type(self.places.model).__name__,
            dtype=str(precision_of(self.places.model, options.dtype)).removeprefix("torch."),
            **estimates,
        )
        plain = options.interval == "jackknife"
        return result if plain else with_intervals(result, options.interval, seed=options.seed)


class Squares:
    """The mean square of the outputs of a whole sample: one constant for every position, as the paper's code has it."""

    def __init__(self) -> None:
        self._sum, self._count = 0.0, 0
        self._last: Batch | None = None

    def add(self, y: Tensor, batch: Batch) -> None:
        """Takes the outputs of a batch once, however many passes its probes need."""
        if batch is not self._last:
            self._last = batch
            self._sum += float(y.detach().double().square().sum())
            self._count += y.numel()

    @property
    def mean(self) -> float:
        """The mean; 1 where nothing was taken."""
        if self._count and not self._sum > 0:
            raise InterlawError(ZEROS)
        return self._sum / self._count if self._count else 1.0


def gather(
    model: nn.Module,
    inputs: object,
    options: Options,
    *,
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
    require_module(model)
    totals: dict[str, Total] = {}
    squares, view = Squares(), options.record
    done, read, check_at = 0, 0, FIRST_CHECK
    positions = options.positions or view.positions
    batches, codes = _samples_of(model, inputs, options)
    expected = max(codes) + 1 if codes else batches.expected
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))  # autograd follows no tensor that is made in it
        ahead = iter(batches)
        first = next(ahead)
        if find is not None:
            named = find(first)
        else:
            named = [] if view.place is None else [view.place(model, first, options.layer)]
        stack.enter_context(frozen(model, options.dtype))
        places = Places(model, named, optional=optional, last_only=positions == "last")
        size = options.batch_size or (places.at_once(first, limit_bytes=options.memory_limit) if places.kept else STEP)
        size = size if options.rel_error is None and len(places.kept) <= 1 else min(size, STEP)
        checked = require_sound(places, first, causal=view.with_targets, most=size)
        places.survey(first, most=size)
        seen = squares.add if options.scale == "rms" else None
        outputs = readout(positions=positions, center=options.center, outputs=options.outputs, seen=seen)

        def contributions() -> Iterator[dict[str, Contribution]]:
            nonlocal read, checked
            contribute = view.start(options, outputs)
            for batch in chain([first], ahead):
                checked = checked or require_padding_unread(places, batch)
                places.survey(batch, most=size)
                for piece in batch.pieces(size):
                    parts = contribute(places, piece)
                    read += len(piece)
                    if options.progress is not None:
                        options.progress(read)
                    yield parts

        for parts in contributions() if codes is None else grouped(contributions(), codes):
            for name, part in parts.items():
                if name not in totals:
                    totals[name] = Total(part, expected=expected, route=route or options.route)
                totals[name].add(part)
            done += len(part.weights)
            if options.rel_error is not None and done >= check_at:
                if reached(totals, options):
                    break
                check_at = int(done * CHECK_GROWTH)
    return Gathered(
        options=options,
        places=places,
        totals=totals,
        inputs=batches.digest(read),
        num_samples=read,
        mean_square=squares.mean,
        target_met=None if options.rel_error is None else reached(totals, options),
    )


def _samples_of(model: nn.Module, inputs: object, options: Options) -> tuple[Batches, list[int] | None]:
    """The inputs in batches, groups one after another, and the group of each sample; None where each is a cluster."""
    ordered, codes = (inputs, None) if options.groups is None else in_order(inputs, options.groups)
    batches = Batches(
        ordered,
        device=device_of(model),
        dtype=options.dtype,
        most=options.max_clusters,
        with_targets=options.record.with_targets,
    )
    return batches, codes and codes[: options.max_clusters]


def divided(grams: Grams, by: float) -> Grams:
    """K, H and traces of G / by."""
    squared = ("energy", "diagonal", "self_energy", "self_diagonal", "self_trace")
    if not bool(grams.energy.isfinite().all()):
        raise InterlawError(BEYOND)
    return replace(grams, trace=grams.trace / by, **{name: getattr(grams, name) / by / by for name in squared})


def reached(totals: dict[str, Total], options: Options) -> bool:
    """Whether the interval of every AOFE-ratio is as narrow as asked for."""
    assert options.rel_error is not None
    for total in totals.values():
        grams = total.kept.grams()
        if len(grams.counts) < LEAST_CLUSTERS:
            return False
        ratio = jackknife(grams, null=NULLS[options.record.null], level=options.level)["aofe_ratio"]
        if max(ratio.high - ratio.value, ratio.value - ratio.low) > options.rel_error * abs(ratio.value):
            return False
    return True
