"""`interlaw compare`: published models, R against MMLU-Pro, with controls."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from interlaw.cli.diff import refuse_two_models
from interlaw.cli.loading import busy
from interlaw.cli.output import AsJson, make_console, print_json, tell_written
from interlaw.errors import InterlawError
from interlaw.size import counted

if TYPE_CHECKING:
    from interlaw.published import Comparison, Correlation, Placement, PublishedRow


def compare(
    names: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,
    models: Annotated[
        list[Path] | None,
        typer.Option("--models", metavar="FILE.csv", help="Rows to add; columns as the built-in table."),
    ] = None,
    lm_eval: Annotated[
        list[Path] | None,
        typer.Option("--lm-eval", metavar="RESULTS.json", help="Scores of lm-evaluation-harness to add."),
    ] = None,
    config: Annotated[
        list[Path] | None,
        typer.Option(
            "--config", metavar="config.json", help="Shape of a model to add; one each for --lm-eval if given."
        ),
    ] = None,
    score: Annotated[
        float | None, typer.Option(help="MMLU-Pro in per cent of the one --config, by --protocol and --variant.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="What to call the one --config; its folder's name.")] = None,
    write: Annotated[
        Path | None, typer.Option(metavar="FILE.csv", help="Append what you add to a table that --models reads.")
    ] = None,
    task: Annotated[str | None, typer.Option(help="Task to read from --lm-eval instead of MMLU-Pro.")] = None,
    protocol: Annotated[
        str | None, typer.Option(help="The one protocol to compare; '5-shot log-likelihood' if not given.")
    ] = None,
    variant: Annotated[str, typer.Option(help="base or inst (instruction-tuned); never mixed.")] = "base",
    interval: Annotated[
        str | None, typer.Option(help="Claimed interval of R as LOW-HIGH; the paper's if not given.")
    ] = None,
    resamples: Annotated[int, typer.Option(help="Bootstrap resamples and sign flips, each.")] = 2000,
    seed: Annotated[int, typer.Option(help="Seed of these.")] = 0,
    figure: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Also draw MMLU-Pro against R (PNG, SVG or PDF).")
    ] = None,
    details: Annotated[bool, typer.Option("--details", help="Print every statistic and every model.")] = False,
    as_json: AsJson = False,
) -> None:
    """Published models: R against MMLU-Pro.

    Do those near the claimed interval score better? Given size and tokens, aware of families.
    """
    from interlaw.published import (
        HOMOGENEOUS_PROTOCOL,
        PAPER_INTERVAL,
        append_rows,
        compare_models,
        place_rows,
        published_rows,
    )

    refuse_two_models(names or [])
    if variant not in ("base", "inst"):
        raise InterlawError(f"expected --variant base or inst, found {variant!r}; choose one of them")
    if score is not None or name is not None:
        added = (
            own_row(config or [], name=name, score=score, protocol=protocol, variant=variant),
            *read_tables(models),
        )
    else:
        added = added_rows(models or [], lm_eval or [], config or [], task=task, variant=variant)
    if write is not None:
        append_rows(write, added)
        make_console().print(f"wrote {counted(len(added), 'row')} to {write}", markup=False)
    with busy("comparing the published models"):
        comparison = compare_models(
            (*added, *published_rows()),
            protocol=protocol or HOMOGENEOUS_PROTOCOL,
            variant="inst" if variant == "inst" else "base",
            interval=parse_interval(interval) if interval else PAPER_INTERVAL,
            resamples=resamples,
            seed=seed,
        )
    placements = place_rows(added, comparison.models, interval=comparison.interval)
    if figure is not None:
        from interlaw.published import published_ratio_points
        from interlaw.report import draw_scores, write_chart

        points = published_ratio_points(
            (*added, *published_rows()),
            protocol=protocol or HOMOGENEOUS_PROTOCOL,
            variant="inst" if variant == "inst" else "base",
        )
        tell_written(write_chart(figure, draw_scores(points, interval=comparison.interval)))
    if as_json:
        print_json({**comparison.to_dict(), "added": [placement.to_dict() for placement in placements]})
        return
    show(comparison, placements, details=details)


def parse_interval(text: str) -> tuple[float, float]:
    """Reads LOW-HIGH, such as `.02-.065`."""
    low, _, high = text.partition("-")
    try:
        return float(low), float(high)
    except ValueError:
        raise InterlawError(f"expected --interval LOW-HIGH such as .02-.065, found {text!r}; correct it") from None


def read_tables(models: list[Path] | None) -> tuple[PublishedRow, ...]:
    """Rows of a user's tables."""
    from interlaw.published import read_rows

    return tuple(row for path in models or [] for row in read_rows(path))


def own_row(
    configs: list[Path], *, name: str | None, score: float | None, protocol: str | None, variant: str
) -> PublishedRow:
    """One model from its config.json and, if given, its score."""
    from interlaw.published import HOMOGENEOUS_PROTOCOL, row_from_config

    if len(configs) != 1:
        raise InterlawError(f"expected one --config for --score or --name, found {len(configs)}; give one")
    scored = None if score is None else (score, protocol or HOMOGENEOUS_PROTOCOL, variant)
    return row_from_config(configs[0], name=name, scored=scored)


def added_rows(
    models: list[Path], results: list[Path], configs: list[Path], *, task: str | None, variant: str
) -> tuple[PublishedRow, ...]:
    """Everything that the user adds, in the order of the options."""
    from interlaw.published import published_rows, read_lm_eval, row_from_config, rows_from_lm_eval

    rows = [*read_tables(models)]
    if not results:
        return (*rows, *(row_from_config(path) for path in configs))
    if configs and len(configs) != len(results):
        raise InterlawError(
            f"expected one --config for each --lm-eval or none, found {len(configs)} for {len(results)}; give one each"
        )
    known = (*rows, *published_rows())
    shapes: list[Path | None] = [*configs] if configs else [None] * len(results)
    for path, shape in zip(results, shapes, strict=True):
        scores = read_lm_eval(path, task=task)
        rows += rows_from_lm_eval(scores, known=known, variant="inst" if variant == "inst" else "base", config=shape)
    return tuple(rows)


def show(comparison: Comparison, placements: tuple[Placement, ...], *, details: bool) -> None:
    """Prints what the user added, then the answer in a few lines, then what to beware of."""
    from rich.table import Table

    from interlaw.published import published_rows

    console = make_console(stderr=False)
    for placement in placements:
        console.print(_placed(placement), markup=False)
    first = comparison.associations[0]
    low, high = comparison.interval
    known = len({row.name for row in published_rows()})
    console.print(
        f"{len(comparison.models)} {first.variant} models with a score by {first.protocol}, of {known} in the built-in "
        f"table and yours; claimed interval R = {low:g} to {high:g}"
    )
    named = {(one.bin, one.predictor): one for one in comparison.associations}
    sizes = Table("size", "models", "inside", "tokens ~ score", "claim", box=None, header_style="bold")
    ratios = Table("size", "R ~ score", "R given N", "R given N, tokens", box=None, header_style="bold")
    for name in dict.fromkeys(one.bin for one in comparison.associations):
        ratio, claim, tokens = (named[name, key] for key in ("ratio", "claim_distance", "log_tokens"))
        models = f"{ratio.num_models} of {ratio.num_families} families"
        sizes.add_row(name, models, str(ratio.num_in_interval), _short(tokens.pearson), str(claim.verdict))
        ratios.add_row(name, *map(_short, (ratio.pearson, ratio.given_params, ratio.given_params_and_tokens)))
    console.print(sizes)
    console.print()
    console.print(ratios)
    console.print()
    for group in comparison.shared_ratios[:2]:
        scores = f"score {group.lowest:.2f} to {group.highest:.2f}"
        console.print(f"{group.num_models} models of {group.bin} share R = {group.ratio:.4f} and {scores}")
    for note in comparison.warnings:
        console.print(f"note: {note}")
    if details:
        show_details(comparison)
    else:
        console.print(
            "value (95% over resampled families); every statistic and model: --details or --json", markup=False
        )


def show_details(comparison: Comparison) -> None:
    """Prints every statistic of every predictor, then every model."""
    from rich.table import Table

    console = make_console(stderr=False)
    statistics = Table("size", "predictor", "statistic", "models", "value", "p by family", "one family out", "most")
    for one in comparison.associations:
        for name in ("pearson", "spearman", "above_chance", "given_params", "given_params_and_tokens"):
            value: Correlation = getattr(one, name)
            out = f"{_number(value.leave_out_low)} to {_number(value.leave_out_high)}"
            statistics.add_row(
                one.bin,
                one.predictor,
                name,
                str(value.num_models),
                _short(value),
                _number(value.p_value, sign=False),
                out,
                value.most_influential,
            )
    console.print(statistics)
    models = Table("model", "family", "shape", "R", "params", "tokens", "MMLU-Pro", "repeats", "")
    for model in sorted(comparison.models, key=lambda model: model.row.params_total):
        row = model.row
        models.add_row(
            row.name,
            row.family,
            f"{row.depth}x{row.width}",
            f"{row.ratio:.4f}",
            f"{row.params_total:,}",
            row.train_tokens or "?",
            f"{model.score:.2f}",
            " ".join(f"{score:.2f}" for score in model.replicates),
            "guessing" if model.at_chance else "",
        )
    console.print(models)


def _short(correlation: Correlation) -> str:
    """A value with its interval, or why there is none."""
    if correlation.value is None:
        return f"too few ({correlation.num_models})"
    if correlation.low is None:
        return f"{_number(correlation.value)} (n {correlation.num_models})"
    return f"{_number(correlation.value)} ({_number(correlation.low)}, {_number(correlation.high)})"


def _number(value: float | None, *, sign: bool = True) -> str:
    """Two decimals, or a question mark."""
    return "?" if value is None else f"{value:+.2f}" if sign else f"{value:.3f}"


def _placed(placement: Placement) -> str:
    """One added model in one line."""
    row = placement.row
    near = ", ".join(f"{model.row.name} {model.score:.1f}" for model in placement.nearest)
    score = "no score" if row.mmlu_pro is None else f"{row.mmlu_pro:.2f} ({row.protocol}, {row.variant})"
    left_out = "" if placement.compared or row.mmlu_pro is None else "; not compared: protocol, variant or row differs"
    where = f"{row.depth}x{row.width}, R = {row.ratio:.4f} {placement.position} the interval"
    return f"added: {row.name} {where}, {score}{left_out}; nearest: {near}"
