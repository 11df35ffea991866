"""From what batches add to G to K and H, by one of two routes: inner products of factors, or sums of matrices.

Legend: A_n = V_n V_n^T the contribution of cluster n, V_n its factor, D x r; K_nm = ||V_n^T V_m||_F^2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from interlaw.errors import InterlawError
from interlaw.interaction.grams import Grams

Factors = Float[Tensor, "n d r"]
Slices = Callable[[Tensor], Iterator[Tensor]]
"""Stored factors (n, s, r) -> their coordinates slice by slice, each (n, d_slice, r); slices tile the D coordinates."""

MAX_GROUPS = 1024  # of K and H on the Gram route, 8 MB each; a jackknife over more groups has the same error
DENSE_GROUPS = 256  # on the dense route, each a D x D matrix: Student's quantile has long settled by then
# Fewer groups than this make the interval of the dense route wide: the Gram route is taken then.
MIN_GROUPS = 32
# Squaring a number and putting it away in float64, in multiply-adds; measured on one core.
HANDLING = 64
# Memory that the dense route may keep in D x D matrices: 256 MiB, little beside any network worth the question.
DENSE_BYTES = 2**28
# Entries of D x D matrices that are formed at once: 128 MiB in float32.
CHUNK_ELEMENTS = 2**25
# Columns of all V in a block of pairs: 4096 x 4096 inner products take 64 MiB in float32.
BLOCK_COLUMNS = 2**12
VECTORS = ("trace", "self_energy", "self_diagonal", "self_trace", "counts", "weights")  # of `Grams`, one entry a group


@dataclass(frozen=True, kw_only=True)
class Contribution:
    """What a batch adds to G at one place, as factors or as matrices.

    Attributes:
        weights: (n,) what each cluster counts in the mean.
        dim: D.
        factors: (n, s, r) with s = D, or compact factors that `slices` unfolds to D coordinates.
        matrices: (n, D, D) the A_n themselves, where they are smaller than their factors.
        num_probes: Random vectors per cluster; 0 when nothing is random.
        slices: How compact factors unfold.
    """

    weights: Tensor
    dim: int
    factors: Tensor | None = None
    matrices: Tensor | None = None
    num_probes: int = 0
    slices: Slices | None = None

    @property
    def content(self) -> Tensor:
        """Whichever of factors and matrices there is."""
        content = self.factors if self.matrices is None else self.matrices
        assert content is not None
        return content

    def with_content(self, content: Tensor, weights: Tensor) -> Contribution:
        """The same kind of contribution with other numbers."""
        factors, matrices = (content, None) if self.matrices is None else (None, content)
        return replace(self, factors=factors, matrices=matrices, weights=weights)


class DenseAccumulator:
    """Keeps the summed D x D contribution of each group; memory does not grow with the number of clusters.

    One group per cluster at first; when the groups exceed what memory allows, neighbours merge.
    """

    route = "dense"

    def __init__(self, dim: int, slices: Slices) -> None:
        self.dim = dim
        self._slices = slices
        # However large a matrix is: three groups to leave out in turn, and one that fills.
        self._capacity = max(_max_groups(dim), 4)
        self._group_size = 1
        self._sums: list[Tensor] = []
        self._scalars: list[Tensor] = []

    def add(self, factors: Tensor, weights: Tensor) -> None:
        """Takes a batch: factors (n, s, r) and one weight per cluster (n,)."""
        step = max(1, CHUNK_ELEMENTS // self.dim**2)
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

    def mean(self, *, every: int = 1, start: int = 0) -> Tensor:
        """G, the A_n summed over their weights: D x D in float64; of every so many groups alone, from a first one."""
        sums, weights = torch.stack(self._sums)[start::every], torch.stack(self._scalars)[start::every, -1]
        return sums.sum(0) / float(weights.sum())

    def grams(self) -> Grams:
        """The inner products of everything added so far."""
        flat = torch.stack(self._sums).flatten(1)
        diagonals = flat[:, :: self.dim + 1]
        trace, self_energy, self_diagonal, self_trace, counts, weights = torch.stack(self._scalars, 1)
        return Grams(
            dim=self.dim,
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

    route = "gram"

    def __init__(self, dim: int, slices: Slices) -> None:
        self.dim = dim
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

    def mean(self, *, every: int = 1, start: int = 0) -> Tensor:
        """G, the A_n summed over their weights: D x D in float64; of every so many clusters alone, from a first one."""
        weights = torch.cat(self._weights)[start::every]
        total, first = torch.zeros(self.dim, self.dim, dtype=torch.float64, device=weights.device), start
        for part in self._factors:
            flat = _side_by_side(part[first::every], self._slices)
            total.addmm_(flat, flat.T)
            first = (first - len(part)) % every
        return total / float(weights.sum())

    def grams(self) -> Grams:
        """The inner products of everything added so far."""
        factors, weights = _same_rank(self._factors), torch.cat(self._weights)
        size = -(-len(factors) // MAX_GROUPS)
        energy, diagonal, (trace, self_energy, self_diagonal) = _inner_products(factors, self._slices, size=size)
        each = (trace, self_energy, self_diagonal, trace.square(), torch.ones_like(trace), weights)
        vectors = {name: sum_neighbours(values, size) for name, values in zip(VECTORS, each, strict=True)}
        return Grams(dim=self.dim, energy=energy, diagonal=diagonal, **vectors)


class MatrixAccumulator:
    """Keeps G alone, one D x D matrix: its entries, and nothing to tell their errors by."""

    route = "matrix"

    def __init__(self, dim: int, slices: Slices | None = None) -> None:
        self.dim = dim
        self._slices = _whole if slices is None else slices
        self._total: Tensor | None = None
        self._weight = 0.0

    def add(self, factors: Tensor, weights: Tensor) -> None:
        """Takes a batch: factors (n, s, r) and one weight per cluster (n,)."""
        flat = _side_by_side(factors, self._slices)
        self._add(flat @ flat.T, weights)

    def add_matrices(self, matrices: Tensor, weights: Tensor) -> None:
        """Takes a batch of the A_n themselves (n, D, D)."""
        self._add(matrices.double().sum(0), weights)

    def _add(self, matrix: Tensor, weights: Tensor) -> None:
        """Adds the sum of a batch."""
        self._total = matrix if self._total is None else self._total + matrix
        self._weight += float(weights.sum())

    def mean(self) -> Tensor:
        """G, the A_n summed over their weights: D x D in float64."""
        assert self._total is not None
        return self._total / self._weight


Accumulator = GramAccumulator | DenseAccumulator | MatrixAccumulator
"""Batches of factors go in by `add`, G comes out by `mean`; of both routes K and H by `grams`, at any time."""


def choose_route(num_clusters: int, *, rank: int, dim: int) -> str:
    """The cheaper route in multiply-adds: Gram N^2 r^2 (D + h), dense N D^2 (r + h) + G^2 D^2, with G the groups kept.

    Squaring a number and putting it away in float64 takes as long as h multiply-adds. The dense route is out when too
    few groups of D x D matrices fit the memory set aside for them.

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


def accumulator(route: str, *, dim: int, slices: Slices | None = None) -> GramAccumulator | DenseAccumulator:
    """An empty accumulator of the route; `slices` unfolds stored factors that are too wide to keep (`token` view)."""
    unfold = slices if slices is not None else _whole
    return DenseAccumulator(dim, unfold) if route == "dense" else GramAccumulator(dim, unfold)


def accumulator_for(part: Contribution, *, expected: int, route: str | None) -> Accumulator:
    """An empty one for contributions such as this: of the given route, else the cheaper for so many clusters."""
    if route is None:
        route = "dense" if part.factors is None else choose_route(expected, rank=part.factors.shape[2], dim=part.dim)
    return accumulator(route, dim=part.dim, slices=part.slices)


def reconsidered(total: Accumulator, part: Contribution, *, done: int) -> Accumulator:
    """The accumulator to continue with, of the cheaper route should as many clusters follow as there were."""
    if not isinstance(total, GramAccumulator) or part.factors is None:
        return total
    if choose_route(2 * done, rank=part.factors.shape[2], dim=part.dim) == "gram":
        return total
    dense = accumulator("dense", dim=part.dim, slices=part.slices)
    total.hand_over(dense)
    return dense


def add_contribution(total: Accumulator, part: Contribution) -> None:
    """Adds a contribution of either form.

    Raises:
        InterlawError: It has other coordinates than those before it.
    """
    if part.dim != total.dim:
        raise InterlawError(
            f"expected {total.dim} coordinates in every batch, found {part.dim}; cut the sequences to one length"
        )
    if part.factors is not None:
        total.add(part.factors, part.weights)
    else:
        assert not isinstance(total, GramAccumulator)
        assert part.matrices is not None
        total.add_matrices(part.matrices, part.weights)


def _side_by_side(factors: Tensor, slices: Slices) -> Tensor:
    """All columns of a batch of factors, D x (n r) in float64: times its transpose, the sum of their A_n."""
    return torch.cat(list(slices(factors)), 1).transpose(0, 1).flatten(1).double()


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
    """Factors that are stored as they are have one slice."""
    yield factors


def _same_rank(parts: Iterable[Tensor]) -> Tensor:
    """Batches of factors as one tensor; shorter sequences get columns of zeros."""
    batches = list(parts)
    rank = max(part.shape[2] for part in batches)
    return torch.cat([torch.nn.functional.pad(part, (0, rank - part.shape[2])) for part in batches])
