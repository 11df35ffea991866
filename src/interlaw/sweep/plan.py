"""From a recipe to trials: budgets x depths x seeds, each a whole spec."""

from __future__ import annotations

from pathlib import Path

from interlaw.errors import InterlawError
from interlaw.runs import BudgetSpec, TrialSpec
from interlaw.shapes import CHINCHILLA_TOKENS_PER_PARAM, Shape, match_shapes
from interlaw.sweep.recipe import Recipe
from interlaw.tasks import TaskPlan
from interlaw.training import TrainSettings


def plan_trials(recipe: Recipe, *, folder: Path) -> list[TrialSpec]:
    """All trials of a recipe.

    Args:
        recipe: The sweep.
        folder: Folder of the recipe file; relative paths of data start there.

    Returns:
        Specs by budget, depth and seed.

    Raises:
        InterlawError: When a budget has no shape, or the data cannot be read or do not suffice.
    """
    task = recipe.task.plan(folder=folder)
    trials: list[TrialSpec] = []
    for amount in recipe.budget.amounts:
        for shape in matched_shapes(recipe, amount=amount, sizes=task.sizes):
            trials.extend(_trial(recipe, task, amount, shape, seed) for seed in recipe.seeds)
    if len({trial.key for trial in trials}) != len(trials):
        raise InterlawError(
            "expected different trials, found the same shape twice under one budget; choose other depths or amounts"
        )
    return trials


def matched_shapes(recipe: Recipe, *, amount: int, sizes: dict[str, int]) -> list[Shape]:
    """The shapes of one budget, with the sizes that the data decide."""
    kind = recipe.budget.kind
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


def num_steps(recipe: Recipe, *, amount: int, shape: Shape, units_per_sample: int) -> int:
    """Optimizer steps: as given, or so many that tokens = tokens_per_param x budget.

    A budget in parameters counts in its nominal amount, so that all its shapes see the same tokens; a budget in FLOPs
    counts in each shape's own parameters.
    """
    training = recipe.training
    if training.steps is not None:
        return training.steps
    params = amount if recipe.budget.kind.startswith("params") else shape.params
    return max(1, round((training.tokens_per_param or 0.0) * params / (training.batch_size * units_per_sample)))


def _trial(recipe: Recipe, plan: TaskPlan, amount: int, shape: Shape, seed: int) -> TrialSpec:
    """One trial."""
    task = plan.spec(shape)
    part = recipe.training
    steps = num_steps(recipe, amount=amount, shape=shape, units_per_sample=task.units_per_sample)
    training = TrainSettings(
        steps=steps,
        batch_size=part.batch_size,
        learning_rate=part.learning_rate,
        warmup_steps=round(part.warmup_fraction * steps),
        final_fraction=part.final_fraction,
        weight_decay=part.weight_decay,
        beta1=part.beta1,
        beta2=part.beta2,
        clip=part.clip,
        evaluations=part.evaluations,
        evaluation_samples=part.evaluation_samples,
        test_samples=part.test_samples,
        patience=part.patience,
        blow_up=part.blow_up,
        parametrization="standard" if part.treatment == "fixed" else part.treatment,
        **{name: value for name in ("base_width", "base_depth") if (value := getattr(part, name)) is not None},
        seed=seed,
    )
    return TrialSpec(
        family=recipe.family,
        shape=shape.settings(),
        budget=BudgetSpec(kind=recipe.budget.kind, amount=amount),
        task=task,
        treatment=part.treatment,
        training=training,
        measure=recipe.measure.specs(),
    )
