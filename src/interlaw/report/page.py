"""One self-contained HTML page of a run: no network, opens from disk, safe against hostile names."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from interlaw.report.figures import drawings, rendered, save
from interlaw.report.markup import number, section, table, text
from interlaw.report.results import RunResults, load_results
from interlaw.report.sections import caution_section, measurement_section, provenance_section, verdict_section
from interlaw.report.style import style

CAPTIONS = {
    "loss-against-ratio": (
        "Loss against depth / width",
        "One panel a budget, all with one relative scale. The gold band holds every R whose loss is as good as the "
        "best within the tolerance, the green bar the shapes whose interaction is most efficient, found without the "
        "loss.",
    ),
    "interaction-plane": (
        "Interaction plane",
        "Each shape by its interaction: efficient is up (a high AOFE-ratio) and left (little AOFE). Hollow marks show "
        "the AOFE-ratio that chance gives at the same dimension and effective rank: only the height above it is "
        "structure. Size grows with R.",
    ),
    "best-ratio": (
        "Best depth / width against budget",
        "R* with its interval; an arrow where the data set no bound. Gold: loss as good as the best; green: efficient "
        "interaction.",
    ),
    "best-ratio-published": (
        "Beside published laws and models",
        "Published statements over the sizes that each speaks of, and published dense language models.",
    ),
    "learning-curves": ("Learning curves", "Validation loss during training."),
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
    "train_tokens": "Tokens",
    "tokens_per_second": "Tokens/s",
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


def page(results: RunResults) -> str:
    """The page's HTML."""
    body = "".join([
        verdict_section(results),
        caution_section(results),
        figure_section(static_figures(results)),
        trials_section(results),
        measurement_section(results),
        provenance_section(results),
    ])  # fmt: skip
    css = resources.files("interlaw.report").joinpath("page.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{text(results.name)} · interlaw</title><style>{css}</style></head><body>"
        f'<header><h1>{text(results.name)}</h1><p class="quiet">{text(subtitle(results))}</p></header>'
        f"<main>{body}</main></body></html>\n"
    )


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


def static_figures(results: RunResults) -> dict[str, bytes]:
    """Name to SVG."""
    with style():
        return {name: rendered(draw(), form="svg") for name, draw in drawings(results).items()}


def figure_section(figures: Mapping[str, bytes]) -> str:
    """The figures with their captions."""
    return "".join(_figure(name, svg) for name, svg in figures.items())


def _figure(name: str, svg: bytes) -> str:
    title, caption = next(value for key, value in reversed(CAPTIONS.items()) if name.startswith(key))
    source = f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"
    image = f'<img src="{source}" alt="{text(title)}. {text(caption)}">'
    return section(
        name, title, f'<figure><div class="plot">{image}</div><figcaption>{text(caption)}</figcaption></figure>'
    )


def trials_section(results: RunResults) -> str:
    """Every trial that ended, one row each."""
    columns = {name: title for name, title in COLUMNS.items() if name in results.table}
    for view in results.views:
        columns[f"{view}_aofe"] = f"AOFE ({view})"
        columns[f"{view}_aofe_ratio"] = f"AOFE-ratio ({view})"
        columns[f"{view}_excess_ratio"] = f"Excess ({view})"
    rows = [
        [row[name] if isinstance(row[name], str) else number(row[name]) for name in columns]
        for row in results.table.to_dict(orient="records")
    ]
    return section(
        "trials", "All trials", table(list(columns.values()), rows, caption="One row a trial; losses in nats per token")
    )
