"""Every ended trial of a run in the trackers that were asked for, each once, whoever ran it and when."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from interlaw.errors import require_among
from interlaw.registry import Registry
from interlaw.runs import RunFolder
from interlaw.sweep.logs.mlflow import MlflowLog
from interlaw.sweep.logs.tensorboard import TensorBoardLog
from interlaw.sweep.logs.trial_log import TrialLog, trial_log
from interlaw.sweep.logs.wandb import WandbLog
from interlaw.sweep.together import Event


class Logger(Protocol):
    """Where ended trials are written."""

    def write(self, trial: TrialLog) -> None:
        """Writes one trial, whole."""

    def close(self) -> None:
        """Nothing more will come."""


LOGGERS: Registry[Callable[[Path], Logger]] = Registry(
    "interlaw.trackers", {"tensorboard": TensorBoardLog, "wandb": WandbLog, "mlflow": MlflowLog}
)


def require_loggers(names: Sequence[str]) -> None:
    """Checks that these trackers are known and installed, before anything runs.

    Raises:
        InterlawError: For a name that is none of `LOGGERS`.
        MissingExtraError: For one whose package is missing.
    """
    for name in names:
        require_among("--log", name, known=LOGGERS.names())
        LOGGERS[name](Path())


class Logbook:
    """Listens to a sweep and writes each trial when it has ended.

    What was written is noted in FOLDER/<logger>.txt, so that a resumed sweep, or one that ran before without
    trackers, writes what is missing and nothing twice.

    Args:
        run: The run.
        folder: Where local logs and the notes go.
        names: Keys of `LOGGERS`; with none, nothing is written.
    """

    def __init__(self, run: RunFolder, folder: Path, *, names: Sequence[str]) -> None:
        require_loggers(names)
        self._run = run
        self._folder = folder
        self._loggers = {name: LOGGERS[name](folder / name) for name in dict.fromkeys(names)}

    def listen(self, event: Event) -> None:
        """Takes one event of the sweep."""
        if event.kind == "ended":
            self._write(event.key)

    def close(self) -> None:
        """Writes what has ended without an event, by another driver or in an earlier run, and closes the trackers."""
        for trial in self._run.trials() if self._loggers else ():
            self._write(trial.key)
        for logger in self._loggers.values():
            logger.close()

    def _write(self, key: str) -> None:
        for name, logger in self._loggers.items():
            notes = self._folder / f"{name}.txt"
            if notes.exists() and key in notes.read_text().split():
                continue
            trial = trial_log(self._run, self._run.trial(key))
            if trial is not None:
                logger.write(trial)
                self._folder.mkdir(parents=True, exist_ok=True)
                with notes.open("a") as file:
                    file.write(f"{key}\n")
