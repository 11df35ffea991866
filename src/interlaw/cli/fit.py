"""`interlaw fit`: from runs, one's own or anyone's, to the law with its uncertainty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from interlaw import interaction, laws, published, runs
from interlaw.cli.compare_treatments import show_claims
from interlaw.cli.loading import busy
from interlaw.cli.options import Confidence, Resamples, among
from interlaw.cli.output import AsJson, make_console, print_json, shown, tell, write_json
from interlaw.cli.public import list_sweeps, show_surfaces, surfaces
from interlaw.errors import InterlawError, require_among
from interlaw.size import counted, format_range, format_ratio, format_share, format_size

if TYPE_CHECKING:
    import pandas as pd


def fit(
    sources: Annotated[
        list[str],
        Argument(
            metavar="DIR|URL|TABLE...",
            help="A run, a table (csv, tsv, jsonl, parquet; - for a pipe), or public:NAME; several for one test.",
        ),
    ],
    delta: Annotated[float, Option(help="Tolerance of the loss interval, relative.")] = laws.Settings.delta,
    confidence: Confidence = laws.Settings.confidence,
    window: Annotated[
        float | None,
        Option(
            help="The curve uses shapes whose loss is within this fraction of the best. When not given: "
            f"{laws.Settings.window:g}, or what the design of a packaged sweep fixed."
        ),
    ] = None,
    budget_tolerance: Annotated[
        float | None,
        Option(help="Sizes this close (relative) share a budget, if the table has none. Default: by the widths."),
    ] = None,
    last_step: Annotated[
        bool, Option("--last-step", help="Rows of a shape at different tokens are one run: keep the last.")
    ] = False,
    view: Annotated[
        str | None,
        Option(
            help="Measured view; projected, else loss, else the first, when not given.",
            autocompletion=among(interaction.VIEWS),
        ),
    ] = None,
    treatment: Annotated[str | None, Option(help="Learning-rate treatment, when the runs hold several.")] = None,
    column: Annotated[
        list[str] | None, Option(metavar="NAME=THEIRS", help="Their column for ours: --column loss=eval/loss.")
    ] = None,
    split: Annotated[
        list[str] | None,
        Option(metavar="COLUMN", help="Each value is an experiment of its own: fit each, then one test of all."),
    ] = None,
    given: Annotated[
        bool, Option("--given", help="Each row is the optimum of its budget, measured elsewhere.")
    ] = False,
    seed: Annotated[int, Option(help="Seed of bootstrap and permutations.")] = 0,
    resamples: Resamples = laws.Settings.num_bootstrap,
    out: Annotated[Path | None, Option(metavar="FIT.json", help="Also write the fit, for recommend.")] = None,
    details: Annotated[bool, Option("--details", help="Print the joint law, rival forms, every test.")] = False,
    as_json: AsJson = False,
) -> None:
    """The best depth / width per budget.

    With intervals, both efficient intervals, and whether they stay put as the budget grows.
    """
    reading: laws.ReadOptions = {"budget_tolerance": budget_tolerance, "last_step": last_step}
    settings: laws.FitOptions = {
        "delta": delta,
        "confidence": confidence,
        "window": window,
        "given": given,
        "seed": seed,
        "num_bootstrap": resamples,
        "num_permutations": resamples,
    }
    if "public:" in sources:
        named = {"--split": split, "--column": column, "--view": view, "--treatment": treatment, "--out": out}
        _require_alone(sources, named)
        list_sweeps(as_json=as_json)
        return
    splits = split or []
    several = len(sources) > 1 or bool(splits)
    if several:
        _require_several(sources, split=splits, out=out)
    tables = {name: read_source(name, view=view, columns=column or []) for name in sources}
    if several:
        with busy("fitting each table"):
            parts = laws.fit_each(tables, split=splits, treatment=treatment, **reading, **settings)
            claims = laws.judge_together(parts, num_permutations=resamples, seed=seed)
        tell_windows(tables, given=window)
        show_together(parts, claims, split=splits, as_json=as_json)
        return
    (table,) = tables.values()
    with busy("fitting the law"):
        law = laws.fit_law(table, treatment=treatment, **reading, **settings)
    tell_windows(tables, given=window)
    write_json(law.to_dict(), out)
    beside = surfaces(table, law, treatment=treatment, **reading)
    if as_json:
        print_json({**law.to_dict(), **beside})
        return
    show(law)
    show_surfaces(beside)
    if details:
        show_details(law)


def show_together(
    parts: Sequence[laws.FittedTable], claims: Sequence[laws.Claim], *, split: Sequence[str], as_json: bool
) -> None:
    """Prints one line a table, value of a split and treatment, then the claims over all."""
    if as_json:
        fits = [{"source": part.source, "treatment": part.treatment, **part.fit.to_dict()} for part in parts]
        print_json({"fits": fits, "claims": claims})
        return
    console = make_console(stderr=False)
    for part in parts:
        name = part.source if part.treatment is None else f"{part.source}, {part.treatment}"
        console.print(f"{name}: {laws.verdict(part.fit).best}")
    if split:
        console.print(rows_text([part.fit for part in parts], values_of=" and ".join(split)))
    show_claims(claims)


def rows_text(fits: Sequence[laws.LawFit], *, values_of: str = "") -> str:
    """How rows became runs; empty where each row is one of a single fit."""
    points = [point for fit in fits for budget in fit.budgets for point in budget.points]
    num_rows = sum(fit.left_out.num_rows for fit in fits)
    dropped = {words: sum(getattr(fit.left_out, name) for fit in fits) for name, words in _DROPPED.items()}
    left_out = [f"{count:,} {words}" for words, count in dropped.items() if count]
    if not left_out and not values_of:
        return ""
    seeds = {point.num_runs for point in points}
    shapes = {sum(budget.num_shapes for budget in fit.budgets) for fit in fits}
    if len(seeds) == 1 and len(shapes) == 1:
        used = f"{counted(min(shapes), 'shape')} x {counted(min(seeds), 'seed')}"
        used += f" x {len(fits)} values of {values_of}" if values_of else ""
    else:
        used = f"{counted(sum(point.num_runs for point in points), 'run')} of {counted(len(points), 'shape')}"
        used += f" in {len(fits)} values of {values_of}" if values_of else ""
    return "; ".join(
        [f"{counted(num_rows, 'row')}: {used}", *([f"not used: {', '.join(left_out)}"] if left_out else [])]
    )


_DROPPED = {
    "checkpoints": "earlier checkpoints",
    "slower_rates": "at rates that were not the best of their shape",
    "duplicates": "copies",
    "diverged": "diverged",
    "failed": "without a result",
}


def _require_alone(sources: Sequence[str], options: Mapping[str, object]) -> None:
    """Refuses what a list of the packaged sweeps has no use for."""
    others = [*sources]
    others.remove("public:")
    others += [
        f"{option} {one}"
        for option, given in options.items()
        for one in (given if isinstance(given, list) else [given])
        if one is not None
    ]
    if others:
        raise InterlawError(
            f"expected public: alone, which lists the packaged sweeps, found it with {', '.join(others)}; "
            "leave that out, or name a sweep as public:NAME"
        )


def _require_several(sources: Sequence[str], *, split: Sequence[str], out: Path | None) -> None:
    """Refuses what several fits cannot do."""
    twice = sorted({name for name in sources if sources.count(name) > 1})
    if twice:
        raise InterlawError(f"expected each run or table once, found {', '.join(twice)} twice; leave one out")
    if out is not None:
        said = f"{len(sources)}" if len(sources) > 1 else f"--split {split[0]}"
        raise InterlawError(f"expected one run or table with --out, found {said}; fit the one to be kept alone")


def read_source(source: str | Path, *, view: str | None, columns: list[str]) -> pd.DataFrame:
    """A run, anyone's table or a public sweep as a table with our column names and one view's interaction."""
    if str(source).startswith("public:"):
        table = published.find_sweep(str(source)).table()
    elif "://" in str(source) or Path(source).is_dir():
        table = runs.load_table(source)
    elif str(source).endswith(".toml") and Path(source).is_file():
        raise InterlawError(
            f"expected a table or a run's folder, found the recipe {str(source)!r}; give the folder of its run "
            "(--out of interlaw sweep)"
        )
    else:
        table = runs.read_table_file(source)
        if table.attrs.get("read_as"):
            make_console().print(f"note: the table was read as {table.attrs['read_as']}")
    table = rename_columns(table, columns)
    return table if view is None else runs.view_table(table, view=view)


def tell_windows(tables: Mapping[str, pd.DataFrame], *, given: float | None) -> None:
    """Says which tables were fitted with a window of their own, where none was given."""
    for name, table in tables.items():
        if given is None and "window" in table.attrs:
            usual = f"--window {laws.Settings.window:g} is that of other tables"
            tell(f"note: {name} is fitted with --window {table.attrs['window']:g}, which its design fixed; {usual}")


def rename_columns(table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Gives their columns our names; a column of ours that is replaced goes, theirs stays beside it."""
    for pair in columns:
        ours, equals, theirs = pair.partition("=")
        if not equals or not ours or not theirs:
            raise InterlawError(f"expected --column NAME=THEIRS such as loss=eval_loss, found {pair!r}; write it so")
        require_among(f"a column for {ours}", theirs, known=[*table.columns])
        if ours != theirs:
            table = table.assign(**{ours: table[theirs]})  # one column of theirs may stand for two of ours
    return table


def show(law: laws.LawFit) -> None:
    """Prints the verdict, one row a budget, and what to beware of."""
    console = make_console(stderr=False)
    for label, words in laws.verdict(law).lines:
        console.print(f"{label}: {words}")
    console.print()
    heads = (
        *("budget", "shapes", "runs", "best shape", "loss", "at equal size", "R*", f"{law.confidence:.0%}"),
        *(f"R within {format_share(law.delta)}", "interaction interval"),
    )
    console.print_rows(heads, map(_row, law.budgets))
    if rows := rows_text([law]):
        console.print(rows)
    for warning in law.warnings:
        console.print(f"note: {warning}")


def _row(budget: laws.BudgetFit) -> tuple[str, ...]:
    star, near, interaction = budget.r_star, budget.loss_interval, budget.interaction_interval
    return (
        format_size(budget.budget),
        str(budget.num_shapes),
        str(budget.num_runs),
        f"{budget.best.depth}x{budget.best.width}",
        f"{budget.best.loss:.4f}",
        f"{budget.best.adjusted:.4f}",
        laws.status_text(star) if star.value is None else format_ratio(star.value),
        format_range(star.low, star.high),
        "-" if near is None else _span(near.low, near.high, low_open=near.low_open, high_open=near.high_open),
        "-" if interaction is None else _interaction(interaction),
    )


def _interaction(interval: laws.InteractionInterval) -> str:
    """The interval, where there is one."""
    if interval.low is None or interval.high is None:
        return interval.status
    return _span(interval.low, interval.high)


def _span(low: float, high: float, *, low_open: bool = False, high_open: bool = False) -> str:
    """A range of shapes, its open ends marked; a single shape by its own ratio."""
    ends = f"{format_ratio(low)}{'<' if low_open else ''} to {format_ratio(high)}{'>' if high_open else ''}"
    return ends if low < high else f"{format_ratio(low)}{'<' if low_open else ''}{'>' if high_open else ''}"


def show_details(law: laws.LawFit) -> None:
    """Prints the joint law, rival forms, the slope against every published one, and every claim."""
    console = make_console(stderr=False)
    for sentence in laws.verdict(law).details:
        console.print(sentence)
    if law.law is not None:
        joint = law.law
        console.print(f"\n{joint.formula}: {joint.status}, {joint.num_shapes} shapes, residual {joint.rmse_log:.2%}")
        for name, value in joint.parameters.items():
            console.print(f"  {name:<20}{value.value:.5g} ({value.low:.5g} to {value.high:.5g})")
        forms = [
            (
                *(each.formula, str(each.num_parameters), shown(each.aicc, ".1f")),
                *(f"{each.held_out_rmse:.2%}", shown(each.held_out_largest, ".2%")),
            )
            for each in joint.comparisons
        ]
        if forms:
            console.print_rows(("form", "parameters", "AICc", "held-out", "held-out largest"), forms)
    tests = []
    for test in law.stability.tests:
        between = format_range(test.difference_low, test.difference_high, form="+.2f")
        tests.append((test.name, f"{test.slope:+.2f}", between, test.verdict, test.source))
    if tests:
        console.print_rows(("gamma against", "slope", "difference", "verdict", "source"), tests)
    console.print("claims:")
    for claim in law.claims:
        console.print(f"  {claim.claim} {claim.sentence}")
