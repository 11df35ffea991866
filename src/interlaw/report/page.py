"""One self-contained HTML page of a run: no network, opens from disk, safe against hostile names."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

from interlaw import __version__
from interlaw.files import save
from interlaw.plain import Json
from interlaw.report.document import Cell, PageFigure, asset, document, drawn, page_scripts, policy
from interlaw.report.figures import drawings
from interlaw.report.live_figure import live_drawing
from interlaw.report.loss_figure import shape_key
from interlaw.report.results import RunResults, by_treatment, load_results
from interlaw.report.sections import (
    commands,
    left_out_table,
    measurement_table,
    provenance_table,
    verdicts,
    warnings_of,
)
from interlaw.report.tables import Table, table_of
from interlaw.report.treatments_figure import difference_texts
from interlaw.report.wording import budget_text
from interlaw.runs import table_as
from interlaw.size import counted, format_size

DEMO = "demo.html"  # one target of the experiment `waves` (docs/design.md), written by examples/figures/demo_page.py
SCRIPTS = ("page.js", "table.js")
# a browser takes seconds to lay out a thousand rows: these come at once, the others as the reader scrolls
ROWS_AT_FIRST = 100
COLUMNS = {
    "budget": "Budget",
    "depth": "Depth",
    "width": "Width",
    "ratio": "R",
    "params": "Parameters",
    "treatment": "Treatment",
    "stage": "Stage",  # where there is more than one
    "learning_rate": "Learning rate",
    "seed": "Seed",
    "status": "Status",
    "loss": "Test loss",
    "bits_per_byte": "Bits/byte",
}


def write_report(run_dir: str | Path, out: str | Path | None = None) -> Path:
    """Writes the report of a run as one HTML file that needs nothing else.

    Args:
        run_dir: A sweep's folder, finished or not.
        out: The file; DIR/report.html when None.

    Returns:
        The file's path.

    Raises:
        InterlawError: No run, no trial that ended well, or a place that cannot be written.
    """
    results = load_results(run_dir)
    path = results.path / "report.html" if out is None else Path(out)
    save(path, page(results).encode())
    return path


def page(results: RunResults, *, live: str = "") -> str:
    """The page's HTML: words and tables stand in it, its script draws the figures from their specifications.

    `live` is the version of the run that this is, where the page is served and asks for newer ones.
    """
    figures, panels = drawn([*drawings(results), *([("live", "The sweep now", live_drawing())] if live else [])])
    running = figures.pop().cells[0] if live else None
    measurement, estimators = measurement_table(results) if results.views and results.records else (None, [])
    return document(
        "report.html.j2",
        title=results.name,
        subtitle=subtitle(results),
        data={"trials": trial_columns(results), "panels": panels, **({"live": live} if live else {})},
        scripts=(*SCRIPTS, "live.js") if live else SCRIPTS,
        connect=bool(live),
        version=__version__,
        live=running,
        verdicts=verdicts(results),
        hero=hero_cell(figures, results),
        warnings=warnings_of(results),
        left_out=left_out_table(results),
        controls=controls(results),
        figures=figures,
        differences=difference_texts(results.comparison, budget_kind=results.budget_kind),
        trials=trials_table(results),
        measurement=measurement,
        estimators=estimators,
        provenance=provenance_table(results),
        commands=commands(results),
        recipe=results.recipe,
    )


def hero_cell(figures: Sequence[PageFigure], results: RunResults) -> Cell:
    """The panel beside the verdict: R* against the budget where two name it, else the budget of which it speaks."""
    cells = {figure.name: figure.cells for figure in figures}
    budgets = cells["loss-against-ratio"]
    named = {
        (each.treatment, fit.budget)
        for each in results.analyses
        for fit in each.fit.budgets
        if fit.r_star.value is not None
    }
    known = [cell for cell in budgets if (cell.panel.belongs["treatment"], cell.panel.belongs["budget"]) in named]
    hero = cells["best-ratio"][0] if len(known) > 1 else known[0] if known else budgets[-1]
    return replace(hero, panel=replace(hero.panel, belongs={}), wide=True)  # shown whatever is switched off


def subtitle(results: RunResults) -> str:
    """What was trained and what is asked, for a reader who sees such a page for the first time."""
    rows = results.table
    families = ", ".join(str(each) for each in rows["family"].unique())
    sizes = [format_size(budget) for budget in sorted(rows["budget"].unique())]
    *others, last = [*sizes[:-1], budget_text(max(rows["budget"]), results.budget_kind)]
    of_sizes = f"{', '.join(others)} and {last}" if others else last
    depths = f"{rows['depth'].min()} to {counted(int(rows['depth'].max()), 'layer')}"
    return (
        f"{counted(len(rows), 'network')} ({families}) of {of_sizes}, from wide and shallow to narrow and deep: "
        f"{depths}, {counted(rows['seed'].nunique(), 'seed')}. Which shape has the lowest test loss, and does "
        "interaction show it?"
    )


def controls(results: RunResults) -> Json:
    """What the reader can switch: budgets, seeds, and of what there are several, the view and the treatment."""
    budgets, seeds = (sorted(results.table[name].unique().tolist()) for name in ("budget", "seed"))
    several = (("view", "View", results.views), ("treatment", "Learning rate", list(by_treatment(results.analyses))))
    return {
        "budgets": [(f"{budget:g}", budget_text(budget, results.budget_kind)) for budget in budgets],
        "seeds": seeds,
        "choices": [(name, words, values) for name, words, values in several if values],
    }


def trial_columns(results: RunResults) -> dict[str, list[str]]:
    """The run table by column, each cell as it is exported to CSV; a column of one value holds it once."""
    lines = io.StringIO(table_as(results.table, form="csv").decode(), newline="")
    columns = ((name, list(cells)) for name, *cells in zip(*csv.reader(lines), strict=True))
    return {name: cells if len(set(cells)) > 1 else cells[:1] for name, cells in columns}


def trials_table(results: RunResults) -> Table:
    """Every trial that ended, one row each, in the order of the run table."""
    titles = {name: title for name, title in COLUMNS.items() if name in results.table}
    if results.table["stage"].nunique() < 2:
        del titles["stage"]
    titles |= {"train_tokens": results.units.data.capitalize()}
    for view in results.views:
        titles[f"{view}_aofe"] = f"AOFE ({view})"
        titles[f"{view}_aofe_ratio"] = f"AOFE-ratio ({view})"
        titles[f"{view}_excess_ratio"] = f"Excess ({view})"
    trials: list[Any] = results.table.to_dict(orient="records")
    marks = [
        {
            "shape": shape_key(row["budget"], depth=row["depth"], width=row["width"]),
            **{name: row[name] for name in ("key", "treatment")},
        }
        for row in trials
    ]
    caption = f"One row a trial; losses: {results.units.loss}"
    return table_of(trials, titles=titles, caption=caption, marks=marks, at_first=ROWS_AT_FIRST)


def demo_page() -> str:
    """The packaged report of a real experiment: kept without style and scripts, which the installed package puts in."""
    content = resources.files("interlaw.report").joinpath(DEMO).read_text(encoding="utf-8")
    for place, part in _of_every_page().items():
        content = content.replace(place, part)
    return content


def content_alone(content: str) -> str:
    """A written report as it is kept in the package: places stand for what every page has.

    Example:
        >>> kept = content_alone(demo_page())
        >>> [kept.count(place) for place in ("@@policy@@", "@@style@@", "@@vega@@", "@@script@@")]
        [1, 1, 1, 1]
    """
    for place, part in _of_every_page().items():
        content = content.replace(part, place)
    return content


def _of_every_page() -> dict[str, str]:
    """What every report has, by the place that stands for it."""
    style, (vega, script) = asset("page.css"), page_scripts(SCRIPTS)
    return {"@@policy@@": policy(style, [vega, script]), "@@style@@": style, "@@vega@@": vega, "@@script@@": script}
