"""Two small matrices that hold everything: inner products of cluster contributions, by one of two routes.

Legend: A_n = V_n V_n^T the contribution of cluster n (a sample, or a whole sequence), V_n its factor, D x r;
K_nm = <A_n, A_m> = ||V_n^T V_m||_F^2; H_nm = <diag A_n, diag A_m>. Clusters may be pooled into G groups: then K and H
are G x G and `self_*` keeps what each cluster contributes to its own group, so that pairs of different clusters remain
exactly countable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

Factors = Float[Tensor, "n d r"]
Slices = Callable[[Tensor], Iterator[Tensor]]
"""Stored factors (n, s, r) -> their coordinates slice by slice, each (n, d_slice, r); slices tile the D coordinates."""

MAX_GROUPS = 1024
DENSE_GROUPS = 256
MIN_GROUPS = 32
HANDLING = 64
DENSE_BYTES = 2**28
CHUNK_ELEMENTS = 2**25
BLOCK_COLUMNS = 2**12
VECTORS = ("trace", "self_energy", "self_diagonal", "self_trace", "counts", "weights")  # of `Grams`, one entry a group


@dataclass(frozen=True, kw_only=True)
class Grams:
    """K, H and per-cluster traces of one measurement, in float64, pooled into groups of clusters.

    Attributes:
        dim: D.
        energy: (G, G) inner products of summed contributions, <S_g, S_h> with S_g = sum_n A_n.
        diagonal: (G, G) the same for their diagonals.
        trace: (G,) sum over the group's clusters of tr A_n.
        self_energy: (G,) sum of ||A_n||^2.
        self_diagonal: (G,) sum of ||diag A_n||^2.
        self_trace: (G,) sum of (tr A_n)^2.
        counts: (G,) number of clusters.
        weights: (G,) sum of the clusters' weights (tokens of a sequence, patches of an image, 1 for a plain sample).
    """

    dim: int
    energy: Float[Tensor, "g g"]
    diagonal: Float[Tensor, "g g"]
    trace: Float[Tensor, " g"]
    self_energy: Float[Tensor, " g"]
    self_diagonal: Float[Tensor, " g"]
    self_trace: Float[Tensor, " g"]
    counts: Float[Tensor, " g"]
    weights: Float[Tensor, " g"]

    @property
    def num_clusters(self) -> int:
        """N, the number of clusters behind all groups."""
        return int(self.counts.sum())


@runtime_checkable
class Accumulator(Protocol):
    """What both routes are: batches of factors go in, `Grams` come out at any time."""

    def add(self, factors: Tensor, weights: Tensor) -> None:
        """Takes a batch: factors (n, s, r) and one weight per cluster (n,)."""

    def grams(self) -> Grams:
        """The inner products of everything added so far."""

    def sum_of_contributions(self) -> Tensor:
        """sum_n A_n, D x D in float64."""


def choose_route(num_clusters: int, *, rank: int, dim: int) -> str:
    """The cheaper route in multiply-adds: Gram N^2 r^2 (D + h), dense N D^2 (r + h) + G^2 D^2, with G the groups kept.

    Squaring a number and putting it away in float64 takes as long as h multiply-adds.
    The dense route is out when fewer than the least number of groups of D x D matrices fit the memory set aside for
    them.

    Example:
        >>> choose_route(512, rank=64, dim=64), choose_route(512, rank=1, dim=65_536)
        ('dense', 'gram')
    """
    groups = _max_groups(dim)
    if groups < MIN_GROUPS:
        return "gram"
    gram = num_clusters**2 * rank**2 * (dim + HANDLING)
    dense = num_clusters * dim**2 * (rank + HANDLING) + min(2 * groups, num_clusters) ** 2 * dim**2
    return "dense" if dense <= gram else "gram"


def accumulator(route: str, *, dim: int, slices: Slices | None = None) -> Accumulator:
    """An empty accumulator of the route; `slices` unfolds stored factors that are too wide to keep (`token` view)."""
    unfold = slices if slices is not None else _whole
    return DenseAccumulator(dim, unfold) if route == "dense" else GramAccumulator(dim, unfold)


class DenseAccumulator:
    """Keeps the summed D x D contribution of each group; memory does not grow with the number of clusters.

    One group per cluster at first; when the groups exceed what memory allows, neighbours merge.
    """

    def __init__(self, dim: int, slices: Slices) -> None:
        self._dim = dim
        self._slices = slices
        self._capacity = max(_max_groups(dim), 4)
        self._group_size = 1
        self._sums: list[Tensor] = []
        self._scalars: list[Tensor] = []

    def add(self, factors: Tensor, weights: Tensor) -> None:
        """Takes a batch: factors (n, s, r) and one weight per cluster (n,)."""
        step = max(1, CHUNK_ELEMENTS // self._dim**2)
        for start in range(0, len(factors), step):
            part, weight = factors[start : start + step], weights[start : start + step]
            whole = torch.cat(list(self._slices(part)), dim=1)
            self.add_matrices(whole @ whole.mT, weight)

    def add_matrices(self, matrices: Tensor, weights: Tensor) -> None:
        """Takes a batch of the A_n themselves (n, D, D)."""
        matrices = matrices.double()
        diagonals = matrices.diagonal(dim1=1, dim2=2)
        traces = diagonals.sum(1)
        scalars = [traces, matrices.square().sum((1, 2)), diagonals.square().sum(1), traces.square()]
        scalars += [torch.ones_like(traces), weights.to(traces)]
        for matrix, scalar in zip(matrices, torch.stack(scalars, 1), strict=True):
            self._append(matrix, scalar)

    def _append(self, matrix: Tensor, scalars: Tensor) -> None:
        """Adds one cluster to the open group, or opens the next; merges neighbours when there are too many."""
        if self._scalars and int(self._scalars[-1][4]) < self._group_size:
            self._sums[-1] += matrix
            self._scalars[-1] += scalars
            return
        if len(self._sums) >= 2 * self._capacity:
            self._group_size *= 2
            self._sums = [a + b for a, b in zip(self._sums[::2], self._sums[1::2], strict=True)]
            self._scalars = [a + b for a, b in zip(self._scalars[::2], self._scalars[1::2], strict=True)]
        self._sums.append(matrix.clone())
        self._scalars.append(scalars.clone())

    def sum_of_contributions(self) -> Tensor:
        """sum_n A_n, D x D in float64."""
        return torch.stack(self._sums).sum(0)

    def grams(self) -> Grams:
        """The inner products of everything added so far."""
        flat = torch.stack(self._sums).flatten(1)
        diagonals = flat[:, :: self._dim + 1]
        trace, self_energy, self_diagonal, self_trace, counts, weights = torch.stack(self._scalars, 1)
        return Grams(
            dim=self._dim,
            energy=flat @ flat.T,
            diagonal=diagonals @ diagonals.T,
            trace=trace,
            self_energy=self_energy,
            self_diagonal=self_diagonal,
            self_trace=self_trace,
            counts=counts,
            weights=weights,
        )


class GramAccumulator:
    """Keeps the factors and never forms a D x D matrix; the N^2 pairs are worked through when `grams` is called."""

    def __init__(self, dim: int, slices: Slices) -> None:
        self._dim = dim
        self._slices = slices
        self._factors: list[Tensor] = []
        self._weights: list[Tensor] = []

    def add(self, factors: Tensor, weights: Tensor) -> None:
        """Takes a batch: factors (n, s, r) and one weight per cluster (n,)."""
        self._factors.append(factors)
        self._weights.append(weights.double())

    def hand_over(self, other: Accumulator) -> None:
        """Gives every batch taken so far to another accumulator, and keeps none."""
        while self._factors:
            other.add(self._factors.pop(0), self._weights.pop(0))

    def sum_of_contributions(self) -> Tensor:
        """sum_n A_n, D x D in float64."""
        total = torch.zeros(self._dim, self._dim, dtype=torch.float64, device=self._weights[0].device)
        for part in self._factors:
            whole = torch.cat(list(self._slices(part)), 1)
            flat = whole.transpose(0, 1).flatten(1).double()
            total.addmm_(flat, flat.T)
        return total

    def grams(self) -> Grams:
        """The inner products of everything added so far."""
        factors, weights = _same_rank(self._factors), torch.cat(self._weights)
        size = -(-len(factors) // MAX_GROUPS)
        energy, diagonal, (trace, self_energy, self_diagonal) = _inner_products(factors, self._slices, size=size)
        each = (trace, self_energy, self_diagonal, trace.square(), torch.ones_like(trace), weights)
        vectors = {name: sum_neighbours(values, size) for name, values in zip(VECTORS, each, strict=True)}
        return Grams(dim=self._dim, energy=energy, diagonal=diagonal, **vectors)


def _inner_products(factors: Tensor, slices: Slices, *, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """K and H pooled by `size` clusters, and of each cluster tr A_n, ||A_n||^2, ||diag A_n||^2; all in float64.

    Worked out block by block, so that neither an N x N nor an (N r) x (N r) matrix is ever whole.
    """
    n, _, rank = factors.shape
    block = max(1, BLOCK_COLUMNS // rank // size) * size
    groups = -(-n // size)
    energy = torch.empty(groups, groups, dtype=torch.float64, device=factors.device)
    diagonal, alone = torch.empty_like(energy), energy.new_empty(3, n)
    starts = range(0, n, block)
    for i, j in ((i, j) for i in starts for j in starts if i <= j):
        K, H, traces = _block(factors[i : i + block], factors[j : j + block], slices)
        if i == j:
            alone[:, i : i + block] = torch.stack([traces, K.diagonal(), H.diagonal()])
        for pooled, values in ((energy, K), (diagonal, H)):
            summed = sum_neighbours(values, size)
            rows, columns = (slice(k // size, k // size + m) for k, m in ((i, summed.shape[0]), (j, summed.shape[1])))
            pooled[rows, columns] = summed
            pooled[columns, rows] = summed.T
    return energy, diagonal, alone


def _block(left: Tensor, right: Tensor, slices: Slices) -> tuple[Tensor, Tensor, Tensor]:
    """K and H between two blocks of clusters, and their traces where the blocks are one."""
    (n, _, rank), m = left.shape, len(right)
    inner = diagonal = None
    for a, b in zip(slices(left), slices(right), strict=True):
        columns, rows = a.mT.flatten(0, 1), b.mT.flatten(0, 1).T
        squares, across = a.square().sum(2).double(), b.square().sum(2).double().T
        inner = columns @ rows if inner is None else inner.addmm_(columns, rows)
        diagonal = squares @ across if diagonal is None else diagonal.addmm_(squares, across)
    assert inner is not None
    assert diagonal is not None
    wide = inner.double()
    traces = wide.diagonal().reshape(-1, rank).sum(1)
    # ||V_n^T V_m||_F^2: the squared entries of each r x r block, summed.
    energy = wide.square_() if rank == 1 else wide.square().view(n, rank, m, rank).sum((1, 3))
    return energy, diagonal, traces


def sum_neighbours(values: Tensor, size: int) -> Tensor:
    """Sums over groups of `size` neighbours along every axis; zeros fill the last group."""
    if size == 1:
        return values
    for axis in range(values.dim()):
        values = torch.nn.functional.pad(values.movedim(axis, -1), (0, -values.shape[axis] % size))
        values = values.reshape(*values.shape[:-1], -1, size).sum(-1).movedim(-1, axis)
    return values


def grams_of(factors: Factors, *, route: str | None = None, weights: Float[Tensor, " n"] | None = None) -> Grams:
    """K, H and traces of explicit cluster factors.

    Args:
        factors: V, one D x r factor per cluster; A_n = V_n V_n^T.
        route: "gram" or "dense"; the cheaper one when None.
        weights: What each cluster counts in the mean (1 when None).

    Example:
        >>> import torch
        >>> grams_of(torch.eye(3)[:, :, None]).energy.tolist()  # three orthogonal directions, one a cluster
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    n, dim, rank = factors.shape
    into = accumulator(route or choose_route(n, rank=rank, dim=dim), dim=dim)
    into.add(factors, torch.ones(n, device=factors.device) if weights is None else weights)
    return into.grams()


def _max_groups(dim: int) -> int:
    """How many D x D float64 matrices fit the memory set aside for the dense route, and no more than pay off."""
    return min(DENSE_GROUPS, DENSE_BYTES // (8 * dim**2))


def _whole(factors: Tensor) -> Iterator[Tensor]:
    """The one slice of factors that are stored as they are."""
    yield factors


def _same_rank(parts: Iterable[Tensor]) -> Tensor:
    """Batches of factors as one tensor; shorter sequences get columns of zeros."""
    batches = list(parts)
    rank = max(part.shape[2] for part in batches)
    return torch.cat([torch.nn.functional.pad(part, (0, rank - part.shape[2])) for part in batches])
