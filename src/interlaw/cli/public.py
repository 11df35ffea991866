"""What `interlaw fit` says of packaged sweeps, grids without budgets and budgets in training FLOPs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, Unpack

from interlaw import laws, published, recommendation
from interlaw.cli.output import make_console, next_command, print_json, tell
from interlaw.size import format_range, format_ratio, format_size

if TYPE_CHECKING:
    import pandas as pd


def list_sweeps(*, as_json: bool) -> None:
    """Prints every packaged sweep: its name, what it is, what it counts, where it is from."""
    if as_json:
        print_json({"sweeps": published.packaged_sweeps()})
        return
    console = make_console(stderr=False)
    # the tasks of one experiment stand together
    for _, parts in groupby(published.packaged_sweeps(), key=lambda sweep: (sweep.dataset, sweep.title)):
        sweep, *others = parts
        for each in (sweep, *others):
            console.print(each.name, style="bold")
        licence = f"{sweep.source} (licence: {sweep.licence})"
        window = [] if sweep.window is None else [f"fitted with --window {sweep.window:g}, which its design fixed"]
        console.say(sweep.title, f"counts: {sweep.counts}", *window, licence, indent=2)
    tell(f"fit one: {next_command('fit', 'public:NAME')}")


def surfaces(
    table: pd.DataFrame, law: laws.LawFit, *, treatment: str | None, **reading: Unpack[laws.ReadOptions]
) -> dict[str, Sequence[Any]]:
    """`surface`: R* over a grid without budgets; `compute_optimal`: N*, D*, R* of budgets in training FLOPs.

    Of the rows that the law was fitted to, which were read with `treatment`, `budget_tolerance` and `last_step`.
    """
    used = table.iloc[laws.read_runs(table, treatment=treatment, **reading).frame.index]
    columns = {str(name): used[name].to_numpy() for name in used.columns}
    if "budget_kind" in table.columns and set(table["budget_kind"]) == {"train_flops"}:
        return {"compute_optimal": laws.compute_optima(columns)}
    # without a budget that has a curve of its own, a table is a grid of sizes
    if "budget" in table.columns or any(budget.num_shapes >= recommendation.ENOUGH_SHAPES for budget in law.budgets):
        return {}
    return {"surface": laws.surface_optima(columns)}


HELD = "80%"  # of simulated sweeps, where the bootstrap means 90%: docs/law.md, `python -m benchmarks laws_coverage`


def show_surfaces(surfaces: Mapping[str, Sequence[Any]]) -> None:
    """Prints them, one line a size or budget."""
    console, level = make_console(stderr=False), f"{laws.Settings.confidence:.0%}"
    for one in surfaces.get("surface", []):
        said = laws.STATUS_WORDS[one.status]
        if one.status == "optimum":
            said = f"R* {format_ratio(one.ratio)} ({HELD}: {format_range(one.low, one.high)})"
        console.print(f"surface through {one.num_shapes} shapes near {format_size(one.params)}: {said}")
    for one in surfaces.get("compute_optimal", []):
        said = laws.STATUS_WORDS[one.status]
        if one.status == "optimum":
            size, low, high = map(format_size, one.params)
            ratio, *ends = one.ratio
            best = f"R* {format_ratio(ratio)} ({level}: {format_range(*ends)})"
            said = f"N* {size} ({level}: {low} to {high}), D* {format_size(one.tokens[0])} tokens, {best}"
        console.print(f"{format_size(one.flops)} FLOPs: {said}")
