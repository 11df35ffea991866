"""`interlaw compare-treatments`: what the choice of learning rates does to the best shape."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from interlaw import laws, report, sweep
from interlaw.cli.options import Confidence, FigureFile, Resamples
from interlaw.cli.output import AsJson, make_console, print_json, shown, tell, write_figure
from interlaw.size import counted, format_range, format_ratio, format_size


def compare_treatments(
    runs: Annotated[
        list[Path],
        Argument(metavar="DIR...", help="Runs that differ in training.treatment, or one with several."),
    ],
    confidence: Confidence = laws.Settings.confidence,
    seed: Annotated[int, Option(help="Seed of the bootstrap.")] = 0,
    resamples: Resamples = laws.Settings.num_bootstrap,
    figure: FigureFile = None,
    as_json: AsJson = False,
) -> None:
    """What the learning-rate treatment does to R*.

    R* per budget under each, with intervals on the differences and what each cost.
    """
    treated = sweep.read_treated(runs)
    comparison = laws.compare_treatments(treated.table, confidence=confidence, seed=seed, num_bootstrap=resamples)
    kind, units = treated.budget_kind, treated.units
    write_figure(figure, lambda: report.draw_treatments(comparison, budget_kind=kind, units=units))
    if as_json:
        print_json(comparison.to_dict())
        return
    show(comparison)


def show(comparison: laws.TreatmentComparison) -> None:
    """Prints R* under each treatment, the differences, the cost."""
    console = make_console(stderr=False)
    level = f"{comparison.confidence:.0%}"
    rows = []
    for each in comparison.budgets:
        star, best = each.r_star, each.best
        minimum = (format_ratio(star.value), format_range(star.low, star.high), star.reason)
        shape = (f"{best.depth} x {best.width}", f"{best.loss:.4f}", f"{best.adjusted:.4f}")
        rows.append((format_size(each.budget), each.treatment, *shape, *minimum))
    heads = ("budget", "treatment", "best shape", "loss", "at equal size", "R*", level, "reason")
    console.print_rows(heads, rows, title="R* under each treatment")
    console.print()
    rows = []
    for one in comparison.differences:
        moved = (shown(one.factor, ".2f"), format_range(one.low, one.high, form=".3g"))
        changed = (shown(one.loss_change, "+.1%"), format_range(one.loss_change_low, one.loss_change_high, form="+.1%"))
        rows.append((format_size(one.budget), one.first, one.second, *moved, *changed, one.verdict))
    heads = ("budget", "from", "to", "R* times", level, "lowest loss", level, "verdict")
    console.print_rows(heads, rows, title="How it moves")
    console.print()
    for cost in comparison.costs:
        tried = f", {cost.num_search_trials} of them to find rates" if cost.num_search_trials else ""
        flops = "" if cost.train_flops is None else f", {format_size(cost.train_flops)} training FLOPs"
        share = (
            f" ({cost.search_flops / cost.train_flops:.0%} for rates)" if cost.search_flops and cost.train_flops else ""
        )
        console.print(f"- {cost.treatment}: {counted(cost.num_trials, 'trial')}{tried}{flops}{share}")
    show_claims(comparison.claims)
    for warning in comparison.warnings:
        tell(f"! {warning}")


def show_claims(claims: Sequence[laws.Claim]) -> None:
    """One line a claim, under its own heading."""
    console = make_console(stderr=False)
    console.print("\nThe claims, over all of it")
    for claim in claims:
        console.print(f"- {claim.claim}: {claim.sentence}")
