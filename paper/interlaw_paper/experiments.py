"""Every experiment by its name, and the run of one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interlaw.errors import InterlawError, did_you_mean
from interlaw_paper.cnn import CNN_SCAN
from interlaw_paper.designed import (
    GROWTH,
    HUNDREDFOLD,
    LENGTHS,
    MLP_AGAIN,
    RATES,
    SEARCHED,
    SMALL_GPTS,
    STUDENTS,
    TARGETS,
    WAVES,
)
from interlaw_paper.double_descent import run_double_descent
from interlaw_paper.folder import experiment_folder
from interlaw_paper.gpt import GPT_BUDGETS, GPT_DEPTH
from interlaw_paper.gru import GRU_STUDENTS
from interlaw_paper.mlp import MLP_SCAN
from interlaw_paper.nfa import run_nfa
from interlaw_paper.open_models import run_open_models
from interlaw_paper.outcome import Driver, Outcome, Scale, write_outcome
from interlaw_paper.peak import run_peak
from interlaw_paper.push import PUSH, PUSH_AGAIN, PUSH_GPT, PUSH_GPT_AGAIN


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """An experiment by its program.

    Attributes:
        run: Called with scale, out, driver, and text and models where they are given.
        options: What a user may hand to it beside scale and folder.
        scales: The sizes that it can be run at.
    """

    run: Callable[..., Outcome]
    options: frozenset[str] = frozenset()
    scales: tuple[Scale, ...] = ("tiny", "paper")


DESIGNED = (WAVES, TARGETS, HUNDREDFOLD, SEARCHED, STUDENTS, GROWTH, LENGTHS, SMALL_GPTS, RATES, MLP_AGAIN)
SWEEPS = (MLP_SCAN, GPT_DEPTH, GPT_BUDGETS, GRU_STUDENTS, CNN_SCAN, *DESIGNED)
_SWEEP, _TEXT = frozenset({"workers", "device"}), frozenset({"text"})
EXPERIMENTS: dict[str, Experiment] = {
    "double-descent": Experiment(run=run_double_descent),
    **{
        each.name: Experiment(run=each, options=_SWEEP | (_TEXT if each.reads_text else set()), scales=(*each.differs,))
        for each in SWEEPS
    },
    **{
        each.name: Experiment(run=each, options=_SWEEP, scales=("decisive",))
        for each in (PUSH, PUSH_AGAIN, PUSH_GPT, PUSH_GPT_AGAIN)
    },
    "peak": Experiment(run=run_peak, scales=("decisive",)),
    "nfa": Experiment(run=run_nfa, options=_TEXT | {"device"}),
    "open-models": Experiment(run=run_open_models, options=_TEXT | {"device", "models"}),
}


def reproduce(
    name: str,
    *,
    scale: str = "tiny",
    out: Path,
    driver: Driver,
    text: str | None = None,
    models: tuple[str, ...] = (),
) -> Outcome:
    """Runs or resumes one experiment, and writes outcome.json, outcome.md and index.html.

    Args:
        name: A key of `EXPERIMENTS`.
        scale: `tiny`: minutes on two cores; `paper`: the published setting; `decisive`: as designed to decide a claim.
        out: The experiment's folder.
        driver: How sweeps are carried out and progress is shown.
        text: For experiments on text: a file, a folder or "datasets:NAME" in place of the embedded one.
        models: For `open-models`: Hugging Face names or folders in place of the default ones.

    Raises:
        InterlawError: No such experiment or scale, an option that it does not read, or a folder of something else.
        WorkFailedError: No trial ended well.
    """
    given: dict[str, Any] = {"text": text} if text else {}
    given |= {"models": models} if models else {}
    require_options(name, {*given} | ({"device"} if driver.device != "cpu" else set()))
    experiment = EXPERIMENTS[name]
    if scale not in experiment.scales:
        scales = " or ".join(experiment.scales)
        raise InterlawError(f"expected --scale {scales} for {name}, found {scale!r}; choose one of them")
    with experiment_folder(out, experiment=name, scale=scale):
        outcome = experiment.run(scale=scale, out=out, driver=driver, **given)
        write_outcome(outcome, out)
    return outcome


def require_options(name: str, given: Iterable[str]) -> None:
    """Refuses an unknown experiment, and options that it would not heed.

    Raises:
        InterlawError: Either.
    """
    if name not in EXPERIMENTS:
        near = did_you_mean(name, EXPERIMENTS)
        raise InterlawError(
            f"expected an experiment of {', '.join(EXPERIMENTS)}, found {name!r}; choose one of them{near}"
        )
    for option in sorted(set(given) - EXPERIMENTS[name].options):
        raise InterlawError(f"expected no --{option} for {name}, which has no use for it; leave it out")
