"""A run on disk: DIR/recipe.toml and DIR/trials/<key>/{spec.json, record.json, curve.csv, checkpoint/}."""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interlaw.errors import InterlawError
from interlaw.runs.record import Record, require_record
from interlaw.runs.spec import TrialSpec, require_spec
from interlaw.training import write_atomically

RECIPE = "recipe.toml"


@dataclass(frozen=True)
class TrialFolder:
    """One trial's folder; it is done when `record.json` exists.

    Attributes:
        path: DIR/trials/<key>.
    """

    path: Path

    @property
    def key(self) -> str:
        """The trial's name."""
        return self.path.name

    @property
    def checkpoints(self) -> Path:
        """Where training checkpoints and the final weights lie."""
        return self.path / "checkpoint"

    @property
    def weights(self) -> Path:
        """The final weights."""
        return self.checkpoints / "model.safetensors"

    def spec(self) -> TrialSpec:
        """The trial's spec."""
        path = self.path / "spec.json"
        return require_spec(_read(path), source=str(path))

    def record(self) -> Record | None:
        """The trial's record, or None while it has not ended."""
        path = self.path / "record.json"
        return require_record(_read(path), source=str(path)) if path.exists() else None

    def write_spec(self, spec: TrialSpec) -> None:
        """Writes spec.json when it is not there yet."""
        if not (self.path / "spec.json").exists():
            write_atomically(self.path / "spec.json", spec.canonical().encode())

    def write_record(self, record: Record) -> None:
        """Writes record.json: from here on the trial has ended."""
        write_atomically(self.path / "record.json", (record.model_dump_json(indent=1) + "\n").encode())

    def write_curve(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Writes curve.csv: step, units, train_loss, val_loss, learning_rate."""
        columns = ["step", "units", "train_loss", "val_loss", "learning_rate"]
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_atomically(self.path / "curve.csv", text.getvalue().encode())

    def write_progress(self, values: Mapping[str, Any]) -> None:
        """Notes where a running trial stands; lost without harm."""
        content = json.dumps({**values, "pid": os.getpid(), "updated": time.time()})
        temporary = self.path / f".progress.{os.getpid()}.tmp"
        temporary.write_text(content)
        temporary.replace(self.path / "progress.json")

    def progress(self) -> dict[str, Any]:
        """Where a running trial stands; empty when nothing was noted."""
        try:
            values: dict[str, Any] = json.loads((self.path / "progress.json").read_text())
        except (OSError, ValueError):
            return {}
        return values

    @contextmanager
    def lock(self, *, patience_seconds: float = 0.0) -> Iterator[bool]:
        """Holds the trial against other processes; gives False when one holds it all that time. Freed by any death."""
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / ".lock").open("a") as file:
            deadline = time.monotonic() + patience_seconds
            while not _try_lock(file.fileno(), fcntl.LOCK_EX):
                if time.monotonic() >= deadline:
                    yield False
                    return
                time.sleep(0.02)
            yield True

    def is_running(self) -> bool:
        """Whether a live process holds the trial; asking disturbs nobody who is patient for an instant."""
        try:
            with (self.path / ".lock").open("rb") as file:
                return not _try_lock(file.fileno(), fcntl.LOCK_SH)
        except FileNotFoundError:
            return False


@dataclass(frozen=True)
class RunFolder:
    """A sweep's folder.

    Attributes:
        path: DIR.
    """

    path: Path

    @property
    def recipe(self) -> Path:
        """The recipe that the sweep was started with, as the user wrote it."""
        return self.path / RECIPE

    def trial(self, key: str) -> TrialFolder:
        """The folder of a trial, existing or not."""
        return TrialFolder(self.path / "trials" / key)

    def trials(self) -> list[TrialFolder]:
        """The trials that have a spec, in the order of their names."""
        return [TrialFolder(path.parent) for path in sorted((self.path / "trials").glob("*/spec.json"))]


def require_run(path: str | Path) -> RunFolder:
    """Opens an existing run.

    Raises:
        InterlawError: When the folder holds no run.
    """
    folder = RunFolder(Path(path))
    if not folder.recipe.is_file():
        raise InterlawError(
            f"expected a run folder with {RECIPE}, found none in {str(path)!r}; give the --out folder of a sweep"
        )
    return folder


def _try_lock(descriptor: int, kind: int) -> bool:
    """Takes an advisory lock at once or not at all; closing the file gives it back."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(path: Path) -> str:
    """A text file, or an error that names it."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InterlawError(f"expected to read {path}, found: {error}; check the folder") from error
