"""The page's parts in words and tables: verdict, cautions, measurement details, provenance, commands."""

from __future__ import annotations

import shlex
from collections import Counter
from typing import Any

from interlaw.laws import BudgetFit, status_text, verdict
from interlaw.report.markup import bullets, number, section, span, table, text
from interlaw.report.results import Analysis, RunResults
from interlaw.report.wording import Units, budget_text

MOST_REASONS = 20


def verdict_section(results: RunResults) -> str:
    """The verdict in plain words, then each budget's figures; once a learning-rate treatment."""
    parts = []
    treatments = list(dict.fromkeys(each.treatment for each in results.analyses))
    for treatment in treatments:
        analyses = [each for each in results.analyses if each.treatment == treatment]
        said = verdict(analyses[0].fit)
        labelled = "".join(f'<p class="lead"><b>{text(label)}.</b> {text(words)}</p>' for label, words in said.lines)
        details = f"<details><summary>Details</summary>{bullets(list(said.details))}</details>"
        heading = f"<h3>Learning rate: {text(treatment)}</h3>" if len(treatments) > 1 else ""
        parts.append(f"{heading}{labelled}{details}{budget_table(analyses, units=results.units)}")
    return section("verdict", "Verdict", "".join(parts))


def budget_table(analyses: list[Analysis], *, units: Units) -> str:
    """One row a budget: R*, the best shape, the loss interval, and each view's interaction interval."""
    main = analyses[0]
    kind = str(main.table["budget_kind"].iloc[0])
    measured = [each for each in analyses if each.view]
    headers = [
        "Budget",
        f"R* ({main.fit.confidence:.0%} interval)",
        "Best shape at equal size",
        f"R within {100 * main.fit.delta:.2g}% of the best loss",
    ]
    headers += [f"Interaction interval ({each.view})" for each in measured]
    rows = []
    for index, fit in enumerate(main.fit.budgets):
        best = fit.best
        row = [
            budget_text(fit.budget, kind),
            _star_text(fit),
            f"{best.depth} x {best.width} (R = {number(best.ratio, digits=3)}), loss {best.loss_text}",
            _loss_interval_text(fit),
        ]
        rows.append(row + [_interaction_text(each.fit.budgets[index]) for each in measured])
    return table(headers, rows, caption=f"Budgets: depth / width; losses: {units.loss}")


def _star_text(fit: BudgetFit) -> str:
    star = fit.r_star
    if star.value is not None:
        return f"{number(star.value, digits=3)} ({span(star.low, star.high)})"
    return status_text(star)


def _loss_interval_text(fit: BudgetFit) -> str:
    interval = fit.loss_interval
    if interval is None:
        return "shapes: " + ", ".join(f"{point.depth} x {point.width}" for point in fit.near_best)
    if interval.low == interval.high and not (interval.low_open or interval.high_open):
        return f"{number(interval.low, digits=3)}, the best shape alone"
    ends = [(interval.low, interval.low_open), (interval.high, interval.high_open)]
    return " to ".join(number(end, digits=3) + (" (end of the grid)" if is_open else "") for end, is_open in ends)


def _interaction_text(fit: BudgetFit) -> str:
    found = fit.interaction_interval
    if found is None:
        return "not measured on three shapes"
    if found.low is None or found.high is None:
        return f"not determined: {found.reason}"
    if found.low == found.high:
        return f"a single shape, R = {number(found.low, digits=3)}"
    return span(found.low, found.high)


def caution_section(results: RunResults) -> str:
    """What to know before believing the verdict, and every trial that was left out; empty when there is nothing."""
    warnings = _fit_warnings(results)
    for each in results.analyses:
        lost = sum(point.aofe is not None and point.aofe <= 0 for fit in each.fit.budgets for point in fit.points)
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
        warnings.append(
            f"{len(left_out)} of {len(results.table)} ended trials have no loss and are in no figure: {counts}"
        )
    if not warnings:
        return ""
    rows = [
        [
            f"{row['depth']} x {row['width']}",
            budget_text(row["budget"], row["budget_kind"]),
            str(row["seed"]),
            row["status"],
            row["reason"],
        ]
        for row in left_out.head(MOST_REASONS).to_dict(orient="records")
    ]
    more = (
        f"Trials left out (first {MOST_REASONS} of {len(left_out)})"
        if len(left_out) > MOST_REASONS
        else "Trials left out"
    )
    listing = table(["Shape", "Budget", "Seed", "Status", "Reason"], rows, caption=more) if rows else ""
    return section("cautions", "Read with care", bullets(list(dict.fromkeys(warnings))) + listing)


def _fit_warnings(results: RunResults) -> list[str]:
    """What the fits warn of; with several treatments, each warning says whose it is."""
    names = list(dict.fromkeys(each.treatment for each in results.analyses))
    heard: dict[str, list[str]] = {}
    for each in results.analyses:
        for warning in each.fit.warnings:
            whose = heard.setdefault(warning, [])
            if each.treatment not in whose:
                whose.append(each.treatment)
    return [text if len(whose) == len(names) else f"{', '.join(whose)}: {text}" for text, whose in heard.items()]


def measurement_section(results: RunResults) -> str:
    """How the interaction was estimated, view by view, and how far the uncorrected average would be off."""
    if not results.views:
        return section("measurement", "Measurement", "<p>No interaction was measured: the recipe names no view.</p>")
    headers = [
        "View",
        "Where",
        "Dimension",
        "Clusters",
        "Probes",
        "Seed",
        "Typical stderr of AOFE-ratio",
        "Plug-in AOFE-ratio minus this one",
    ]
    rows, estimators = [], []
    for view in results.views:
        measured = [record.measurements[view] for record in results.records.values() if view in record.measurements]
        errors = sorted(each["aofe_ratio"]["stderr"] for each in measured)
        bias = [each["plugin"]["aofe_ratio"] - each["aofe_ratio"]["value"] for each in measured]
        rows.append([
            view,
            *(_several(measured, name) for name in ("layer", "dim", "num_clusters", "num_probes", "seed")),
            number(errors[len(errors) // 2], digits=2),
            f"{sum(bias) / len(bias):+.2g} on average",
        ])  # fmt: skip
        estimators.append(f"{view}: {_several(measured, 'estimator')}")
    words = (
        "<p>AOFE is the energy of the AGOP outside its diagonal, AOFE-ratio its share of the whole energy. The chance "
        "level is the AOFE-ratio expected without structure at the same dimension and effective rank; excess is the "
        "difference. Clusters (sequences of a text) are what the estimate and its intervals treat as independent.</p>"
    )
    listing = table(headers, rows, caption="One row a view, over all trials")
    return section("measurement", "Measurement", f"{words}{listing}<p>Estimators:</p>{bullets(estimators)}")


def _several(measured: list[dict[str, Any]], name: str) -> str:
    """The value that all trials share, or their range."""
    values = list(dict.fromkeys(each[name] for each in measured))
    if len(values) == 1:
        return str(values[0])
    if all(isinstance(value, int) for value in values):
        return f"{min(values)} to {max(values)}"
    return "; ".join(str(value) for value in values)


def provenance_section(results: RunResults) -> str:
    """What produced the numbers, the recipe, and the commands that make this page again."""
    versions: dict[str, Counter[str]] = {}
    for record in results.records.values():
        for name, value in record.provenance.items():
            versions.setdefault(name, Counter())[str(value)] += 1
    total = len(results.records)
    rows = [
        [name, "; ".join(v if n == total else f"{v} ({n} trials)" for v, n in counts.items())]
        for name, counts in versions.items()
    ]
    done = results.table[results.table["status"] == "done"]
    rows += [
        ["trials", f"{total} ended, {len(done)} of them well; {results.num_pending} left"],
        [f"training {results.units.data}", number(float(results.table["train_tokens"].sum()))],
        ["training FLOPs", f"{results.table['train_flops'].sum():.3g}"],
        ["training time", f"{results.table['seconds'].sum():.0f} s over all trials"],
    ]
    body = table(["What", "Value"], rows, caption="Versions and machine, as each trial recorded them")
    body += f'<h3>Commands</h3><pre class="commands">{text(commands(results))}</pre>'
    body += f"<h3>Recipe</h3><pre>{text(results.recipe)}</pre>"
    return section("provenance", "Provenance", body)


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
