"""Processor time of `fit_law` on tables up to 10,000 runs; its batched bootstrap against a loop over SciPy's solver."""

from __future__ import annotations

import time

import numpy as np
from scipy import optimize

from benchmarks.clock import processor_seconds
from benchmarks.row import Row
from interlaw.laws import fit_law
from interlaw.laws.forms import features_of, joint
from interlaw.laws.solve import solve

# budgets, shapes, seeds: of a usual sweep, and 10,000 runs with many seeds or many shapes
TABLES = ((5, 8, 2), (20, 25, 20), (20, 500, 1))
REFITTED = (10, 10)  # budgets and shapes of the table that the bootstrap draws from
NUM_DRAWS = 200  # a loop over SciPy takes seconds for so many


def table(num_budgets: int, num_shapes: int, *, num_seeds: int) -> dict[str, np.ndarray]:
    """Runs of a known law with interaction measured on each."""
    rng = np.random.default_rng(0)
    budget, depth, seed = (
        each.ravel()
        for each in np.meshgrid(
            np.geomspace(1e5, 1e9, num_budgets), np.arange(1, num_shapes + 1.0), np.arange(num_seeds), indexing="ij"
        )
    )
    width = np.sqrt(budget / 12 / depth)
    away = np.log(depth / width) - np.log(0.03) - 0.02 * np.log(budget / 1e6)
    loss = (1 + 0.8 * (budget / 1e6) ** -0.25 + 0.04 * away**2) * np.exp(0.003 * rng.normal(size=budget.size))
    return {
        "budget": budget,
        "params": budget,
        "depth": depth,
        "width": width,
        "seed": seed,
        "loss": loss,
        "aofe": np.exp(away + 0.3 * rng.normal(size=budget.size)),
        "aofe_ratio": 0.9 - 0.01 * away**2 + 0.003 * rng.normal(size=budget.size),
    }


def bootstrap_seconds() -> tuple[float, float]:
    """Processor seconds for weighted refits of the joint law to 100 shapes: batched, and one SciPy call a draw."""
    runs = table(*REFITTED, num_seeds=1)
    features, loss = features_of(params=runs["params"], depth=runs["depth"], width=runs["width"]), runs["loss"]
    form = joint(features)
    solution = solve(form, features, loss=loss)
    weights = np.random.default_rng(1).exponential(size=(NUM_DRAWS, len(loss)))
    starts = np.tile(solution.theta, (NUM_DRAWS, 1))
    begin = time.process_time()
    solution.problem.polish(starts, weights=weights)
    middle = time.process_time()
    for draw in weights:
        root = np.sqrt(draw)
        optimize.least_squares(
            lambda theta, root=root: root * (np.log(form.predict(theta, features)) - np.log(loss)),
            solution.theta,
            loss="huber",
            f_scale=solution.problem.huber_delta,
        )
    return middle - begin, time.process_time() - middle


def run() -> list[Row]:
    """Rows for the table of benchmarks."""
    rows = []
    for shape in TABLES:
        runs = table(*shape[:2], num_seeds=shape[2])
        seconds = processor_seconds(lambda runs=runs: fit_law(runs))
        name = f"fit_law, {len(runs['loss']):,} rows ({' x '.join(map(str, shape))} budgets, shapes, seeds)"
        rows.append(Row(name=name, unit="s of processor", ours=seconds, target="seconds"))
    ours, baseline = bootstrap_seconds()
    name = f"joint law, {NUM_DRAWS} bootstrap refits; baseline: SciPy in a loop"
    rows.append(
        Row(name=name, unit="s of processor", ours=ours, baseline=baseline, ratio=baseline / ours, target="> 1")
    )
    return rows
