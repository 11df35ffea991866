"""Levels by simulation: random bases called special, samples that share a document, few clusters, heavy clusters.

`python -m benchmarks.chance_interaction` prints tables with Monte Carlo errors (five minutes on one core).

Only contributions A = v v^T are drawn. Bases: v = Q L z with Q Haar-random, drawn again in each trial, so that the
excess over chance is that of the basis alone. Documents: 16 windows each, v = sqrt(c) u + sqrt(1-c) w with u the
document's and w the window's own, both L z; G = L L^T. Bias: mean of the estimates less the truth, over their standard
deviation. Heavy clusters: how often the warning of one cluster that carries too much is given, and how often the
interval of the ratio holds the truth with and without it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.coverage_interaction import DIM, gaussian, grams_of_few, log_normal, own_jackknife, root, tokens
from interlaw.interaction import bootstrap, energies, grams_of, haar_null, jackknife
from interlaw.interaction.grams import (
    LEVEL,
    fourth_moment,
    heavy_shift,
    spread_over_bases,
    unbiased,
    widened,
)
from interlaw.interaction.routes import Contribution

WINDOWS = 16  # of a document
SHARED = 0.5  # of the variance of a window's direction
RARE, HEAVY = 0.03, 10.0  # share of clusters with a direction of their own, and their energy over that of the others
AT_ONCE = 500  # trials in memory
TRIALS = 400  # a share of 5% then has the Monte Carlo error 1.1 points
REPLICATES = 199  # of a bootstrap: with one more, 2.5% of them is a whole number

Population = tuple[Tensor, Callable[[int, torch.Generator], Tensor]]


def rare() -> Population:
    """Normal contributions, but for a few heavy ones along one direction that the others hardly have."""
    L, u = root(0.5), torch.full((DIM, 1), DIM**-0.5, dtype=torch.float64)
    size = math.sqrt(HEAVY * float(L.square().sum()))

    def draw(n: int, g: torch.Generator) -> Tensor:
        heavy = torch.rand(n, 1, 1, generator=g, dtype=torch.float64) < RARE
        return torch.where(heavy, size * u, L @ torch.randn(n, DIM, 1, generator=g, dtype=torch.float64))

    return (1 - RARE) * L @ L.T + RARE * size**2 * u @ u.T, draw


# decays of the spectrum from slow to steep, and tails from none to heavy
POPULATIONS: dict[str, Population] = {
    "normal, slow decay": gaussian(root(0.5)),
    "normal, fast decay": gaussian(root(1.0)),
    "normal, 32 dependent tokens": tokens(),
    "log-normal gain, sigma 0.5": log_normal(0.5),
    "log-normal gain, sigma 1": log_normal(1.0),
    f"{RARE:.0%} with a direction of their own": rare(),
}


def spectrum(dim: int, decay: float) -> Tensor:
    """Scales of the coordinates of v."""
    return torch.arange(1.0, dim + 1, dtype=torch.float64) ** -decay


def called_special(dim: int, decay: float, *, samples: int, trials: int, seed: int = 0) -> dict[str, float]:
    """Share of random bases whose excess interval leaves 0 out: by clusters alone, and with the spread over bases."""
    generator = torch.Generator().manual_seed(seed)
    L, hits = spectrum(dim, decay), {"clusters": 0, "with bases": 0}
    for _ in range(trials):
        Q, R = torch.linalg.qr(torch.randn(dim, dim, generator=generator, dtype=torch.float64))
        Q = Q * R.diagonal().sign()
        V = Q @ (L[:, None] * torch.randn(samples, dim, 1, generator=generator, dtype=torch.float64))
        one = jackknife(grams_of(V, route="dense"), null=haar_null)
        energy = one["energy"].value
        m2 = energy * (1 - one["participation_ratio"].value / dim)
        quarters = [(part @ part.mT).mean(0) for part in (V[start::4] for start in range(4))]
        spread = spread_over_bases(energy=energy, m2=m2, m4=fourth_moment(quarters), dim=dim)
        wide = widened(one["excess_ratio"], spread, level=LEVEL)
        hits["clusters"] += not one["excess_ratio"].low <= 0 <= one["excess_ratio"].high
        hits["with bases"] += not wide.low <= 0 <= wide.high
    return {name: count / trials for name, count in hits.items()}


def covered_with_documents(*, documents: int, trials: int, dim: int = 16, seed: int = 0) -> dict[str, float]:
    """Share of 95% intervals of the ratio that hold the truth: windows as clusters, documents as clusters."""
    generator = torch.Generator().manual_seed(seed)
    Q = torch.linalg.qr(torch.randn(dim, dim, generator=torch.Generator().manual_seed(1), dtype=torch.float64)).Q
    L = Q * spectrum(dim, 0.5)
    truth, n = energies(L @ L.T).aofe_ratio, documents * WINDOWS
    hits = {"windows": 0, "documents": 0, "documents, bootstrap-t": 0}
    for _ in range(trials):
        shared, own = (
            L @ torch.randn(count, dim, 1, generator=generator, dtype=torch.float64) for count in (documents, n)
        )
        V = math.sqrt(SHARED) * shared.repeat_interleave(WINDOWS, 0) + math.sqrt(1 - SHARED) * own
        whole = Contribution(content=V, weights=torch.ones(n), dim=dim).pooled([WINDOWS] * documents)
        grouped = grams_of(whole.content, weights=whole.weights)
        for name, one in (
            ("windows", jackknife(grams_of(V), null=haar_null)),
            ("documents", jackknife(grouped, null=haar_null)),
            ("documents, bootstrap-t", bootstrap(grouped, null=haar_null, replicates=REPLICATES)),
        ):
            hits[name] += one["aofe_ratio"].low <= truth <= one["aofe_ratio"].high
    return {name: count / trials for name, count in hits.items()}


def bias_of_ratio(population: str, *, samples: int, trials: int, seed: int = 0) -> tuple[float, float]:
    """Bias of the AOFE-ratio over the standard deviation of its estimates, and the Monte Carlo error of that."""
    (G, draw), generator = POPULATIONS[population], torch.Generator().manual_seed(seed)

    def ratio(V: Tensor) -> Tensor:
        return unbiased(grams_of_few(V), null=haar_null)["aofe_ratio"]

    ratios = torch.cat(
        [
            torch.vmap(ratio)(draw(count * samples, generator).unflatten(0, (count, samples)))
            for count in (min(AT_ONCE, trials - done) for done in range(0, trials, AT_ONCE))
        ]
    )
    return float((ratios.mean() - energies(G).aofe_ratio) / ratios.std()), trials**-0.5


def warned(population: str, *, samples: int, trials: int, seed: int = 0) -> tuple[int, int, int]:
    """In how many trials one cluster moves the ratio by too much; how many intervals hold the truth then, and else."""
    (G, draw), generator = POPULATIONS[population], torch.Generator().manual_seed(seed)
    truth = energies(G).aofe_ratio
    alarms = held = held_quietly = 0
    for _ in range(trials):
        grams = grams_of_few(draw(samples, generator))
        ratio = jackknife(grams, null=haar_null)["aofe_ratio"]
        alarm, holds = heavy_shift(grams) > 0, ratio.low <= truth <= ratio.high
        alarms += alarm
        held += alarm and holds
        held_quietly += holds and not alarm
    return alarms, held, held_quietly


def shown(share: float, trials: int) -> str:
    """A share with its Monte Carlo error."""
    return f"{share:.1%} +- {math.sqrt(share * (1 - share) / trials):.1%}"


def main() -> None:
    """Prints the tables."""
    for dim, decay, samples in ((16, 0.5, 64), (64, 0.5, 128), (64, 1.0, 128), (64, 1.0, 512)):
        shares = called_special(dim, decay, samples=samples, trials=TRIALS)
        print(
            f"D {dim}, decay {decay}, N {samples}: random basis called special",
            {k: shown(v, TRIALS) for k, v in shares.items()},
        )
    for documents in (8, 16, 32):
        shares = covered_with_documents(documents=documents, trials=TRIALS)
        print(f"{documents} documents of {WINDOWS}: ratio covered", {k: shown(v, TRIALS) for k, v in shares.items()})
    few_and_heavy()


def covered_by_few(population: str, *, samples: int, trials: int, seed: int = 0) -> float:
    """Share of 95% intervals of the ratio that hold the truth."""
    (G, draw), generator = POPULATIONS[population], torch.Generator().manual_seed(seed)
    truth, held = energies(G).aofe_ratio, 0
    for done in range(0, trials, AT_ONCE):
        count = min(AT_ONCE, trials - done)
        low, high = own_jackknife(draw(count * samples, generator).unflatten(0, (count, samples)))["aofe_ratio"]
        held += int(((low <= truth) & (truth <= high)).sum())
    return held / trials


def few_and_heavy(*, trials: int = 20_000, warned_trials: int = 2000) -> None:
    """Prints the bias of the ratio for few clusters, and what the warning of a heavy cluster is worth."""
    for population in POPULATIONS:
        row = [bias_of_ratio(population, samples=samples, trials=trials)[0] for samples in (8, 16, 32, 64)]
        shown_row = ", ".join(f"{bias:+.3f}" for bias in row)
        print(f"{population}: bias at N 8, 16, 32, 64 in standard errors {shown_row} +- {trials**-0.5:.3f}", flush=True)
    for population in POPULATIONS:
        shares = [covered_by_few(population, samples=samples, trials=warned_trials) for samples in (4, 8, 16, 32, 64)]
        print(f"{population}: ratio covered at N 4, 8, 16, 32, 64", *(f"{share:.1%}" for share in shares), flush=True)
    for population in POPULATIONS:
        for samples in (16, 64, 256):
            alarms, held, quietly = warned(population, samples=samples, trials=warned_trials)
            print(
                f"{population}, N {samples}: warned {shown(alarms / warned_trials, warned_trials)}; ratio covered",
                f"with the warning {shown(held / alarms, alarms) if alarms else '-'},",
                f"without {shown(quietly / (warned_trials - alarms), warned_trials - alarms)}",
                flush=True,
            )


if __name__ == "__main__":
    main()
