"""The explorer: a form whose answer is that of `recommend`, served or written as a page; its shapes can be timed."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from interlaw import __version__, laws, recommendation
from interlaw.errors import InterlawError
from interlaw.files import save
from interlaw.recommendation import Recommendation, format_bytes
from interlaw.report.document import document, drawn, templates
from interlaw.report.recommendation_figure import candidate_key, draw_frontier, draw_predictions, frontier_rows
from interlaw.report.tables import Table, table_of
from interlaw.report.wording import shape_name, span
from interlaw.shapes import DECODERS
from interlaw.size import format_size

NAME = "explorer.html"
SCRIPTS = ("page.js", "explore.js")
# name of a field: (words, what it reads, its first value); empty fields are left to `recommend`
FIELDS: dict[str, tuple[str, type, str]] = {
    "params": ("Parameters", str, "350M"),
    "flops": ("or training FLOPs", str, ""),
    "family": ("Family, or hf:NAME", str, "llama"),
    "vocab_size": ("Vocabulary", str, ""),
    "context": ("Context", int, ""),
    "tokens": ("Training tokens", str, ""),
    "head_dim": ("Head width", int, ""),
    "heads_per_kv": ("Heads a key-value head", int, ""),
    "multiple_of": ("Widths are multiples of", int, ""),
    "parallel": ("Splits over devices", int, ""),
    "num_candidates": ("Shapes to list", int, ""),
}
# offered for the family; any other dense decoder of transformers can be typed
FAMILIES = (*DECODERS, "hf:qwen3", "hf:olmo2", "hf:mistral", "hf:gemma", "hf:granite")
# attributes of a `Timing`, shown where shapes were timed on this machine
TIMES = {
    "train_tokens_per_second": "Train (tokens/s)",
    "prefill_ms_per_token": "Read (ms/token)",
    "decode_ms_per_token": "Decode (ms/token)",
}


def write_explorer(
    out: str | Path | None = None,
    *,
    asked: Mapping[str, str] | None = None,
    fit: laws.LawFit | None = None,
    measure: recommendation.Say | None = None,
) -> Path:
    """Writes the present answer as one HTML file that needs nothing else.

    Args:
        out: The file; explorer.html when None.
        asked: Values of the form's fields; its first values where left out.
        fit: Your own law: it then gives the interval and the penalties, as in `recommend`.
        measure: Told what is being timed, where the shapes are to be timed on this machine.

    Returns:
        The file's path.

    Raises:
        InterlawError: What `recommend` refuses, shapes that cannot be timed here, or a file that cannot be written.
    """
    path = Path(NAME if out is None else out)
    values = _values(asked or {})
    result = recommended(values, fit=fit)
    if measure is not None:
        result = recommendation.timed(result, say=measure)
    save(path, _page(values, show(result), served=False).encode())
    return path


def explorer_page(asked: Mapping[str, str], *, fit: laws.LawFit | None = None) -> str:
    """The served page with the answer to what is asked; it shows a mistake in place of an answer."""
    values = _values(asked)
    # a family of transformers is counted network by network: the page comes first, and its script asks
    found = mistake("") if values["family"].startswith("hf:") else answer(values, fit=fit)
    return _page(values, found, served=True)


def recommended(asked: Mapping[str, str], *, fit: laws.LawFit | None = None) -> Recommendation:
    """What `recommend` says of the values of the form's fields.

    Raises:
        InterlawError: What `recommend` refuses, or a text that is no number where one is meant.
    """
    return recommendation.recommend(**read_fields(asked), fit=fit)


def _values(asked: Mapping[str, str]) -> dict[str, str]:
    return {name: asked.get(name, first) for name, (_, _, first) in FIELDS.items()}


def _page(values: Mapping[str, str], found: Mapping[str, Any], *, served: bool) -> str:
    return document(
        "explorer.html.j2",
        title="Choose a depth and a width",
        data={"panels": found["panels"], "config": found["config"], "served": served},
        scripts=SCRIPTS,
        connect=served,
        version=__version__,
        served=served,
        families=FAMILIES,
        fields=[(name, words, values[name]) for name, (words, _, _) in FIELDS.items()],
        error=found["error"],
        answer=found["html"],
    )


def answer(asked: Mapping[str, str], *, fit: laws.LawFit | None = None) -> dict[str, Any]:
    """What the page's script puts in place.

    Returns:
        `html`, `panels` and `config`, or `error`: what `recommend` says of a wrong value.
    """
    try:
        return show(recommended(asked, fit=fit))
    except InterlawError as error:
        return mistake(str(error))


def mistake(words: str) -> dict[str, Any]:
    """An answer that says only what is wrong."""
    return {"html": "", "panels": {}, "config": {}, "error": words}


def show(result: Recommendation) -> dict[str, Any]:
    """A recommendation as an answer; one that was timed also has the frontier and the times."""
    notes = [*result.warnings, *(one.unmeasured for one in result.candidates if one.unmeasured)]
    figures = [("cost", "Predicted cost", draw_predictions(result))]
    if len(frontier_rows(result)) > 1:
        figures.insert(0, ("frontier", "Loss against latency", draw_frontier(result)))
    elif any(one.measured for one in result.candidates):
        notes.append(
            "The chart of loss against latency needs two timed shapes: change a field so that more are listed."
        )
    shown, data = drawn(figures)
    html = (
        templates()
        .get_template("answer.html.j2")
        .render(
            lead=lead(result),
            why=result.why,
            figures=shown,
            candidates=candidates_table(result),
            laws=laws_table(result),
            models=models_table(result) if result.models else None,
            warnings=notes,
        )
    )
    return {"html": html, **data, "error": ""}


def read_fields(asked: Mapping[str, str]) -> dict[str, Any]:
    """The form's texts as arguments of `recommend`; empty ones are left out."""
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
    times = TIMES if any(each.measured for each in result.candidates) else {}
    rows = [
        {
            "Layers x width": each.name,
            "R": each.shape.ratio,
            "Parameters": each.shape.params,
            "Heads": each.heads,
            "Cache": format_bytes(each.cost.kv_bytes_per_token),
            "Off budget": f"{each.budget_error:+.1%}",
            "Loss (%)": f"{100 * each.penalty.value:.2f}",
            **{title: getattr(each.measured, name, None) for name, title in times.items()},
            "Its range (%)": f"{100 * each.penalty.low:.2f} to {100 * each.penalty.high:.2f}",
            "FLOPs": format_size(each.cost.train_flops),
            "In the range": "yes" if each.inside else "no",
        }
        for each in result.candidates
    ]
    marks = [
        {"shape": candidate_key(each), **({"pick": "yes"} if place == 0 else {})}
        for place, each in enumerate(result.candidates)
    ]
    right = ("Heads", "Cache", "Off budget", "Loss (%)", "Its range (%)", "FLOPs")
    caption = (
        "The pick first. Heads: query/key-value x width; cache: keys and values of one token; loss: predicted, above "
        "the best shape of the budget; FLOPs: of the whole training"
    )
    return table_of(rows, caption=caption, marks=marks, right=right)


def laws_table(result: Recommendation) -> Table:
    """What every published law says at this size."""
    rows = [
        {
            "Law": one.law.name,
            "R*": one.ratio,
            "Good R": "" if one.law.ratio_high is None else span(one.law.ratio_low, one.law.ratio_high),
            "Covers this size": "yes" if one.covered else "no",
            "What it says": one.law.statement,
            "Source": one.law.source,
        }
        for one in result.laws
    ]
    return table_of(rows, caption="What each law says of the best R")


def models_table(result: Recommendation) -> Table:
    """Published models of about this size."""
    rows = [
        {
            "Model": point.name,
            "Parameters": format_size(point.params_total),
            "Layers x width": f"{point.depth} x {point.width}",
            "R": point.ratio,
            "MMLU-Pro (%)": point.mmlu_pro,
        }
        for point in result.models
    ]
    return table_of(rows, caption="Published models of similar size, from shallow to deep")


class Measuring:
    """One measurement at a time: two would slow each other. Safe to ask from several threads.

    Args:
        fit: Your own law, as in `recommend`.
    """

    def __init__(self, *, fit: laws.LawFit | None = None) -> None:
        self._fit = fit
        self._lock = threading.Lock()
        self._asked: dict[str, str] = {}
        self._progress = ""  # empty while nothing is timed
        self._found: dict[str, Any] = {}

    def start(self, asked: Mapping[str, str]) -> dict[str, Any]:
        """Starts to time the shapes of the form's values, or joins the measurement of the same values.

        Returns:
            `progress`, or `error`: why they cannot be timed here and now.
        """
        try:
            with self._lock:
                if not self._progress:
                    self._start(asked)
        except InterlawError as error:
            return mistake(str(error))
        return self.tell(asked)

    def tell(self, asked: Mapping[str, str]) -> dict[str, Any]:
        """`progress` while the shapes are timed; then the answer with their times."""
        with self._lock:
            if self._asked != dict(asked):
                doing = f"the shapes of other values ({self._progress})" if self._progress else "none of these values"
                return mistake(f"expected one measurement at a time, found {doing}; wait, then measure again")
            return {"progress": self._progress, "error": ""} if self._progress else self._found

    def _start(self, asked: Mapping[str, str]) -> None:
        result = recommendation.recommend(**read_fields(asked), fit=self._fit)
        recommendation.require_timing(result.candidates)
        self._asked, self._found = dict(asked), {}
        self._progress = f"0 of {len(result.candidates)}"
        threading.Thread(target=self._run, args=(result,), daemon=True).start()

    def _run(self, result: Recommendation) -> None:
        try:
            found = show(recommendation.timed(result, say=self._say))
        except InterlawError as error:
            found = mistake(str(error))
        except Exception as error:
            traceback.print_exc()  # the terminal shows where
            found = mistake(f"the measurement failed: {type(error).__name__}: {error}")
        with self._lock:
            self._progress, self._found = "", found

    def _say(self, words: str) -> None:
        with self._lock:
            self._progress = words
