"""The paper's experiments: recipes and programs run by the same sweep, measured alike, and how near each came."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from interlaw.errors import InterlawError
from interlaw.reproduce.agreement import Agreement
from interlaw.reproduce.double_descent import run_double_descent
from interlaw.reproduce.open_questions import Answer
from interlaw.reproduce.outcome import Driver, Outcome, Scale, write_outcome

EXPERIMENTS: dict[str, Callable[..., Outcome]] = {"double-descent": run_double_descent}
SCALES: tuple[Scale, ...] = ("tiny", "paper")


def reproduce(name: str, *, scale: str = "tiny", out: Path, driver: Driver) -> Outcome:
    """Runs one experiment, or goes on with it, and writes OUT/outcome.json and OUT/outcome.md.

    Args:
        name: A key of `EXPERIMENTS`.
        scale: `tiny`: minutes on two cores; `paper`: the published setting.
        out: The experiment's folder.
        driver: How sweeps are carried out and progress is shown.

    Raises:
        InterlawError: No such experiment or scale, or a folder that holds something else.
    """
    if name not in EXPERIMENTS:
        raise InterlawError(f"expected an experiment of {', '.join(EXPERIMENTS)}, found {name!r}; choose one of them")
    for known in SCALES:
        if scale == known:
            outcome = EXPERIMENTS[name](scale=known, out=out, driver=driver)
            write_outcome(outcome, out)
            return outcome
    raise InterlawError(f"expected --scale tiny or paper, found {scale!r}; choose one of them")


__all__ = ["EXPERIMENTS", "SCALES", "Agreement", "Answer", "Driver", "Outcome", "reproduce"]
