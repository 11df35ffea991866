"""Every experiment by its name, and the run of one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from interlaw.errors import InterlawError, did_you_mean
from interlaw.registry import Registry
from interlaw_paper.scale import Scale

if TYPE_CHECKING:
    from interlaw_paper.outcome import Driver, Outcome

RUN_AS_SWEEP = frozenset({"workers", "device"})  # options of what the driver's sweep carries out


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


# where each stands, loaded when it is run: names are offered to a shell, which must not wait for torch
_PLACES = {
    "double-descent": "double_descent:EXPERIMENT",
    "mlp": "mlp:MLP_SCAN.experiment",
    "gpt-depth": "gpt:GPT_DEPTH.experiment",
    "gpt-budgets": "gpt:GPT_BUDGETS.experiment",
    "gru": "gru:GRU_STUDENTS.experiment",
    "cnn": "cnn:CNN_SCAN.experiment",
    "waves": "designed:WAVES.experiment",
    "targets": "designed:TARGETS.experiment",
    "hundredfold": "designed:HUNDREDFOLD.experiment",
    "searched": "designed:SEARCHED.experiment",
    "students": "designed:STUDENTS.experiment",
    "growth": "designed:GROWTH.experiment",
    "lengths": "designed:LENGTHS.experiment",
    "small-gpts": "designed:SMALL_GPTS.experiment",
    "gpt-sizes": "designed:GPT_SIZES.experiment",
    "rates": "designed:RATES.experiment",
    "mlp-again": "designed:MLP_AGAIN.experiment",
    "push": "push:PUSH.experiment",
    "push-again": "push:PUSH_AGAIN.experiment",
    "push-down": "push:PUSH_DOWN.experiment",
    "push-gpt": "push:PUSH_GPT.experiment",
    "push-gpt-again": "push:PUSH_GPT_AGAIN.experiment",
    "peak": "peak:EXPERIMENT",
    "nfa": "nfa:EXPERIMENT",
    "open-models": "open_models:EXPERIMENT",
}
EXPERIMENTS: Registry[Experiment] = Registry(
    "interlaw_paper.experiments", {name: f"interlaw_paper.{place}" for name, place in _PLACES.items()}
)


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
    from interlaw_paper.folder import experiment_folder
    from interlaw_paper.outcome import write_outcome

    given = {option: value for option, value in (("text", text), ("models", models)) if value}
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
    """Refuses an unknown experiment, and options that it does not read.

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
