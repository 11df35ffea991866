"""`interlaw evidence`: what is measured of R* against size, and how well it predicts the next sweep."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from interlaw import laws, recommendation, report
from interlaw.cli.options import FigureFile
from interlaw.cli.output import AsJson, make_console, print_json, tell, tell_written, write_figure
from interlaw.errors import InterlawError
from interlaw.files import save
from interlaw.size import format_range, format_ratio, format_size

if TYPE_CHECKING:
    from interlaw.cli.console import PlainConsole


def evidence(
    figure: FigureFile = None,
    refit: Annotated[
        bool, Option("--refit", help="Fit every packaged sweep again, about a minute, instead of reading its fit.")
    ] = False,
    out: Annotated[
        Path | None, Option(metavar="FILE.csv", help="With --refit: also write the optima as a table.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What is measured of R* = depth / width against size.

    Public sweeps and optima, pooled; this project's experiments, conventions, chosen shapes and claims beside them.
    """
    if out is not None and not refit:
        raise InterlawError("expected --refit with --out, found --out alone; add --refit")
    optima = None
    if refit:
        tell("fitting every packaged sweep")
        fitted = recommendation.fit_optima()
        optima = (*fitted, *recommendation.published_optima())
        if out is not None:
            save(out, recommendation.write_optima(fitted).encode())
            tell_written(out)
    gathered = recommendation.gather_evidence(optima)
    write_figure(figure, lambda: report.draw_evidence(gathered))
    if as_json:
        print_json(gathered.to_dict())
        return
    show(gathered)


def show(gathered: recommendation.Evidence) -> None:
    """Prints the pool first, then what counts, and what stands beside it and why, in 80 columns."""
    console = make_console(stderr=False)
    here, votes = gathered.pool.predict(recommendation.COMMON_SIZE), len(gathered.coverage)
    level = f"{laws.Settings.confidence:.0%}"
    inside = sum(one.inside for one in gathered.coverage) / votes
    console.say(
        f"R* at {format_size(here.params)}: {format_ratio(here.ratio)} ({level} for a sweep not yet seen: "
        f"{format_range(here.low, here.high)}), from {here.voters} that differ by a factor of "
        f"{math.exp(gathered.pool.tau):.2f} about their mean.",
        f"Each of them predicted from the others: {inside:.0%} of the optima lie inside their {level} interval. So "
        f"few data sets show only that it covers at least {gathered.sure_coverage:.0%}; it may be wider than needed.",
    )
    console.print()
    show_pool(console, gathered, level=level)
    console.print()
    measured = [
        (source.name, format_size(one.params), format_ratio(one.ratio), one.interval(), one.route)
        for source in gathered.sources
        if source.counts
        for one in source.optima
        if one.counts
    ]
    console.print_rows(("measured (one vote a data set)", "N", "R*", "68%", "by"), measured)
    if here.assumed:
        console.say(
            f"{recommendation.ASSUMED} the publication states no error: {recommendation.PUBLISHED_STDERR:g} in log R* "
            "is assumed"
        )
    console.print()
    show_silent(console, gathered.sources)
    console.print()
    beside = [
        (
            source.name,
            source.standing,
            ", ".join(f"{format_ratio(r)} at {format_size(n)}" for n, r in source.ends) or "no ratio",
        )
        for source in gathered.sources
        if not source.optima
    ]
    console.print_rows(("beside (no vote)", "standing", "R at N"), beside)


def show_pool(console: PlainConsole, gathered: recommendation.Evidence, *, level: str) -> None:
    """Prints the pool size by size, and that of the data sets whose errors are measured."""
    alone = {one.params: format_ratio(one.ratio) for one in gathered.measured_only}
    rows = [
        (
            format_size(one.params) + ("" if one.beyond == 1 else " beyond"),
            format_ratio(one.ratio),
            format_range(one.low, one.high),
            alone.get(one.params, "-"),
            f"{one.ratio * 1024:.0f}",
        )
        for one in gathered.pooled
    ]
    heads = ("N", "pooled R*", f"{level} predictive interval", "measured alone", "at width 1024")
    console.print_rows(heads, rows)
    if any(one.beyond > 1 for one in gathered.pooled):
        smallest, largest = gathered.pool.sizes
        console.say(
            f"beyond: outside the sizes measured, {format_size(smallest)} to {format_size(largest)}; above them R* "
            f"goes on along the data sets' mean slope, d log R* / d log N = {gathered.pool.trend:.2f}"
        )


def show_silent(console: PlainConsole, sources: Sequence[recommendation.Source]) -> None:
    """Prints measured data sets without a vote: why, and what they say where tasks bound an optimum."""
    silent = [source for source in sources if source.silence]
    console.say("Measured, no vote:")
    for reason in dict.fromkeys(source.silence for source in silent):
        console.say(f"{reason}: {', '.join(one.name for one in silent if one.silence == reason)}", indent=2)
    console.print()
    rows = []
    for source in silent:
        for optima in () if source.votes else source.by_size:
            stars = [one.ratio for one in optima if one.counts and one.ratio is not None]
            said = (
                "-"
                if not stars
                else format_ratio(stars[0])
                if len(stars) == 1
                else format_range(min(stars), max(stars))
            )
            rows.append((source.name, format_size(optima[0].params), f"{len(stars)} of {len(optima)}", said))
    console.print_rows(("measured, no vote", "N", "tasks with an optimum", "R*"), rows)
