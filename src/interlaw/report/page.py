"""One self-contained HTML page of a run: no network, opens from disk, safe against hostile names."""

from __future__ import annotations

from pathlib import Path

from interlaw.report.document import document
from interlaw.report.figures import speaks_of_published
from interlaw.report.markup import number, section, table, text
from interlaw.report.payload import payload
from interlaw.report.results import RunResults, load_results
from interlaw.report.saving import save
from interlaw.report.sections import caution_section, measurement_section, provenance_section, verdict_section

STYLES = ("page.css",)
LIVE_STYLES = ("page.css", "live.css")
SCRIPTS = (
    "chart.js",
    "tip.js",
    "anchors.js",
    "state.js",
    "panels.js",
    "law_panels.js",
    "treatment_panels.js",
    "table.js",
    "page.js",
)
# a browser takes seconds to lay out a thousand rows: these come at once, the others as the reader scrolls
ROWS_AT_FIRST = 100
# anchor: (title, class of the drawing's place, what to see in it)
PANELS = {
    "loss-against-ratio": (
        "Loss against depth / width",
        "cells",
        "One panel a budget, all with one relative scale. Dots are means over seeds, with their number of layers; "
        "dashes single seeds; the curve is the fit in log R with its bootstrap band (hollow dots lie outside its "
        "window), dashed where it names no optimum. The gold band holds every R whose loss is as good as the best "
        "within the tolerance; the green bar spans the shapes whose interaction is most efficient, found without the "
        "loss.",
    ),
    "interaction-plane": (
        "Interaction plane",
        "",
        "Each shape by its interaction: efficient is up (a high AOFE-ratio) and left (little AOFE). Hollow marks show "
        "the AOFE-ratio that chance gives at the same dimension and effective rank: only the distance from it "
        "tells of structure - and in the projected view, whose basis is one random matrix, only how the distance "
        "differs between shapes. The mark is the budget, its size grows with R, the number is the layers; green rings "
        "are shapes that no other of their budget beats in both.",
    ),
    "best-ratio": (
        "Best depth / width against budget",
        "",
        "R* with its interval; an arrow where the data set no bound. Gold: loss as good as the best; green: efficient "
        "interaction; grey: the shapes tried; blue: the law fitted to all budgets together, with its interval.",
    ),
    "best-ratio-published": (
        "Beside published laws and models",
        "",
        "Published statements, each over the sizes that it speaks of, and published dense language models.",
    ),
    "treatments": (
        "Learning-rate treatments compared",
        "cells",
        "Loss against R under each way of choosing the learning rate: shape means and fitted curves; below them R* "
        "with its interval, an arrow where the data set no bound, hollow where the minimum lies at the grid's edge.",
    ),
    "learning-curves": (
        "Learning curves",
        "cells",
        "Validation loss while training, numbered by layers.",
    ),
}
COLUMNS = {
    "budget": "Budget",
    "depth": "Depth",
    "width": "Width",
    "ratio": "R",
    "params": "Parameters",
    "treatment": "Treatment",
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
    """The page's HTML: words and tables stand in it, the panels are drawn by its script from the numbers it carries.

    Args:
        results: The run.
        live: The version of the run that this is, where the page is served and asks for newer ones; else empty.
    """
    body = "".join([
        live_section() if live else "",
        verdict_section(results),
        caution_section(results),
        panel_sections(results),
        trials_section(results),
        measurement_section(results),
        provenance_section(results),
    ])  # fmt: skip
    return document(
        title=results.name,
        header=f'<h1>{text(results.name)}</h1><p class="quiet">{text(subtitle(results))}</p>',
        body=body,
        data=payload(results) | ({"live": live} if live else {}),
        styles=LIVE_STYLES if live else STYLES,
        scripts=(*SCRIPTS, "live.js") if live else SCRIPTS,
        connect=bool(live),
    )


def live_section() -> str:
    """The place where the script of a served page says how the sweep goes."""
    return section("live", "The sweep now", '<p id="live-now" role="status"></p><div id="live-trials"></div>')


def subtitle(results: RunResults) -> str:
    """What the run holds, in one line."""
    rows = results.table
    counted = [
        (len(rows), "trials"),
        (rows["budget"].nunique(), "budgets"),
        (rows["depth"].nunique(), "depths"),
        (rows["seed"].nunique(), "seeds"),
    ]
    family = ", ".join(str(each) for each in rows["family"].unique())
    return f"{family}: " + ", ".join(f"{n} {word if n != 1 else word[:-1]}" for n, word in counted)


def panel_sections(results: RunResults) -> str:
    """The switches, and a place for each panel that the run has data for."""
    missing = set() if results.views else {"interaction-plane"}
    if not speaks_of_published(results):
        missing.add("best-ratio-published")
    if len({each.treatment for each in results.analyses}) < 2:
        missing.add("treatments")
    if not any(len(curve) for curve in results.curves.values()):
        missing.add("learning-curves")
    panels = "".join(_panel(name, *parts) for name, parts in PANELS.items() if name not in missing)
    words = "The panels need JavaScript; interlaw report DIR --figures FOLDER writes them as files."
    return f'<noscript><p>{text(words)}</p></noscript><div id="controls" hidden></div>{panels}'


def _panel(name: str, title: str, kind: str, caption: str) -> str:
    extra = {"interaction-plane": '<div id="heat-scale"></div>', "treatments": '<div id="differences"></div>'}.get(
        name, ""
    )
    place = f'<div class="plot {text(kind)}"></div>'
    return section(name, title, f"<figure>{place}{extra}<figcaption>{text(caption)}</figcaption></figure>")


def trials_section(results: RunResults) -> str:
    """Every trial that ended, one row each, in the order of the run table."""
    columns = {name: title for name, title in COLUMNS.items() if name in results.table}
    data = results.units.data
    columns |= {"train_tokens": data.capitalize(), "tokens_per_second": f"{data.capitalize()}/s"}
    for view in results.views:
        columns[f"{view}_aofe"] = f"AOFE ({view})"
        columns[f"{view}_aofe_ratio"] = f"AOFE-ratio ({view})"
        columns[f"{view}_excess_ratio"] = f"Excess ({view})"
    trials = results.table.to_dict(orient="records")
    rows = [[row[name] if isinstance(row[name], str) else number(row[name]) for name in columns] for row in trials]
    marks = [{"shape": f"{row['budget']}:{row['depth']}x{row['width']}", "key": row["key"]} for row in trials]
    caption = f"One row a trial; losses: {results.units.loss}"
    return section("trials", "All trials", table(columns, rows, caption=caption, marks=marks, at_first=ROWS_AT_FIRST))
