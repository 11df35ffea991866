"""A fit in plain words: what to choose, how sure, whether the two intervals agree, and what to run next."""

from __future__ import annotations

from interlaw.laws.fit import LawFit
from interlaw.laws.result import BestShape, BudgetFit
from interlaw.size import format_size


def verdict(fit: LawFit) -> list[str]:
    """Sentences for a person, the most useful first: R*, agreement of the intervals, stability, what to run next."""
    return [_best(fit), *_intervals(fit), *_chance(fit), _stability(fit), *_next(fit)]


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
    ends = f"R = {pooled.low:.3g} to {pooled.high:.3g}{_averaged(pooled.num_budgets)}"
    view = f" of the {fit.view} view" if fit.view else ""
    where = f"The interaction interval{view}, found without the loss, is {ends}"
    if pooled.share_of_grid > 0.8:
        grid = "each grid" if pooled.num_budgets > 1 else "the grid"
        return [f"{where}: {pooled.share_of_grid:.0%} of {grid}, so it singles out almost nothing."]
    if pooled.p_value <= 0.05:
        judged = "they agree better than chance"
    elif pooled.jaccard <= pooled.chance:
        judged = "they agree no better than chance"
    else:
        judged = "that is not more than chance may give"
    if all(_is_single(each) for each in fit.budgets):
        one = f"R = {pooled.low:.3g}{_averaged(pooled.num_budgets)}"
        several = " in each budget" if pooled.num_budgets > 1 else ""
        return [
            f"The most efficient interaction{view}, found without the loss, is that of a single shape{several}, {one}: "
            "it has no width to compare with the loss interval, only a place in or out of it "
            f"(p = {pooled.p_value:.2g}): {judged}."
        ]
    compared = (
        f"it overlaps the loss interval (within {100 * fit.delta:.2g}% of the best loss) by {pooled.jaccard:.2f} "
        f"where shuffled shapes give {pooled.chance:.2f}"
    )
    return [f"{where}; {compared} (p = {pooled.p_value:.2g}): {judged}."]


def _chance(fit: LawFit) -> list[str]:
    """Whether interaction is more or less than that of a matrix without structure, where the null was measured.

    Not of the projected view: its basis is one random matrix, and how far that lies from chance is no news of a shape.
    """
    if fit.view == "projected":
        return []
    points = [point for budget in fit.budgets for point in budget.points]
    known = [point.excess_ratio for point in points if point.excess_ratio is not None]
    if not known:
        return []
    above = sum(excess > 0 for excess in known)
    if above == 0:
        return [
            f"The AOFE-ratio of every shape ({len(known)} of {len(known)}) is below what chance gives: coordinates "
            "interact less than those of a matrix without structure would."
        ]
    return [f"The AOFE-ratio of {above} of {len(known)} shapes is above what chance gives."]


def _is_single(budget: BudgetFit) -> bool:
    """Whether the interaction interval holds one shape alone; a budget without an interval says nothing against it."""
    found = budget.interaction_interval
    return found is None or found.low == found.high


def _averaged(num_budgets: int) -> str:
    """Ends pooled over budgets are means of logarithms: none of them need be an end of any budget's grid."""
    return f" (mean of {num_budgets} budgets)" if num_budgets > 1 else ""


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
