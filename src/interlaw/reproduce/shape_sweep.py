"""Experiments that are sweeps over shapes: recipes of the package, the sweep that every recipe runs, one judge each."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import pandas as pd

from interlaw.errors import WorkFailedError
from interlaw.laws import LawFit, fit_law
from interlaw.report import write_report
from interlaw.reproduce.agreement import Agreement, claim
from interlaw.reproduce.open_questions import Answer, answer_open_questions
from interlaw.reproduce.outcome import Driver, Outcome, Scale
from interlaw.runs import RunFolder, TrialSpec, load_table, view_table
from interlaw.sweep import parse_recipe, prepare_run

LEVEL = 0.05
EMBEDDED_TEXT = 'corpus = "stdlib"'
CLAIMS = {
    "aofe_ratio": "the higher the AOFE-ratio, the lower the loss",
    "aofe": "the lower the AOFE, the lower the loss",
}
_COLUMNS = ("budget", "params", "depth", "width", "ratio", "seed", "status", "loss", "val_loss", "seconds")
_MEASURED = ("aofe", "aofe_ratio", "null_ratio", "excess_ratio")


@dataclass(frozen=True, kw_only=True)
class Part:
    """One sweep of an experiment.

    Attributes:
        label: Its folder under OUT, and its name in tables.
        recipe: The recipe's file name without `-tiny.toml` or `-paper.toml`.
        changes: What is written otherwise in the recipe: pairs of old and new text.
    """

    label: str
    recipe: str
    changes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Result:
    """A finished part.

    Attributes:
        table: One row a trial that ended well, the measured view's columns under their plain names.
        fit: The law fitted to it.
    """

    table: pd.DataFrame
    fit: LawFit


Judge = Callable[[Mapping[str, Result], Scale], list[Agreement]]


@dataclass(frozen=True, kw_only=True)
class ShapeSweep:
    """An experiment made of sweeps.

    Attributes:
        name: Its name on the command line.
        parts: Its sweeps.
        setting: What is trained, in a sentence.
        differs: What differs from the published setting at each scale.
        judge: Compares with the published figures.
        notes: What a reader must know beside.
    """

    name: str
    parts: tuple[Part, ...]
    setting: str
    differs: Mapping[Scale, str]
    judge: Judge
    notes: tuple[str, ...] = ()

    def __call__(self, *, scale: Scale, out: Path, driver: Driver, text: str | None = None) -> Outcome:
        """Runs what is missing, compares and writes a report a part.

        Args:
            scale: Which recipes.
            out: The experiment's folder.
            driver: How sweeps are run.
            text: Text in place of the embedded one: a file, a folder or "datasets:NAME".

        Raises:
            WorkFailedError: When no trial of a part ended well.
        """
        results, files = {}, []
        for part in self.parts:
            name = f"{self.name}: {part.label}"
            results[part.label] = run_part(part, name=name, scale=scale, out=out / part.label, driver=driver, text=text)
            files.append(str(write_report(out / part.label)))
        lines = list(self.judge(results, scale))
        for label, result in results.items():
            lines.extend(claimed_signs(result.fit, label=label if len(results) > 1 else ""))
        return Outcome(
            experiment=self.name,
            scale=scale,
            setting=self.setting + " " + _spent(results),
            agreement=tuple(lines),
            answers=_answers(results),
            table=tuple(row for label, result in results.items() for row in _rows(result.table, label)),
            files=tuple(files),
            notes=(f"What differs from the published setting: {self.differs[scale]}.", *self.notes),
        )


def run_part(part: Part, *, name: str, scale: Scale, out: Path, driver: Driver, text: str | None = None) -> Result:
    """Runs what is missing of one sweep and fits its law."""
    written = recipe_text(part, scale=scale, text=text)
    recipe = parse_recipe(written, source=f"{part.recipe}-{scale}.toml")

    def plan() -> tuple[RunFolder, list[TrialSpec]]:
        planned = prepare_run(recipe, written, out=out, folder=Path.cwd())
        driver.note(name)
        return planned

    driver.sweep(plan)
    table = load_table(out)
    table = view_table(table[table["status"] == "done"].reset_index(drop=True)) if len(table) else table
    if not len(table):
        raise WorkFailedError(f"no trial of {out} was done; `interlaw status {out}` says why")
    return Result(table=table, fit=fit_law(table))


def recipe_text(part: Part, *, scale: Scale, text: str | None = None) -> str:
    """The recipe as it is run, on another text when one is given."""
    file = resources.files("interlaw") / "recipes" / f"{part.recipe}-{scale}.toml"
    written = file.read_text(encoding="utf-8")
    for old, new in part.changes:
        written = written.replace(old, new)
    if text is None:
        return written
    return written.replace(EMBEDDED_TEXT, f"corpus = {json.dumps(text)}")


def claimed_signs(fit: LawFit, *, label: str = "") -> list[Agreement]:
    """The paper's claim on how AOFE-ratio and AOFE go with the loss, at fixed size (claim C2)."""
    lines = []
    for association in fit.associations:
        if association.quantity not in CLAIMS:
            continue
        found = association.given_size if association.given_size.rho is not None else association.raw
        holds = None
        if found.rho is not None and found.p_value is not None and found.p_value <= LEVEL:
            holds = (found.rho > 0) == (association.claimed_sign > 0)
        ours = None if found.rho is None else f"rho = {found.rho:+.2f} (p = {found.p_value:.2g})"
        words = CLAIMS[association.quantity]
        rule = f"rank correlation of the claimed sign with p <= {LEVEL}; with a larger p it cannot be told"
        lines.append(claim(f"{label} {words}".strip(), published="claimed", ours=ours, holds=holds, rule=rule))
    return lines


def best_row(table: pd.DataFrame, column: str = "loss") -> Mapping[str, Any]:
    """The shape with the lowest mean over seeds."""
    means = table.groupby(["budget", "depth", "width", "ratio"], as_index=False)[column].mean()
    best = means.loc[means[column].idxmin()].to_dict()
    return {**best, "depth": int(best["depth"]), "width": int(best["width"])}


def _answers(results: Mapping[str, Result]) -> tuple[Answer, ...]:
    """The open questions a part."""
    answers = []
    for label, result in results.items():
        for answer in answer_open_questions(result.fit):
            question = f"{label}: {answer.question}" if len(results) > 1 else answer.question
            answers.append(Answer(**{**vars(answer), "question": question}))
    return tuple(answers)


def _rows(table: pd.DataFrame, label: str) -> list[dict[str, Any]]:
    """The columns that a reader wants."""
    chosen = table[[name for name in (*_COLUMNS, *_MEASURED) if name in table.columns]]
    return [{"part": label, **{str(name): value for name, value in row.items()}} for row in chosen.to_dict("records")]


def _spent(results: Mapping[str, Result]) -> str:
    """How much was run."""
    trials = sum(len(result.table) for result in results.values())
    seconds = sum(float(result.table["seconds"].sum()) for result in results.values())
    return f"{trials} trials, {seconds:.0f} s of training."
