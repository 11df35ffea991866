"""`interlaw evidence`: what is measured of R* against size, and how far it foresees the next sweep."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from interlaw.cli.output import AsJson, make_console, print_json

if TYPE_CHECKING:
    from interlaw.recommendation import Evidence


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
            out.write_text(write_optima(fitted), encoding="utf-8")
    found = gather_evidence(optima)
    if figure is not None:
        from interlaw.report import draw_evidence, write_chart

        write_chart(figure, draw_evidence(found))
        make_console().print(f"wrote {figure}", markup=False)
    if as_json:
        print_json(found.to_dict())
        return
    show(found)


def show(found: Evidence) -> None:
    """Prints what counts, what stands beside it, and the pool."""
    from rich.table import Table

    from interlaw.shapes import format_size

    console = make_console(stderr=False)
    measured = Table("measured (one vote a data set)", box=None, header_style="bold")
    for name in ("N", "R*", "68%", "by"):
        measured.add_column(name, justify="left" if name == "by" else "right")
    for source in found.sources:
        counting = [one for one in source.optima if one.counts] if source.counts else []
        for one in counting:
            assert one.ratio is not None
            assert one.log_stderr is not None
            wide = math.exp(one.log_stderr)
            span = f"{one.ratio / wide:.4f} to {one.ratio * wide:.4f}"
            measured.add_row(source.name, format_size(one.params), f"{one.ratio:.4f}", span, one.route)
        if source.optima and not counting:
            statuses = ", ".join(dict.fromkeys(one.status for one in source.optima))
            measured.add_row(f"{source.name}: no vote", "", "", statuses.replace("_", " "), "")
    console.print(measured)
    console.print()
    beside = Table("beside (no vote)", "standing", box=None, header_style="bold")
    beside.add_column("R at N", justify="left")
    for source in found.sources:
        if not source.optima:
            ends = source.line[:1] + source.line[-1:] if len(source.line) > 1 else source.line
            at = ", ".join(f"{ratio:.4f} at {format_size(params)}" for params, ratio in ends)
            beside.add_row(source.name, source.standing, at or "names no ratio")
    console.print(beside)
    console.print()
    pooled = Table(box=None, header_style="bold")
    for name in ("N", "pooled R*", "90% predictive interval", "depth at width 1024"):
        pooled.add_column(name, justify="right")
    for each in found.pooled:
        span = f"{each.low:.4f} to {each.high:.4f}"
        pooled.add_row(format_size(each.params), f"{each.ratio:.4f}", span, f"{each.ratio * 1024:.0f}")
    console.print(pooled)
    inside = sum(one.inside for one in found.coverage) / len(found.coverage)
    console.print(
        f"{len(found.coverage)} data sets vote; they spread by a factor of {math.exp(found.pool.tau):.2f} about their "
        f"mean. Each foretold from the others: {inside:.0%} of the optima lie inside their 90% interval.",
        markup=False,
    )
