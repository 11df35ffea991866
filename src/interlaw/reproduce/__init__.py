"""The paper's experiments: recipes and programs run by the same sweep, measured alike, and how near each came."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interlaw.errors import InterlawError
from interlaw.reproduce.agreement import Agreement
from interlaw.reproduce.cnn import CNN_SCAN
from interlaw.reproduce.double_descent import run_double_descent
from interlaw.reproduce.gpt import GPT_BUDGETS, GPT_DEPTH
from interlaw.reproduce.gru import GRU_STUDENTS
from interlaw.reproduce.mlp import MLP_SCAN
from interlaw.reproduce.nfa import run_nfa
from interlaw.reproduce.open_models import run_open_models
from interlaw.reproduce.open_questions import Answer
from interlaw.reproduce.outcome import Driver, Outcome, Plan, Scale, write_outcome


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """An experiment by its program.

    Attributes:
        run: Called with scale, out, driver, and those of text and models that it reads and that are given.
        reads: What a user may hand to it.
    """

    run: Callable[..., Outcome]
    reads: tuple[str, ...] = ()


SWEEPS = (MLP_SCAN, GPT_DEPTH, GPT_BUDGETS, GRU_STUDENTS, CNN_SCAN)
EXPERIMENTS: dict[str, Experiment] = {
    "double-descent": Experiment(run=run_double_descent),
    "mlp": Experiment(run=MLP_SCAN),
    "gpt-depth": Experiment(run=GPT_DEPTH, reads=("text",)),
    "gpt-budgets": Experiment(run=GPT_BUDGETS, reads=("text",)),
    "gru": Experiment(run=GRU_STUDENTS),
    "cnn": Experiment(run=CNN_SCAN),
    "nfa": Experiment(run=run_nfa, reads=("text",)),
    "open-models": Experiment(run=run_open_models, reads=("text", "models")),
}
SCALES: tuple[Scale, ...] = ("tiny", "paper")


def reproduce(
    name: str,
    *,
    scale: str = "tiny",
    out: Path,
    driver: Driver,
    text: str | None = None,
    models: tuple[str, ...] = (),
) -> Outcome:
    """Runs one experiment, or goes on with it, and writes OUT/outcome.json and OUT/outcome.md.

    Args:
        name: A key of `EXPERIMENTS`.
        scale: `tiny`: minutes on two cores; `paper`: the published setting.
        out: The experiment's folder.
        driver: How sweeps are carried out and progress is shown.
        text: For experiments on text: a file, a folder or "datasets:NAME" in place of the embedded one.
        models: For `open-models`: Hugging Face names or folders in place of the default ones.

    Raises:
        InterlawError: No such experiment or scale, an option that it does not read, or a folder of something else.
        WorkFailedError: No trial ended well.
    """
    if name not in EXPERIMENTS:
        raise InterlawError(f"expected an experiment of {', '.join(EXPERIMENTS)}, found {name!r}; choose one of them")
    experiment = EXPERIMENTS[name]
    given: dict[str, Any] = {"text": text} if text else {}
    given |= {"models": models} if models else {}
    for option in given:
        if option not in experiment.reads:
            raise InterlawError(f"expected no --{option} for {name}, which reads none; leave it out")
    for known in SCALES:
        if scale == known:
            outcome = experiment.run(scale=known, out=out, driver=driver, **given)
            write_outcome(outcome, out)
            return outcome
    raise InterlawError(f"expected --scale tiny or paper, found {scale!r}; choose one of them")


__all__ = [
    "EXPERIMENTS",
    "SCALES",
    "SWEEPS",
    "Agreement",
    "Answer",
    "Driver",
    "Experiment",
    "Outcome",
    "Plan",
    "reproduce",
]
