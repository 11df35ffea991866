"""The paper's experiments: recipes and programs run by the same sweep, measured alike, and how near each came."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from interlaw.errors import InterlawError
from interlaw.reproduce.agreement import Agreement
from interlaw.reproduce.cnn import CNN_SCAN
from interlaw.reproduce.double_descent import run_double_descent
from interlaw.reproduce.gpt import GPT_BUDGETS, GPT_DEPTH
from interlaw.reproduce.gru import GRU_STUDENTS
from interlaw.reproduce.mlp import MLP_SCAN
from interlaw.reproduce.nfa import run_nfa
from interlaw.reproduce.open_questions import Answer
from interlaw.reproduce.outcome import Driver, Outcome, Plan, Scale, write_outcome

SWEEPS = (MLP_SCAN, GPT_DEPTH, GPT_BUDGETS, GRU_STUDENTS, CNN_SCAN)
EXPERIMENTS: dict[str, Callable[..., Outcome]] = {
    "double-descent": run_double_descent,
    **{sweep.name: sweep for sweep in SWEEPS},
    "nfa": run_nfa,
}
SCALES: tuple[Scale, ...] = ("tiny", "paper")


def reproduce(name: str, *, scale: str = "tiny", out: Path, driver: Driver, text: str | None = None) -> Outcome:
    """Runs one experiment, or goes on with it, and writes OUT/outcome.json and OUT/outcome.md.

    Args:
        name: A key of `EXPERIMENTS`.
        scale: `tiny`: minutes on two cores; `paper`: the published setting.
        out: The experiment's folder.
        driver: How sweeps are carried out and progress is shown.
        text: For experiments on text: a file, a folder or "datasets:NAME" in place of the embedded one.

    Raises:
        InterlawError: No such experiment or scale, a text where none is read, or a folder that holds something else.
        WorkFailedError: No trial ended well.
    """
    if name not in EXPERIMENTS:
        raise InterlawError(f"expected an experiment of {', '.join(EXPERIMENTS)}, found {name!r}; choose one of them")
    for known in SCALES:
        if scale == known:
            outcome = EXPERIMENTS[name](scale=known, out=out, driver=driver, text=text)
            write_outcome(outcome, out)
            return outcome
    raise InterlawError(f"expected --scale tiny or paper, found {scale!r}; choose one of them")


__all__ = ["EXPERIMENTS", "SCALES", "Agreement", "Answer", "Driver", "Outcome", "Plan", "reproduce"]
