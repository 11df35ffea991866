"""How often the intervals of `interlaw compare` and of the pooled R* hold the truth, in layouts like the real ones.

`python -m benchmarks evidence` prints three tables (two minutes). Compare: R, N, tokens and families of the built-in
models, scores that have nothing to do with R; a 95% interval should leave out 0 in 5%. Pool: sizes and errors of the
packaged optima; a 90% interval should hold R* of a data set not seen in 90%. Carried: a data set predicted from the
others' smaller sizes alone, along the pool's mean slope and with the level carried flat.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from interlaw.published import PAPER_INTERVAL, centre_of, correlate, published_models
from interlaw.recommendation import Optimum, measured_pool, pool
from interlaw.recommendation.pooling import FEWEST

DRAWS = 400  # Monte Carlo error about 1 point
LAYOUTS = ("0.4-2.5B", "2.5-5B", "5-10B", "all")
# spread of log R* between data sets; common slope of log R* on log N; spread of the slopes between data sets
WORLDS = ((0.15, 0.0, 0.0), (0.25, 0.0, 0.0), (0.4, 0.0, 0.0), (0.25, -0.15, 0.0), (0.4, -0.15, 0.1), (0.0, 0.0, 0.15))
SHARES, TRUE = (0.0, 0.5, 0.9), (-0.6, 0.6)  # of a family in the variance; correlations that are there, either way
# parameters: the sizes of the printed table
ASKED = (1e7, 1e8, 1e9, 1e10)
APART = (1, 2, 3, 5, 10)  # factors by which the sizes that are used lie below the size predicted, at least


def levels(layout: str, *, shared: float, draws: int, seed: int = 0) -> dict[str, float]:
    """Share of intervals that leave out 0 though nothing is there, of |log R - log centre| and the score.

    Args:
        layout: A size bin of the table, or `all`.
        shared: Share of the score's variance that the models of a family have in common.
        draws: Tables drawn.
        seed: Of the draws.
    """
    models = [one for one in published_models() if one.mmlu_pro is not None and layout in (one.size_bin, "all")]
    families = [one.family_key for one in models]
    names, group = np.unique(families, return_inverse=True)
    distance = np.array([abs(math.log(one.ratio / centre_of(PAPER_INTERVAL))) for one in models])
    size = np.log([one.params_total for one in models])
    tokens = np.log([one.tokens or math.nan for one in models])
    controls = {"plain": [], "given N": [size], "given N, tokens": [size, tokens]}
    rng = np.random.default_rng(seed)
    left_out: dict[str, list[bool]] = {}
    for _ in range(draws):
        common, own = rng.normal(size=len(names))[group], rng.normal(size=len(models))
        score = math.sqrt(shared) * common + math.sqrt(1 - shared) * own
        for name, held in controls.items():
            association = correlate(distance, score, families=families, controls=held)
            if association.low is not None:
                left_out.setdefault(name, []).append(association.differs)
    return {name: float(np.mean(each)) for name, each in left_out.items()}


def coverage(truth: float, *, shared: float, draws: int, seed: int = 0) -> float:
    """Share of 95% intervals that hold a true correlation, in the layout of the smallest models."""
    families = [one.family_key for one in published_models() if one.mmlu_pro is not None and one.size_bin == LAYOUTS[0]]
    names, group = np.unique(families, return_inverse=True)
    mix = np.linalg.cholesky([[1, truth], [truth, 1]])
    rng = np.random.default_rng(seed)
    held = []
    for _ in range(draws):
        common, own = rng.normal(size=(len(names), 2))[group], rng.normal(size=(len(group), 2))
        x, y = ((math.sqrt(shared) * common + math.sqrt(1 - shared) * own) @ mix.T).T
        one = correlate(x, y, families=families)
        held.append(one.low is not None and one.high is not None and one.low <= truth <= one.high)
    return float(np.mean(held))


def pool_coverage(spread: float, slope: float, *, bend: float, draws: int, seed: int = 0) -> dict[float, float]:
    """Share of new data sets whose R* lies in the pool's 90% interval, by size N.

    log R* of a data set is a line in log N: its level differs between data sets by `spread`, its slope by `bend`.
    """
    rng = np.random.default_rng(seed)

    def line() -> tuple[float, float]:
        return spread * rng.normal(), slope + bend * rng.normal()

    held: dict[float, list[bool]] = {size: [] for size in ASKED}
    for _ in range(draws):
        seen = {}
        for name, optima in measured_pool().datasets.items():
            level, own = line()
            seen[name] = tuple(
                Optimum(
                    sweep=name,
                    dataset=name,
                    route="budget",
                    params=one.params,
                    status="optimum",
                    ratio=math.exp(level + own * math.log(one.params / 1e8) + one.estimate[1] * rng.normal()),
                    log_stderr=one.estimate[1],
                )
                for one in optima
            )
        pooled = pool(seen)
        for size, each in held.items():
            level, own = line()
            one = pooled.predict(size)
            each.append(math.log(one.low) <= level + own * math.log(size / 1e8) <= math.log(one.high))
    return {size: float(np.mean(each)) for size, each in held.items()}


def carried(apart: float) -> tuple[int, dict[str, tuple[float, float, float]]]:
    """How far each data set's log R* lies from what the others' smaller sizes say of it.

    Args:
        apart: Sizes up to N / apart are used for a prediction at N, where three data sets or more have some.

    Returns:
        How many data sets are predicted; by rule the root mean square miss, the mean miss, and the share inside the 90%
        interval, one vote a data set.
    """
    everything = measured_pool().datasets
    misses: dict[str, dict[str, list[tuple[float, bool]]]] = {"slope": {}, "flat": {}}
    for name, optima in everything.items():
        for one in optima:
            smaller = {
                other: kept
                for other, each in everything.items()
                if other != name and (kept := tuple(own for own in each if own.params <= one.params / apart))
            }
            if len(smaller) < FEWEST:
                continue
            pooled = pool(smaller)
            for rule, used in (("slope", pooled), ("flat", replace(pooled, trend=0.0))):
                y, found = one.estimate[0], used.predict(one.params, variance=one.estimate[1] ** 2)
                miss = y - math.log(found.ratio)
                misses[rule].setdefault(name, []).append((miss, found.low <= math.exp(y) <= found.high))
    told = {}
    for rule, of in misses.items():
        each = [np.array(found, dtype=float) for found in of.values()]
        squares, means, inside = (
            float(np.mean([of_one(found) for found in each]))
            for of_one in (lambda f: (f[:, 0] ** 2).mean(), lambda f: f[:, 0].mean(), lambda f: f[:, 1].mean())
        )
        told[rule] = (math.sqrt(squares), means, inside)
    return len(misses["slope"]), told


def main() -> None:
    """Prints the tables."""
    print(f"Share of 95% intervals that leave out 0 though nothing is there, {DRAWS} draws; should be 5%\n")
    print("| size | shared within a family | plain | given N | given N, tokens |")
    print("|---|---|---|---|---|")
    for layout in LAYOUTS:
        for shared in SHARES:
            shares = levels(layout, shared=shared, draws=DRAWS)
            cells = (
                f"{shares[name]:.1%}" if name in shares else "-" for name in ("plain", "given N", "given N, tokens")
            )
            print(f"| {layout} | {shared:.0%} | {' | '.join(cells)} |")
    held = [f"{coverage(truth, shared=SHARES[1], draws=DRAWS):.1%}" for truth in TRUE]
    print(f"\n95% intervals that hold a correlation of -.6: {held[0]}, of +.6: {held[1]}")
    print(f"\nShare of 90% intervals of the pool that hold R* of a data set not seen, {DRAWS} draws\n")
    print("| spread between data sets | slope | spread of slopes | 10M | 100M | 1B | 10B |")
    print("|---|---|---|---|---|---|---|")
    for world in WORLDS:
        shares = " | ".join(f"{share:.0%}" for share in pool_coverage(*world[:2], bend=world[2], draws=DRAWS).values())
        print(f"| {' | '.join(f'{one:g}' for one in world)} | {shares} |")
    print("\nA data set predicted from the others' smaller sizes: miss of log R*, its mean, share inside 90%\n")
    print("| sizes smaller by | data sets | along the slope | carried flat |")
    print("|---:|---:|---|---|")
    for apart in APART:
        number, told = carried(apart)
        cells = (f"{miss:.2f} ({mean:+.2f}), {inside:.0%}" for miss, mean, inside in told.values())
        print(f"| {apart} | {number} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
