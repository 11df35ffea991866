"""MLflow: one run a trial, in an experiment named after the recipe; in a file beside the trials if nothing is set."""

from __future__ import annotations

import os
import time
from pathlib import Path

from interlaw.errors import brought_by
from interlaw.sweep.logs.trial_log import TrialLog

MOST_A_BATCH = 1000  # of MLflow's interface


class MlflowLog:
    """Writes runs to MLFLOW_TRACKING_URI, or to the SQLite file FOLDER/mlflow.db.

    Raises:
        MissingExtraError: Without the package.
    """

    def __init__(self, folder: Path) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        with brought_by("mlflow", "--log mlflow"):
            import mlflow  # noqa: F401
            import sqlalchemy  # noqa: F401
        self._folder = folder

    def write(self, trial: TrialLog) -> None:
        """Settings as params, curves and figures as metrics."""
        from mlflow import MlflowClient
        from mlflow.entities import Metric, Param

        self._folder.mkdir(parents=True, exist_ok=True)
        place = self._folder.resolve()
        client = MlflowClient(os.environ.get("MLFLOW_TRACKING_URI", f"sqlite:///{place / 'mlflow.db'}"))
        experiment = client.get_experiment_by_name(trial.run)
        # files go beside a local store, else wherever the server says
        artifacts = None if "MLFLOW_TRACKING_URI" in os.environ else (place / "artifacts").as_uri()
        number = experiment.experiment_id if experiment else client.create_experiment(trial.run, artifacts)
        now = int(1000 * time.time())
        run = client.create_run(number, run_name=trial.name, tags={"interlaw.key": trial.key}).info.run_id
        settings = {**trial.settings, "status": trial.status}
        client.log_batch(run, params=[Param(name, str(value)) for name, value in settings.items()])
        last = int(trial.curve[-1]["step"]) if trial.curve else 0
        metrics = [
            Metric(name, value, now, int(row["step"]))
            for row in trial.curve
            for name, value in row.items()
            if name != "step"
        ]
        metrics += [Metric(f"final_{name}", value, now, last) for name, value in trial.figures.items()]
        for first in range(0, len(metrics), MOST_A_BATCH):
            client.log_batch(run, metrics=metrics[first : first + MOST_A_BATCH])
        client.set_terminated(run, status="FINISHED" if trial.status == "done" else "FAILED")

    def close(self) -> None:
        """Every batch is written already."""
