"""Pretrained models side by side: loss on a text, interaction in two views, superposition of the embedding table.

The Gemstones (arXiv 2502.06857) vary depth / width at nearly equal size: the one public place to test the law at scale
without training. Every model is one file, so a stopped run resumes with the next model; a model that cannot be loaded
or measured is a row that says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from interlaw.errors import InterlawError
from interlaw.files import packaged_rows
from interlaw.laws import LawFit, fit_law
from interlaw.models import pretrained_fingerprint
from interlaw.plain import Json
from interlaw.size import parse_size
from interlaw.tasks import EMBEDDED, Corpus, open_corpus
from interlaw_paper.experiments import Experiment
from interlaw_paper.folder import keep, read_kept
from interlaw_paper.model_figures import CONTEXT, FITTED, SEQUENCES, model_figures
from interlaw_paper.outcome import Driver, Outcome
from interlaw_paper.scale import Scale
from interlaw_paper.shape_sweep import claimed_signs

NAME = "open-models"
LEAST_MODELS = 6  # what a lopsided loss curve needs


def run_open_models(
    *, scale: Scale, out: Path, driver: Driver, text: str | None = None, models: Sequence[str] = ()
) -> Outcome:
    """Measures what is missing and puts the claims to it.

    Args:
        scale: Which of the default models: `paper` takes all.
        out: The experiment's folder.
        driver: Device and progress.
        text: What the models read; the embedded text when None.
        models: Hub names or folders in place of the default ones.

    Raises:
        InterlawError: No such text or one that is too short, a model named twice, other settings in OUT, or no model
            that could be measured.
    """
    names = tuple(models) or default_models(scale)
    require_different(names)
    corpus = require_text(text or EMBEDDED)
    table = [measure_model(name, corpus=corpus, out=out, driver=driver) for name in names]
    rows = [row for row in table if row["status"] == "done"]
    lost = tuple(f"{row['model']}: {row['reason']}" for row in table if row["status"] != "done")
    if not rows:
        raise InterlawError(f"expected a model that can be measured, found none of {len(names)}; {lost[0]}")
    gemstones = [row for row in rows if tier_of(row["model"])]
    fit = fitted(rows)
    return Outcome(
        experiment=NAME,
        scale=scale,
        setting=(
            f"{len(rows)} pretrained models on up to {SEQUENCES} sequences of {CONTEXT} tokens of "
            f"{text or 'the standard library'}, losses in bits a byte."
        ),
        agreement=tuple(claimed_signs(fit)) if fit else (),
        claims={"models": fit.claims} if fit else {},
        table=tuple(table),
        notes=(
            "Tokenizers differ between families, so losses are compared in bits a byte of text, not nats a token.",
            *(("The claims are put to the Gemstones alone.",) if len(gemstones) >= LEAST_MODELS else ()),
            *(() if fit else (f"The claims need {LEAST_MODELS} models; {len(rows)} were measured.",)),
        ),
        lost=lost,
    )


def default_models(scale: Scale) -> tuple[str, ...]:
    """The models that the package names: Pythia, Llama 3 and the Gemstones; `tiny` keeps the smallest ones."""
    return tuple(row["model"] for row in _known() if scale == "paper" or row["scale"] == "tiny")


def tier_of(name: str) -> int | None:
    """Nominal parameters of a Gemstone's size group, by the last part of its hub name or folder; None for others.

    Example:
        >>> tier_of("tomg-group-umd/Gemstone-512x11"), tier_of("EleutherAI/pythia-70m")
        (100000000, None)
    """
    last = Path(name).name
    tiers = {Path(row["model"]).name: row["tier"] for row in _known() if "tier" in row}
    return parse_size(tiers[last]) if last in tiers else None


def require_different(names: Sequence[str]) -> None:
    """Refuses a model that is named twice: it would count twice.

    Raises:
        InterlawError: There is one.
    """
    seen: dict[str, str] = {}
    for name in names:
        same = str(Path(name).resolve()) if Path(name).is_dir() else name
        if same in seen:
            again = "twice" if seen[same] == name else f"again as {seen[same]!r}"
            raise InterlawError(f"expected every model once, found {name!r} {again}; leave one out")
        seen[same] = name


def require_text(text: str) -> Corpus:
    """The text that the models read, before any model is loaded.

    Raises:
        InterlawError: No such text, or one without a single sequence.
    """
    corpus = open_corpus(text)
    if corpus.num_tokens["validation"] <= CONTEXT:
        raise InterlawError(
            f"expected more than {CONTEXT} bytes in the validation split of {text}, found "
            f"{corpus.num_tokens['validation']}; give more text"
        )
    return corpus


def measure_model(name: str, *, corpus: Corpus, out: Path, driver: Driver) -> Json:
    """One model's row, `status` done or failed with a reason; read from OUT when it is there.

    Raises:
        InterlawError: OUT holds this model's figures from other weights, another text or other settings.
    """
    try:
        weights = pretrained_fingerprint(name)
    except Exception as error:  # gated, offline, damaged: that model's result; the others continue
        return _failed(name, error, driver=driver)
    stamp = {"model": name, "weights": weights, "text": corpus.digest, "sequences": SEQUENCES, "context": CONTEXT}
    place = out / "models" / f"{name.strip('/').replace('/', '--')}.json"
    kept = read_kept(place, stamp=stamp)
    if kept:
        return kept[0]
    try:
        row = {"model": name, "status": "done", **model_figures(name, corpus=corpus, device=driver.device)}
    except Exception as error:  # out of memory, a view that it does not allow: likewise
        return _failed(name, error, driver=driver)
    keep(place, stamp=stamp, rows=[row])
    driver.note(f"{name}: {row['bits_per_byte']:.4f} bits a byte")
    return row


def fitted(rows: Sequence[Json]) -> LawFit | None:
    """The law of the models in the projected view, where there are enough of them.

    With enough Gemstones they alone are fitted, in the size groups that they were made in: within a group only the
    ratio varies. Other models are grouped by nearly equal parameters.
    """
    if len(rows) < LEAST_MODELS:
        return None
    gemstones = [row for row in rows if tier_of(row["model"])]
    table: dict[str, list[Any]] = {}
    if len(gemstones) >= LEAST_MODELS:
        rows = gemstones
        table["budget"] = [tier_of(row["model"]) for row in rows]
    table |= {name: [row[name] for row in rows] for name in ("params", "depth", "width")}
    table["loss"] = [row["bits_per_byte"] for row in rows]
    table |= {quantity: [row[f"projected_{quantity}"] for row in rows] for quantity in FITTED}
    return fit_law(table)


def _failed(name: str, error: Exception, *, driver: Driver) -> Json:
    """The row of a model without figures."""
    reason = " ".join(str(error).split())[:300] or type(error).__name__  # three lines of a table's cell
    driver.note(f"{name}: not measured, {reason}")
    return {"model": name, "status": "failed", "reason": reason}


def _known() -> list[dict[str, str]]:
    """The models that the package names."""
    return packaged_rows("interlaw_paper", "models.csv")


EXPERIMENT = Experiment(run=run_open_models, options=frozenset({"text", "device", "models"}))
