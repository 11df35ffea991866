"""`interlaw compare`: published models, R against MMLU-Pro, with controls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal

from typer import Argument, Option

from interlaw import published, report
from interlaw.cli.loading import busy
from interlaw.cli.options import FigureFile
from interlaw.cli.output import AsJson, make_console, next_command, print_json, shown, tell, write_figure
from interlaw.errors import InterlawError
from interlaw.size import counted, format_range, format_ratio


def compare(
    names: Annotated[list[str] | None, Argument(hidden=True)] = None,
    models: Annotated[
        list[Path] | None, Option(metavar="FILE.csv", help="Rows to add; columns as the built-in table.")
    ] = None,
    lm_eval: Annotated[
        list[Path] | None, Option(metavar="RESULTS.json", help="Scores of lm-evaluation-harness to add.")
    ] = None,
    config: Annotated[
        list[Path] | None,
        Option(metavar="config.json", help="Shape of a model to add; one each for --lm-eval if given."),
    ] = None,
    score: Annotated[
        float | None, Option(help="MMLU-Pro in per cent of the one --config, by --protocol and --variant.")
    ] = None,
    name: Annotated[str | None, Option(help="What to call the one --config; its folder's name.")] = None,
    write: Annotated[
        Path | None, Option(metavar="FILE.csv", help="Append what you add to a table that --models reads.")
    ] = None,
    task: Annotated[str | None, Option(help="Task to read from --lm-eval instead of MMLU-Pro.")] = None,
    protocol: Annotated[
        str | None, Option(help="The one protocol to compare; '5-shot log-likelihood' if not given.")
    ] = None,
    variant: Annotated[Literal["base", "inst"], Option(help="base or inst (instruction-tuned); never mixed.")] = "base",
    interval: Annotated[str | None, Option(help="Claimed interval of R as LOW-HIGH; the paper's if not given.")] = None,
    resamples: Annotated[int | None, Option(hidden=True)] = None,
    figure: FigureFile = None,
    details: Annotated[bool, Option("--details", help="Print every statistic and every model.")] = False,
    as_json: AsJson = False,
) -> None:
    """Published models: R against MMLU-Pro.

    Do those near the claimed interval score better? Given size and tokens, aware of families.
    """
    if names:
        raise InterlawError(
            f"expected no models for compare, which sets published models side by side, found {' '.join(names)}; "
            f"`{next_command('diff', 'A', 'B')}` compares two models of your own"
        )
    if resamples is not None:  # an option of earlier versions, which scripts still give
        tell("note: compare draws nothing at random any more; --resamples changes nothing, leave it out")
    used = protocol or published.HOMOGENEOUS_PROTOCOL
    tables = [row for path in models or [] for row in published.read_rows(path)]
    if score is not None or name is not None:
        added = [own_row(config or [], name=name, score=score, protocol=used, variant=variant), *tables]
    else:
        added = [*tables, *added_rows(tables, results=lm_eval or [], configs=config or [], task=task, variant=variant)]
    rows = (*added, *published.published_rows())
    with busy("comparing the published models"):
        comparison = published.compare_models(
            rows,
            protocol=used,
            variant=variant,
            interval=parse_interval(interval) if interval else published.PAPER_INTERVAL,
        )
    if write is not None:
        published.append_rows(write, added)
        tell(f"wrote {counted(len(added), 'row')} to {write}")
    placements = published.place_rows(added, comparison.models, interval=comparison.interval)
    points = published.published_models(rows, protocol=used, variant=variant)
    write_figure(figure, lambda: report.draw_scores(points, interval=comparison.interval))
    if as_json:
        print_json({**comparison.to_dict(), "added": [placement.to_dict() for placement in placements]})
        return
    show(comparison, placements)
    if details:
        show_details(comparison)


def parse_interval(text: str) -> tuple[float, float]:
    """Reads LOW-HIGH, such as `.02-.065`."""
    low, _, high = text.partition("-")
    try:
        return float(low), float(high)
    except ValueError:
        raise InterlawError(f"expected --interval LOW-HIGH such as .02-.065, found {text!r}; write it so") from None


def own_row(
    configs: list[Path], *, name: str | None, score: float | None, protocol: str, variant: str
) -> published.PublishedRow:
    """One model from its config.json and, if given, its score."""
    if len(configs) != 1:
        raise InterlawError(f"expected one --config for --score or --name, found {len(configs)}; give one")
    return published.row_from_config(
        configs[0], name=name, scored=None if score is None else (score, protocol, variant)
    )


def added_rows(
    tables: list[published.PublishedRow],
    *,
    results: list[Path],
    configs: list[Path],
    task: str | None,
    variant: published.Variant,
) -> Iterator[published.PublishedRow]:
    """Models of results files, and of configurations: each the shape of a results file, or a model without a score."""
    if not results:
        yield from map(published.row_from_config, configs)
    elif configs and len(configs) != len(results):
        raise InterlawError(
            f"expected one --config for each --lm-eval or none, found {len(configs)} for {len(results)}; give one each"
        )
    known = (*tables, *published.published_rows())
    shapes: list[Path | None] = [*configs] or [None] * len(results)
    for path, shape in zip(results, shapes, strict=bool(results)):
        yield from published.rows_from_lm_eval(
            published.read_lm_eval(path, task=task), known=known, variant=variant, config=shape
        )


def show(comparison: published.Comparison, placements: Sequence[published.Placement]) -> None:
    """Prints the user's own models, the answer, then the figures behind it, in 80 columns."""
    console = make_console(stderr=False)
    console.say(*map(placed, placements), *comparison.answer())
    first, known = comparison.associations[0], len({row.name for row in published.published_rows()})
    yours = f" and {counted(len(placements), 'row')} of yours" if placements else ""
    console.print()
    console.say(
        f"{len(comparison.models)} {first.variant} models with a score by {first.protocol}, of {known} in the built-in "
        f"table{yours}; correlations (95%, leaving out families in turn):"
    )
    rows = [
        (one.bin, *(each.text() for each in (one.pearson, one.given_params, one.given_params_and_tokens)))
        for one in comparison.associations
        if one.predictor == "ratio"
    ]
    console.print_rows(("size", "R ~ score", "given N", "given N and tokens"), rows)
    console.print()
    groups = (
        f"{group.num_models} models of {group.bin} share R = {format_ratio(group.ratio)} and score "
        f"{group.lowest:.2f} to {group.highest:.2f}"
        for group in comparison.shared_ratios[:2]
    )
    console.say(
        *groups, *(f"note: {note}" for note in comparison.warnings), "every statistic and model: --details or --json"
    )


def show_details(comparison: published.Comparison) -> None:
    """Prints every statistic of every predictor, then every model."""
    console = make_console(stderr=False)
    statistics = [
        (
            one.bin,
            one.predictor,
            name,
            str(value.num_models),
            value.text(),
            shown(value.p_value, ".3f"),
            format_range(value.leave_out_low, value.leave_out_high, form="+.2f"),
            value.most_influential or "",
        )
        for one in comparison.associations
        for name, value in one.statistics().items()
    ]
    console.print_rows(
        ("size", "predictor", "statistic", "models", "value", "p by family", "one family out", "most"), statistics
    )
    models = [
        (
            row.name,
            row.family,
            f"{row.depth}x{row.width}",
            format_ratio(row.ratio),
            f"{row.params_total:,}",
            row.train_tokens or "?",
            f"{row.score:.2f}",
            " ".join(f"{score:.2f}" for score in comparison.replicates[row.name]),
            "guessing" if row.at_chance else "",
        )
        for row in sorted(comparison.models, key=lambda row: row.params_total)
    ]
    console.print_rows(("model", "family", "shape", "R", "params", "tokens", "MMLU-Pro", "repeats", ""), models)


def placed(placement: published.Placement) -> str:
    """One added model in one line."""
    row = placement.row
    near = ", ".join(f"{model.name} {model.score:.1f}" for model in placement.nearest)
    score = "no score" if row.mmlu_pro is None else f"{row.mmlu_pro:.2f} ({row.protocol}, {row.variant})"
    left_out = "" if placement.compared or row.mmlu_pro is None else "; not compared: protocol, variant or row differs"
    where = f"{row.depth}x{row.width}, R = {format_ratio(row.ratio)} {placement.position} the interval"
    return f"added: {row.name} {where}, {score}{left_out}; nearest: {near}"
