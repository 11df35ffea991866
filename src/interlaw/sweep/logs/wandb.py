"""Weights & Biases: one run a trial, grouped by recipe; offline unless WANDB_MODE says otherwise."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from interlaw.errors import brought_by
from interlaw.sweep.logs.trial_log import TrialLog


class WandbLog:
    """Writes runs; offline ones lie in the folder, and `wandb sync` sends them.

    WANDB_MODE, WANDB_PROJECT, WANDB_ENTITY and the user's login mean what they mean to wandb.

    Raises:
        MissingExtraError: Without the package.
    """

    def __init__(self, folder: Path) -> None:
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # offline means no network
        with brought_by("wandb", "--log wandb"):
            import wandb  # noqa: F401
        self._folder = folder

    def write(self, trial: TrialLog) -> None:
        """Settings as config, curves by step, figures as summary."""
        import wandb

        self._folder.mkdir(parents=True, exist_ok=True)
        mode: Any = os.environ.get("WANDB_MODE", "offline")
        with wandb.init(
            project=os.environ.get("WANDB_PROJECT", "interlaw"),
            group=trial.run,
            name=trial.name,
            id=trial.key,
            resume="allow",
            dir=str(self._folder),
            mode=mode,
            config={**trial.settings, "status": trial.status},
            settings=wandb.Settings(silent=True, console="off", disable_git=True, save_code=False),
        ) as run:
            for row in trial.curve:
                run.log({name: row[name] for name in row.keys() - {"step"}}, step=int(row["step"]))
            run.summary.update(trial.figures)

    def close(self) -> None:
        """Ends the process that wandb keeps."""
        import wandb

        wandb.teardown()
