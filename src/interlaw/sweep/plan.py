"""From a recipe to trials: budgets x depths x seeds, each a whole spec."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from interlaw.errors import InterlawError
from interlaw.runs import BudgetSpec, Record, Treatment, TrialSpec
from interlaw.shapes import CHINCHILLA_TOKENS_PER_PARAM, Shape, match_shapes
from interlaw.sweep.feasible import require_measurable, require_treatable
from interlaw.sweep.recipe import Recipe
from interlaw.sweep.search import next_rates
from interlaw.tasks import TaskPlan
from interlaw.training import parametrization_of, treatment_keys


def plan_trials(recipe: Recipe, *, folder: Path, records: Mapping[str, Record] | None = None) -> list[TrialSpec]:
    """All trials of a recipe, as far as they can be known.

    Args:
        recipe: The sweep.
        folder: Folder of the recipe file; relative paths of data start there.
        records: Trials that have ended, by key. Treatment `search` plans its next trials from them; others need none.

    Returns:
        Specs by budget, depth, treatment and seed; under `search` the rates tried for a shape, then its final trials.

    Raises:
        InterlawError: When a budget has no shape, the data cannot be read or do not suffice, a view needs tokens that
                they lack, or a treatment's rules do not fit the network.
    """
    task = recipe.task.plan(folder=folder)
    require_measurable(recipe.measure.views, sizes=task.sizes, kind=recipe.task.kind)
    trials: list[TrialSpec] = []
    for amount in recipe.budget.amounts:
        for shape in matched_shapes(recipe, amount=amount, sizes=task.sizes):
            for treatment in recipe.training.treatment:
                draft: Callable[..., TrialSpec] = partial(
                    _trial, recipe, task, amount=amount, shape=shape, treatment=treatment
                )
                if treatment == "search":
                    trials.extend(_searched(recipe, draft, records=records or {}))
                else:
                    rate = recipe.training.learning_rate
                    trials.extend(draft(seed=seed, rate=rate, stage="final") for seed in recipe.seeds)
    require_treatable(trials, sizes=recipe.shape)
    if len({trial.key for trial in trials}) != len(trials):
        raise InterlawError(
            "expected different trials, found the same shape twice under one budget; choose other depths or amounts"
        )
    return trials


def _searched(recipe: Recipe, draft: Callable[..., TrialSpec], *, records: Mapping[str, Record]) -> list[TrialSpec]:
    """The rates tried on the first seeds so far and to be tried next; once one is chosen, a final trial a seed."""
    trials: list[TrialSpec] = []
    losses: dict[float, float] = {}
    seeds = recipe.seeds[: recipe.training.search_seeds]
    rates, chosen = next_rates(losses, recipe.training.learning_rates or ())
    while rates:
        tried = {rate: [draft(seed=seed, rate=rate, stage="search") for seed in seeds] for rate in rates}
        trials.extend(trial for group in tried.values() for trial in group)
        if any(trial.key not in records for group in tried.values() for trial in group):
            return trials
        losses |= {rate: _mean_loss([records[trial.key] for trial in group]) for rate, group in tried.items()}
        rates, chosen = next_rates(losses, recipe.training.learning_rates or ())
    if chosen is not None:
        trials.extend(draft(seed=seed, rate=chosen, stage="final") for seed in recipe.seeds)
    return trials


def _mean_loss(records: Sequence[Record]) -> float:
    """Mean validation loss of one rate; inf where a seed did not end well: such a rate is not to be trusted."""
    losses = [record.val_loss for record in records if record.status == "done" and record.val_loss is not None]
    return sum(losses) / len(losses) if len(losses) == len(records) else math.inf


def matched_shapes(recipe: Recipe, *, amount: float, sizes: dict[str, int]) -> list[Shape]:
    """The shapes of one budget, with the sizes that the data decide."""
    kind = recipe.budget.kind
    if kind == "tokens_per_param":
        amount, kind = recipe.budget.params or 0, "params"
    return match_shapes(
        family=recipe.family,
        depths=recipe.depths,
        params=amount if kind.startswith("params") else None,
        count="non-embedding" if kind == "params_non_embedding" else "total",
        flops_per_token=amount if kind == "flops_per_token" else None,
        flops=amount if kind == "train_flops" else None,
        tokens_per_param=recipe.training.tokens_per_param or CHINCHILLA_TOKENS_PER_PARAM,
        rule=recipe.budget.rule,
        multiple_of=recipe.budget.multiple_of,
        **sizes,
        **recipe.shape,
    )


def num_steps(recipe: Recipe, *, amount: float, shape: Shape, units_per_sample: int) -> int:
    """Optimizer steps: as given, or so many that tokens = tokens_per_param x budget (or amount x params).

    A budget in parameters counts in its nominal amount, so that all its shapes see the same tokens; a budget in FLOPs
    counts in each shape's own parameters.
    """
    training = recipe.training
    if training.steps is not None:
        return training.steps
    params = amount if recipe.budget.kind.startswith("params") else shape.params
    ratio = training.tokens_per_param or 0.0
    if recipe.budget.params is not None:
        params, ratio = recipe.budget.params, float(amount)
    return max(1, round(ratio * params / (training.batch_size * units_per_sample)))


def _trial(
    recipe: Recipe,
    plan: TaskPlan,
    *,
    amount: float,
    shape: Shape,
    treatment: Treatment,
    seed: int,
    rate: float,
    stage: Literal["search", "final"],
) -> TrialSpec:
    task = plan.spec(shape)
    part = recipe.training
    steps = num_steps(recipe, amount=amount, shape=shape, units_per_sample=task.units_per_sample)
    training = part.settings(
        steps=steps,
        learning_rate=rate,
        parametrization=parametrization_of(treatment),
        **{name: getattr(part, name) for name in treatment_keys(treatment) if name.startswith("base_")},
        intervention=recipe.intervention.on if recipe.intervention else "none",
        strength=recipe.intervention.strength if recipe.intervention else 0.0,
        seed=seed,
    )
    return TrialSpec(
        family=recipe.family,
        shape=shape.settings(),
        budget=BudgetSpec(kind=recipe.budget.kind, amount=amount),
        task=task,
        treatment=treatment,
        stage=stage,
        training=training,
        # a trial that tries a rate counts only for choosing it
        measure=() if stage == "search" else recipe.measure.specs(trained_samples=steps * part.batch_size),
    )
