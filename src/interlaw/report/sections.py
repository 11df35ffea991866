"""The page's parts in words and tables: verdict, cautions, measurement details, provenance, commands."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from interlaw.laws import BudgetFit, status_text, verdict
from interlaw.report.results import Analysis, RunResults, by_treatment
from interlaw.report.tables import Table, table_of
from interlaw.report.wording import budget_text, number, shape_name
from interlaw.size import format_range, format_ratio, format_share, format_size

MOST_REASONS = 20  # rows of a table: a screen


@dataclass(frozen=True, kw_only=True)
class VerdictPart:
    """The verdict under one learning-rate treatment, whose name is the heading where there are several."""

    heading: str
    lines: Sequence[tuple[str, str]]  # label and sentence
    details: Sequence[str]
    table: Table


def verdicts(results: RunResults) -> list[VerdictPart]:
    """The verdict in plain words, then each budget's figures; once a learning-rate treatment."""
    treated = by_treatment(results.analyses)
    return [
        VerdictPart(
            heading=f"Learning rate: {treatment}" if len(treated) > 1 else "",
            lines=_so_far((said := verdict(analyses[0].fit)).lines, results.num_pending),
            details=said.details,
            table=budget_table(results, analyses),
        )
        for treatment, analyses in treated.items()
    ]


def _so_far(lines: tuple[tuple[str, str], ...], num_pending: int) -> tuple[tuple[str, str], ...]:
    """The verdict while trials are left: it speaks of those that ended, and the next step is to wait."""
    if not num_pending:
        return lines
    (label, sentence), *others, (next_label, _) = lines
    wait = f"Trials left in the plan: {num_pending}. The verdict uses those that ended, and will change."
    return ((f"{label} so far", sentence), *others, (next_label, wait))


def budget_table(results: RunResults, analyses: Sequence[Analysis]) -> Table:
    """One row a budget: R*, the best shape, the loss interval, and each view's interaction interval."""
    fit, measured = analyses[0].fit, [each for each in analyses if each.view]
    interval, near = f"{fit.confidence:.0%} interval", f"R within {format_share(fit.delta)} of the best loss"
    rows = [
        {
            "Budget": budget_text(each.budget, results.budget_kind),
            "R*": each.r_star.value,
            interval: status_text(each.r_star)
            if each.r_star.value is None
            else format_range(each.r_star.low, each.r_star.high),
            "Best shape at equal size": shape_name(each.best.depth, each.best.width),
            "Its loss": each.best.adjusted,
            near: _loss_interval_text(each),
            **{f"Efficient interaction ({view.view})": _interaction_text(view.fit.budgets[place]) for view in measured},
        }
        for place, each in enumerate(fit.budgets)
    ]
    caption = f"Budgets: R = depth / width; losses: {results.units.loss}"
    return table_of(rows, caption=caption)


def _loss_interval_text(fit: BudgetFit) -> str:
    interval = fit.loss_interval
    if interval is None:
        return "shapes " + ", ".join(f"{point.depth} x {point.width}" for point in fit.near_best)
    if interval.low == interval.high and not (interval.low_open or interval.high_open):
        return f"{format_ratio(interval.low)}, the best shape alone"
    ends = [(interval.low, interval.low_open), (interval.high, interval.high_open)]
    return " to ".join(format_ratio(end) + (" (end of the grid)" if is_open else "") for end, is_open in ends)


def _interaction_text(fit: BudgetFit) -> str:
    interval = fit.interaction_interval
    if interval is None:
        return "not measured on three shapes"
    if interval.low is None or interval.high is None:
        return f"not determined: {interval.reason}"
    if interval.low == interval.high:
        return f"a single shape, R = {format_ratio(interval.low)}"
    return format_range(interval.low, interval.high)


def warnings_of(results: RunResults) -> list[str]:
    """What to know before believing the verdict; empty when there is nothing."""
    warnings = _fit_warnings(results)
    for each in results.analyses:
        lost = _without_energy(each)
        if lost:
            warnings.append(
                f"shapes without a positive AOFE in the view {each.view}, missing from its plane: {lost}; "
                "measure with more samples"
            )
    if not results.views:
        warnings.append("no trial has an interaction measurement: the page shows losses only")
    if results.num_pending:
        warnings.append(
            f"planned trials that have not ended yet: {results.num_pending}; the fit will move when they do"
        )
    left_out = results.table[results.table["status"] != "done"]
    if len(left_out):
        counts = ", ".join(f"{count} {status}" for status, count in left_out["status"].value_counts().items())
        searched = int((left_out["stage"] == "search").sum())
        tried = f"; {searched} of them only tried a learning rate" if searched else ""
        warnings.append(
            f"{len(left_out)} of {len(results.table)} ended trials have no loss and are in no figure: {counts}{tried}"
        )
    return list(dict.fromkeys(warnings))


def _without_energy(analysis: Analysis) -> int:
    """Shapes with a measured AOFE of nothing or less, which no logarithmic axis can show."""
    if not analysis.view:
        return 0
    table = analysis.table
    chosen = table[(table["status"] == "done") & (table["aofe"] <= 0)]
    return len(chosen[["budget", "depth", "width"]].drop_duplicates())


def left_out_table(results: RunResults) -> Table | None:
    """The first of the trials that have no loss, with the reasons."""
    left_out = results.table[results.table["status"] != "done"]
    if not len(left_out):
        return None
    rows = [
        {
            "Shape": f"{row['depth']} x {row['width']}",
            "Budget": budget_text(row["budget"], results.budget_kind),
            **{name.capitalize(): row[name] for name in ("seed", "status", "reason")},
        }
        for row in left_out.head(MOST_REASONS).to_dict(orient="records")
    ]
    more = f" (first {MOST_REASONS} of {len(left_out)})" if len(left_out) > MOST_REASONS else ""
    return table_of(rows, caption=f"Trials left out{more}", stacked=True)


def _fit_warnings(results: RunResults) -> list[str]:
    """What the fits warn of; with several treatments, each warning says whose it is."""
    heard: dict[str, dict[str, None]] = {}
    for each in results.analyses:
        for warning in each.fit.warnings:
            heard.setdefault(warning, {})[each.treatment] = None
    num = len(by_treatment(results.analyses))
    return [text if len(whose) == num else f"{', '.join(whose)}: {text}" for text, whose in heard.items()]


def measurement_table(results: RunResults) -> tuple[Table, list[str]]:
    """How the interaction was estimated, view by view, how far the plain average would be off, and the estimators."""
    facts = {"layer": "Where", "dim": "Dimension", "num_clusters": "Clusters", "num_probes": "Probes", "seed": "Seed"}
    rows, estimators = [], []
    for view in results.views:
        measured = [record.measurements[view] for record in results.records.values() if view in record.measurements]
        errors = sorted(each["aofe_ratio"]["stderr"] for each in measured)
        bias = [each["plugin"]["aofe_ratio"] - each["aofe_ratio"]["value"] for each in measured]
        rows.append({
            "View": view,
            **{title: _shared(measured, name) for name, title in facts.items()},
            "Typical stderr of AOFE-ratio": number(errors[len(errors) // 2], digits=2),
            "Plain average minus this AOFE-ratio": f"{sum(bias) / len(bias):+.2g}",
        })  # fmt: skip
        estimators.append(f"{view}: {_shared(measured, 'estimator')}")
    return table_of(rows, caption="One row a view, over all trials"), estimators


def _shared(records: Sequence[Mapping[str, Any]], name: str) -> str:
    """The value that all trials share, else the range of numbers, else each value with its trials."""
    counts = Counter(each[name] for each in records)
    if len(counts) == 1:
        return str(next(iter(counts)))
    if all(isinstance(value, int | float) for value in counts):
        return f"{number(min(counts))} to {number(max(counts))}"
    return "; ".join(f"{value} ({count} trials)" for value, count in counts.most_common())


def provenance_table(results: RunResults) -> Table:
    """What produced the numbers."""
    recorded = [record.provenance for record in results.records.values()]
    names = dict.fromkeys(name for each in recorded for name in each)
    done = results.table[results.table["status"] == "done"]
    facts = {
        **{name: _shared([each for each in recorded if name in each], name) for name in names},
        "trials": f"{len(recorded)} ended, {len(done)} of them well; {results.num_pending} left",
        f"training {results.units.data}": number(float(results.table["train_tokens"].sum())),
        "training FLOPs": format_size(float(results.table["train_flops"].sum())),
        "training time": f"{results.table['seconds'].sum():.0f} s over all trials",
    }
    rows = [{"What": name, "Value": value} for name, value in facts.items()]
    return table_of(rows, caption="Versions and machine, as each trial recorded them", words=("Value",))


def commands(results: RunResults) -> str:
    """What makes the run, its law, its table and this page, ready for a shell."""
    folder = shlex.quote(str(results.path))
    recipe = shlex.quote(str(results.path / "recipe.toml"))
    return "\n".join([
        f"interlaw sweep {recipe} --out {folder}",
        f"interlaw fit {folder}",
        f"interlaw export {folder} --format csv --out trials.csv",
        f"interlaw report {folder}",
    ])  # fmt: skip
