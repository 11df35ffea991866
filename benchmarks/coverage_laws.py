"""How far statuses and intervals of a fit can be trusted, in its family and out of it: run `laws_coverage`.

Every truth is L(N, R) times exp(noise); R*(N) and gamma are known. First: how often a single budget without an optimum
is called one. Then, over four or five budgets: how often 90% intervals of R* and of gamma, by both routes, hold it.
A cell is a share with its Monte Carlo standard error.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interlaw.laws.budget_fit import fit_budget
from interlaw.laws.grouping import group_shapes
from interlaw.laws.joint_law import fit_joint_law
from interlaw.laws.settings import Settings
from interlaw.laws.stability import judge_stability
from interlaw.laws.surface import surface_optima
from interlaw.laws.table import read_runs

Array = NDArray[np.float64]
CONFIDENCE, DRAWS = Settings.confidence, 300  # fewer draws than by default
RATE_COST = 0.01  # of a rate off by a factor e: the best rate falls with the root of the depth
SETTINGS = Settings(num_bootstrap=DRAWS, num_permutations=100)  # nothing here is permuted: 100 is the least
STATUS_DRAWS, COVERAGE_DRAWS = 400, 200  # errors of shares of at most 0.025 and 0.035
STATUSES = ("optimum", "open", "edge", "flat")

# Relative loss over the grid, u = 0 at its shallow end and 1 at its deep end; the first five have no optimum inside.
CURVES: dict[str, Callable[[Array], Array]] = {
    "flat": lambda u: 0 * u,
    "falls throughout": lambda u: 0.05 * (1 - u),
    "lowest at the end": lambda u: 0.08 * (1 - u) ** 2,
    "falls, then level": lambda u: 0.08 * np.maximum(0, 0.6 - u) / 0.6,
    "falls ever slower": lambda u: 0.08 * np.exp(-4 * u),
    "minimum in the middle": lambda u: 0.24 * (u - 0.5) ** 2,
    "minimum at three quarters": lambda u: 0.24 * (u - 0.75) ** 2,
}
NOISES = ("normal", "AR(.8)", "t(2)")  # of neighbouring shapes of one seed; of each run
GRIDS = ((3, 3), (4, 3), (5, 1), (5, 3), (7, 1), (7, 3), (12, 1), (12, 3))  # shapes, seeds


@dataclass(frozen=True, kw_only=True)
class Truth:
    """A sweep's law and how its noise, sizes and rates misbehave."""

    loss: Callable[[Array, Array], Array]
    best: Callable[[float], float]
    budgets: tuple[float, ...] = (5e5, 1e6, 2e6, 4e6, 8e6)
    depths: tuple[tuple[int, ...], ...] = ((2, 3, 4, 6, 8, 12, 16),) * 5
    deep_noise: float = 1.0
    correlation: float = 0.0
    step: int = 0


def wells(kind: str) -> Callable[[Array, Array], Array]:
    """1 + 0.8 (N / 1M)^-0.25 and a well of curvature 0.05 around R* = 0.03 (N / 1M)^0.1; `kind`: how it scales."""

    def loss(size: Array, ratio: Array) -> Array:
        power = 0.8 * (size / 1e6) ** -0.25
        away = np.log(ratio / 0.03) - 0.1 * np.log(size / 1e6)
        scale = {"constant": 1.0, "reducible": power / 0.8, "total": (1 + power) / 1.8}[kind]
        return np.asarray(1 + power + 0.05 * scale * away**2)

    return loss


def well_best(size: float) -> float:
    return float(0.03 * (size / 1e6) ** 0.1)


def additive(size: Array, ratio: Array) -> Array:
    """The law of arXiv 2602.05970: 1.75 + 333 w^-0.977 + 1284 (100 l)^-1.2 at N = 12 l w^2."""
    depth = np.cbrt(size * ratio**2 / 12)
    return np.asarray(1.75 + 333 * (depth / ratio) ** -0.977 + 1284 * (100 * depth) ** -1.2)


def additive_best(size: float) -> float:
    grid = np.geomspace(1e-3, 1, 20_001)
    return float(grid[np.argmin(additive(np.full_like(grid, size), grid))])


RATE_DEPTH = 6  # the depth that the one rate suits: the middle of every grid


def untuned_loss(size: Array, ratio: Array) -> Array:
    """The wells as one rate for all trains them: a rate off by a factor costs a parabola in its log."""
    depth = np.cbrt(size * ratio**2 / 12)
    return wells("constant")(size, ratio) * (1 + RATE_COST * (0.5 * np.log(depth / RATE_DEPTH)) ** 2)


def untuned_best(size: float) -> float:
    grid = np.geomspace(1e-3, 1, 20_001)
    return float(grid[np.argmin(untuned_loss(np.full_like(grid, size), grid))])


# parameters, and depths around the optimum of each
LARGE = {
    "budgets": (1e6, 1e7, 1e8, 1e9),
    "depths": ((1, 2, 3, 4, 6, 8, 12), (2, 3, 4, 6, 8, 12, 16), (4, 6, 8, 12, 16, 24, 32), (8, 12, 16, 24, 32, 48, 64)),
}
FIVE = {**LARGE, "depths": tuple(depths[1:6] for depths in LARGE["depths"])}
PLAIN = {"loss": wells("constant"), "best": well_best}
TRUTHS: dict[str, Truth] = {
    "in the family": Truth(**PLAIN),  # type: ignore[arg-type]
    "additive law": Truth(loss=additive, best=additive_best, **LARGE),  # type: ignore[arg-type]
    "additive law, five shapes": Truth(loss=additive, best=additive_best, **FIVE),  # type: ignore[arg-type]
    "deep side 4 times noisier": Truth(deep_noise=4.0, **PLAIN),  # type: ignore[arg-type]
    "AR(.8) along depth": Truth(correlation=0.8, **PLAIN),  # type: ignore[arg-type]
    "widths in steps of 8": Truth(step=8, **PLAIN),  # type: ignore[arg-type]
    "one rate for all": Truth(loss=untuned_loss, best=well_best),
    "one rate for all, its own optimum": Truth(loss=untuned_loss, best=untuned_best),
    "curvature as the reducible loss": Truth(loss=wells("reducible"), best=well_best),
    "curvature as the total loss": Truth(loss=wells("total"), best=well_best),
}


QUIET = ("in the family", "additive law")  # asked at a third of the noise, too


def one_budget(
    curve: str, num_shapes: int, *, seeds: int, noise: float, draw: int, kind: str = "normal"
) -> dict[str, Array]:
    """A budget of 2M parameters over R = 0.004 to 0.25; odd draws are mirrored."""
    rng = np.random.default_rng(draw)
    x = np.linspace(np.log(0.004), np.log(0.25), num_shapes)
    place = (x - x[0]) / (x[-1] - x[0])
    mean = 2 * (1 + CURVES[curve](1 - place if draw % 2 else place))
    depth = np.cbrt(2e6 / 12 * np.exp(2 * x))
    scatter = rng.standard_t(2, size=(num_shapes, seeds)) if kind == "t(2)" else rng.normal(size=(num_shapes, seeds))
    if kind == "AR(.8)":
        apart = np.abs(np.subtract.outer(np.arange(num_shapes), np.arange(num_shapes)))
        scatter = np.linalg.cholesky(0.8**apart) @ scatter
    loss = mean[:, None] * np.exp(noise * scatter)
    return {
        "params": np.full(num_shapes * seeds, 2e6),
        "depth": np.repeat(depth, seeds),
        "width": np.repeat(depth / np.exp(x), seeds),
        "seed": np.tile(np.arange(seeds, dtype=np.float64), num_shapes),
        "loss": loss.ravel(),
    }


def status_shares(
    curve: str, num_shapes: int, *, seeds: int, noise: float, draws: int, kind: str = "normal"
) -> dict[str, float]:
    """Share of draws of each status; `held`, of intervals that hold the middle of the grid, where one curve has R*."""
    statuses: Counter[str] = Counter()
    held: list[bool] = []
    for draw in range(draws):
        shapes = group_shapes(read_runs(one_budget(curve, num_shapes, seeds=seeds, noise=noise, draw=draw, kind=kind)))
        star = fit_budget(shapes, shapes.frame, settings=SETTINGS, rng=np.random.default_rng(draw)).r_star
        statuses[star.status] += 1
        if star.status != "flat":
            held.append(_holds(star.low, star.high, truth=float(np.exp(shapes.frame["log_ratio"].mean()))))
    return {
        **{status: statuses[status] / draws for status in STATUSES},
        "held": float(np.mean(held)) if held else float("nan"),
    }


def sweep(truth: Truth, *, noise: float, draw: int) -> dict[str, Array]:
    """One seed of every shape of every budget."""
    rng = np.random.default_rng(draw)
    parts = []
    for budget, depths in zip(truth.budgets, truth.depths, strict=True):
        depth = np.array(depths, dtype=np.float64)
        width = np.sqrt(budget / 12 / depth)
        if truth.step:
            width = np.maximum(truth.step, truth.step * np.round(width / truth.step))
        params = 12 * depth * width**2
        ratio = depth / width
        normal = rng.normal(size=len(depth))
        for i in range(1, len(depth)):
            normal[i] = truth.correlation * normal[i - 1] + np.sqrt(1 - truth.correlation**2) * normal[i]
        deviation = noise * np.where(ratio > truth.best(budget), truth.deep_noise, 1.0)
        loss = truth.loss(params, ratio) * np.exp(deviation * normal)
        parts.append(
            {"budget": np.full(len(depth), budget), "params": params, "depth": depth, "width": width, "loss": loss}
        )
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def coverage(name: str, *, noise: float, draws: int) -> dict[str, tuple[float, int] | float]:
    """Shares of intervals that hold the truth, each with the number of draws that gave one; bias of R*."""
    truth = TRUTHS[name]
    first, last = truth.budgets[0], truth.budgets[-1]
    gamma = float(np.log(truth.best(last) / truth.best(first)) / np.log(last / first))
    held: dict[str, list[bool]] = {"R*": [], "gamma, over optima": [], "gamma, jointly": []}
    away = []
    for draw in range(draws):
        shapes = group_shapes(read_runs(sweep(truth, noise=noise, draw=draw)))
        rng = np.random.default_rng(draw)
        budgets = tuple(fit_budget(shapes, own, settings=SETTINGS, rng=rng) for own in shapes.by_budget())
        for fit in budgets:
            star, best = fit.r_star, truth.best(fit.budget)
            if star.status in ("optimum", "open", "edge"):
                held["R*"].append(_holds(star.low, star.high, truth=best))
            if star.value is not None:
                away.append(np.log(star.value / best))
        stability = judge_stability(budgets, confidence=CONFIDENCE)
        if stability.low is not None:
            held["gamma, over optima"].append(_holds(stability.low, stability.high, truth=gamma))
        law = fit_joint_law(shapes, budgets, confidence=CONFIDENCE, num_bootstrap=DRAWS, rng=rng, compare=False)
        if law is not None and law.status == "optimum":
            joint = law.parameters["gamma"]
            held["gamma, jointly"].append(_holds(joint.low, joint.high, truth=gamma))
    bias = float(np.exp(np.mean(away)) - 1) if away else float("nan")
    return {
        **{what: (float(np.mean(each)) if each else float("nan"), len(each)) for what, each in held.items()},
        "bias": bias,
    }


# depths and widths as published grids have them; a size and an optimum inside
GRID = np.array([(d, w) for d in (4, 8, 12, 16, 24) for w in (96, 192, 288, 320, 488, 512, 576, 640, 768, 1024)], float)
SURFACE_SIZE, SURFACE_BEST = 3e7, 0.045


def surface_coverage(curve: str, *, noise: float, draws: int) -> tuple[Counter[str], list[bool]]:
    """Statuses of the surface through a grid of depths and widths, and whether bounded intervals hold R*.

    `well` has its minimum at `SURFACE_BEST`, inside the shapes near `SURFACE_SIZE`; the other curves have none.
    """
    depth, width = GRID.T
    params, x = 12 * depth * width**2, np.log(depth / width)
    place = (x - x.min()) / (x.max() - x.min())
    shape = 0.012 * (x - np.log(SURFACE_BEST)) ** 2 if curve == "well" else CURVES[curve](place)
    mean = (1.7 + 2.2 * (params / 1e8) ** -0.3) * (1 + shape)
    statuses: Counter[str] = Counter()
    held = []
    for draw in range(draws):
        loss = mean * np.exp(noise * np.random.default_rng(draw).normal(size=len(mean)))
        columns = {"params": params, "depth": depth, "width": width, "loss": loss}
        (star,) = surface_optima(columns, sizes=[SURFACE_SIZE], num_bootstrap=DRAWS, seed=draw)
        statuses[star.status] += 1
        if star.status in ("optimum", "open"):
            held.append(_holds(star.low, star.high, truth=SURFACE_BEST))
    return statuses, held


def print_surfaces() -> None:
    """How a surface through a grid without budgets does, in Markdown."""
    print(
        f"\n| loss over R, grid of 5 x 10 | noise | {' | '.join(STATUSES)} | R* held |\n|---|---|---|---|---|---|---|"
    )
    for curve in ("flat", "falls throughout", "falls, then level", "falls ever slower", "well"):
        for noise in (0.0015, 0.0045):
            statuses, held = surface_coverage(curve, noise=noise, draws=COVERAGE_DRAWS)
            cells = [_share(statuses[status] / COVERAGE_DRAWS, COVERAGE_DRAWS) for status in STATUSES]
            last = _share(float(np.mean(held)), len(held)) if curve == "well" else "-"
            print(f"| {curve} | {noise:.2%} | {' | '.join(cells)} | {last} |", flush=True)


def _holds(low: float | None, high: float | None, *, truth: float) -> bool:
    return (low is None or low <= truth) and (high is None or truth <= high)


def _share(share: float, draws: int) -> str:
    return "-" if not draws else f"{share:.2f} ± {np.sqrt(share * (1 - share) / draws):.2f}"


def main() -> None:
    """Prints every table in Markdown."""
    print_surfaces()
    print("| truth | noise | R* held | bias of R* | gamma, over optima | gamma, jointly |\n|---|---|---|---|---|---|")
    for name in TRUTHS:
        for noise in (0.001, 0.003) if name in QUIET else (0.003,):
            of = coverage(name, noise=noise, draws=COVERAGE_DRAWS)
            cells = [_share(*of[what]) for what in ("R*", "gamma, over optima", "gamma, jointly")]  # type: ignore[misc]
            print(f"| {name} | {noise:.1%} | {cells[0]} | {of['bias']:+.1%} | {cells[1]} | {cells[2]} |", flush=True)
    print(f"\n| loss of a budget | noise | shapes, seeds | {' | '.join(STATUSES)} | R* held |")
    print("|---|---|---|" + "---|" * len(STATUSES) + "---|")
    for curve in CURVES:
        for kind in NOISES:
            for num_shapes, seeds in GRIDS if kind == "normal" else GRIDS[-4:]:
                for noise in (0.001, 0.004) if kind == "normal" else (0.002,):
                    shares = status_shares(curve, num_shapes, seeds=seeds, noise=noise, draws=STATUS_DRAWS, kind=kind)
                    cells = " | ".join(_share(shares[status], STATUS_DRAWS) for status in STATUSES)
                    star = _share(shares["held"], STATUS_DRAWS) if curve == "minimum in the middle" else "-"
                    print(f"| {curve} | {noise:.1%} {kind} | {num_shapes}, {seeds} | {cells} | {star} |", flush=True)


if __name__ == "__main__":
    main()
