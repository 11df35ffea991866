"""Runs batches through a view and gathers K and H, in pieces that fit memory, until told to stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from interlaw.errors import InterlawError
from interlaw.interaction.batches import Batch, batch_length, move, pieces, stream, take
from interlaw.interaction.contribution import Contribution, Factorize, Settings
from interlaw.interaction.differentiation import measuring
from interlaw.interaction.gradient_views import shift
from interlaw.interaction.grams import Accumulator, DenseAccumulator, GramAccumulator, Grams, accumulator, choose_route
from interlaw.interaction.memory import clusters_at_once
from interlaw.interaction.site import Site, device_of, reading_site
from interlaw.interaction.views import VIEWS

EXPECTED_CLUSTERS = 512
FIRST_CHECK = 64
CHECK_GROWTH = 1.25
LARGEST_PIECE = 4096
STEP = 64  # clusters at once where something is decided, or much is kept, between pieces

Progress = Callable[[int], None]
Enough = Callable[[Grams], bool]


@dataclass(frozen=True, kw_only=True)
class Collected:
    """K and H of a measurement and how they came about."""

    grams: Grams
    layer: str
    num_probes: int
    route: str


@dataclass(frozen=True, kw_only=True)
class Work:
    """How the work is done; none of it changes what is estimated.

    Attributes:
        batch_size: Clusters per forward pass; chosen from free memory when None.
        memory_limit: Bytes to plan with when it is chosen; what is free when None.
        largest: Most clusters per forward pass when it is chosen.
        max_clusters: Stop after so many clusters.
        dtype: Precision of the derivatives; the weights' own when None.
        progress: Called with the number of clusters done.
    """

    batch_size: int | None = None
    memory_limit: int | None = None
    largest: int = LARGEST_PIECE
    max_clusters: int | None = None
    dtype: torch.dtype | None = None
    progress: Progress | None = None


def collect(model: nn.Module, inputs: object, *, settings: Settings, work: Work, enough: Enough | None) -> Collected:
    """Gathers the clusters of `inputs`, all of them or until `enough` says so of the Gram matrices so far."""
    total: Accumulator | None = None
    done, check_at, reconsider_at = 0, FIRST_CHECK, EXPECTED_CLUSTERS
    with measuring(model, dtype=work.dtype):
        for batch, part in contributions(model, inputs, settings=settings, work=work):
            if total is None:
                route = settings.route or route_for(part, inputs, work)
                total = accumulator(route, dim=part.dim, slices=part.slices)
                dim = part.dim
            if part.dim != dim:
                raise InterlawError(
                    f"expected {dim} coordinates in every batch, found {part.dim}; cut the sequences to one length"
                )
            add_contribution(total, part)
            done += batch_length(batch)
            if settings.route is None and done >= reconsider_at:
                total = reconsidered(total, part, done=done)
                reconsider_at = 2 * done
            if work.progress is not None:
                work.progress(done)
            if enough is not None and done >= check_at:
                if enough(total.grams()):
                    break
                check_at = int(done * CHECK_GROWTH)
    assert total is not None
    route = "dense" if isinstance(total, DenseAccumulator) else "gram"
    return Collected(grams=total.grams(), layer=part.layer, num_probes=part.num_probes, route=route)


def contributions(
    model: nn.Module, inputs: object, *, settings: Settings, work: Work
) -> Iterator[tuple[Batch, Contribution]]:
    """Every piece of the inputs with its contribution; to be used inside `measuring`."""
    factorize: Factorize = VIEWS[settings.view].prepare(settings)

    def site(batch: Batch) -> Site | None:
        if settings.view == "bottleneck":
            return None
        return reading_site(model, batch, layer=settings.layer, readout=settings.readout())

    for piece in pieces_of(model, inputs, settings=settings, work=work, site=site):
        yield piece, factorize(model, piece)


def pieces_of(
    model: nn.Module, inputs: object, *, settings: Settings, work: Work, site: Callable[[Batch], Site | None]
) -> Iterator[Batch]:
    """The inputs on the model's device and in the precision of the measurement, in pieces that fit memory.

    `site` says where a trial derivative is taken to size the pieces; None where nothing is differentiated.
    """
    device = device_of(model)
    size, left = work.batch_size, work.max_clusters
    for whole in stream(inputs, batch_size=work.largest):
        whole = take(whole, 0, left) if left is not None else whole
        whole = _to_dtype(move(whole, device), work.dtype)
        trial = site(whole) if size is None else None
        if trial is not None:
            # The loss view's last token is a target only: with it a sequence may be longer than the context.
            read = shift(whole)[0] if settings.view == "loss" else whole
            size = clusters_at_once(model, read, site=trial, limit_bytes=work.memory_limit)
        yield from pieces(whole, min(size or STEP, work.largest))
        if left is not None:
            left -= batch_length(whole)
            if left <= 0:
                return


def route_for(part: Contribution, inputs: object, work: Work) -> str:
    """Dense where a batch already comes as matrices, else the cheaper route for the clusters to be expected."""
    if part.factors is None:
        return "dense"
    known = len(inputs) if isinstance(inputs, Tensor) else EXPECTED_CLUSTERS
    expected = known if work.max_clusters is None else min(known, work.max_clusters)
    return choose_route(expected, rank=part.factors.shape[2], dim=part.dim)


def reconsidered(total: Accumulator, part: Contribution, *, done: int) -> Accumulator:
    """The accumulator to go on with, of the cheaper route should as many clusters follow as there were."""
    if not isinstance(total, GramAccumulator) or part.factors is None:
        return total
    if choose_route(2 * done, rank=part.factors.shape[2], dim=part.dim) == "gram":
        return total
    dense = accumulator("dense", dim=part.dim, slices=part.slices)
    total.hand_over(dense)
    return dense


def add_contribution(total: Accumulator, part: Contribution) -> None:
    """Adds a contribution of either form."""
    if part.factors is not None:
        total.add(part.factors, part.weights)
    else:
        assert isinstance(total, DenseAccumulator)
        assert part.matrices is not None
        total.add_matrices(part.matrices, part.weights)


def _to_dtype(batch: Batch, dtype: torch.dtype | None) -> Batch:
    """Real-valued inputs in the precision of the measurement."""
    if dtype is None:
        return batch
    if isinstance(batch, Tensor):
        return batch.to(dtype) if batch.is_floating_point() else batch
    return {name: value.to(dtype) if value.is_floating_point() else value for name, value in batch.items()}
