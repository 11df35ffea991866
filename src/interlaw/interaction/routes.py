"""From what batches add to G to K and H, by one of two routes: inner products of factors, or sums of matrices.

Legend: A_n = V_n V_n^T the contribution of cluster n, V_n its factor, D x r; K_nm = ||V_n^T V_m||_F^2.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import torch
from jaxtyping import Float
from torch import Tensor

from interlaw.errors import InterlawError
from interlaw.interaction.coactivation import CoactivationAccumulator, coactivation_cost
from interlaw.interaction.grams import LEAST_CLUSTERS, SUMS, Grams, Null, Slices, grams_from, jackknife

DENSE_GROUPS = 256  # on the dense route, each a D x D matrix: Student's quantile has long settled by then
# Fewer groups than this make the interval of the dense route wide: the Gram route is taken then.
MIN_GROUPS = 32
# Squaring a number and putting it away in float64, in multiply-adds; measured on one core.
HANDLING = 64
# Memory that the dense route may keep in D x D matrices: 256 MiB, little beside any network worth the question.
DENSE_BYTES = 2**28
# Entries of D x D matrices that are formed at once: 128 MiB in float32.
CHUNK_ELEMENTS = 2**25
# Clusters expected of a stream of unknown length: the route is chosen for them, and chosen again after so many.
EXPECTED_CLUSTERS = 512
SQUARED = ("energy", "diagonal", "self_energy", "self_diagonal", "self_trace")  # of `Grams`: they grow as G squared
FOUR = 4  # independent estimates of G: as many factors as tr M^4 has, so that it is unbiased
BEYOND = "expected derivatives whose squares the precision can hold, found larger ones; use dtype=torch.float64"
MOST_MULTIPLIED = 256  # coordinates of matrices that are multiplied for the spread over bases, which is small beyond


def whole(factors: Tensor) -> Iterator[Tensor]:
    """Factors that are stored as they are have one slice."""
    yield factors


@dataclass(frozen=True, kw_only=True)
class Contribution:
    """What a batch adds to G at one place.

    Attributes:
        content: (n, s, r) factors with s = D, or compact ones that `slices` unfolds to D coordinates; (n, D, D) the A_n
            themselves where `are_matrices`.
        weights: (n,) what each cluster counts in the mean.
        dim: D.
        are_matrices: Whether the content is matrices, where they are smaller than their factors.
        num_probes: Random vectors per cluster; 0 when nothing is random.
        slices: How compact factors unfold.
        masked: (D, r), where each factor is this one with some rows set to zero.
    """

    content: Tensor
    weights: Tensor
    dim: int
    are_matrices: bool = False
    num_probes: int = 0
    slices: Slices = whole
    masked: Tensor | None = None

    def take(self, start: int, stop: int | None) -> Contribution:
        """Samples start to stop."""
        return replace(self, content=self.content[start:stop], weights=self.weights[start:stop])

    def followed_by(self, other: Contribution) -> Contribution:
        """This one's samples and then the other's."""
        pair, multiplied = [self, other], self.are_matrices or other.are_matrices
        contents = [V @ V.mT if multiplied and not one.are_matrices else V for one in pair for V in [one.content]]
        content = torch.cat(contents) if multiplied else _same_rank(contents)
        weights = torch.cat([self.weights, other.weights])
        return replace(other, content=content, weights=weights, are_matrices=multiplied)

    def pooled(self, sizes: list[int]) -> Contribution:
        """Neighbours summed, so many at a time: matrices added, factors side by side."""
        weights = torch.stack([piece.sum() for piece in torch.split(self.weights, sizes)])
        pieces = torch.split(self.content, sizes)
        if self.are_matrices:
            content = torch.stack([piece.sum(0) for piece in pieces])
        else:
            content = _same_rank([piece.transpose(0, 1).flatten(1)[None] for piece in pieces])
        return replace(self, content=content, weights=weights, masked=None)


class DenseAccumulator:
    """Keeps the summed D x D contribution of each group; memory does not grow with the number of clusters.

    One group per cluster at first; when the groups exceed what memory allows, neighbours merge.
    """

    route = "dense"

    def __init__(self, dim: int, slices: Slices) -> None:
        self.dim = dim
        self._slices = slices
        # However large a matrix is: three groups to leave out in turn, and one that fills.
        self._capacity = max(max_groups(dim), 4)
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
        if self._scalars and int(self._scalars[-1][SUMS.index("counts")]) < self._group_size:
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

    @property
    def num_groups(self) -> int:
        """How many groups there are to leave out in turn."""
        return len(self._sums)

    def grams(self) -> Grams:
        """The inner products of everything added so far."""
        flat = torch.stack(self._sums).flatten(1)
        diagonals = flat[:, :: self.dim + 1]
        sums = dict(zip(SUMS, torch.stack(self._scalars, 1), strict=True))
        return Grams(dim=self.dim, energy=flat @ flat.T, diagonal=diagonals @ diagonals.T, **sums)


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

    @property
    def num_groups(self) -> int:
        """Clusters; they are pooled only where there are many."""
        return sum(map(len, self._factors))

    def hand_over(self, other: Accumulator) -> None:
        """Gives every batch taken so far to another accumulator, and keeps none."""
        while self._factors:
            other.add(self._factors.pop(0), self._weights.pop(0))

    def mean(self, *, every: int = 1, start: int = 0) -> Tensor:
        """G, the A_n summed over their weights: D x D in float64; of every so many clusters alone, from a first one."""
        weights = torch.cat(self._weights)[start::every]
        total, first = torch.zeros(self.dim, self.dim, dtype=torch.float64, device=weights.device), start
        for part in self._factors:
            if first < len(part):  # compact factors of no cluster cannot be unfolded
                flat = _side_by_side(part[first::every], self._slices)
                total.addmm_(flat, flat.T)
            first = (first - len(part)) % every
        return total / float(weights.sum())

    def grams(self) -> Grams:
        """The inner products of everything added so far."""
        return grams_from(_same_rank(self._factors), torch.cat(self._weights), slices=self._slices, dim=self.dim)


class MatrixAccumulator(DenseAccumulator):
    """Keeps G alone, one D x D matrix: its entries, and no errors."""

    route = "matrix"

    def add(self, factors: Tensor, weights: Tensor) -> None:
        """Takes a batch: factors (n, s, r) and one weight per cluster (n,)."""
        flat = _side_by_side(factors, self._slices)
        self._keep(flat @ flat.T, weights)

    def add_matrices(self, matrices: Tensor, weights: Tensor) -> None:
        """Takes a batch of the A_n themselves (n, D, D)."""
        self._keep(matrices.double().sum(0), weights)

    def _keep(self, matrix: Tensor, weights: Tensor) -> None:
        scalars = torch.stack([weights.double().sum()])
        self._sums = [self._sums[0] + matrix] if self._sums else [matrix]
        self._scalars = [self._scalars[0] + scalars] if self._scalars else [scalars]


Accumulator = GramAccumulator | DenseAccumulator | CoactivationAccumulator
"""Batches of factors go in by `add`, G comes out by `mean`, K and H by `grams`, at any time."""


def choose_route(num_clusters: int, *, rank: int, dim: int) -> str:
    """The cheaper route in multiply-adds: Gram N^2 r^2 (D + h), dense N D^2 (r + h) + G^2 D^2, with G the groups kept.

    Squaring a number and putting it away in float64 takes as long as h multiply-adds. The dense route is out when too
    few groups of D x D matrices fit the memory set aside for them.
    """
    groups = max_groups(dim)
    if groups < MIN_GROUPS:
        return "gram"
    gram = num_clusters**2 * rank**2 * (dim + HANDLING)
    dense = num_clusters * dim**2 * (rank + HANDLING) + min(2 * groups, num_clusters) ** 2 * dim**2
    return "dense" if dense <= gram else "gram"


def accumulator(route: str, *, dim: int, slices: Slices = whole) -> Accumulator:
    """An empty accumulator of the route; `slices` unfolds stored factors that are too wide to keep (`token` view)."""
    kinds: dict[str, type[GramAccumulator | DenseAccumulator]]
    kinds = {"gram": GramAccumulator, "dense": DenseAccumulator, "matrix": MatrixAccumulator}
    return kinds[route](dim, slices)


def grams_of(
    factors: Float[Tensor, "n d r"], *, route: str | None = None, weights: Float[Tensor, " n"] | None = None
) -> Grams:
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


class Total:
    """What batches add to G at one place, by the cheaper route: chosen for the clusters expected, again as more come.

    Args:
        expected: Number of clusters, where it is known.
        route: The route where it is given: "gram", "dense" or "matrix".

    Attributes:
        done: Clusters added so far.
        num_probes: Random vectors per cluster.
        quarters: G of every fourth group, four times, once `finish` was called: independent estimates; none of few
            groups or many coordinates.
    """

    def __init__(self, *, expected: int | None, route: str | None) -> None:
        self._expected, self._route = expected or EXPECTED_CLUSTERS, route
        self._choose_at = EXPECTED_CLUSTERS
        self._kept: Accumulator | None = None
        self._waiting: tuple[Contribution, list[int]] | None = None
        self.done = self.num_probes = 0
        self.quarters: list[Tensor] = []

    def add(self, part: Contribution, groups: Tensor | None = None) -> None:
        """Adds a contribution of either form; of groups those that are whole, as the next one begins."""
        if groups is None:
            self._add(part)
            return
        labels = groups.tolist()
        if self._waiting is not None:
            part, labels = self._waiting[0].followed_by(part), self._waiting[1] + labels
        *runs, _ = (len(list(run)) for _, run in groupby(labels))
        whole = sum(runs)
        if runs:
            self._add(part.take(0, whole).pooled(runs))
        self._waiting = part.take(whole, None), labels[whole:]

    def finish(self, *, whole: bool) -> None:
        """Keeps the quarters; the last group, which no other follows, is added if it is whole."""
        if self._waiting is not None and whole:
            part, labels = self._waiting
            self._add(part.pooled([len(labels)]))
        if self.kept.dim <= MOST_MULTIPLIED and self.kept.num_groups >= FOUR:
            self.quarters = [self.kept.mean(every=FOUR, start=start) for start in range(FOUR)]

    def _add(self, part: Contribution) -> None:
        """Adds a contribution of whole clusters."""
        if self._kept is None:
            self._kept = _empty(self._route or _cheaper(self._expected, part), part)
        if part.dim != self._kept.dim:
            raise InterlawError(
                f"expected {self._kept.dim} coordinates in every batch, found {part.dim}; cut the sequences to one "
                "length"
            )
        if part.are_matrices:
            assert isinstance(self._kept, DenseAccumulator)
            self._kept.add_matrices(part.content, part.weights)
        else:
            self._kept.add(part.content, part.weights)
        self.num_probes = part.num_probes
        self.done += len(part.weights)
        if self._route is None and self.done >= self._choose_at:
            self._choose_at = 2 * self.done  # should as many follow as there were
            if isinstance(self._kept, GramAccumulator) and _cheaper(self._choose_at, part) == "dense":
                dense = _empty("dense", part)
                self._kept.hand_over(dense)
                self._kept = dense

    @property
    def kept(self) -> Accumulator:
        """What was added, by its route."""
        assert self._kept is not None
        return self._kept

    def grams(self, *, by: float) -> Grams:
        """K, H and traces of G / by."""
        grams = self.kept.grams()
        if not bool(grams.energy.isfinite().all()):
            raise InterlawError(BEYOND)
        return replace(grams, trace=grams.trace / by, **{name: getattr(grams, name) / by / by for name in SQUARED})

    def is_precise(self, rel_error: float, *, null: Null, level: float) -> bool:
        """Whether the interval of the AOFE-ratio reaches at most this fraction of it to either side."""
        grams = self.kept.grams()
        if len(grams.counts) < LEAST_CLUSTERS:
            return False
        ratio = jackknife(grams, null=null, level=level)["aofe_ratio"]
        return max(ratio.high - ratio.value, ratio.value - ratio.low) <= rel_error * abs(ratio.value)


def _cheaper(num_clusters: int, part: Contribution) -> str:
    """The cheaper route for so many clusters of this kind."""
    if part.are_matrices:
        return "dense"
    rank = part.content.shape[2]
    if part.masked is not None:
        return "dense" if coactivation_cost(num_clusters) * part.dim < 2 * (num_clusters * rank) ** 2 else "gram"
    return choose_route(num_clusters, rank=rank, dim=part.dim)


def _empty(route: str, part: Contribution) -> Accumulator:
    if route == "dense" and part.masked is not None:
        return CoactivationAccumulator(part.masked)
    return accumulator(route, dim=part.dim, slices=part.slices)


def _side_by_side(factors: Tensor, slices: Slices) -> Tensor:
    """All columns of a batch of factors, D x (n r) in float64: times its transpose, the sum of their A_n."""
    return torch.cat(list(slices(factors)), 1).transpose(0, 1).flatten(1).double()


def max_groups(dim: int) -> int:
    """How many D x D float64 matrices fit the memory set aside for the dense route, and no more than pay off."""
    return min(DENSE_GROUPS, DENSE_BYTES // (torch.float64.itemsize * dim**2))


def _same_rank(parts: Sequence[Tensor]) -> Tensor:
    """Factors one after the other; those of shorter sequences get columns of zeros."""
    rank = max(part.shape[2] for part in parts)
    return torch.cat([torch.nn.functional.pad(part, (0, rank - part.shape[2])) for part in parts])
