"""Experiments that are sweeps over shapes: recipes of the package, the sweep that every recipe runs, one judge each."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any

import pandas as pd

from interlaw.errors import InterlawError, WorkFailedError
from interlaw.laws import Claim, FittedTable, LawFit, fit_law, judge_together
from interlaw.report import write_report
from interlaw.runs import RunFolder, TrialSpec, load_table, require_run, view_table
from interlaw.sweep import packaged_recipe, parse_recipe, prepare_run
from interlaw_paper.agreement import Agreement, claim
from interlaw_paper.experiments import RUN_AS_SWEEP, Experiment
from interlaw_paper.outcome import Driver, Outcome, records
from interlaw_paper.scale import Scale
from interlaw_paper.text_read import TextRead, text_read

EMBEDDED_TEXT = 'corpus = "stdlib"'
CLAIMS = {
    "aofe_ratio": "the higher the AOFE-ratio, the lower the loss",
    "aofe": "the lower the AOFE, the lower the loss",
}
_COLUMNS = (
    *("budget", "params", "depth", "width", "ratio", "seed", "status", "loss", "val_loss", "min_val_loss", "seconds"),
    *("aofe", "aofe_ratio", "null_ratio", "excess_ratio"),
)


@dataclass(frozen=True, kw_only=True)
class Part:
    """One sweep of an experiment.

    Attributes:
        label: Its folder under OUT, and its name in tables.
        recipe: The recipe's file name without `-tiny.toml`, `-paper.toml` or `-decisive.toml`.
        scale: Which of these, where it is not the experiment's.
        title: What stands in the recipe's name after the colon, where it is not the recipe's own.
        settings: Keys of the recipe that have another value, as TOML writes it.
        changes: What else is written otherwise in the recipe: pairs of old and new text.
    """

    label: str
    recipe: str
    scale: Scale | None = None
    title: str = ""
    settings: Mapping[str, object] = field(default_factory=dict)
    changes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Result:
    """A finished part.

    Attributes:
        table: One row a trial that ended well, the measured view's columns under their plain names.
        fit: The law fitted to it.
        lost: Planned trials that did not end well, each with its reason.
        text: What was read, where a text was.
    """

    table: pd.DataFrame
    fit: LawFit
    lost: tuple[str, ...] = ()
    text: TextRead | None = None


Judge = Callable[[Result, Scale], list[Agreement]]


@dataclass(frozen=True, kw_only=True)
class ShapeSweep:
    """An experiment made of sweeps.

    Attributes:
        name: Its name on the command line.
        parts: Its sweeps.
        setting: What is trained, in a sentence.
        differs: What differs from the published setting at each scale that it has, beside the text.
        judge: Compares the first part with the published figures; none are where it is left out.
        reads_text: Whether its recipes read a text, which another may take the place of.
    """

    name: str
    parts: tuple[Part, ...]
    setting: str
    differs: Mapping[Scale, str]
    judge: Judge = lambda result, scale: []
    reads_text: bool = False

    @property
    def experiment(self) -> Experiment:
        """What `reproduce` runs."""
        options = RUN_AS_SWEEP | ({"text"} if self.reads_text else frozenset())
        return Experiment(run=self, options=options, scales=(*self.differs,))

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
            results[part.label] = run_part(part, experiment=self.name, scale=scale, out=out, driver=driver, text=text)
            files.append(str(write_report(out / part.label)))
        lines: list[Agreement] = []
        for label, result in results.items():
            judged = self.judge(result, scale) if label == self.parts[0].label else []
            judged += claimed_signs(result.fit, label=label if len(results) > 1 else "")
            lines.extend(settled(line, result, differs=self.differs[scale]) for line in judged)
        return Outcome(
            experiment=self.name,
            scale=scale,
            setting=self.setting + " " + _spent(results),
            agreement=tuple(lines),
            claims=_claims(results),
            table=tuple(row for label, result in results.items() for row in _rows(result.table, label)),
            files=tuple(files),
            lost=lost_of(results),
        )


def run_part(
    part: Part, *, experiment: str, scale: Scale, out: Path, driver: Driver, text: str | None = None
) -> Result:
    """Runs what is missing of one sweep, in OUT/label, and fits its law."""
    out = out / part.label
    written = recipe_text(part, scale=scale, text=text)
    recipe = parse_recipe(written, source=f"{part.recipe}-{scale}.toml")

    def plan() -> tuple[RunFolder, list[TrialSpec]]:
        planned = prepare_run(recipe, written, out=out, folder=Path.cwd())
        driver.note(f"{experiment}: {part.label}")
        return planned

    driver.sweep(plan)
    table = load_table(out)
    table = view_table(table[table["status"] == "done"].reset_index(drop=True)) if len(table) else table
    if not len(table):
        raise WorkFailedError(f"no trial of {out} was done; `interlaw status {shlex.quote(str(out))}` says why")
    trials = [trial.spec() for trial in require_run(out).trials()]
    return Result(table=table, fit=fit_law(table), lost=lost_trials(out), text=text_read(trials))


def lost_trials(out: Path) -> tuple[str, ...]:
    """The planned trials of a run that did not end well, each with its reason."""
    lost = []
    for trial in require_run(out).trials():
        spec, record = trial.spec(), trial.record()
        name = f"depth {spec.shape['depth']} x width {spec.shape['width']}, seed {spec.training.seed}"
        if record is None:
            lost.append(f"{name} was not run to its end")
        elif record.status != "done":
            lost.append(f"{name} {record.status}" + (f" ({record.reason})" if record.reason else ""))
    return tuple(lost)


def lost_of(results: Mapping[str, Result]) -> tuple[str, ...]:
    """What was lost of several parts, each line with its part."""
    return tuple(f"{label}: {line}" for label, result in results.items() for line in result.lost)


def settled(line: Agreement, result: Result, *, differs: str) -> Agreement:
    """A line with all that differs, and without a verdict where the grid behind it has holes."""
    holes = f"{len(result.lost)} of {len(result.lost) + len(result.table)} trials are missing" if result.lost else ""
    whole = (holes, line.differs, differs, result.text.differs if result.text else "")
    verdict = "not comparable" if result.lost else line.verdict
    return replace(line, differs="; ".join(filter(None, whole)), verdict=verdict)


def recipe_text(part: Part, *, scale: Scale, text: str | None = None) -> str:
    """The recipe as it is run, on another text when one is given.

    Raises:
        InterlawError: When the text's name cannot be written in UTF-8.
    """
    name = f"{part.recipe}-{part.scale or scale}.toml"
    own = resources.files("interlaw_paper") / "recipes" / name
    written = own.read_text(encoding="utf-8") if own.is_file() else packaged_recipe(name)  # where `init` starts, too
    for old, new in part.changes:
        written = _replaced(written, old, new)
    if part.title:
        written = _set(written, r'(name = "[^:]*: )[^"]*', part.title)
    for key, value in part.settings.items():
        written = _set(written, rf"({key} = )[^#\n]*[^#\n ]", str(value))
    if text is None:
        return written
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InterlawError(
            f"expected a text whose name is UTF-8, found {text!r}, which a recipe cannot hold; rename it"
        ) from error
    # a JSON string is a TOML string, but for the one control character that JSON leaves as it is
    name = json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
    return _replaced(written, EMBEDDED_TEXT, f"corpus = {name}")


def _set(written: str, pattern: str, value: str) -> str:
    """The recipe with another value in the one line that begins like the pattern; a comment behind it stays."""
    changed, times = re.subn("^" + pattern, lambda match: match[1] + value, written, flags=re.MULTILINE)
    if times != 1:
        raise ValueError(
            f"expected one line of the recipe like {pattern}, found {times}; correct the part or the recipe"
        )
    return changed


def _replaced(written: str, old: str, new: str) -> str:
    """A change of a recipe, which must change it."""
    if old not in written:
        raise ValueError(f"expected {old!r} in the recipe, found it nowhere; correct the change or the recipe")
    return written.replace(old, new)


def claimed_signs(fit: LawFit, *, label: str = "") -> list[Agreement]:
    """The paper's claim on how AOFE-ratio and AOFE go with the loss (claim C2), by the test that the runs allow."""
    lines = []
    for quantity, words in CLAIMS.items():
        test = tested(fit, quantity)
        if test is None:
            continue
        ours = None if test.p_value is None else test.sentence
        holds = {"holds": True, "opposite": False}.get(test.verdict)
        rule = "a correlation of the claimed sign, size and shape held fixed, p <= .05 after Holm's correction"
        lines.append(claim(f"{label} {words}".strip(), published="claimed", ours=ours, holds=holds, rule=rule))
    return lines


def tested(fit: LawFit, quantity: str) -> Claim | None:
    """The claim on one quantity of the fit's view: over seeds of one shape, else off the smooth curve in R."""
    tests = [each for each in fit.claims if (each.claim, each.quantity, each.view) == ("C2", quantity, fit.view)]
    return next((each for each in tests if each.p_value is not None), tests[0] if tests else None)


def best_row(table: pd.DataFrame, column: str = "loss") -> Mapping[str, Any]:
    """The shape with the lowest mean over seeds."""
    means = table.groupby(["budget", "depth", "width", "ratio"], as_index=False)[column].mean()
    best = means.loc[means[column].idxmin()].to_dict()
    return {**best, "depth": int(best["depth"]), "width": int(best["width"])}


def _claims(results: Mapping[str, Result]) -> dict[str, tuple[Claim, ...]]:
    """The claims' tests: of all parts together where there are several, else of the one."""
    if len(results) == 1:
        return {label: result.fit.claims for label, result in results.items()}
    parts = [
        FittedTable(source=label, treatment=None, table=result.table, fit=result.fit)
        for label, result in results.items()
    ]
    return {"all sweeps together": judge_together(parts)}


def _rows(table: pd.DataFrame, label: str) -> list[dict[str, Any]]:
    """The columns that a reader wants."""
    chosen = table[[name for name in _COLUMNS if name in table.columns]]
    return [{"part": label, **row} for row in records(chosen)]


def _spent(results: Mapping[str, Result]) -> str:
    """How much was run."""
    trials = sum(len(result.table) for result in results.values())
    seconds = sum(float(result.table["seconds"].sum()) for result in results.values())
    return f"{trials} trials, {seconds:.0f} s of training."
