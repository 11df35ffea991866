"""How often the intervals contain the truth: `python -m benchmarks.coverage_interaction [trials]` prints a table.

Populations (D = 16, G far from diagonal): A = V V^T with V Gaussian of rank 1; the same with a spectrum that decays;
tokens (32 dependent columns that share a gain per sequence); log-normal gains, exp(2 s) on A with s ~ N(0, 1/4) and
N(0, 1), the heavy-tailed ones.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from interlaw.interaction.bootstrap import bootstrap
from interlaw.interaction.energies import energies
from interlaw.interaction.estimates import Estimate, jackknife, student_quantile
from interlaw.interaction.grams import Grams, grams_of
from interlaw.interaction.null import haar_null

DIM = 16
QUANTITIES = ("aofe_ratio", "aofe", "excess_ratio")
Draw = Callable[[int, torch.Generator], Tensor]


def root(decay: float) -> Tensor:
    """A square root of G: random orthogonal times decaying scales."""
    generator = torch.Generator().manual_seed(1)
    Q = torch.linalg.qr(torch.randn(DIM, DIM, generator=generator, dtype=torch.float64)).Q
    return Q * torch.arange(1.0, DIM + 1, dtype=torch.float64) ** -decay


def gaussian(decay: float) -> tuple[Tensor, Draw]:
    L = root(decay)
    return L @ L.T, lambda n, g: L @ torch.randn(n, DIM, 1, generator=g, dtype=torch.float64)


def tokens() -> tuple[Tensor, Draw]:
    L = root(0.5)

    def draw(n: int, g: torch.Generator) -> Tensor:
        shared = torch.randn(n, DIM, 1, generator=g, dtype=torch.float64)
        own = torch.randn(n, DIM, 32, generator=g, dtype=torch.float64)
        return L @ (0.5**0.5 * shared + 0.5**0.5 * own) / 32**0.5

    return L @ L.T, draw


def log_normal(sigma: float) -> tuple[Tensor, Draw]:
    L = root(0.5)

    def draw(n: int, g: torch.Generator) -> Tensor:
        noise = torch.randn(n, DIM, 1, generator=g, dtype=torch.float64)
        gain = (sigma * torch.randn(n, 1, 1, generator=g, dtype=torch.float64) - sigma**2).exp()
        return gain * (L @ noise)

    return L @ L.T, draw


POPULATIONS: dict[str, tuple[tuple[Tensor, Draw], int]] = {
    "Gaussian, slow decay, N 64": (gaussian(0.5), 64),
    "Gaussian, slow decay, N 128": (gaussian(0.5), 128),
    "Gaussian, fast decay, N 64": (gaussian(1.0), 64),
    "Gaussian, fast decay, N 128": (gaussian(1.0), 128),
    "32 dependent tokens, N 64": (tokens(), 64),
    "log-normal gain, sigma 0.5, N 128": (log_normal(0.5), 128),
    "log-normal gain, sigma 1, N 128": (log_normal(1.0), 128),
}


def plain_jackknife(grams: Grams) -> dict[str, tuple[float, float]]:
    """Student's interval on the quantity's plain scale."""
    quantile = student_quantile(0.975, degrees=len(grams.counts) - 1)
    found = jackknife(grams, null=haar_null)
    return {name: (one.value - quantile * one.stderr, one.value + quantile * one.stderr) for name, one in found.items()}


def ends(found: dict[str, Estimate]) -> dict[str, tuple[float, float]]:
    """The intervals of estimates."""
    return {name: (one.low, one.high) for name, one in found.items()}


KINDS: dict[str, Callable[[Grams], dict[str, tuple[float, float]]]] = {
    "jackknife, plain scale": plain_jackknife,
    "jackknife, own scale": lambda grams: ends(jackknife(grams, null=haar_null)),
    "bootstrap, percentile": lambda grams: ends(bootstrap(grams, null=haar_null, studentized=False, replicates=599)),
    "bootstrap-t, own scale": lambda grams: ends(bootstrap(grams, null=haar_null, replicates=599)),
}


def coverage(
    population: str, *, trials: int, seed: int = 0, kinds: Iterable[str] = tuple(KINDS)
) -> dict[str, dict[str, float]]:
    """Fraction of trials whose interval contains the truth, by kind of interval and quantity."""
    (G, draw), n = POPULATIONS[population]
    truth = energies(G)
    generator = torch.Generator().manual_seed(seed)
    hits = {kind: dict.fromkeys(QUANTITIES, 0.0) for kind in kinds}
    for _ in range(trials):
        grams = grams_of(draw(n, generator), route="gram")
        for kind, row in hits.items():
            found = KINDS[kind](grams)
            for name in QUANTITIES:
                low, high = found[name]
                row[name] += (low <= truth[name] <= high) / trials
    return hits


def main(trials: int) -> None:
    """Prints the table in Markdown."""
    print(f"| population | interval | {' | '.join(QUANTITIES)} |")
    print("|---|---|" + "---|" * len(QUANTITIES))
    for population in POPULATIONS:
        for kind, row in coverage(population, trials=trials).items():
            print(
                f"| {population} | {kind} | {' | '.join(f'{100 * row[name]:.1f}' for name in QUANTITIES)} |", flush=True
            )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
