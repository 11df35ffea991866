"""TensorBoard: one folder of event files a trial, with its settings and figures for the HParams view."""

from __future__ import annotations

import shutil
from pathlib import Path

from interlaw.errors import brought_by
from interlaw.sweep.logs.trial_log import TrialLog


class TensorBoardLog:
    """Writes event files; look at them with `tensorboard --logdir FOLDER`.

    Raises:
        MissingExtraError: Without the package.
    """

    def __init__(self, folder: Path) -> None:
        with brought_by("tensorboard", "--log tensorboard"):
            import tensorboard  # noqa: F401
        self._folder = folder

    def write(self, trial: TrialLog) -> None:
        """Curves by step, figures at the end."""
        from torch.utils.tensorboard import SummaryWriter

        place = self._folder / trial.name
        shutil.rmtree(place, ignore_errors=True)  # of an attempt that was cut short
        with SummaryWriter(str(place)) as writer:
            for row in trial.curve:
                for name in row.keys() - {"step"}:
                    writer.add_scalar(name, row[name], int(row["step"]))
            figures = {f"final/{name}": value for name, value in trial.figures.items()}
            writer.add_hparams({**trial.settings, "status": trial.status}, figures, run_name=".")

    def close(self) -> None:
        """Every trial's files are closed already."""
