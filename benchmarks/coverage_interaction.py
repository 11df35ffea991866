"""How often the intervals contain the truth: `python -m benchmarks coverage` prints a table (minutes).

Populations (D = 16). Far from diagonal: A = V V^T with V Gaussian of rank 1 and a spectrum that decays slowly or fast;
tokens (32 dependent columns that share a gain per sequence); log-normal gains, exp(2 s) on A with s ~ N(0, 1/4) and
N(0, 1), the heavy-tailed ones. At the end of the range: G the identity, and G diagonal. Near it: V = (D + e P) z with D
diagonal and P a fixed Gaussian matrix.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from interlaw.interaction import Estimate, Grams, bootstrap, energies, haar_null
from interlaw.interaction.grams import LEVEL, leave_one_out, unbiased
from interlaw.interaction.scales import interval, student_quantile

DIM = 16  # coordinates: small, so that a thousand trials take seconds
TRIALS, BOOTSTRAP_TRIALS = 4000, 500  # a share of 95% then has the Monte Carlo error .3 points, and 1 point
AT_ONCE = 250  # trials in memory
REPLICATES = 599  # of a bootstrap: with one more, 2.5% of them is a whole number
TOKENS, SHARED = 32, 0.5  # of a sequence; the part of their variance that they share
QUANTITIES = ("aofe_ratio", "aofe", "aofe_scale_free", "mean_cos2", "excess_ratio")
Draw = Callable[[int, torch.Generator], Tensor]
Ends = dict[str, tuple[Tensor, Tensor]]


def root(decay: float) -> Tensor:
    """A square root of G: random orthogonal times decaying scales."""
    generator = torch.Generator().manual_seed(1)
    Q = torch.linalg.qr(torch.randn(DIM, DIM, generator=generator, dtype=torch.float64)).Q
    return Q * scales(decay)


def near_diagonal(distance: float, *, decay: float = 0.5) -> Tensor:
    """Another: diagonal, but for a fixed Gaussian matrix times the distance."""
    generator = torch.Generator().manual_seed(1)
    return torch.diag(scales(decay)) + distance * torch.randn(DIM, DIM, generator=generator, dtype=torch.float64)


def scales(decay: float) -> Tensor:
    return torch.arange(1.0, DIM + 1, dtype=torch.float64) ** -decay


def gaussian(L: Tensor) -> tuple[Tensor, Draw]:
    return L @ L.T, lambda n, g: L @ torch.randn(n, DIM, 1, generator=g, dtype=torch.float64)


def tokens() -> tuple[Tensor, Draw]:
    L = root(0.5)

    def draw(n: int, g: torch.Generator) -> Tensor:
        shared = torch.randn(n, DIM, 1, generator=g, dtype=torch.float64)
        own = torch.randn(n, DIM, TOKENS, generator=g, dtype=torch.float64)
        return L @ (SHARED**0.5 * shared + (1 - SHARED) ** 0.5 * own) / TOKENS**0.5

    return L @ L.T, draw


def log_normal(sigma: float) -> tuple[Tensor, Draw]:
    L = root(0.5)

    def draw(n: int, g: torch.Generator) -> Tensor:
        noise = torch.randn(n, DIM, 1, generator=g, dtype=torch.float64)
        gain = (sigma * torch.randn(n, 1, 1, generator=g, dtype=torch.float64) - sigma**2).exp()
        return gain * (L @ noise)

    return L @ L.T, draw


# each with its number of clusters N: few, and twice as many
POPULATIONS: dict[str, tuple[tuple[Tensor, Draw], int]] = {
    "Gaussian, slow decay, N 64": (gaussian(root(0.5)), 64),
    "Gaussian, slow decay, N 128": (gaussian(root(0.5)), 128),
    "Gaussian, fast decay, N 64": (gaussian(root(1.0)), 64),
    "Gaussian, fast decay, N 128": (gaussian(root(1.0)), 128),
    f"{TOKENS} dependent tokens, N 64": (tokens(), 64),
    "identity, N 128": (gaussian(torch.eye(DIM, dtype=torch.float64)), 128),
    "diagonal, N 64": (gaussian(near_diagonal(0.0)), 64),
    "diagonal, N 128": (gaussian(near_diagonal(0.0)), 128),
    "near diagonal, ratio 0.02, N 64": (gaussian(near_diagonal(0.02)), 64),
    "near diagonal, ratio 0.02, N 128": (gaussian(near_diagonal(0.02)), 128),
    "near diagonal, ratio 0.12, N 64": (gaussian(near_diagonal(0.05)), 64),
    "near diagonal, ratio 0.12, N 128": (gaussian(near_diagonal(0.05)), 128),
    "log-normal gain, sigma 0.5, N 128": (log_normal(0.5), 128),
    "log-normal gain, sigma 1, N 128": (log_normal(1.0), 128),
}
AT_THE_END = ("identity, N 128", "diagonal, N 64", "diagonal, N 128")


def grams_of_few(V: Tensor) -> Grams:
    """K, H and traces by their definition, for a D so small that all A_n fit; V is (n, D, r)."""
    A = V @ V.mT
    flat, diagonals = A.flatten(1), A.diagonal(dim1=1, dim2=2)
    K, H, trace = flat @ flat.T, diagonals @ diagonals.T, diagonals.sum(1)
    ones = torch.ones_like(trace)
    return Grams(
        dim=V.shape[1],
        energy=K,
        diagonal=H,
        trace=trace,
        self_energy=K.diagonal(),
        self_diagonal=H.diagonal(),
        self_trace=trace**2,
        counts=ones,
        weights=ones,
    )


def jackknifed(V: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Estimates and jackknife errors of one sample; under vmap, of many."""
    grams = grams_of_few(V)
    left_out = leave_one_out(grams, null=haar_null)
    n = len(V)
    errors = {name: ((n - 1) ** 2 / n * values.var()).sqrt() for name, values in left_out.items()}
    return unbiased(grams, null=haar_null), errors


def plain_jackknife(samples: Tensor) -> Ends:
    """Student's interval on the quantity's plain scale."""
    values, reaches = with_reaches(samples)
    return {name: (values[name] - reaches[name], values[name] + reaches[name]) for name in QUANTITIES}


def own_jackknife(samples: Tensor) -> Ends:
    """The package's default."""
    values, reaches = with_reaches(samples)
    return {name: interval(name, values, reaches=reaches) for name in QUANTITIES}


def with_reaches(samples: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    values, errors = torch.vmap(jackknifed)(samples)
    quantile = student_quantile((1 + LEVEL) / 2, degrees=samples.shape[1] - 1)
    return values, {name: quantile * error for name, error in errors.items()}


def by_bootstrap(studentized: bool) -> Callable[[Tensor], Ends]:
    """Bootstrap intervals, sample by sample."""

    def ends(samples: Tensor) -> Ends:
        estimates: list[dict[str, Estimate]] = [
            bootstrap(grams_of_few(V), null=haar_null, studentized=studentized, replicates=REPLICATES) for V in samples
        ]
        return {
            name: (
                torch.tensor([one[name].low for one in estimates]),
                torch.tensor([one[name].high for one in estimates]),
            )
            for name in QUANTITIES
        }

    return ends


KINDS: dict[str, Callable[[Tensor], Ends]] = {
    "jackknife, plain scale": plain_jackknife,
    "jackknife, own scale": own_jackknife,
    "bootstrap, percentile": by_bootstrap(studentized=False),
    "bootstrap-t, own scale": by_bootstrap(studentized=True),
}


def coverage(
    population: str, *, trials: int, seed: int = 0, kinds: Iterable[str] = tuple(KINDS)
) -> dict[str, dict[str, float]]:
    """Fraction of trials whose interval contains the truth, by kind of interval and quantity."""
    (G, draw), n = POPULATIONS[population]
    truth = energies(G)
    generator = torch.Generator().manual_seed(seed)
    hits = {kind: dict.fromkeys(QUANTITIES, 0.0) for kind in kinds}
    for done in range(0, trials, AT_ONCE):
        count = min(AT_ONCE, trials - done)
        samples = draw(count * n, generator).unflatten(0, (count, n))
        for kind, row in hits.items():
            ends = KINDS[kind](samples)
            for name in QUANTITIES:
                low, high = ends[name]
                row[name] += float(((low <= truth[name]) & (truth[name] <= high)).sum()) / trials
    return hits


def main() -> None:
    """Prints the table in Markdown."""
    print(f"| population | interval | trials | {' | '.join(QUANTITIES)} |")
    print("|---|---|---|" + "---|" * len(QUANTITIES))
    for population in POPULATIONS:
        for kind in KINDS:
            trials = BOOTSTRAP_TRIALS if kind.startswith("bootstrap") else TRIALS
            row = coverage(population, trials=trials, kinds=(kind,))[kind]
            figures = " | ".join(f"{100 * row[name]:.1f}" for name in QUANTITIES)
            print(f"| {population} | {kind} | {trials} | {figures} |", flush=True)


if __name__ == "__main__":
    main()
