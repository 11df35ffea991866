"""Several tables together: their degrees of freedom add, and what differs between them is taken out."""

from __future__ import annotations

import numpy as np

from interlaw.laws import fit_law, pooled_claims


def a_task(*, level: float, seed: int) -> dict[str, np.ndarray]:
    """Two budgets of seven shapes and four seeds; within a shape a low loss goes with a high ratio."""
    grid = np.meshgrid([1e6, 4e6], np.arange(2.0, 9.0), np.arange(4), indexing="ij")
    params, depth, run = (each.ravel() for each in grid)
    rng = np.random.default_rng(seed)
    deviation, other = rng.normal(size=(2, len(depth)))
    return {
        "params": params,
        "depth": depth,
        "width": 400 / np.sqrt(depth),
        "seed": run,
        "loss": level * (1 + 0.1 * np.log(depth / 5) ** 2) * np.exp(0.02 * deviation),
        "aofe": np.exp(other),
        "aofe_ratio": 0.5 + level / 100 - 0.01 * deviation,
    }


def test_degrees_of_freedom_add_and_levels_do_not_count() -> None:
    tables = [a_task(level=1.0, seed=0), a_task(level=20.0, seed=1)]
    alone = [
        next(each for each in fit_law(table, num_bootstrap=100).claims if each.quantity == "aofe_ratio")
        for table in tables
    ]
    together = next(each for each in pooled_claims(tables, num_bootstrap=100) if each.quantity == "aofe_ratio")
    assert [each.test for each in (*alone, together)] == ["within-shapes"] * 3
    assert together.dof == sum(each.dof or 0 for each in alone) == 2 * 2 * 6 * 3
    assert together.verdict == "holds"
    assert min(each.effect or 0 for each in alone) - 1e-9 <= (together.effect or 0) < -0.9
