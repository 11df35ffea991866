"""The flow: options, batches, places, a view's contributions, K and H, estimates; the same for one place and for many.

Around it the network stands still: its weights are frozen, and put back as they were.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
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
from interlaw.interaction.batches import Batch, Batches, explained, output_tensor
from interlaw.interaction.estimates import LEAST_CLUSTERS, jackknife
from interlaw.interaction.grams import NULLS, Grams
from interlaw.interaction.intervals import with_intervals
from interlaw.interaction.options import MatrixOptions, MeasureOptions, Options, options_from
from interlaw.interaction.place import Place, Places
from interlaw.interaction.result import Interaction, result_of
from interlaw.interaction.routes import (
    Accumulator,
    Contribution,
    DenseAccumulator,
    MatrixAccumulator,
    accumulator_for,
    add_contribution,
    reconsidered,
)

# Clusters to be expected of a stream that does not tell: the route is chosen for them, and chosen again after so many.
EXPECTED_CLUSTERS = 512
# Clusters before the precision is asked for the first time, and how much longer until the next: a quarter keeps the
# cost of asking below that of measuring.
FIRST_CHECK, CHECK_GROWTH = 64, 1.25
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
            max_clusters: Use at most so many clusters.
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
    return gathered.interaction(name)


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
    beside = ("route", "level", "interval", "rel_error", "name")
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
    """What a pass over the inputs leaves: G, or its K and H, at every place, and how they came about."""

    options: Options
    model: nn.Module
    places: Places
    totals: dict[str, Accumulator]
    origin: dict[str, Any]

    def grams(self, name: str) -> Grams:
        """K and H at a place."""
        total = self.totals[name]
        assert not isinstance(total, MatrixAccumulator)
        return total.grams()

    def interaction(self, name: str) -> Interaction:
        """The measurement at a place, as a value."""
        options = self.options
        result = result_of(
            self.grams(name),
            layer=name,
            options=options,
            model=options.name or type(self.model).__name__,
            dtype=str(precision_of(self.model, options.dtype)).removeprefix("torch."),
            route="dense" if isinstance(self.totals[name], DenseAccumulator) else "gram",
            **self.origin,
        )
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
    totals: dict[str, Accumulator] = {}
    done, num_probes, check_at, reconsider_at = 0, 0, FIRST_CHECK, EXPECTED_CLUSTERS
    with frozen(model, options.dtype):
        batches = Batches(
            inputs,
            device=device_of(model),
            dtype=options.dtype,
            most=options.max_clusters,
            with_targets=options.record.with_targets,
        )
        contribute = options.record.start(options)
        for places, batch in placed(model, batches, options, find or place_of_view):
            for name, part in contribute(places, batch).items():
                if name not in totals:
                    expected = batches.expected or EXPECTED_CLUSTERS
                    totals[name] = (into or partial(accumulator_for, expected=expected, route=options.route))(part)
                add_contribution(totals[name], part)
                if options.route is None and done + len(batch) >= reconsider_at:
                    totals[name] = reconsidered(totals[name], part, done=done + len(batch))
                num_probes = part.num_probes
            done += len(batch)
            reconsider_at = 2 * done if done >= reconsider_at else reconsider_at
            if options.progress is not None:
                options.progress(done)
            if options.rel_error is not None and done >= check_at:
                if reached(totals, options):
                    break
                check_at = int(done * CHECK_GROWTH)
    met = None if options.rel_error is None else reached(totals, options)
    origin = {"num_probes": num_probes, "target_met": met, "inputs": batches.digest(done)}
    return Gathered(options=options, model=model, places=places, totals=totals, origin=origin)


def placed(model: nn.Module, batches: Batches, options: Options, find: FindPlaces) -> Iterator[tuple[Places, Batch]]:
    """The places, and the batches in pieces that fit memory."""
    places, size = None, options.batch_size
    for batch in batches:
        places = places or find(model, batch, options)
        size = size or clusters_at_once(places, batch, limit_bytes=options.memory_limit)
        places.survey(batch, most=size)
        careful = options.rel_error is not None or len(places.kept) > 1
        for piece in batch.pieces(min(size, STEP) if careful else size):
            yield places, piece


def place_of_view(model: nn.Module, batch: Batch, options: Options) -> Places:
    """The one place of a view, or none where nothing is differentiated."""
    find = options.record.place
    return Places(model, [] if find is None else [find(model, batch, options)], last_only=options.last_only)


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
        arranged = places.arranged(place.name, h, 1)
        if arranged is not None:
            seen.append(place.columns(arranged))
        return h.detach().requires_grad_(True).clone()

    weights = {parameter.untyped_storage().data_ptr() for parameter in places.model.parameters()}
    with saved_tensors_hooks(count, lambda tensor: tensor):
        output = output_tensor(places.run(batch.take(0, 1), watch))
    activations = sum(size for pointer, size in saved.items() if pointer not in weights)
    activations += 3 * output.numel() * output.element_size()
    columns, device = seen[0], output.device
    dim, positions = columns.shape[1:]
    contribution = 2 * columns.element_size() * dim * min(dim, MOST_COLUMNS * positions)
    room = free_bytes(device) if limit_bytes is None else min(free_bytes(device), limit_bytes)
    fits = int(SHARE_OF_FREE * room / max(activations + contribution, 1))
    if device.type == "cpu":
        fits = min(fits, max(LEAST_PIECE, CACHED_BYTES // max(activations, 1)))
    return max(1, min(len(batch), fits))


def free_bytes(device: torch.device) -> int:
    """Memory that can still be taken on a device."""
    return int(torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else psutil.virtual_memory().available)


def device_of(model: nn.Module) -> torch.device:
    """Where the model's weights are; the CPU for a model without any."""
    tensor = next(chain(model.parameters(), model.buffers()), None)
    return torch.device("cpu") if tensor is None else tensor.device


def precision_of(model: nn.Module, dtype: torch.dtype | None) -> torch.dtype:
    """Precision of the derivatives."""
    return next((p.dtype for p in model.parameters()), torch.float32) if dtype is None else dtype


def require_module(model: object) -> None:
    """Refuses what cannot be measured at all, a name or a path say."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"expected a torch.nn.Module, then its inputs: measure(model, x); found {type(model).__name__}")


@contextmanager
def frozen(model: nn.Module, dtype: torch.dtype | None = None) -> Iterator[None]:
    """Freezes the weights, so that no graph outlives a batch, and allows gradients; all restored afterwards.

    Args:
        model: The network.
        dtype: Precision of weights and derivatives for the time being; the weights' own when None.

    Raises:
        InterlawError: A normalisation layer in train mode mixes the samples of a batch.
    """
    _require_independent_samples(model)
    with ExitStack() as stack:
        stack.enter_context(_made_outside_inference(model))
        trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
        for parameter in trainable:
            parameter.requires_grad_(False)
            stack.callback(parameter.requires_grad_, True)
        if dtype is not None:
            for tensor in chain(model.parameters(), model.buffers()):
                if tensor.is_floating_point():
                    stack.callback(setattr, tensor, "data", tensor.data)
                    tensor.data = tensor.data.to(dtype)
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        stack.enter_context(explained())
        yield


@contextmanager
def _made_outside_inference(model: nn.Module) -> Iterator[None]:
    """Copies in place of weights made under `torch.inference_mode`, which autograd cannot follow; put back after."""
    copies: dict[int, Tensor] = {}
    tables: list[dict[str, Any]] = [t for m in model.modules() for t in (m._parameters, m._buffers)]
    replaced = [
        (table, name, tensor)
        for table in tables
        for name, tensor in table.items()
        if tensor is not None and tensor.is_inference()
    ]
    with torch.inference_mode(False):
        for table, name, tensor in replaced:
            copy = copies.setdefault(id(tensor), tensor.clone())
            table[name] = nn.Parameter(copy, requires_grad=False) if isinstance(tensor, nn.Parameter) else copy
    try:
        yield
    finally:
        for table, name, tensor in replaced:
            table[name] = tensor


def _require_independent_samples(model: nn.Module) -> None:
    """Refuses batch statistics: they make each sample's output depend on the others."""
    mixing = [
        name or type(module).__name__
        for name, module in model.named_modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm)
        and (module.training or (module.running_mean is None and module.running_var is None))
    ]
    if mixing:
        raise InterlawError(
            f"expected samples that do not affect each other, found batch normalisation in train mode: "
            f"{', '.join(mixing)}; call model.eval()"
        )
