from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from interlaw.errors import InterlawError
from interlaw.laws import compute_optima, surface_optima
from interlaw.size import parse_size

DEPTHS, WIDTHS = (4, 6, 8, 12, 16, 24, 32, 40), (64, 96, 128, 160, 192, 256, 320, 384, 512, 640)


def grid(
    *, noise: float, seed: int = 0, star: float = 0.05, gamma: float = -0.3, kappa: float = 0.012
) -> dict[str, Any]:
    """A factorial grid whose log loss is a power of N and a parabola in log R about star (N / 1e7)^gamma."""
    rng = np.random.default_rng(seed)
    depth, width = np.array(list(itertools.product(DEPTHS, WIDTHS)), dtype=float).T
    params = 12 * depth * width**2
    away = np.log(depth / width) - np.log(star) - gamma * np.log(params / 1e7)
    log_loss = 1.5 - 0.1 * np.log(params / 1e7) + kappa * away**2 + noise * rng.normal(size=len(depth))
    return {"params": params, "depth": depth, "width": width, "loss": np.exp(log_loss)}


def test_without_noise_the_surface_is_the_truth() -> None:
    for found in surface_optima(grid(noise=0.0), sizes=[5e6, 1e7, 2e7], num_bootstrap=50):
        assert found.status == "optimum"
        truth = 0.05 * (found.params / 1e7) ** -0.3
        assert found.ratio == pytest.approx(truth, rel=0.02)  # the grid of R has steps of one per cent
        assert found.curvature == pytest.approx(0.012, rel=1e-6)


def test_the_interval_covers_the_truth_nine_times_in_ten() -> None:
    covered = [
        found.low < 0.05 < found.high
        for seed in range(150)
        for found in surface_optima(grid(noise=0.003, seed=seed), sizes=[1e7], num_bootstrap=200)
        if found.status == "optimum" and found.low is not None and found.high is not None
    ]
    assert len(covered) > 120
    assert np.mean(covered) >= 0.9 - 2 * np.sqrt(0.09 / len(covered))


def test_a_surface_without_ratio_is_flat_and_one_that_falls_to_the_end_has_no_optimum() -> None:
    seen = [
        surface_optima(grid(noise=0.003, seed=seed, kappa=0.0), sizes=[1e7], num_bootstrap=100)[0].status
        for seed in range(40)
    ]
    assert seen.count("flat") >= 33  # the F test's level is 5%
    assert seen.count("optimum") <= 3
    edge = [
        surface_optima(grid(noise=0.002, seed=seed, star=2.0), sizes=[1e7], num_bootstrap=100)[0] for seed in range(10)
    ]
    assert {one.status for one in edge} <= {"edge", "open"}
    assert {one.ratio for one in edge} == {None}


def test_one_failed_run_moves_little() -> None:
    table = grid(noise=0.001)
    clean = surface_optima(table, sizes=[1e7], num_bootstrap=100)[0]
    near = int(np.argmin(np.abs(np.log(table["params"] / 1e7))))
    table["loss"] = table["loss"].copy()
    table["loss"][near] *= 1.1
    spoiled = surface_optima(table, sizes=[1e7], num_bootstrap=100)[0]
    assert clean.ratio is not None
    assert spoiled.ratio == pytest.approx(clean.ratio, rel=0.1)


def test_tokens_that_vary_on_their_own_are_taken_out() -> None:
    table = grid(noise=0.0005)
    tokens = np.random.default_rng(1).permutation(np.tile([1e8, 2e8, 4e8, 8e8], 20))
    effect = -0.05 * np.log(tokens / 1e8)
    moved = {**table, "loss": table["loss"] * np.exp(effect), "train_tokens": tokens}
    found = surface_optima(moved, sizes=[1e7], num_bootstrap=100)[0]
    assert found.ratio == pytest.approx(0.05, rel=0.1)
    assert found.rms is not None
    assert found.rms < 0.002  # without the terms in log D it would be about 0.04
    blind = {name: column for name, column in moved.items() if name != "train_tokens"}
    assert surface_optima(blind, sizes=[1e7], num_bootstrap=100)[0].status != "optimum"


def test_few_shapes_and_sizes_outside_give_nothing() -> None:
    table = {name: column[:8] for name, column in grid(noise=0.001).items()}
    assert surface_optima(table, sizes=[1e6])[0].status == "too_few_shapes"
    assert surface_optima(grid(noise=0.001), sizes=[1e12])[0].status == "too_few_shapes"


def test_a_loss_without_a_logarithm_is_refused() -> None:
    table = grid(noise=0.001)
    table["loss"][3] = -1.0
    with pytest.raises(InterlawError, match="expected positive finite loss in every row, found others; leave out"):
        surface_optima(table)


def isoflops(seed: int) -> dict[str, list[float]]:
    """Two budgets of 25 shapes each; the best are 2e7 x R .04 and 6e7 x R .04."""
    rng = np.random.default_rng(seed)
    rows: dict[str, list[float]] = {name: [] for name in ("budget", "params", "depth", "width", "loss")}
    for flops, best in ((1e17, 2e7), (1e18, 6e7)):
        for params, ratio in itertools.product(best * np.exp(np.linspace(-1.2, 1.2, 5)), np.geomspace(0.01, 0.15, 5)):
            width = (params / 12 / ratio) ** (1 / 3)
            away = np.log(params / best), np.log(ratio / 0.04)
            log_loss = 1 + 0.03 * away[0] ** 2 + 0.01 * away[1] ** 2 + 0.004 * away[0] * away[1]
            values = (flops, params, ratio * width, width, np.exp(log_loss + 0.0005 * rng.normal()))
            for name, value in zip(rows, values, strict=True):
                rows[name].append(float(value))
    return rows


def test_a_budget_in_flops_gives_size_data_and_ratio() -> None:
    covered = []
    for seed in range(40):
        for found, best in zip(compute_optima(isoflops(seed), num_bootstrap=200), (2e7, 6e7), strict=True):
            assert (found.status, found.num_shapes) == ("optimum", 25)
            assert found.params is not None
            assert found.tokens is not None
            assert found.ratio is not None
            assert found.params[0] == pytest.approx(best, rel=0.05)
            assert found.tokens[0] == pytest.approx(found.flops / 6 / found.params[0])
            assert found.ratio[0] == pytest.approx(0.04, rel=0.1)
            covered += [found.params[1] < best < found.params[2], found.ratio[1] < 0.04 < found.ratio[2]]
    assert abs(np.mean(covered) - 0.9) < 0.07  # 160 intervals, not all independent


def test_the_seeds_of_a_shape_count_once_in_a_budget_in_flops() -> None:
    rows = isoflops(0)
    four = {name: column * 4 for name, column in rows.items()}
    assert compute_optima(four, num_bootstrap=200) == compute_optima(rows, num_bootstrap=200)


def test_a_budget_in_flops_without_a_minimum_inside_gives_nothing() -> None:
    rows = isoflops(0)
    falling = {**rows, "loss": [1 / params for params in rows["params"]]}
    assert {one.status for one in compute_optima(falling)} == {"edge"}
    few = {name: column[:7] for name, column in rows.items()}
    assert compute_optima(few)[0].status == "too_few_shapes"


@pytest.mark.parametrize("optima", [surface_optima, compute_optima])
def test_the_columns_of_a_surface_are_read_as_those_of_a_fit(optima: Callable[..., tuple[object, ...]]) -> None:
    rows = {name: np.array(column) for name, column in isoflops(0).items()}
    written = {**rows, "params": [f"{float(params) / 1e6}M" for params in rows["params"]]}
    numbers = {**rows, "params": [float(parse_size(params)) for params in written["params"]]}
    assert optima(written, num_bootstrap=200) == optima(numbers, num_bootstrap=200)
    with pytest.raises(InterlawError, match="width missing among"):
        optima({name: column for name, column in rows.items() if name != "width"})
    with pytest.raises(InterlawError, match="expected numbers in column width"):
        optima({**rows, "width": ["wide"] * len(rows["width"])})


def test_a_budget_in_flops_is_a_column() -> None:
    with pytest.raises(InterlawError, match="expected the column budget"):
        compute_optima({name: column for name, column in isoflops(0).items() if name != "budget"})


@pytest.mark.parametrize("name", ["gemstones-cooldown", "gemstones-half-rate", "mlfoundations-grid", "byte-level"])
def test_packaged_sweeps_say_what_independent_analysis_of_them_says(name: str) -> None:
    from interlaw.published import find_sweep

    expected = {  # R* by cubics and other surfaces, worked out apart from this project
        "gemstones-cooldown": (1.05e8, 0.076, 0.105),
        "gemstones-half-rate": (1.05e8, 0.066, 0.095),
        "mlfoundations-grid": (2e8, 0.030, 0.039),
        "byte-level": (3e6, 0.036, 0.060),
    }
    size, low, high = expected[name]
    found = surface_optima(find_sweep(name).table(), sizes=[size])[0]
    assert found.status == "optimum"
    assert found.ratio is not None
    assert low < found.ratio < high
