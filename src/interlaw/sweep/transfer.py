"""Does one learning rate serve every shape? The coordinate check, and rate curves over width and depth."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from interlaw.errors import InterlawError
from interlaw.models import build_model
from interlaw.shapes import Shape, make_shape
from interlaw.sweep.feasible import require_scaled_sizes
from interlaw.sweep.recipe import Recipe
from interlaw.sweep.search import best_rate
from interlaw.tasks import Task
from interlaw.training import Axis, CoordinateCheck, TrainSettings, check_coordinates, scale_initial_weights, train

CHECK_STEPS = 8  # judgement: movement that grows with the shape shows within a few


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A recipe's family, data and training around one base shape, for trying other widths and depths.

    Attributes:
        recipe: Family, task, batch and AdamW's numbers.
        folder: Folder of the recipe file.
        base_width: Width while the depth varies, and where `mup` and `completep` are the standard parametrization.
        base_depth: Depth, likewise.
    """

    recipe: Recipe
    folder: Path
    base_width: int
    base_depth: int

    def shapes(self, axis: Axis, sizes: Sequence[int]) -> list[Shape]:
        """The base shape with other widths or depths."""
        decided = self.recipe.task.plan(folder=self.folder).sizes
        base = {"width": self.base_width, "depth": self.base_depth}
        return [
            make_shape(self.recipe.family, **{**base, axis: size}, **decided, **self.recipe.shape)  # type: ignore[arg-type]
            for size in sizes
        ]

    def opener(self) -> Callable[[Shape], Task]:
        """What opens the data of a shape; what was opened is kept."""
        plan = self.recipe.task.plan(folder=self.folder)
        opened = cache(lambda spec: spec.open())
        return lambda shape: opened(plan.spec(shape))

    def settings(self, parametrization: str, *, steps: int, rate: float, **others: Any) -> TrainSettings:
        """The recipe's training in another parametrization and length."""
        return self.recipe.training.settings(
            steps=steps,
            learning_rate=rate,
            evaluations=1,
            test_samples=1,
            parametrization=parametrization,
            base_width=self.base_width,
            base_depth=self.base_depth,
            **others,
        )


@dataclass(frozen=True, kw_only=True)
class RateCurve:
    """Validation loss against the learning rate for one shape.

    Attributes:
        parametrization: standard, mup or completep.
        axis: What varies.
        size: The shape's width or depth.
        rates: Tried, ascending.
        losses: Validation loss of each, the mean over seeds; inf where a run diverged.
        best_rate: The vertex of the parabola in log rate through the best and its neighbours; at an edge, the best.
        at_edge: Whether the best rate is the first or the last one tried.
        seed_best_rates: The best rate of each seed alone: how far the vertex can be trusted.
    """

    parametrization: str
    axis: Axis
    size: int
    rates: tuple[float, ...]
    losses: tuple[float, ...]
    best_rate: float
    at_edge: bool
    seed_best_rates: tuple[float, ...]


def make_bench(recipe: Recipe, *, folder: Path, width: int | None, depth: int | None) -> Bench:
    """A bench around the given base shape, else the recipe's own.

    Raises:
        InterlawError: When neither names one, or a size stays that the rules take to grow with the width.
    """
    base_width, base_depth = width or recipe.training.base_width, depth or recipe.training.base_depth
    if base_width is None or base_depth is None:
        raise InterlawError(
            "expected a base shape, found none in the recipe; give --base-width and --base-depth, or set "
            "training.base_width and training.base_depth"
        )
    for treatment in ("mup", "completep"):
        require_scaled_sizes(recipe.shape, treatment=treatment)
    return Bench(recipe=recipe, folder=folder, base_width=base_width, base_depth=base_depth)


def coordinate_checks(
    bench: Bench, *, parametrizations: Sequence[str], widths: Sequence[int], depths: Sequence[int], rate: float
) -> Iterator[CoordinateCheck]:
    """The coordinate check of each parametrization over width, then over depth."""
    open_task = bench.opener()
    for parametrization in parametrizations:
        for axis, sizes in _axes(widths, depths):
            yield check_coordinates(
                bench.shapes(axis, sizes),
                axis=axis,
                open_task=open_task,
                settings=bench.settings(parametrization, steps=CHECK_STEPS, rate=rate, warmup_steps=0),
            )


def rate_curves(
    bench: Bench,
    *,
    parametrizations: Sequence[str],
    widths: Sequence[int],
    depths: Sequence[int],
    rates: Sequence[float],
    steps: int,
    seeds: Sequence[int] = (0,),
) -> Iterator[RateCurve]:
    """The rate curve of each parametrization and size: one short training a rate and seed."""
    open_task, tried = bench.opener(), tuple(sorted(rates))
    for parametrization in parametrizations:
        for axis, sizes in _axes(widths, depths):
            for size, shape in zip(sizes, bench.shapes(axis, sizes), strict=True):
                task, settings = open_task(shape), partial(bench.settings, parametrization, steps=steps)
                losses = [
                    [_val_loss(shape, task, settings=settings(rate=rate, seed=seed)) for rate in tried]
                    for seed in seeds
                ]
                mean = tuple(sum(column) / len(column) for column in zip(*losses, strict=True))
                yield RateCurve(
                    parametrization=parametrization,
                    axis=axis,
                    size=size,
                    rates=tried,
                    losses=mean,
                    best_rate=best_rate(tried, mean),
                    at_edge=mean.index(min(mean)) in (0, len(tried) - 1),
                    seed_best_rates=tuple(best_rate(tried, row) for row in losses),
                )


def _axes(widths: Sequence[int], depths: Sequence[int]) -> list[tuple[Axis, Sequence[int]]]:
    """The axes that have sizes to compare."""
    axes: list[tuple[Axis, Sequence[int]]] = [("width", widths), ("depth", depths)]
    return [(axis, sizes) for axis, sizes in axes if len(sizes) > 1]


def _val_loss(shape: Shape, task: Task, *, settings: TrainSettings) -> float:
    """Trains a shape; its validation loss, or inf when it diverged."""
    model = build_model(shape, seed=settings.seed)
    scale_initial_weights(model, settings)
    result = train(model, task, settings=settings)
    return result.val_loss if result.status == "done" else math.inf
