"""From a recipe to trials: budgets x depths x seeds, each a whole spec."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from interlaw.errors import InterlawError
from interlaw.runs import BudgetSpec, TextTaskSpec, TrialSpec
from interlaw.shapes import Shape, match_shapes
from interlaw.sweep.recipe import Recipe
from interlaw.tasks import SPLITS, Corpus, open_corpus
from interlaw.training import TrainSettings


def plan_trials(recipe: Recipe, *, folder: Path) -> list[TrialSpec]:
    """All trials of a recipe.

    Args:
        recipe: The sweep.
        folder: Folder of the recipe file; a relative corpus path starts there.

    Returns:
        Specs by budget, depth and seed.

    Raises:
        InterlawError: When a budget has no shape, or the corpus cannot be read or is too small.
    """
    corpus = _open(recipe, folder)
    trials = []
    for amount in recipe.budget.amounts:
        for shape in matched_shapes(recipe, amount=amount, vocab_size=corpus.vocab_size):
            trials.extend(_trial(recipe, corpus, amount, shape, seed) for seed in recipe.seeds)
    _require_context(corpus, trials)
    if len({trial.key for trial in trials}) != len(trials):
        raise InterlawError("expected different trials, found the same shape twice under one budget; choose other depths or amounts")
    return trials


def matched_shapes(recipe: Recipe, *, amount: int, vocab_size: int) -> list[Shape]:
    """The shapes of one budget."""
    kind = recipe.budget.kind
    return match_shapes(
        family=recipe.family,
        depths=recipe.depths,
        params=amount if kind.startswith("params") else None,
        count="non-embedding" if kind == "params_non_embedding" else "total",
        flops_per_token=amount if kind == "flops_per_token" else None,
        flops=amount if kind == "train_flops" else None,
        tokens_per_param=recipe.training.tokens_per_param,
        rule=recipe.budget.rule,
        multiple_of=recipe.budget.multiple_of,
        vocab_size=vocab_size,
        **recipe.shape,
    )


def num_steps(recipe: Recipe, *, amount: int, shape: Shape, context: int) -> int:
    """Optimizer steps: as given, or so many that tokens = tokens_per_param x budget.

    A budget in parameters counts in its nominal amount, so that all its shapes see the same tokens; a budget in FLOPs counts in
    each shape's own parameters.
    """
    training = recipe.training
    if training.steps is not None:
        return training.steps
    params = amount if recipe.budget.kind.startswith("params") else shape.params
    return max(1, round((training.tokens_per_param or 0.0) * params / (training.batch_size * context)))


def _trial(recipe: Recipe, corpus: Corpus, amount: int, shape: Shape, seed: int) -> TrialSpec:
    """One trial."""
    settings = shape.settings()
    context = settings["context"]
    part = recipe.training
    steps = num_steps(recipe, amount=amount, shape=shape, context=context)
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
        seed=seed,
    )
    task = TextTaskSpec(
        corpus=corpus.source,
        tokenizer=corpus.tokenizer,
        text_column=recipe.task.text_column,
        digest=corpus.digest,
        context=context,
    )
    return TrialSpec(
        family=recipe.family,
        shape=settings,
        budget=BudgetSpec(kind=recipe.budget.kind, amount=amount),
        task=task,
        treatment=part.treatment,
        training=training,
        measure=recipe.measure.specs(),
    )


def _open(recipe: Recipe, folder: Path) -> Corpus:
    """The recipe's corpus; a relative path starts at the recipe."""
    source = recipe.task.corpus
    if source != "stdlib" and not source.startswith("datasets:"):
        source = str((folder / source).resolve())
    return open_corpus(source, tokenizer=recipe.task.tokenizer, text_column=recipe.task.text_column)


def _require_context(corpus: Corpus, trials: Sequence[TrialSpec]) -> None:
    """Refuses a corpus that is too small before anything runs."""
    longest = max(trial.task.context for trial in trials)
    for split in SPLITS:
        if corpus.num_tokens[split] < longest + 1:
            raise InterlawError(
                f"expected at least {longest + 1} tokens in the {split} split of {corpus.source} (context + 1), "
                f"found {corpus.num_tokens[split]}; give more text or a shorter context"
            )


