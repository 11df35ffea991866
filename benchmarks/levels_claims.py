"""How often each claim's test says something where nothing is there, and how often it sees what is there.

    python -m benchmarks.levels_claims [--draws 1000]

Every case is a sweep of contexts x shapes x seeds without any relation of interaction and loss but that both are smooth
in R; a test at 5% should reject about 5% in either direction. Monte Carlo error of a share p: sqrt(p (1 - p) / draws).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from interlaw.laws.claim import LEVEL, Claim
from interlaw.laws.contexts import Contexts, Measured
from interlaw.laws.within_shapes import within_shapes

Array = NDArray[np.float64]
DEPTH = np.array([2, 3, 4, 5, 6, 8, 10, 12], dtype=np.float64)
NUM_BUDGETS, NUM_SEEDS, PERMUTATIONS = 3, 6, 300


def smooth(rng: np.random.Generator, x: Array, *, length: float, copies: int = 1) -> Array:
    """Random smooth functions of x, unit variance: Gaussian processes of this length in log R, (copies, len(x))."""
    covariance = np.exp(-0.5 * np.subtract.outer(x, x) ** 2 / length**2) + 1e-9 * np.eye(len(x))
    return rng.standard_normal((copies, len(x))) @ np.linalg.cholesky(covariance).T


def autoregressive(rng: np.random.Generator, shape: tuple[int, ...], rho: float) -> Array:
    """Noise of unit variance, correlated by rho^|i - j| along the last axis."""
    steps = np.arange(shape[-1])
    return rng.standard_normal(shape) @ np.linalg.cholesky(rho ** np.abs(np.subtract.outer(steps, steps))).T


def contexts_of(loss: Array, quantity: Array, *, log_spent: Array | None = None) -> Contexts:
    """A sweep from log losses and the quantity, (budgets, seeds, shapes)."""
    budgets, seeds, shapes = loss.shape
    x = 1.5 * np.log(DEPTH[:shapes]) - 5
    shape = np.tile(np.arange(budgets * shapes).reshape(budgets, 1, shapes), (1, seeds, 1)).ravel()
    seed = np.broadcast_to(np.arange(seeds, dtype=float)[None, :, None], loss.shape).ravel()
    measured = Measured(value=quantity.ravel(), variance=np.full(loss.size, np.nan))
    return Contexts(
        source=np.zeros(budgets, dtype=np.int64),
        group=np.zeros(budgets, dtype=np.int64),
        budget=np.arange(budgets, dtype=np.float64),
        size=np.log(1e6 * 3.0 ** np.arange(budgets)),
        log_r_star=np.full(budgets, np.nan),
        context=np.repeat(np.arange(budgets), shapes),
        depth=np.tile(DEPTH[:shapes], budgets),
        log_ratio=np.tile(x, budgets),
        log_spent=np.zeros(budgets * shapes) if log_spent is None else log_spent,
        log_loss=loss.mean(axis=1).ravel(),
        shape=shape,
        seed=seed,
        log_loss_of_run=loss.ravel(),
        interaction={"": {"aofe": measured}},
    )


def curves(rng: np.random.Generator, *, length: float = 1.0, alike: bool = True) -> Array:
    """Smooth means of shapes, (budgets, 1, shapes): one curve for all budgets, or one each."""
    x = 1.5 * np.log(DEPTH)
    drawn = smooth(rng, x, length=length, copies=1 if alike else NUM_BUDGETS)
    return np.broadcast_to(drawn[:, None, :], (NUM_BUDGETS, 1, len(DEPTH)))


def noise_of(kind: str, rng: np.random.Generator, seeds: int) -> Array:
    """Noise of runs, (budgets, seeds, shapes), of unit variance where it has one."""
    size = (NUM_BUDGETS, seeds, len(DEPTH))
    if kind == "AR(.8) along depth in a seed":
        return autoregressive(rng, size, 0.8)
    normal = rng.standard_normal(size)
    if kind == "a seed's effect on all shapes, in both":
        return normal
    if kind == "deep shapes four times as noisy":
        return normal * np.linspace(1, 4, len(DEPTH))
    if kind == "one seed four times as noisy":
        return normal * np.where(np.arange(seeds) == 0, 4, 1)[None, :, None]
    if kind == "heavy tails, t(2)":
        return rng.standard_t(2, size)
    if kind == "one rate for all: deep shapes spike":
        spikes = (rng.random(size) < np.linspace(0, 0.3, len(DEPTH))) * rng.exponential(8, size)
        return normal + spikes
    return normal


KINDS = (
    "independent",
    "a seed's effect on all shapes, in both",
    "AR(.8) along depth in a seed",
    "deep shapes four times as noisy",
    "one seed four times as noisy",
    "heavy tails, t(2)",
    "one rate for all: deep shapes spike",
)


def unrelated(kind: str, seeds: int = NUM_SEEDS, scale: float = 0.1) -> Callable[[np.random.Generator], Contexts]:
    """Loss and quantity with a smooth curve each and noise of one kind each."""

    def draw(rng: np.random.Generator) -> Contexts:
        shared = rng.standard_normal((NUM_BUDGETS, seeds, 1)) if kind.startswith("a seed's effect") else 0.0
        return contexts_of(
            curves(rng) + scale * (noise_of(kind, rng, seeds) + 2 * shared),
            curves(rng) + scale * (noise_of(kind, rng, seeds) + 2 * shared),
        )

    return draw


def related(r: float) -> Callable[[np.random.Generator], Contexts]:
    """Noise of loss and quantity correlated by r within shapes."""

    def draw(rng: np.random.Generator) -> Contexts:
        first, second = noise_of("independent", rng, NUM_SEEDS), noise_of("independent", rng, NUM_SEEDS)
        return contexts_of(curves(rng) + 0.1 * first, curves(rng) + 0.1 * (r * first + np.sqrt(1 - r**2) * second))

    return draw


def tests_of(draw: Callable[[np.random.Generator], Contexts], test: Callable[..., Claim], *, draws: int) -> list[Claim]:
    """The claims of many sweeps."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(draws):
        contexts = draw(rng)
        found.append(
            test(
                contexts,
                contexts.interaction[""]["aofe"],
                quantity="aofe",
                view="",
                confidence=0.9,
                num_permutations=PERMUTATIONS,
                rng=rng,
            )
        )
    return found


def row(name: str, claims: list[Claim]) -> str:
    """Rejections in the claimed and in the opposite direction, and how often the test was not testable."""
    draws = len(claims)
    high = sum(each.p_value is not None and each.p_value <= LEVEL for each in claims) / draws
    low = sum(each.p_opposite is not None and each.p_opposite <= LEVEL for each in claims) / draws
    silent = sum(each.p_value is None for each in claims) / draws
    error = np.sqrt(max(high * (1 - high), 1 / draws) / draws)
    return f"| {name} | {high:.3f} | {low:.3f} | {error:.3f} | {silent:.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--draws", type=int, default=1000)
    draws = parser.parse_args().draws
    print("| T1, within shapes | claimed | opposite | error | not testable |\n|---|---|---|---|---|")
    for seeds in (NUM_SEEDS, 3):
        for kind in KINDS:
            print(
                row(f"{kind}, {seeds} seeds", tests_of(unrelated(kind, seeds), within_shapes, draws=draws)), flush=True
            )
    print(row("power at r = .3", tests_of(related(0.3), within_shapes, draws=draws)), flush=True)
    found = tests_of(related(0.3), within_shapes, draws=draws)
    print("coverage of the interval at r = .3", np.mean([each.low <= 0.3 <= each.high for each in found]))


if __name__ == "__main__":
    main()
