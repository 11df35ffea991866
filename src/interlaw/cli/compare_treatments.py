"""`interlaw compare-treatments`: what the choice of learning rates does to the best shape."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from interlaw.cli.output import AsJson, make_console, print_json, tell_written
from interlaw.size import counted

if TYPE_CHECKING:
    from interlaw.laws import Claim, TreatmentComparison, TreatmentDifference


def compare_treatments(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="DIR...", help="Runs that differ in training.treatment, or one with several."),
    ],
    confidence: Annotated[float, typer.Option(help="Level of every interval.")] = 0.9,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 0,
    resamples: Annotated[int, typer.Option(help="Bootstrap draws and permutations, each.")] = 1000,
    figure: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Also draw it (PNG, SVG or PDF, by the ending).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What the learning-rate treatment does to R*.

    R* per budget under each, with intervals on the differences and what each cost.
    """
    from interlaw.laws import compare_treatments as compare
    from interlaw.sweep import read_treated

    treated = read_treated(runs)
    columns = {str(name): treated.table[name].to_numpy() for name in treated.table.columns}
    comparison = compare(columns, confidence=confidence, seed=seed, num_bootstrap=resamples)
    if figure is not None:
        from interlaw.report import draw_treatments, units_of, write_chart

        units = units_of(treated.task)
        drawing = draw_treatments(comparison, budget_kind=treated.budget_kind, units=units)
        tell_written(write_chart(figure, drawing))
    if as_json:
        print_json(comparison.to_dict())
        return
    show(comparison)


def show(comparison: TreatmentComparison) -> None:
    """Prints R* under each treatment, the differences, the cost."""
    from rich.table import Table

    from interlaw.shapes import format_size

    console = make_console(stderr=False)
    level = f"{comparison.confidence:.0%}"
    table = Table(box=None, header_style="bold", title="R* under each treatment", title_justify="left")
    for name in ("budget", "treatment", "best shape", "loss", "at equal size", "R*", level, "found"):
        table.add_column(name, justify="right" if name != "found" else "left")
    for each in comparison.budgets:
        star = each.r_star
        table.add_row(
            format_size(each.budget), each.treatment, f"{each.best.depth} x {each.best.width}",
            f"{each.best.loss:.4f}", f"{each.best.adjusted:.4f}", "-" if star.value is None else f"{star.value:.3g}",
            _interval(star.low, star.high), star.reason,
        )  # fmt: skip
    console.print(table)
    console.print()
    table = Table(box=None, header_style="bold", title="How it moves", title_justify="left")
    for name in ("budget", "from", "to", "R* times", level, "lowest loss", level, "verdict"):
        table.add_column(name, justify="right")
    for change in comparison.differences:
        table.add_row(*_difference_row(change))
    console.print(table)
    console.print()
    for cost in comparison.costs:
        tried = f", {cost.num_search_trials} of them to find rates" if cost.num_search_trials else ""
        flops = "" if cost.train_flops is None else f", {cost.train_flops:.2g} training FLOPs"
        share = (
            f" ({cost.search_flops / cost.train_flops:.0%} for rates)" if cost.search_flops and cost.train_flops else ""
        )
        console.print(f"- {cost.treatment}: {counted(cost.num_trials, 'trial')}{tried}{flops}{share}", markup=False)
    show_claims(comparison.claims)
    for warning in comparison.warnings:
        make_console().print(f"! {warning}", markup=False)


def show_claims(claims: Sequence[Claim]) -> None:
    """One line a claim, under its own heading."""
    console = make_console(stderr=False)
    console.print("\n[bold]The claims, over all of it[/bold]")
    for claim in claims:
        console.print(f"- {claim.claim}: {claim.sentence}", markup=False)


def _difference_row(change: TreatmentDifference) -> list[str]:
    """One pair of treatments in one budget."""
    from interlaw.shapes import format_size

    low, high = change.loss_change_low, change.loss_change_high
    return [
        format_size(change.budget),
        change.first,
        change.second,
        "-" if change.factor is None else f"{change.factor:.2f}",
        _interval(change.low, change.high),
        "-" if change.loss_change is None else f"{change.loss_change:+.1%}",
        "-" if low is None or high is None else f"{low:+.1%} to {high:+.1%}",
        change.verdict,
    ]


def _interval(low: float | None, high: float | None) -> str:
    """An interval whose ends may be open."""
    return f"{'..' if low is None else f'{low:.3g}'} to {'..' if high is None else f'{high:.3g}'}"
