"""Does stopping as soon as the interval is narrow (`rel_error=`) keep its level? `python -m benchmarks stopping`.

The network is f(x) = |x|^2 / 2, whose gradient is x: with x drawn as in `coverage_interaction`, contributions x x^T are
those of its populations, and the whole of `measure` runs, its checks included.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.coverage_interaction import POPULATIONS
from interlaw.interaction import energies, measure

TRIALS = 1000  # a share of 95% then has the Monte Carlo error .7 points
MOST, STEP = 1024, 64  # clusters at most, and between two looks at the interval
# population of `coverage_interaction`, and the precision asked for
SETTINGS: tuple[tuple[str, float], ...] = (
    ("Gaussian, slow decay, N 64", 0.1),
    ("Gaussian, fast decay, N 64", 0.08),
    ("Gaussian, fast decay, N 64", 0.05),
    ("near diagonal, ratio 0.12, N 64", 0.4),
    ("log-normal gain, sigma 1, N 128", 0.2),
)


class HalfSquare(nn.Module):
    """|x|^2 / 2, one output."""

    def forward(self, x: Tensor) -> Tensor:
        return x.square().sum(1, keepdim=True) / 2


def stopped(population: str, rel_error: float, *, trials: int, seed: int = 0) -> dict[str, float]:
    """Fraction of trials whose ratio's interval contains the truth where they stop, that met the target, mean N."""
    (G, draw), _ = POPULATIONS[population]
    truth = energies(G).aofe_ratio
    generator, model = torch.Generator().manual_seed(seed), HalfSquare()
    shares = dict.fromkeys(("coverage", "met", "clusters"), 0.0)
    for _ in range(trials):
        x = draw(MOST, generator).squeeze(2)
        one = measure(model, x, rel_error=rel_error, batch_size=STEP)
        shares["coverage"] += (one.aofe_ratio.low <= truth <= one.aofe_ratio.high) / trials
        shares["met"] += bool(one.target_met) / trials
        shares["clusters"] += one.num_clusters / trials
    return shares


def main() -> None:
    """Prints the table in Markdown."""
    print(
        "| population | rel_error | trials | coverage of aofe_ratio | target met | mean N |\n|---|---|---|---|---|---|"
    )
    for population, rel_error in SETTINGS:
        shares = stopped(population, rel_error, trials=TRIALS)
        name = population.rpartition(", N")[0]
        print(
            f"| {name} | {rel_error} | {TRIALS} | {100 * shares['coverage']:.1f} | {100 * shares['met']:.0f}% | "
            f"{shares['clusters']:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
