"""The explorer: a form whose answer is that of `recommend`, served or written as a page; its shapes can be timed."""

from __future__ import annotations

import re
import threading
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from interlaw import __version__, laws, recommendation
from interlaw.errors import InterlawError, require_among
from interlaw.files import save
from interlaw.plain import Json
from interlaw.recommendation import Recommendation
from interlaw.report.document import document, drawn, templates
from interlaw.report.recommendation_figure import candidate_key, draw_frontier, draw_predictions, frontier_rows
from interlaw.report.tables import Table, table_of
from interlaw.report.wording import shape_name
from interlaw.shapes import DECODERS
from interlaw.size import format_bytes, format_range, format_ratio, format_share, format_size

NAME = "explorer.html"
SCRIPTS = ("page.js", "explore.js")
# offered for the family; any other dense decoder of transformers can be typed
FAMILIES = (*DECODERS, "hf:qwen3", "hf:olmo2", "hf:mistral", "hf:gemma", "hf:granite")
# attributes of a `Timing`, shown where shapes were timed on this machine
TIMES = {
    "train_tokens_per_second": "Train (tokens/s)",
    "prefill_ms_per_token": "Read (ms/token)",
    "decode_ms_per_token": "Decode (ms/token)",
}
# what notes say of options of `recommend` that are no fields, in words of the page
ON_THE_PAGE = {
    "(--law)": "(fit it with interlaw fit RUN --out FIT.json, then open this page by interlaw explore --law FIT.json)",
    "write --tokens 20B": "write 20B as training tokens",
    "--tied saves it": "interlaw recommend --tied saves it",
    "a smaller --multiple-of or --head-dim, or a larger --tolerance": (
        "a smaller number as 'Widths are multiples of' or 'Head width', or a larger --tolerance of interlaw recommend"
    ),
}


class Question(BaseModel):
    """What the page asks of `recommend`: a field of the form each, with its words and first text.

    A field that is left empty is left to `recommend`.
    """

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    params: str | None = Field("350M", title="Parameters")
    flops: str | None = Field(None, title="or training FLOPs")
    family: str | None = Field("llama", title="Family, or hf:NAME")
    vocab_size: str | None = Field(None, title="Vocabulary")
    context: int | None = Field(None, title="Context")
    tokens: str | None = Field(None, title="Training tokens")
    head_dim: int | None = Field(None, title="Head width")
    heads_per_kv: int | None = Field(None, title="Heads a key-value head")
    multiple_of: int | None = Field(None, title="Widths are multiples of")
    parallel: int | None = Field(None, title="Splits over devices")
    num_candidates: int | None = Field(None, title="Shapes to list")

    @field_validator("*", mode="before")
    @classmethod
    def _empty_is_none(cls, text: str) -> str | None:
        return text.strip() or None

    @model_validator(mode="after")
    def _one_budget(self) -> Self:
        """Training FLOPs, where given, are the budget: the parameters may be the form's own first text."""
        if self.flops is not None:
            self.params = None
        return self


FIELDS = Question.model_fields
ARGUMENT = re.compile(rf"(?<!')\b({'|'.join(FIELDS)})=")  # of `recommend`, as its messages name it


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
        measure: Called with what is being timed, where the shapes are to be timed on this machine.

    Returns:
        The file's path.

    Raises:
        InterlawError: What `recommend` refuses, shapes that cannot be timed here, or a file that cannot be written.
    """
    path = Path(NAME if out is None else out)
    values = _texts(asked or {})
    result = recommended(values, fit=fit)
    if measure is not None:
        result = recommendation.timed(result, say=measure)
    save(path, _page(values, reply_with(result), served=False).encode())
    return path


def explorer_page(asked: Mapping[str, str], *, fit: laws.LawFit | None = None) -> str:
    """The served page with the answer to what is asked; it shows a mistake in place of an answer."""
    values = _texts(asked)
    # a family of transformers is counted network by network: the page comes first, and its script asks
    reply = refusal("") if values["family"].startswith("hf:") else reply_to(values, fit=fit)
    return _page(values, reply, served=True)


def recommended(asked: Mapping[str, str], *, fit: laws.LawFit | None = None) -> Recommendation:
    """What `recommend` says of the values of the form's fields.

    Raises:
        InterlawError: What `recommend` refuses, in words of the page, or a text that is no number where one is meant.
    """
    question = read_question(asked).model_dump(exclude_none=True)
    try:
        return recommendation.recommend(**question, fit=fit)
    except InterlawError as error:
        words, number = ARGUMENT.subn(lambda name: f"'{str(FIELDS[name[1]].title).removeprefix('or ')}'", str(error))
        raise InterlawError(f"{words} (fields of the page)" if number else words) from error


def read_question(asked: Mapping[str, str]) -> Question:
    """The form's texts, read.

    Raises:
        InterlawError: A field that the form does not have, or a text that is no number where one is meant.
    """
    for name in asked:
        require_among("a field", name, known=FIELDS, advice="leave it out")
    try:
        return Question.model_validate(dict(asked))
    except ValidationError as error:
        wrong = error.errors()[0]
        words = str(FIELDS[str(wrong["loc"][0])].title).lower()
        raise InterlawError(f"expected a whole number as {words}, found {wrong['input']!r}; change it") from None


def _texts(asked: Mapping[str, str]) -> dict[str, str]:
    """What stands in each field of the form."""
    return {name: asked.get(name, field.default or "") for name, field in FIELDS.items()}


def _page(values: Mapping[str, str], reply: Json, *, served: bool) -> str:
    return document(
        "explorer.html.j2",
        title="Choose a depth and a width",
        data={"panels": reply["panels"], "served": served},
        scripts=SCRIPTS,
        connect=served,
        version=__version__,
        served=served,
        families=FAMILIES,
        fields=[(name, field.title, values[name]) for name, field in FIELDS.items()],
        error=reply["error"],
        answer=reply["html"],
    )


def reply_to(asked: Mapping[str, str], *, fit: laws.LawFit | None = None) -> Json:
    """What the page's script puts in place: `html` and `panels`, or `error`, what `recommend` says of a wrong value."""
    try:
        return reply_with(recommended(asked, fit=fit))
    except InterlawError as error:
        return refusal(str(error))


def refusal(words: str) -> Json:
    """A reply that says only what is wrong."""
    return {"html": "", "panels": {}, "error": words}


def reply_with(result: Recommendation) -> Json:
    """A recommendation as a reply; one that was timed also has the frontier and the times."""
    notes = [*map(_on_the_page, result.warnings), *(one.unmeasured for one in result.candidates if one.unmeasured)]
    figures = [("cost", "Predicted cost", draw_predictions(result))]
    if len(frontier_rows(result)) > 1:
        figures.insert(0, ("frontier", "Loss against latency", draw_frontier(result)))
    elif any(one.measured for one in result.candidates):
        notes.append(
            "The chart of loss against latency needs two timed shapes: change a field so that more are listed."
        )
    shown, panels = drawn(figures)
    html = templates().get_template("answer.html.j2").render(
        lead=lead(result),
        why=result.why,
        figures=shown,
        candidates=candidates_table(result),
        laws=laws_table(result),
        models=models_table(result) if result.models else None,
        warnings=notes,
    )  # fmt: skip
    return {"html": html, "panels": panels, "error": ""}


def _on_the_page(note: str) -> str:
    for option, words in ON_THE_PAGE.items():
        note = note.replace(option, words)
    return note


def lead(result: Recommendation) -> str:
    """The pick in a sentence."""
    pick, interval = result.pick.shape, result.interval
    return (
        f"For {format_size(result.params)} parameters: {shape_name(pick.depth, pick.width)}. Shapes of "
        f"R = {format_range(interval.low, interval.high)} are predicted within {format_share(result.delta)} of the "
        "least loss."
    )


def candidates_table(result: Recommendation) -> Table:
    """Every shape, the pick first."""
    times = TIMES if any(each.measured for each in result.candidates) else {}
    interval, within = f"{laws.Settings.confidence:.0%} interval", f"Within {format_share(result.delta)}"
    rows = [
        {
            "Layers x width": each.name,
            "R": each.shape.ratio,
            "Parameters": each.shape.params,
            "Heads": each.heads,
            "Cache": format_bytes(each.cost.kv_bytes_per_token),
            "Off budget": f"{each.budget_error:+.1%}",
            "Loss above least (%)": f"{100 * each.penalty.value:.2f}",
            interval: f"{100 * each.penalty.low:.2f} to {100 * each.penalty.high:.2f}",
            within: "yes" if each.inside else "no",
            **{title: getattr(each.measured, name, None) for name, title in times.items()},
            "FLOPs": format_size(each.cost.train_flops, padded=True),
        }
        for each in result.candidates
    ]
    marks = [{"shape": candidate_key(each)} for each in result.candidates]
    marks[0]["pick"] = "yes"
    caption = (
        "The pick first. Heads: query/key-value x width; cache: keys and values of one token; loss: predicted at "
        f"R* = {format_ratio(result.belief.ratio)}; its interval: over the R* that the evidence leaves open; FLOPs: "
        "of the whole training"
    )
    return table_of(rows, caption=caption, marks=marks)


def laws_table(result: Recommendation) -> Table:
    """What every published law says at this size."""
    rows = [
        {
            "Law": one.law.name,
            "R*": one.ratio,
            "Good R": "" if one.law.ratio_high is None else format_range(one.law.ratio_low, one.law.ratio_high),
            "Covers this size": "yes" if one.covered else f"no: {_sizes(one.law)}",
            "What it says": one.law.statement,
            "Source": one.law.source,
        }
        for one in result.laws
    ]
    return table_of(rows, caption="What each law says of the best R", stacked=True)


def _sizes(law: laws.PublishedLaw) -> str:
    """The sizes that a law speaks about."""
    return " to ".join(dict.fromkeys(map(format_size, (law.params_low, law.params_high))))


def models_table(result: Recommendation) -> Table:
    """Published models of about this size."""
    rows = [
        {
            "Model": point.name,
            "Parameters": point.params_total,
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
        self._reply: Json = {}

    def start(self, asked: Mapping[str, str]) -> Json:
        """Starts to time the shapes of the form's values, or joins the measurement of the same values.

        Returns:
            `progress`, or `error`: why they cannot be timed here and now.
        """
        try:
            with self._lock:
                if not self._progress:
                    result = recommended(asked, fit=self._fit)
                    recommendation.require_timing(result.candidates)
                    self._asked, self._reply = dict(asked), {}
                    self._progress = f"0 of {len(result.candidates)}"
                    threading.Thread(target=self._run, args=(result,), daemon=True).start()
        except InterlawError as error:
            return refusal(str(error))
        return self.state(asked)

    def state(self, asked: Mapping[str, str]) -> Json:
        """`progress` while the shapes are timed; then the answer with their times."""
        with self._lock:
            if self._asked != dict(asked):
                doing = f"the shapes of other values ({self._progress})" if self._progress else "none of these values"
                return refusal(f"expected one measurement at a time, found {doing}; wait, then measure again")
            return {"progress": self._progress, "error": ""} if self._progress else self._reply

    def _run(self, result: Recommendation) -> None:
        try:
            reply = reply_with(recommendation.timed(result, say=self._say))
        except InterlawError as error:
            reply = refusal(str(error))
        except Exception as error:
            traceback.print_exc()  # the terminal shows where
            reply = refusal(f"the measurement failed: {type(error).__name__}: {error}")
        with self._lock:
            self._progress, self._reply = "", reply

    def _say(self, words: str) -> None:
        with self._lock:
            self._progress = words
