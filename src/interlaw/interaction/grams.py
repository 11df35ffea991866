"""K and H, the two small matrices that hold everything, and what is read from them: ratio, chance, errors, intervals.

Legend: A_n = V_n V_n^T the contribution of cluster n (a sample, or a sequence), V_n its factor, D x r; G = E[A_n];
K_nm = <A_n, A_m> = ||V_n^T V_m||_F^2; H_nm = <diag A_n, diag A_m>; PR = (tr G)^2 / ||G||_F^2 the effective rank.
    ||G||_F^2 = mean of K_nm over n != m        ||diag G||_F^2 = mean of H_nm over n != m        (U-statistics)
    AOFE = ||G||_F^2 - ||diag G||_F^2           AOFE-ratio = AOFE / ||G||_F^2
Pairs of different clusters alone: then neither the spread of the clusters nor the noise of their probes adds to the
energy. The plug-in estimate takes every pair. Clusters may be pooled into groups: then K and H are G x G and `self_*`
keeps what each cluster contributes to its own group, so that pairs of different clusters remain exactly countable.

Chance is the same spectrum in a Haar-random basis: M = G - (tr G / D) I, m2 = tr M^2, m4 = tr M^4; q, p two vectors of
the basis, e = q^T M q, so that the diagonal energy is (tr G)^2 / D + sum of e^2. Errors come from leaving out groups in
turn.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from scipy.special import ndtri
from torch import Tensor

from interlaw.errors import InterlawError
from interlaw.interaction.scales import Estimate, interval, student_quantile

QUANTITIES = (
    *("energy", "diagonal_energy", "aofe", "aofe_ratio", "aofe_scale_free"),
    *("trace", "participation_ratio", "mean_cos2"),
)

LEVEL = 0.95  # coverage of an interval, as most of science reports it

# Columns of all V in a block of pairs: 4096 x 4096 inner products take 64 MiB in float32.
BLOCK_COLUMNS = 2**12
MAX_GROUPS = 1024  # of K and H on the Gram route, 8 MB each; a jackknife over more groups has the same error
# The largest of N influences grows as log N; that of twins matters for few. Both numbers were fitted: of 2,000 normal
# samples of 8 to 256 clusters 3 to 6% exceed them, in the worst of three populations (docs/estimators.md).
HEAVY_AT, HEAVY_FEW = 1.38, 10
ROUNDING = torch.finfo(torch.float32).eps  # rounding of derivatives in float32 alone moves a ratio by as much
ALL_OF_IT = 0.95  # a cluster whose loss moves the ratio by so many errors carries nine tenths of the variance
# A pair needs two clusters, and an error of a mean over pairs a third to leave out.
LEAST_CLUSTERS = 3

Slices = Callable[[Tensor], Iterator[Tensor]]
"""Stored factors (n, s, r) -> their coordinates slice by slice, each (n, d_slice, r); slices tile the D coordinates."""

Null = Callable[..., Tensor]
"""(energy, squared trace, dim=D) -> ratio by chance, for tensors of any one shape."""


SUMS = ("trace", "self_energy", "self_diagonal", "self_trace", "counts", "weights")  # of `Grams`, one entry a group


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


def grams_from(factors: Float[Tensor, "n s r"], weights: Float[Tensor, " n"], *, slices: Slices, dim: int) -> Grams:
    """K, H and traces of factors, no D x D matrix formed; more than `MAX_GROUPS` clusters are pooled."""
    size = -(-len(factors) // MAX_GROUPS)
    energy, diagonal, (trace, self_energy, self_diagonal) = _inner_products(factors, slices, size=size)
    each = {"trace": trace, "self_energy": self_energy, "self_diagonal": self_diagonal, "self_trace": trace.square()}
    each |= {"counts": torch.ones_like(trace), "weights": weights}
    pooled = {name: sum_neighbours(values, size) for name, values in each.items()}
    return Grams(dim=dim, energy=energy, diagonal=diagonal, **pooled)


def _inner_products(factors: Tensor, slices: Slices, *, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """K and H pooled by `size` clusters, and of each cluster tr A_n, ||A_n||^2, ||diag A_n||^2; all in float64."""
    n, _, rank = factors.shape
    # block by block, so that neither an N x N nor an (N r) x (N r) matrix is ever whole
    block = max(1, BLOCK_COLUMNS // rank // size) * size
    groups = -(-n // size)
    energy = torch.empty(groups, groups, dtype=torch.float64, device=factors.device)
    diagonal, alone = torch.empty_like(energy), energy.new_empty(3, n)  # the three of each cluster
    starts = range(0, n, block)
    for i, j in ((i, j) for i in starts for j in starts if i <= j):
        K, H, traces = _block(factors[i : i + block], factors[j : j + block], slices=slices)
        if i == j:
            alone[:, i : i + block] = torch.stack([traces, K.diagonal(), H.diagonal()])
        for pooled, values in ((energy, K), (diagonal, H)):
            summed = sum_neighbours(values, size)
            rows, columns = (slice(k // size, k // size + m) for k, m in ((i, summed.shape[0]), (j, summed.shape[1])))
            pooled[rows, columns] = summed
            pooled[columns, rows] = summed.T
    return energy, diagonal, alone


def _block(left: Tensor, right: Tensor, *, slices: Slices) -> tuple[Tensor, Tensor, Tensor]:
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


@dataclass(frozen=True, kw_only=True)
class Totals:
    """Sums over pairs of different clusters; scalars, or one entry per left-out group."""

    energy: Float[Tensor, "*any"]
    diagonal: Float[Tensor, "*any"]
    trace: Float[Tensor, "*any"]
    trace_pairs: Float[Tensor, "*any"]
    pairs: Float[Tensor, "*any"]
    count: Float[Tensor, "*any"]
    weight: Float[Tensor, "*any"]


def unbiased(grams: Grams, *, null: Null) -> dict[str, Tensor]:
    """Every quantity from pairs of different clusters; energies and trace are unbiased, ratios of them consistent."""
    return from_totals(grams, totals(grams), null=null)


def totals(grams: Grams) -> Totals:
    """Sums over all pairs of different clusters."""
    count, trace = grams.counts.sum(), grams.trace.sum()
    return Totals(
        energy=grams.energy.sum() - grams.self_energy.sum(),
        diagonal=grams.diagonal.sum() - grams.self_diagonal.sum(),
        trace=trace,
        trace_pairs=trace**2 - grams.self_trace.sum(),
        pairs=count * (count - 1),
        count=count,
        weight=grams.weights.sum(),
    )


def from_totals(grams: Grams, sums: Totals, *, null: Null) -> dict[str, Tensor]:
    """Divides once: sums over pairs become means, per unit of weight squared."""
    scale = sums.pairs * (sums.weight / sums.count) ** 2
    return derive(
        sums.energy / scale,
        sums.diagonal / scale,
        trace=sums.trace / sums.weight,
        trace_squared=sums.trace_pairs / scale,
        dim=grams.dim,
        null=null,
    )


def derive(
    energy: Tensor, diagonal_energy: Tensor, *, trace: Tensor, trace_squared: Tensor, dim: int, null: Null
) -> dict[str, Tensor]:
    """Every reported quantity from the four that estimation delivers; all tensors have one shape.

    `trace_squared` stands for (tr G)^2: in an unbiased estimate it is not the square of `trace`.
    """
    aofe = energy - diagonal_energy
    pairs = trace_squared - diagonal_energy
    ratio = aofe / energy
    chance = null(energy, trace_squared, dim=dim)
    return {
        "energy": energy,
        "diagonal_energy": diagonal_energy,
        "aofe": aofe,
        "aofe_ratio": ratio,
        "aofe_scale_free": aofe / trace_squared,
        "trace": trace,
        "participation_ratio": trace_squared / energy,
        "mean_cos2": torch.where(pairs > 0, aofe / pairs.clamp(min=torch.finfo(pairs.dtype).tiny), 0.0),
        "null_ratio": chance,
        "excess_ratio": ratio - chance,
    }


def haar_null(energy: Tensor, trace_squared: Tensor, *, dim: int) -> Tensor:
    """Expected AOFE-ratio of a spectrum in a uniformly random orthonormal basis, (D - PR) / (D + 2).

    For a Haar-random orthogonal Q the diagonal of Q G Q^T has E[(q^T G q)^2] = ((tr G)^2 + 2 ||G||^2) / (D (D + 2)),
    and the energy does not change.

    Args:
        energy: ||G||_F^2.
        trace_squared: (tr G)^2.
        dim: D.

    Example:
        >>> import torch
        >>> float(haar_null(torch.tensor(4.0), torch.tensor(16.0), dim=4))  # the identity stays diagonal in every basis
        0.0
    """
    return (dim - trace_squared / energy) / (dim + 2)


def projected_null(energy: Tensor, trace_squared: Tensor, *, dim: int) -> Tensor:
    """Expected AOFE-ratio after a Gaussian projection to m outputs, (m - 1) / (m + 1 + PR).

    M = P G P^T with entries of P drawn from N(0, 1/m) has E||M||^2 = ((m + 1) ||G||^2 + (tr G)^2) / m and
    E[(tr M)^2] = (tr G)^2 + 2 ||G||^2 / m; PR belongs to G, the matrix before the projection, and is solved for from
    the two moments of M.

    Args:
        energy: ||M||_F^2.
        trace_squared: (tr M)^2.
        dim: m.
    """
    # The moments hold on average over P; for one P of a matrix of rank one PR may come out just below 1, its least.
    energy_before = (dim * energy - trace_squared) / (dim + 1 - 2 / dim)
    rank = ((trace_squared - 2 * energy_before / dim) / energy_before).clamp(min=1.0)
    return energy * 0.0 if dim == 1 else (dim - 1) / (dim + 1 + rank)


NULLS: dict[str, Null] = {"haar": haar_null, "projected": projected_null}
"""Chance levels by name."""


def spread_over_bases(*, energy: float, m2: float, m4: float, dim: int) -> float:
    """Standard deviation of the AOFE-ratio of a spectrum over Haar-random bases; exact.

    E e^2 = 2 m2 / D(D+2), E e^4 = (12 m2^2 + 48 m4) / D(D+2)(D+4)(D+6); p given q is uniform in the rest of the space,
    so that E e_q^2 e_p^2 = (2 m2 E e^2 - 4 E[e^2 q^T M^2 q] + 3 E e^4) / (D^2 - 1), with
    E[e^2 q^T M^2 q] = (2 m2^2 + 8 m4) / D(D+2)(D+4). Then Var sum e^2 = D E e^4 + D(D-1) E e_q^2 e_p^2 - (D E e^2)^2.

    Args:
        energy: ||G||_F^2.
        m2: tr M^2.
        m4: tr M^4; infinite where it is not known, and then taken at its largest, (tr M^2)^2.
        dim: D.

    Example:
        >>> spread_over_bases(energy=4.0, m2=0.0, m4=0.0, dim=4)  # the identity is diagonal in every basis
        0.0
    """
    if dim == 1 or m2 <= 0 or energy <= 0:
        return 0.0
    # The true m4 lies between those of equal eigenvalues and of a single one; a noisy estimate may not.
    m4 = min(max(m4, m2**2 / dim), m2**2)
    # the moments of the docstring: of e^2, of e^4, of e^2 q^T M^2 q, and of e_q^2 e_p^2
    second = 2 * m2 / (dim * (dim + 2))
    fourth = (12 * m2**2 + 48 * m4) / (dim * (dim + 2) * (dim + 4) * (dim + 6))
    mixed = (2 * m2**2 + 8 * m4) / (dim * (dim + 2) * (dim + 4))
    both = (2 * m2 * second - 4 * mixed + 3 * fourth) / (dim**2 - 1)
    variance = dim * fourth + dim * (dim - 1) * both - (dim * second) ** 2
    return math.sqrt(max(variance, 0.0)) / energy


def fourth_moment(quarters: Sequence[Float[Tensor, "d d"]]) -> float:
    """Tr M^4 without bias, from four independent estimates of G; infinite without them."""
    if not quarters:
        return math.inf
    first, second, third, fourth = (G - G.diagonal().mean() * torch.eye(len(G)).to(G) for G in quarters)
    return float(((first @ second) * (third @ fourth).T).sum())


def leave_one_out(grams: Grams, *, null: Null) -> dict[str, Tensor]:
    """Every quantity with one group of clusters left out, for each group in turn: (G,) each."""
    return from_totals(grams, totals_without_each(grams), null=null)


def totals_without_each(grams: Grams) -> Totals:
    """The sums over pairs with one group left out, for every group in turn."""
    whole = totals(grams)
    count = whole.count - grams.counts
    trace = whole.trace - grams.trace
    energy, diagonal = (
        total - 2 * cross.sum(1) + cross.diagonal() + own
        for total, cross, own in (
            (whole.energy, grams.energy, grams.self_energy),
            (whole.diagonal, grams.diagonal, grams.self_diagonal),
        )
    )
    return Totals(
        energy=energy,
        diagonal=diagonal,
        trace=trace,
        trace_pairs=trace**2 - (grams.self_trace.sum() - grams.self_trace),
        pairs=count * (count - 1),
        count=count,
        weight=whole.weight - grams.weights,
    )


def jackknife(grams: Grams, *, null: Null, level: float = LEVEL) -> dict[str, Estimate]:
    """Unbiased estimates with jackknife standard errors over the groups of clusters.

    The interval is Student's with (groups - 1) degrees of freedom, taken on the logit scale for quantities between 0
    and 1, on the log scale for positive ones and as it is for differences. Where the plain interval of the AOFE-ratio
    reaches 0, G may be diagonal, and AOFE, ratio, scale-free AOFE and mean cos^2 have plain intervals that contain 0.

    Args:
        grams: K, H and traces.
        null: Chance level of the ratio.
        level: Coverage of the interval.

    Raises:
        InterlawError: Fewer than 3 clusters.

    Source: Efron & Stein 1981 (jackknife variance); Arvesen 1969 (jackknife of U-statistics).
    """
    require_clusters(grams)
    values = unbiased(grams, null=null)
    without = leave_one_out(grams, null=null)
    groups = len(grams.counts)
    quantile = student_quantile(0.5 + level / 2, degrees=groups - 1)
    replicates = torch.stack([without[name] for name in values])
    spread = (replicates - replicates.mean(1, keepdim=True)).square().sum(1)
    stderrs = dict(zip(values, (spread * ((groups - 1) / groups)).sqrt().cpu(), strict=True))
    values = {name: value.cpu() for name, value in values.items()}
    reaches = {name: quantile * error for name, error in stderrs.items()}
    ends = {name: interval(name, values, reaches=reaches) for name in values}
    return {
        name: Estimate(
            value=float(value), stderr=float(stderrs[name]), low=float(ends[name][0]), high=float(ends[name][1])
        )
        for name, value in values.items()
    }


def widened(excess: Estimate, spread: float, *, level: float) -> Estimate:
    """The excess with an interval that holds the spread over bases and that over clusters."""
    reach = float(ndtri(0.5 + level / 2)) * spread
    low, high = (
        excess.value + sign * math.hypot(end - excess.value, reach)
        for sign, end in ((-1, excess.low), (1, excess.high))
    )
    return Estimate(value=excess.value, stderr=excess.stderr, low=low, high=high)


def heavy_shift(grams: Grams) -> float:
    """How far one cluster more, like one of these, or one less moves the AOFE-ratio, in jackknife errors; 0 if not far.

    Pairs of different clusters say nothing of a direction that one alone has: neither the ratio nor its error holds it.
    With a twin it would count, so after a large shift the interval may miss.
    """
    whole, without, groups = totals(grams), totals_without_each(grams), len(grams.counts)
    pairs = ((whole.energy, grams.energy, grams.self_energy), (whole.diagonal, grams.diagonal, grams.self_diagonal))
    energy, diagonal = (total + 2 * cross.sum(1) + cross.diagonal() - own for total, cross, own in pairs)
    ratios = without.diagonal / without.energy
    away = (ratios - ratios.mean()).abs()
    error = (away.square().sum() * ((groups - 1) / groups)).sqrt()
    if float(error) < ROUNDING:  # clusters that agree, as those of a linear network, have no heavy one among them
        return 0.0
    added = float((diagonal / energy - whole.diagonal / whole.energy).abs().max() / error)
    removed = float(away.max() / error)
    allowed = HEAVY_AT * math.log(groups) / math.sqrt(groups) * (1 + (HEAVY_FEW / groups) ** 2)
    return max(added, removed) if added > allowed or removed > min(allowed, ALL_OF_IT) else 0.0


def require_clusters(grams: Grams) -> None:
    """Checks that there are enough clusters for a standard error of a statistic of pairs."""
    if min(grams.num_clusters, len(grams.counts)) < LEAST_CLUSTERS:
        raise InterlawError(
            f"expected at least {LEAST_CLUSTERS} clusters (samples, or sequences of tokens), found "
            f"{grams.num_clusters}; pass more inputs"
        )
