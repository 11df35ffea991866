"""`interlaw evidence`: what is measured of R* against size, and how far it foresees the next sweep."""

from __future__ import annotations

import math
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from interlaw.cli.output import AsJson, make_console, print_json, tell_written, write_text
from interlaw.shapes import format_size

if TYPE_CHECKING:
    from rich.table import Table

    from interlaw.recommendation import Evidence

WORDS = ("by", "standing", "R at N")  # columns that hold no one number


def evidence(
    figure: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Also draw R* against size (PNG, SVG or PDF).")
    ] = None,
    refit: Annotated[
        bool,
        typer.Option("--refit", help="Fit every packaged sweep again, about a minute, instead of reading its fit."),
    ] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.csv", help="With --refit: also write the optima as a table.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What is measured of R* = depth / width against size.

    Every public sweep and this project's own, pooled; conventions, chosen shapes and claims beside them.
    """
    from interlaw.recommendation import fit_optima, gather_evidence, published_optima, write_optima

    optima = None
    if refit:
        make_console().print("fitting every packaged sweep")
        fitted = fit_optima()
        optima = (*fitted, *published_optima())
        if out is not None:
            write_text(write_optima(fitted), out)
            tell_written(out)
    found = gather_evidence(optima)
    if figure is not None:
        from interlaw.report import draw_evidence, write_chart

        tell_written(write_chart(figure, draw_evidence(found)))
    if as_json:
        print_json(found.to_dict())
        return
    show(found)


def show(found: Evidence) -> None:
    """Prints what counts, what stands beside it and why, and the pool, in 80 columns."""
    console = make_console(stderr=False)

    def say(words: str = "") -> None:
        for line in textwrap.wrap(words, 80, subsequent_indent="  ") or [""]:
            console.print(line, markup=False, highlight=False)

    console.print(measured_table(found))
    say()
    say("Measured, no vote:")
    for source in found.sources:
        if source.silence:
            say(f"  {source.name}: {source.silence}")
    say()
    console.print(beside_table(found))
    say()
    console.print(pooled_table(found))
    inside = sum(one.inside for one in found.coverage) / len(found.coverage)
    say(
        f"{len(found.coverage)} data sets vote; they spread by a factor of {math.exp(found.pool.tau):.2f} about their "
        f"mean. Each foretold from the others: {inside:.0%} of the optima lie inside their 90% interval."
    )


def measured_table(found: Evidence) -> Table:
    """Every optimum that counts."""
    table = plain_table("measured (one vote a data set)", "N", "R*", "68%", "by")
    for source in found.sources:
        for one in source.optima if source.counts else ():
            if one.ratio is None or one.log_stderr is None:
                continue
            wide = math.exp(one.log_stderr)
            span = f"{one.ratio / wide:.4f} to {one.ratio * wide:.4f}"
            table.add_row(source.name, format_size(one.params), f"{one.ratio:.4f}", span, one.route)
    return table


def beside_table(found: Evidence) -> Table:
    """Published lines without a vote."""
    table = plain_table("beside (no vote)", "standing", "R at N")
    for source in found.sources:
        if not source.optima:
            ends = source.line[:1] + source.line[-1:] if len(source.line) > 1 else source.line
            at = ", ".join(f"{ratio:.4f} at {format_size(params)}" for params, ratio in ends)
            table.add_row(source.name, source.standing, at or "names no ratio")
    return table


def pooled_table(found: Evidence) -> Table:
    """The pooled line with its predictive interval."""
    table = plain_table("N", "pooled R*", "90% predictive interval", "depth at width 1024")
    for one in found.pooled:
        span = f"{one.low:.4f} to {one.high:.4f}"
        table.add_row(format_size(one.params), f"{one.ratio:.4f}", span, f"{one.ratio * 1024:.0f}")
    return table


def plain_table(*names: str) -> Table:
    """A table without lines: names to the left, numbers to the right."""
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    for name in names:
        table.add_column(name, justify="left" if name in WORDS or name.endswith(")") else "right")
    return table
