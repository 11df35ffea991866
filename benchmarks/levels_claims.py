"""How often the tests of the claims reject where nothing is there, and how often they see what is there.

`python -m benchmarks levels` prints tables (minutes). Worlds without a relation: loss and interaction are smooth in R,
each by a random curve of its own, and runs scatter about it. A one-sided test at 5% should reject about 5% in either
direction. `error` is the Monte Carlo error of the larger share.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from interlaw.laws.claim import Claim, ask
from interlaw.laws.contexts import Contexts
from interlaw.laws.drift import interaction_drift
from interlaw.laws.interaction_interval import SURE, interaction_intervals, pareto_front
from interlaw.laws.off_the_curve import off_the_curve
from interlaw.laws.settings import LEVEL, Settings
from interlaw.laws.tracking import tracking
from interlaw.laws.within_shapes import within_shapes

Array = NDArray[np.float64]
Draw = Callable[[np.random.Generator], Contexts]
# shapes of a budget, as in the packaged recipes
DEPTH = np.array([2, 3, 4, 5, 6, 8, 10, 12], dtype=np.float64)
LOG_RATIO = 1.5 * np.log(DEPTH) - 5  # widths of equal budget fall with the root of the depth
NUM_BUDGETS, NUM_SEEDS, PERMUTATIONS = 3, 6, 300
CONFIDENCE, DRAWS = Settings.confidence, 1000  # a share of 5% then has the Monte Carlo error .7 points
NOISE = 0.1  # of a run, where the curves have unit variance: 5% of log L against 0.5% of it, say

KINDS = (
    "independent",
    "a seed shifts all shapes, in both",
    "AR(.8) along depth in a seed",
    "deep shapes four times as noisy",
    "one seed four times as noisy",
    "heavy tails, t(2)",
    "one rate for all: deep shapes spike",
)


def smooth(rng: np.random.Generator, *, length: float, alike: bool) -> Array:
    """Random smooth functions of log R, unit variance, (budgets, 1, shapes); one for all budgets, or one each."""
    covariance = np.exp(-0.5 * np.subtract.outer(LOG_RATIO, LOG_RATIO) ** 2 / length**2) + 1e-9 * np.eye(len(DEPTH))
    drawn = rng.standard_normal((1 if alike else NUM_BUDGETS, len(DEPTH))) @ np.linalg.cholesky(covariance).T
    return np.broadcast_to(drawn[:, None, :], (NUM_BUDGETS, 1, len(DEPTH)))


def autoregressive(rng: np.random.Generator, size: tuple[int, ...]) -> Array:
    """Noise of unit variance, correlated by .8^|i - j| along the last axis."""
    steps = np.arange(size[-1])
    return rng.standard_normal(size) @ np.linalg.cholesky(0.8 ** np.abs(np.subtract.outer(steps, steps))).T


def scatter(kind: str, rng: np.random.Generator, *, seeds: int) -> Array:
    """Noise of runs, (budgets, seeds, shapes)."""
    size = (NUM_BUDGETS, seeds, len(DEPTH))
    normal = rng.standard_normal(size)
    if kind.startswith("AR"):
        return autoregressive(rng, size)
    if kind.startswith("deep"):
        return normal * np.linspace(1, 4, len(DEPTH))
    if kind.startswith("one seed"):
        return normal * np.where(np.arange(seeds) == 0, 4, 1)[None, :, None]
    if kind.startswith("heavy"):
        return rng.standard_t(2, size)
    if kind.startswith("one rate"):
        return normal + (rng.random(size) < np.linspace(0, 0.3, len(DEPTH))) * rng.exponential(8, size)
    return normal


def contexts_of(loss: Array, quantity: Array) -> Contexts:
    """A sweep from log losses and the quantity, (budgets, seeds, shapes)."""
    budgets, seeds, shapes = loss.shape
    shape = np.tile(np.arange(budgets * shapes).reshape(budgets, 1, shapes), (1, seeds, 1)).ravel()
    return Contexts(
        contexts=pd.DataFrame(
            {
                "source": 0,
                "group": 0,
                "budget": np.arange(budgets, dtype=np.float64),
                "size": np.log(1e6 * 3.0 ** np.arange(budgets)),
                "log_r_star": np.nan,
            }
        ),
        shapes=pd.DataFrame(
            {
                "context": np.repeat(np.arange(budgets), shapes),
                "depth": np.tile(DEPTH, budgets),
                "width": 1.0,
                "log_ratio": np.tile(LOG_RATIO, budgets),
                "log_spent": 0.0,
                "log_loss": loss.mean(axis=1).ravel(),
            }
        ),
        runs=pd.DataFrame(
            {
                "shape": shape,
                "seed": np.broadcast_to(np.arange(seeds, dtype=float)[None, :, None], loss.shape).ravel(),
                "log_loss_of_run": loss.ravel(),
            }
        ),
        interaction={"": pd.DataFrame({"aofe": quantity.ravel()})},
        variance={"": pd.DataFrame({"aofe": np.full(loss.size, np.nan)})},
    )


def measuring(world: Contexts, **quantities: Array) -> Contexts:
    """The same runs with other values of the quantities; their errors are unknown."""
    values = pd.DataFrame(quantities)
    return replace(world, interaction={"": values}, variance={"": values * np.nan})


def unrelated(
    kind: str = "independent", *, seeds: int = NUM_SEEDS, noise: float = NOISE, length: float = 1.0, alike: bool = True
) -> Draw:
    """Loss and quantity with a smooth curve each and noise of one kind each."""

    def draw(rng: np.random.Generator) -> Contexts:
        shared = 2 * rng.standard_normal((NUM_BUDGETS, seeds, 1)) if kind.startswith("a seed shifts") else 0.0
        sides = [
            smooth(rng, length=length, alike=alike) + noise * (scatter(kind, rng, seeds=seeds) + shared)
            for _ in range(2)
        ]
        return contexts_of(*sides)

    return draw


def unusual() -> dict[str, Draw]:
    """Designs that are not whole: seeds or measurements that lack, and runs that went wrong."""

    def measured(draw: Draw, rule: Callable[[Contexts, np.random.Generator], NDArray[np.bool_]]) -> Draw:
        def some(rng: np.random.Generator) -> Contexts:
            world = draw(rng)
            return measuring(world, aofe=np.where(rule(world, rng), world.interaction[""]["aofe"], np.nan))

        return some

    def spiked(rng: np.random.Generator) -> Contexts:
        world = unrelated(seeds=3)(rng)
        loss, quantity = (
            each.to_numpy() + 5 * (np.arange(len(each)) == rng.integers(len(each)))
            for each in (world.runs["log_loss_of_run"], world.interaction[""]["aofe"])
        )
        return measuring(replace(world, runs=world.runs.assign(log_loss_of_run=loss)), aofe=quantity)

    def shallow(world: Contexts, rng: np.random.Generator) -> NDArray[np.bool_]:
        runs = world.by_run()
        return ((runs["seed"] < 2) | (runs["depth"] < 5)).to_numpy(dtype=bool)

    def two_thirds(world: Contexts, rng: np.random.Generator) -> NDArray[np.bool_]:
        return rng.random(len(world.runs)) > 1 / 3

    return {
        **{f"{kind}, 2 seeds": unrelated(kind, seeds=2) for kind in KINDS},
        "a third of runs not measured, 3 seeds": measured(unrelated(seeds=3), two_thirds),
        "a third of runs not measured, AR(.8), 3 seeds": measured(unrelated("AR(.8)", seeds=3), two_thirds),
        "third seed in shallow shapes alone, AR(.8)": measured(unrelated("AR(.8)", seeds=3), shallow),
        "one run diverged in the loss, another in the quantity, 3 seeds": spiked,
    }


def two_treatments(kind: str = "independent", *, seeds: int = NUM_SEEDS, shared: float = 0.8) -> Draw:
    """Two treatments of every budget, unrelated; runs of one shape and seed share so much of their noise."""

    def draw(rng: np.random.Generator) -> Contexts:
        sides = []
        for _ in range(2):
            common, *own = (scatter(kind, rng, seeds=seeds) for _ in range(3))
            noise = [shared**0.5 * common + (1 - shared) ** 0.5 * each for each in own]
            sides.append(np.concatenate([smooth(rng, length=1.0, alike=True) + NOISE * each for each in noise]))
        joined = contexts_of(*sides)
        budget = np.tile(np.arange(NUM_BUDGETS), 2)
        size = np.log(1e6 * 3.0**budget)
        contexts = joined.contexts.assign(group=np.repeat([0, 1], NUM_BUDGETS), budget=budget.astype(float), size=size)
        return replace(joined, contexts=contexts)

    return draw


def related(r: float) -> Draw:
    """Noise of loss and quantity correlated by r within shapes."""

    def draw(rng: np.random.Generator) -> Contexts:
        first, second = (scatter("independent", rng, seeds=NUM_SEEDS) for _ in range(2))
        noise = (first, r * first + np.sqrt(1 - r**2) * second)
        return contexts_of(*(smooth(rng, length=1.0, alike=True) + NOISE * each for each in noise))

    return draw


def related_shapes(r: float) -> Draw:
    """Deviations of shape means from their curves correlated by r, as large as the noise of a run."""

    def draw(rng: np.random.Generator) -> Contexts:
        first, second = rng.standard_normal((2, NUM_BUDGETS, 1, len(DEPTH)))
        own = (first, r * first + np.sqrt(1 - r**2) * second)
        sides = [
            smooth(rng, length=2.0, alike=True) + NOISE * (each + scatter("independent", rng, seeds=NUM_SEEDS))
            for each in own
        ]
        return contexts_of(*sides)

    return draw


def asked(test: Callable[..., Claim], draw: Draw, *, draws: int) -> list[Claim]:
    """The claims of many sweeps."""
    rng = np.random.default_rng(0)
    named = ask("C2", test.__name__.replace("_", "-"), quantity="aofe")
    options = {"asked": named, "confidence": CONFIDENCE, "num_permutations": PERMUTATIONS}
    worlds = (draw(rng) for _ in range(draws))
    return [test(world, rng=rng, **options) for world in worlds]


def optima(
    sources: int, budgets: int, *, follows: float = 0.0, drift: float = 0.0, shift: float = 0.0
) -> Callable[[np.random.Generator], tuple[Contexts, Array]]:
    """Log R* of the loss and of interaction, each with a drift in log N and shifts of sources of its own."""

    def draw(rng: np.random.Generator) -> tuple[Contexts, Array]:
        source = np.repeat(np.arange(sources), budgets)
        size = np.tile(np.log(10.0) * 1.5 * np.arange(budgets) / max(1, budgets - 1), sources)
        loss = 0.3 * rng.standard_normal(len(source))
        interaction = follows * loss + 0.3 * rng.standard_normal(len(source))
        both = [
            each + rng.normal(0, drift) * size + shift * rng.standard_normal(sources)[source]
            for each in (loss, interaction)
        ]
        base = contexts_of(np.ones((1, 1, len(DEPTH))), np.ones((1, 1, len(DEPTH))))
        groups = {"source": source, "group": source, "budget": np.exp(size), "size": size}
        return replace(base, contexts=pd.DataFrame({**groups, "log_r_star": both[0]})), both[1]

    return draw


def optima_of_treatments(
    sources: int, budgets: int, *, treatments: int, follows: float = 0.0, shared: float = 0.8
) -> Callable[[np.random.Generator], tuple[Contexts, Array]]:
    """Log R* under several treatments of each budget, which share so much of their scatter."""

    def draw(rng: np.random.Generator) -> tuple[Contexts, Array]:
        base, _ = optima(sources, budgets)(rng)
        count = sources * budgets

        def scattered() -> Array:
            own = rng.standard_normal((treatments, count))
            return 0.3 * (shared**0.5 * rng.standard_normal(count) + (1 - shared) ** 0.5 * own).ravel()

        loss = scattered()
        contexts = pd.concat([base.contexts] * treatments, ignore_index=True)
        group = contexts["source"] + sources * np.repeat(np.arange(treatments), count)
        return replace(base, contexts=contexts.assign(group=group, log_r_star=loss)), follows * loss + scattered()

    return draw


def tracked(draw: Callable[[np.random.Generator], tuple[Contexts, Array]], *, draws: int) -> list[Claim]:
    rng = np.random.default_rng(0)
    worlds = (draw(rng) for _ in range(draws))
    return [
        tracking(world, interaction, view="", confidence=CONFIDENCE, num_permutations=PERMUTATIONS, rng=rng)
        for world, interaction in worlds
    ]


def rejections(claims: list[Claim]) -> tuple[float, float, float]:
    """Shares that reject in the claimed and in the opposite direction, and that are not testable."""
    high = [each.p_value is not None and each.p_value <= LEVEL for each in claims]
    low = [each.p_opposite is not None and each.p_opposite <= LEVEL for each in claims]
    return float(np.mean(high)), float(np.mean(low)), float(np.mean([each.p_value is None for each in claims]))


def drift_verdicts(gamma: float, *, scatter_of_optima: float, budgets: int, draws: int) -> tuple[float, float]:
    """How often R of interaction with this slope is said to stay put, and to move."""
    rng, verdicts = np.random.default_rng(0), []
    for _ in range(draws):
        world, _ = optima(1, budgets)(rng)
        values = gamma * world.contexts["size"].to_numpy() + scatter_of_optima * rng.standard_normal(budgets)
        own, _ = interaction_drift(world, values, inside=np.ones(budgets), view="", confidence=CONFIDENCE)
        verdicts.append(own.verdict)
    return verdicts.count("holds") / draws, verdicts.count("opposite") / draws


def wrongly_named(gap: float, *, seeds: int, draws: int) -> tuple[float, float]:
    """Share of contexts that name a shape that is not on the front, and of shapes on the front that are named.

    Ratio and AOFE both get worse by `gap` standard errors of a mean from shape to shape, away from the fourth.
    """
    rng, wrong, right = np.random.default_rng(0), [], []
    worse = gap / np.sqrt(seeds) * np.abs(np.arange(len(DEPTH)) - 3.0)
    front = pareto_front(-worse, worse)
    for _ in range(draws):
        noise = rng.standard_normal((2, NUM_BUDGETS, seeds, len(DEPTH)))
        base = contexts_of(np.ones(noise.shape[1:]), np.ones(noise.shape[1:]))
        world = measuring(base, aofe=(worse + noise[0]).ravel(), aofe_ratio=(-worse + noise[1]).ravel())
        for interval in interaction_intervals(world, "", seed=int(rng.integers(2**31))):
            shapes = () if interval is None else interval.front_probability
            sure = np.array([(shape.probability or 0) >= SURE for shape in shapes])
            wrong.append(bool((sure & ~front).any()))
            right.append(float((sure & front).sum() / front.sum()))
    return float(np.mean(wrong)), float(np.mean(right))


def print_table(head: str, rows: Iterable[tuple[str, list[Claim]]]) -> None:
    """One line a world."""
    print(f"\n| {head} | claimed | opposite | error | not testable |\n|---|---|---|---|---|")
    for name, claims in rows:
        high, low, silent = rejections(claims)
        share = max(high, low, 1 / len(claims))
        print(
            f"| {name} | {high:.3f} | {low:.3f} | {np.sqrt(share * (1 - share) / len(claims)):.3f} | {silent:.2f} |",
            flush=True,
        )


def main(draws: int = DRAWS) -> None:
    """Prints every table."""
    levels = ((f"{kind}, {seeds} seeds", unrelated(kind, seeds=seeds)) for seeds in (6, 3) for kind in KINDS)
    print_table("T1, within shapes", ((name, asked(within_shapes, draw, draws=draws)) for name, draw in levels))
    print_table(
        "T1, designs that are not whole", ((n, asked(within_shapes, d, draws=draws)) for n, d in unusual().items())
    )
    both = (
        (f"{kind}, {seeds} seeds", two_treatments(kind, seeds=seeds))
        for seeds in (6, 3)
        for kind in ("independent", "AR(.8) along depth in a seed", "one seed four times as noisy")
    )
    head = "T1, two treatments that share 80% of their noise"
    print_table(head, ((name, asked(within_shapes, draw, draws=draws)) for name, draw in both))
    seen = [(r, asked(within_shapes, related(r), draws=draws)) for r in (0.2, 0.3, 0.4)]
    print_table("T1, a relation", ((f"r = {r}", claims) for r, claims in seen))
    for r, claims in seen:
        inside = np.mean([(each.low or 0) <= r <= (each.high or 0) for each in claims])
        print(f"90% interval holds r = {r}: {inside:.3f}")
    curves = {
        f"{'one curve for all budgets' if alike else 'a curve each'}, length {length:g}, noise of means {noise:g}": (
            unrelated(noise=noise * np.sqrt(NUM_SEEDS), length=length, alike=alike)
        )
        for alike in (True, False)
        for length in (1.0, 2.0)
        for noise in (0.001, 0.03, 0.1)
    }
    curves["AR(.8) along depth in a seed"] = unrelated("AR(.8)", length=2.0)
    curves["heavy tails, t(2)"] = unrelated("heavy", length=2.0)
    print_table("T2, off the curve", ((name, asked(off_the_curve, draw, draws=draws)) for name, draw in curves.items()))
    seen = [(r, asked(off_the_curve, related_shapes(r), draws=draws)) for r in (0.5, 0.7, 0.9)]
    print_table("T2, a relation of deviations", ((f"r = {r}", claims) for r, claims in seen))
    plans = ((12, 1), (5, 2), (8, 2), (4, 3), (2, 4), (1, 10))
    worlds = {
        f"{sources} sources x {budgets} budgets, {name}": optima(sources, budgets, **options)
        for sources, budgets in plans
        for name, options in {
            "independent": {},
            "both drift, sources shift": {"drift": 0.4, "shift": 0.6},
            "R* follows": {"follows": 1.0},
        }.items()
    }
    for sources, budgets in ((8, 1), (4, 3), (2, 4), (1, 10)):
        name = f"{sources} sources x {budgets} budgets x 3 treatments that share 80%"
        worlds[f"{name}, independent"] = optima_of_treatments(sources, budgets, treatments=3)
        worlds[f"{name}, R* follows"] = optima_of_treatments(sources, budgets, treatments=3, follows=1.0)
    print_table("T3, tracking", ((name, tracked(draw, draws=draws)) for name, draw in worlds.items()))
    print("\n| C4 of interaction: 6 budgets over 1.5 decades | stays put | moves |\n|---|---|---|")
    for gamma in (0.0, 0.1, 0.3):
        for spread in (0.05, 0.2):
            put, moves = drift_verdicts(gamma, scatter_of_optima=spread, budgets=6, draws=draws)
            print(f"| gamma {gamma:g}, log R* scatters by {spread:g} | {put:.3f} | {moves:.3f} |")
    head = "front, 6 seeds: a step between shapes in standard errors"
    print(f"\n| {head} | a wrong shape named | a right one named |\n|---|---|---|")
    for gap in (0.25, 0.5, 1.0, 2.0, 4.0):
        wrong, right = wrongly_named(gap, seeds=NUM_SEEDS, draws=draws // 4)
        print(f"| {gap:g} | {wrong:.3f} | {right:.2f} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--draws", type=int, default=DRAWS)
    main(parser.parse_args().draws)
