"""The explorer: a form whose answer is that of `recommend`, served on loopback or written as a page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from interlaw import __version__
from interlaw.errors import InterlawError
from interlaw.laws import LawFit
from interlaw.recommendation import Recommendation, recommend
from interlaw.report.document import document, drawn, fragment
from interlaw.report.recommendation_figure import candidate_key, draw_recommendation
from interlaw.report.saving import save
from interlaw.report.tables import Column, Table, number_texts, table_of
from interlaw.report.wording import shape_name, span
from interlaw.shapes import format_size

NAME = "explorer.html"
SCRIPTS = ("page.js", "explore.js")
# name of a field: (words, what it reads, its first value); empty fields are left to `recommend`
FIELDS: dict[str, tuple[str, type, str]] = {
    "params": ("Parameters", str, "350M"),
    "flops": ("or training FLOPs", str, ""),
    "family": ("Family", str, "llama"),
    "vocab_size": ("Vocabulary", str, ""),
    "context": ("Context", int, ""),
    "tokens": ("Training tokens", str, ""),
    "head_dim": ("Head width", int, ""),
    "heads_per_kv": ("Heads a key-value head", int, ""),
    "multiple_of": ("Widths are multiples of", int, ""),
    "parallel": ("Splits over devices", int, ""),
    "num_candidates": ("Shapes to list", int, ""),
}


def write_explorer(
    out: str | Path | None = None, *, asked: Mapping[str, str] | None = None, fit: LawFit | None = None
) -> Path:
    """Writes the present answer as one HTML file that needs nothing else.

    Args:
        out: The file; explorer.html when None.
        asked: Values of the form's fields; its first values where left out.
        fit: Your own law: it then gives the interval and the penalties, as in `recommend`.

    Returns:
        The file's path.

    Raises:
        InterlawError: What `recommend` refuses, or a file that cannot be written.
    """
    path = Path(NAME if out is None else out)
    save(path, explorer_page(asked or {}, fit=fit, served=False).encode())
    return path


def explorer_page(asked: Mapping[str, str], *, fit: LawFit | None = None, served: bool = True) -> str:
    """The page with the answer to what is asked; a served one shows a mistake in place of an answer.

    Raises:
        InterlawError: What `recommend` refuses, where the page is not served.
    """
    values = {name: asked.get(name, first) for name, (_, _, first) in FIELDS.items()}
    found = answer(values, fit=fit) if served else {**_answered(values, fit), "error": ""}
    return document(
        "explorer.html.j2",
        title="Choose a depth and a width",
        data={"panels": found["panels"], "config": found["config"], "served": served},
        scripts=SCRIPTS,
        connect=served,
        version=__version__,
        served=served,
        fields=[(name, words, values[name]) for name, (words, _, _) in FIELDS.items()],
        error=found["error"],
        answer=found["html"],
    )


def answer(asked: Mapping[str, str], *, fit: LawFit | None = None) -> dict[str, Any]:
    """What the page's script puts in place.

    Returns:
        `html`, `panels` and `config`, or `error`: what `recommend` says of a wrong value.
    """
    try:
        return {**_answered(asked, fit), "error": ""}
    except InterlawError as error:
        return {"html": "", "panels": {}, "config": {}, "error": str(error)}


def _answered(asked: Mapping[str, str], fit: LawFit | None) -> dict[str, Any]:
    result = recommend(**read_fields(asked), fit=fit)
    figures, data = drawn([("cost", "Predicted cost", draw_recommendation(result))])
    html = fragment(
        "answer.html.j2",
        lead=lead(result),
        why=result.why,
        figure_drawn=figures[0],
        candidates=candidates_table(result),
        laws=laws_table(result),
        models=models_table(result) if result.models else None,
        warnings=result.warnings,
    )
    return {"html": html, **data}


def read_fields(asked: Mapping[str, str]) -> dict[str, Any]:
    """The form's texts as arguments of `recommend`; empty ones are left out.

    Raises:
        InterlawError: A field that the form lacks, or a text that is no number where one is meant.
    """
    unknown = sorted(set(asked) - set(FIELDS))
    if unknown:
        raise InterlawError(f"expected fields of {', '.join(FIELDS)}, found {', '.join(unknown)}; leave them out")
    found: dict[str, Any] = {}
    for name, text in asked.items():
        words, kind, _ = FIELDS[name]
        if not text.strip():
            continue
        try:
            found[name] = kind(text.strip())
        except ValueError:
            raise InterlawError(f"expected a number as {words.lower()}, found {text!r}; change it") from None
    if "flops" in found:  # what is typed last: the budget in parameters is filled in at first
        found.pop("params", None)
    return found


def lead(result: Recommendation) -> str:
    """The pick in a sentence."""
    pick, interval = result.pick.shape, result.interval
    return (
        f"For {format_size(result.params)} parameters: {shape_name(pick.depth, pick.width)}. Shapes of R = "
        f"{span(interval.low, interval.high)} are predicted within {100 * result.delta:.2g}% of the least loss."
    )


def candidates_table(result: Recommendation) -> Table:
    """Every shape, the pick first."""
    rows = [
        {
            "shape": f"{each.shape.depth} x {each.shape.width}",
            "ratio": each.shape.ratio,
            "params": each.shape.params,
            "miss": f"{each.budget_error:+.1%}",
            "penalty": f"{100 * each.penalty.value:.2f}",
            "range": f"{100 * each.penalty.low:.2f} to {100 * each.penalty.high:.2f}",
            "flops": f"{each.train_flops:.2e}",
            "inside": "yes" if each.inside else "no",
        }
        for each in result.candidates
    ]
    titles = {
        "shape": "Layers x width",
        "ratio": "R",
        "params": "Parameters",
        "miss": "Off the budget",
        "penalty": "Loss above the best (%)",
        "range": "Its range (%)",
        "flops": "Training FLOPs",
        "inside": "In the range",
    }
    marks = [
        {"shape": candidate_key(each), **({"pick": "yes"} if place == 0 else {})}
        for place, each in enumerate(result.candidates)
    ]
    right = ("miss", "penalty", "range", "flops")
    return table_of(titles, rows, caption="Shapes of equal budget, the pick first", marks=marks, right=right)


def laws_table(result: Recommendation) -> Table:
    """What every published law says at this size."""
    ratios = number_texts([one.ratio for one in result.laws])
    rows = [
        [
            one.law.name,
            ratio,
            "" if one.low is None or one.high is None else span(one.low, one.high),
            "yes" if one.covered else "no",
            one.law.statement,
            one.law.source,
        ]
        for one, ratio in zip(result.laws, ratios, strict=True)
    ]
    columns = [
        Column(title="Law"),
        Column(title="R*", right=True),
        Column(title="Good R"),
        Column(title="Covers this size"),
        Column(title="What it says"),
        Column(title="Source"),
    ]
    return Table(caption="What each law says of the best R", columns=columns, rows=rows)


def models_table(result: Recommendation) -> Table:
    """Published models of about this size."""
    rows = [
        {
            "name": point.name,
            "params": format_size(point.params),
            "shape": f"{point.depth} x {point.width}",
            "ratio": point.ratio,
            "score": point.score,
        }
        for point in result.models
    ]
    titles = {"name": "Model", "params": "Parameters", "shape": "Layers x width", "ratio": "R", "score": "MMLU-Pro (%)"}
    return table_of(titles, rows, caption="Published models of similar size, from shallow to deep")
