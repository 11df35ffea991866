"""A fit in plain words: what to choose, how sure, whether the two intervals agree, and what to run next."""

from __future__ import annotations

from interlaw.laws.fit import LawFit
from interlaw.laws.result import BestShape, BudgetFit
from interlaw.size import format_size


def verdict(fit: LawFit) -> list[str]:
    """Sentences for a person, the most useful first: R*, agreement of the intervals, stability, what to run next."""
    return [_best(fit), *_intervals(fit), *_claims(fit), _stability(fit), *_next(fit)]


def _best(fit: LawFit) -> str:
    largest = fit.budgets[-1]
    found = [each for each in fit.budgets if each.r_star.value is not None]
    best = _shape(largest.best)
    if all(each.r_star.status == "given" for each in fit.budgets):
        return (
            f"The table holds one shape a budget ({len(fit.budgets)} of them): they are taken as optima found "
            "elsewhere; no loss curve, interval or check of them is possible."
        )
    if not found:
        measured = f"{best} (R = depth / width = {largest.best.ratio:.3g})"
        return (
            f"No budget has an optimum inside its grid. At the largest, {_budget(largest)}, the best shape "
            f"{_how(largest.best)} is {measured}, but {largest.r_star.reason}."
        )
    most = found[-1]
    extra = ""
    if most is not largest:
        extra = f" At {_budget(largest)} there is none: {largest.r_star.reason}."
    return (
        f"At {_budget(most)} the loss is lowest near R = depth / width = {most.r_star.value:.3g} "
        f"({_range(most, fit.confidence)}); the best shape {_how(most.best)} is {_shape(most.best)} "
        f"with loss {most.best.loss_text}{_ties(most)}. Anything from R = {_ends(most)} is within "
        f"{100 * fit.delta:.2g}% of the best loss, the loss interval.{extra}"
    )


def _budget(budget: BudgetFit) -> str:
    """The budget as the table has it; its mean parameters beside it where they read differently."""
    amount, params = format_size(budget.budget), format_size(budget.params_mean)
    return f"{params} parameters" if amount == params else f"budget {amount} (mean of {params} parameters)"


def _how(best: BestShape) -> str:
    """Shapes of unequal sizes are compared at equal size."""
    return "at equal size" if best.is_corrected else "measured"


def _range(budget: BudgetFit, confidence: float) -> str:
    low, high = budget.r_star.low, budget.r_star.high
    level = f"{confidence:.0%} interval"
    if low is None:
        return f"{level}: below {high:.3g}, with no lower bound inside the grid"
    if high is None:
        return f"{level}: above {low:.3g}, with no upper bound inside the grid"
    return f"{level} {low:.3g} to {high:.3g}"


def _ends(budget: BudgetFit) -> str:
    interval = budget.loss_interval
    low = f"{interval.low:.3g}" + (" (the end of the grid)" if interval.low_open else "")
    return f"{low} to {interval.high:.3g}" + (" (the end of the grid)" if interval.high_open else "")


def _ties(budget: BudgetFit) -> str:
    count = budget.best.num_tied
    return (
        "" if not count else f", which {count} other shape{'s equal' if count > 1 else ' equals'} within the seed noise"
    )


def _intervals(fit: LawFit) -> list[str]:
    pooled = fit.interaction_interval
    if pooled is None:
        return []
    view = f" of the {fit.view} view" if fit.view else ""
    where = f"The interaction interval{view}, found without the loss, is"
    if pooled.low is None or pooled.high is None:
        return [f"{where} not determined: {pooled.reason}."]
    several = f" (mean of {pooled.num_budgets} budgets)" if pooled.num_budgets > 1 else ""
    return [f"{where} R = {pooled.low:.3g} to {pooled.high:.3g}{several}."]


def _claims(fit: LawFit) -> list[str]:
    """What is known of the claims about interaction in this view, or why nothing is."""
    own = [each for each in fit.claims if each.view in (fit.view, "") and each.claim in ("C2", "C3")]
    known = [each for each in own if each.verdict in ("holds", "opposite", "negligible")]
    return [each.sentence for each in known or own[:1]] if fit.interaction_interval is not None else []


def _stability(fit: LawFit) -> str:
    stability = fit.stability
    opening = {
        "stable": "The best ratio stays put as the budget grows",
        "moves": "The best ratio moves with the budget",
        "cannot tell": "Whether the best ratio stays put as the budget grows cannot be told",
    }[stability.verdict]
    joint = ""
    if fit.law is not None and fit.law.status == "optimum" and stability.gamma is not None:
        gamma = fit.law.parameters["gamma"]
        joint = f" (the joint law of all runs says gamma = {gamma.value:+.2f}, {gamma.low:+.2f} to {gamma.high:+.2f})"
    return f"{opening}: {stability.reason}{joint}."


def _next(fit: LawFit) -> list[str]:
    """The runs that would settle most, at most three."""
    if all(each.r_star.status == "given" for each in fit.budgets):
        return ["To run next: a grid of depths with two seeds at each of at least three budgets, a tenfold span apart."]
    steps = []
    bottom = [each for each in fit.budgets if each.r_star.edge == "low" and _has_single_layer(each)]
    if bottom:
        sizes = ", ".join(format_size(each.budget) for each in bottom)
        steps.append(
            f"larger budgets, longer training or another learning rate than at {sizes}, where no shape is "
            "shallower than the one layer that did best"
        )
    for side, name in (("low", "wider and shallower"), ("high", "deeper and narrower")):
        found = [each for each in fit.budgets if each.r_star.edge == side and each not in bottom]
        if found:
            sizes = ", ".join(format_size(each.budget) for each in found)
            steps.append(f"{name} shapes at {sizes} (the minimum is at the edge of the grid)")
    few = [format_size(each.budget) for each in fit.budgets if each.r_star.status in ("too_few_shapes", "flat")]
    if few:
        steps.append(f"more shapes or seeds at {', '.join(few)}")
    if not any(each.loss_interval.seed_noise for each in fit.budgets):
        steps.append("a second seed of the best shape and its neighbours (the seed noise is unknown)")
    if fit.stability.verdict == "cannot tell":
        smallest, largest = fit.budgets[0].budget, fit.budgets[-1].budget
        if fit.stability.num_budgets < 3:
            steps.append("at least three budgets with an optimum inside their grid")
        elif fit.stability.decades < 1:
            steps.append(f"a budget of {format_size(10 * smallest)} or more, for a tenfold span")
        else:
            steps.append(f"more budgets between {format_size(smallest)} and {format_size(largest)}, or beyond")
    return [f"To run next: {'; '.join(steps[:3])}."] if steps else []


def _has_single_layer(budget: BudgetFit) -> bool:
    """Whether the grid already holds the shallowest network there is."""
    return min(point.depth for point in budget.points) <= 1


def _shape(best: BestShape) -> str:
    """1 layer x 64, 2 layers x 48."""
    return f"{best.depth} layer{'s' if best.depth > 1 else ''} x {best.width}"
