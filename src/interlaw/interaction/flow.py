"""The flow: options, batches, places, a view's contributions, K and H, estimates; the same for one place and for many.

Around it the network stands still: its weights are frozen, and put back as they were.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, Unpack

import psutil
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from interlaw.errors import InterlawError
from interlaw.interaction.batches import Batch, Batches
from interlaw.interaction.energies import fourth_moment, spread_over_bases
from interlaw.interaction.grams import LEAST_CLUSTERS, NULLS, Estimate, Grams, jackknife
from interlaw.interaction.groups import group_codes, grouped, side_by_side
from interlaw.interaction.intervals import with_intervals
from interlaw.interaction.network import device_of, frozen, precision_of, require_module
from interlaw.interaction.options import MatrixOptions, MeasureOptions, Options, options_from
from interlaw.interaction.place import Place, Places, output_tensor
from interlaw.interaction.result import Interaction, result_of
from interlaw.interaction.routes import (
    Accumulator,
    Contribution,
    MatrixAccumulator,
    accumulator_for,
    add_contribution,
    reconsidered,
)
from interlaw.interaction.soundness import require_sound

# Clusters to be expected of a stream that does not tell: the route is chosen for them, and chosen again after so many.
EXPECTED_CLUSTERS = 512
# Clusters before the precision is asked for the first time, and how much longer until the next: a quarter keeps the
# cost of asking below that of measuring.
FIRST_CHECK, CHECK_GROWTH = 64, 1.25
MOST_MULTIPLIED = (
    256  # coordinates of matrices that are multiplied for the spread over bases; tells most where D is small
)
STEP = 64  # clusters at once where something is decided, or much is kept, between pieces

# Of the free memory; allocators keep some, and what is counted is a lower bound.
SHARE_OF_FREE = 0.25
CACHED_BYTES = 2**25  # on a processor, activations beyond its caches are slower than small pieces are
LEAST_PIECE = 16  # on a processor: fewer samples leave each operation too short for its overhead
MOST_COLUMNS = 64  # a position of a sample: more outputs than this are summed up or probed

FindPlaces = Callable[[nn.Module, Batch, Options], Places]


def measure(model: nn.Module, inputs: object, **options: Unpack[MeasureOptions]) -> Interaction:
    """Measures the AOFE, its ratio and their kin, without bias and with intervals, against chance.

    Args:
        model: The network; called as model(x) for tensors and model(**batch) for dicts.
        inputs: A tensor, or an iterable of batches (tensors or dicts); the first axis counts clusters.
        **options: Any of the following.
            view: Which matrix G is meant: "input" (as by default), "loss", "projected", "output", "patch",
            "bottleneck" or "token".
            layer: Where h lives: the input of this module (a name from `named_modules`), "input" or "embeddings"; when
            None the input itself, or the token embeddings where the input is integer.
            probes: Random vectors per cluster, or "exact" for every output. None takes every output when there are few
            and one fresh probe per cluster when there are many.
            seed: Seed of the probes.
            positions: For outputs (batch, time, C): "last" token or "all" of them; None is the view's own choice.
            outputs: Indices of the outputs that count; all when None.
            center: Subtract from each position's outputs their mean.
            scale: "rms" divides each position's outputs by their root mean square.
            route: How inner products are formed, "gram" or "dense"; the cheaper one when None.
            level: Coverage of the intervals.
            interval: Their kind, "jackknife", "bootstrap-t" or "percentile"; `with_intervals` changes it afterwards.
            rel_error: Stop once the jackknife interval of the AOFE-ratio reaches at most this fraction of it to either
            side; `target_met` of the result says whether it did before the inputs (or `max_clusters`) ran out.
            max_clusters: Use at most so many samples.
            groups: One label a sample, for samples that share a document, a subject or an image and so are not
            independent: each group is then one cluster.
            batch_size: Clusters per forward pass; chosen from free memory when None.
            memory_limit: Bytes that the choice may plan with; what is free when None.
            dtype: Precision of the derivatives, torch.float32 for bf16 weights say; the weights' own when None.
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
    gathered = gather(
        model,
        inputs,
        options_from(options, without=beside, probes="exact"),
        into=lambda part: MatrixAccumulator(part.dim, part.slices),
    )
    (total,) = gathered.totals.values()
    return total.mean().to(precision_of(model, gathered.options.dtype))


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """What a pass over the inputs leaves at every place, and how it came about.

    Attributes:
        options: What was measured.
        places: Where.
        totals: By place, what was gathered; G is its `mean()`.
        grams: By place, K and H; none where the matrix alone was gathered.
        origin: What the result says of the pass.
    """

    options: Options
    places: Places
    totals: dict[str, Accumulator]
    grams: dict[str, Grams]
    origin: dict[str, Any]

    def result(self, name: str) -> Interaction:
        """The measurement at a place."""
        grams, options = self.grams[name], self.options
        estimates = jackknife(grams, null=NULLS[options.record.null], level=options.level)
        spread = spread_at(self.totals[name], grams, estimates)
        route = self.totals[name].route
        result = result_of(grams, estimates, layer=name, options=options, spread=spread, route=route, **self.origin)
        plain = options.interval == "jackknife"
        return result if plain else with_intervals(result, options.interval, seed=options.seed)


def gather(
    model: nn.Module,
    inputs: object,
    options: Options,
    *,
    find: FindPlaces | None = None,
    into: Callable[[Contribution], Accumulator] | None = None,
) -> Gathered:
    """One pass over the inputs, to their end or until the precision asked for is reached.

    Args:
        model: The network.
        inputs: As the user has them.
        options: What is measured, and how.
        find: The places, from the model and a first batch; the view's one place when None.
        into: An accumulator from a first contribution; of the cheaper route when None.
    """
    require_module(model)
    codes = None if options.groups is None else group_codes(options.groups)
    if codes is not None:
        inputs, codes = side_by_side(inputs, codes)
    totals: dict[str, Accumulator] = {}
    done, read, num_probes, check_at, reconsider_at = 0, 0, 0, FIRST_CHECK, EXPECTED_CLUSTERS
    with frozen(model, options.dtype):
        batches = Batches(
            inputs,
            device=device_of(model),
            dtype=options.dtype,
            most=options.max_clusters,
            with_targets=options.record.with_targets,
        )
        ahead = iter(batches)
        first = next(ahead)
        places = (find or place_of_view)(model, first, options)
        require_sound(places, first.take(0, 1), causal=options.record.with_targets)
        size = options.batch_size or clusters_at_once(places, first, limit_bytes=options.memory_limit)
        size = size if options.rel_error is None and len(places.kept) <= 1 else min(size, STEP)
        places.survey(first, most=size)
        contribute = options.record.start(options)

        def contributions() -> Iterator[dict[str, Contribution]]:
            nonlocal read
            for batch in _pieces(chain([first], ahead), places, size):
                parts = contribute(places, batch)
                read += len(batch)
                if options.progress is not None:
                    options.progress(read)
                yield parts

        for parts in contributions() if codes is None else grouped(contributions(), codes):
            for name, part in parts.items():
                if name not in totals:
                    expected = max(codes) + 1 if codes else batches.expected or EXPECTED_CLUSTERS
                    totals[name] = (into or partial(accumulator_for, expected=expected, route=options.route))(part)
                add_contribution(totals[name], part)
                if options.route is None and done + len(part.weights) >= reconsider_at:
                    totals[name] = reconsidered(totals[name], part, done=done + len(part.weights))
                num_probes = part.num_probes
            done += len(part.weights)
            reconsider_at = 2 * done if done >= reconsider_at else reconsider_at
            if options.rel_error is not None and done >= check_at:
                if reached(totals, options):
                    break
                check_at = int(done * CHECK_GROWTH)
    origin = {
        "num_probes": num_probes,
        "target_met": None if options.rel_error is None else reached(totals, options),
        "num_samples": read,
        "inputs": batches.digest(read),
        "model": options.name or type(model).__name__,
        "dtype": str(precision_of(model, options.dtype)).removeprefix("torch."),
    }
    grams = {name: total.grams() for name, total in totals.items() if not isinstance(total, MatrixAccumulator)}
    return Gathered(options=options, places=places, totals=totals, grams=grams, origin=origin)


def spread_at(total: Accumulator, grams: Grams, estimates: Mapping[str, Estimate]) -> float:
    """How far the AOFE-ratio scatters over bases at the estimated spectrum.

    For few clusters and many coordinates tr M^4 is taken at its largest, (tr M^2)^2: the spread is small there anyway.
    """
    assert not isinstance(total, MatrixAccumulator)
    energy, participation = estimates["energy"].value, estimates["participation_ratio"].value
    m2 = energy * (1 - participation / total.dim)
    m4 = m2**2
    if total.dim <= MOST_MULTIPLIED and len(grams.counts) >= 4:
        m4 = fourth_moment([total.mean(every=4, start=start) for start in range(4)])
    return spread_over_bases(energy=energy, m2=m2, m4=m4, dim=total.dim)


def _pieces(batches: Iterable[Batch], places: Places, size: int) -> Iterator[Batch]:
    """All batches in pieces that fit memory, their samples told apart."""
    for batch in batches:
        places.survey(batch, most=size)
        yield from batch.pieces(size)


def place_of_view(model: nn.Module, batch: Batch, options: Options) -> Places:
    """The one place of a view, or none where nothing is differentiated."""
    find = options.record.place
    last_only = (options.positions or options.record.positions) == "last"
    return Places(model, [] if find is None else [find(model, batch, options.layer)], last_only=last_only)


def reached(totals: dict[str, Accumulator], options: Options) -> bool:
    """Whether the interval of every AOFE-ratio is as narrow as asked for."""
    assert options.rel_error is not None
    for total in totals.values():
        assert not isinstance(total, MatrixAccumulator)
        grams = total.grams()
        if len(grams.counts) < LEAST_CLUSTERS:
            return False
        ratio = jackknife(grams, null=NULLS[options.record.null], level=options.level)["aofe_ratio"]
        if max(ratio.high - ratio.value, ratio.value - ratio.low) > options.rel_error * abs(ratio.value):
            return False
    return True


def clusters_at_once(places: Places, batch: Batch, *, limit_bytes: int | None = None) -> int:
    """How many clusters fit: a share of the free memory, or of a limit below it, over what one cluster needs.

    One cluster is run forward, and every tensor that autograd saves is counted, the output three times (itself, its
    gradient, and a probe), and twice the contribution (its columns and their product).
    """
    if not places.kept:
        return STEP
    saved: dict[int, int] = {}
    seen: list[Tensor] = []

    def count(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    def watch(place: Place, h: Tensor) -> Tensor:
        with suppress(InterlawError):  # a place without a part for each sample is left out later
            seen.append(place.columns(places.samples_first(place, h, 1)))
        return h.detach().requires_grad_(True).clone()

    weights = {parameter.untyped_storage().data_ptr() for parameter in places.model.parameters()}
    with saved_tensors_hooks(count, lambda tensor: tensor):
        output = output_tensor(places.run(batch.take(0, 1), watch, once=False))
    activations = sum(size for pointer, size in saved.items() if pointer not in weights)
    activations += 3 * output.numel() * output.element_size()
    dim, positions = seen[0].shape[1:] if seen else (0, 0)
    contribution = 2 * output.element_size() * dim * min(dim, MOST_COLUMNS * positions)
    device = output.device
    room = free_bytes(device) if limit_bytes is None else min(free_bytes(device), limit_bytes)
    fits = int(SHARE_OF_FREE * room / max(activations + contribution, 1))
    if device.type == "cpu":
        fits = min(fits, max(LEAST_PIECE, CACHED_BYTES // max(activations, 1)))
    return max(1, min(len(batch), fits))


def free_bytes(device: torch.device) -> int:
    """Memory that can still be taken on a device."""
    return int(torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else psutil.virtual_memory().available)
