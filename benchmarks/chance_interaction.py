"""Levels by simulation: is a random basis called special, and do intervals hold when samples share a document?

`python -m benchmarks.chance_interaction` prints a table with Monte Carlo errors (three minutes on one core).

Only contributions A = v v^T are drawn. Bases: v = Q L z with Q Haar-random, drawn anew in each trial, so that the
excess over chance is that of the basis alone. Documents: 16 windows each, v = sqrt(c) u + sqrt(1-c) w with u the
document's and w the window's own, both L z; G = L L^T.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from interlaw.interaction import bootstrap, energies, grams_of, haar_null, jackknife
from interlaw.interaction.groups import _merged
from interlaw.interaction.result import widened
from interlaw.interaction.rotation import fourth_moment, spread_over_bases
from interlaw.interaction.routes import Contribution

WINDOWS = 16  # of a document
SHARED = 0.5  # of the variance of a window's direction


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
        wide = widened(one["excess_ratio"], spread, level=0.95)
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
        whole = _merged(Contribution(factors=V, weights=torch.ones(n), dim=dim), [WINDOWS] * documents)
        assert whole.factors is not None
        grouped = grams_of(whole.factors, weights=whole.weights)
        for name, one in (
            ("windows", jackknife(grams_of(V), null=haar_null)),
            ("documents", jackknife(grouped, null=haar_null)),
            ("documents, bootstrap-t", bootstrap(grouped, null=haar_null, replicates=199)),
        ):
            hits[name] += one["aofe_ratio"].low <= truth <= one["aofe_ratio"].high
    return {name: count / trials for name, count in hits.items()}


def shown(share: float, trials: int) -> str:
    """A share with its Monte Carlo error."""
    return f"{share:.1%} +- {math.sqrt(share * (1 - share) / trials):.1%}"


def main() -> None:
    """Prints both tables."""
    trials = 400
    for dim, decay, samples in ((16, 0.5, 64), (64, 0.5, 128), (64, 1.0, 128), (64, 1.0, 512)):
        found = called_special(dim, decay, samples=samples, trials=trials)
        print(
            f"D {dim}, decay {decay}, N {samples}: random basis called special",
            {k: shown(v, trials) for k, v in found.items()},
        )
    for documents in (8, 16, 32):
        found = covered_with_documents(documents=documents, trials=trials)
        print(f"{documents} documents of {WINDOWS}: ratio covered", {k: shown(v, trials) for k, v in found.items()})


if __name__ == "__main__":
    main()
