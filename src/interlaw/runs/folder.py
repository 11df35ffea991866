"""A run on disk: DIR/recipe.toml and DIR/trials/<key>/{spec.json, record.json, curve.csv, checkpoint/}."""

from __future__ import annotations

import csv
import errno
import fcntl
import io
import json
import os
import reprlib
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field, StrictFloat, StrictInt, TypeAdapter

from interlaw.errors import InterlawError, near_path
from interlaw.files import write_atomically
from interlaw.runs.record import COUNTS, Record
from interlaw.runs.spec import TrialSpec

RECIPE = "recipe.toml"
# a write that no retry fixes: no room, no permission to write, a broken or vanished disk
_OF_THE_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.ESTALE}
TRY_SECONDS = 0.02  # between two tries at a lock: a person does not notice, and a waiting process costs nothing
_Number = Annotated[StrictInt, Field(gt=-COUNTS, lt=COUNTS)] | Annotated[StrictFloat, Field(allow_inf_nan=False)]
_PROGRESS = TypeAdapter(dict[str, _Number])


class StorageError(InterlawError):
    """A run's folder cannot be written to; what was done so far is kept, and the trial resumes another time."""

    def __init__(self, place: Path, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"expected to write to {str(place)!r}, found: {reason}; make room or give write access, and run the same "
            "command again: it resumes where it stopped"
        )


@contextmanager
def storage_faults(place: Path) -> Iterator[None]:
    """Turns faults of writing to a folder into an error that says so; every other error passes.

    Raises:
        StorageError: When the disk is full, read-only or gone, or a file in the folder cannot be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _OF_THE_DISK and str(place) not in str(error.filename or ""):
            raise
        raise StorageError(place, error.strerror or str(error)) from error


@dataclass(frozen=True)
class TrialFolder:
    """One trial's folder, DIR/trials/<key>; it is done when `record.json` exists."""

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

    @property
    def _trained(self) -> Path:
        """The record of a trial that has been trained and not yet measured."""
        return self.checkpoints / "trained.json"

    def spec(self) -> TrialSpec:
        """The trial's spec."""
        path = self.path / "spec.json"
        return TrialSpec.read(_read(path), source=str(path))

    def record(self) -> Record | None:
        """The trial's record, or None while it has not ended."""
        path = self.path / "record.json"
        if not path.exists():
            return None
        record = Record.read(_read(path), source=str(path))
        if record.key != self.key:
            raise InterlawError(
                f"expected the record of trial {self.key} in {path}, found that of {reprlib.repr(record.key)}; a "
                "copied or renamed trial would count twice: give the folder its name back, or remove it"
            )
        return record

    def write_spec(self, spec: TrialSpec) -> None:
        """Writes spec.json when it is not there yet."""
        path = self.path / "spec.json"
        if path.exists():
            return
        with storage_faults(self.path):
            try:
                write_atomically(path, spec.canonical().encode())
            except FileNotFoundError:  # another driver wrote it, and its trial has ended and was tidied
                if not path.exists():
                    raise

    def write_record(self, record: Record) -> None:
        """Writes record.json: from here on the trial has ended."""
        self._write(self.path / "record.json", record.model_dump_json(indent=1) + "\n")

    def forget_record(self) -> None:
        """Removes the record: the trial is to run again from its last checkpoint, or to be measured when trained."""
        record = self.record()
        if record is not None and record.status == "done":
            self.write_trained(record)
        (self.path / "record.json").unlink(missing_ok=True)

    def write_trained(self, record: Record) -> None:
        """Notes how training ended; together with the weights it is all that measuring needs."""
        self._write(self._trained, record.model_dump_json())

    def trained(self) -> Record | None:
        """How training ended, when it has and the weights are here; measurements may be missing."""
        if not self._trained.exists() or not self.weights.is_file():
            return None
        record = Record.read(_read(self._trained), source=str(self._trained))
        return record if record.key == self.key else None

    def write_curve(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Writes curve.csv: step, units, train_loss, val_loss, learning_rate."""
        text = io.StringIO()
        columns = ("step", "units", "train_loss", "val_loss", "learning_rate")
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        self._write(self.path / "curve.csv", text.getvalue())

    def _write(self, path: Path, content: str) -> None:
        with storage_faults(self.path):
            write_atomically(path, content.encode())

    def write_progress(self, values: Mapping[str, Any]) -> None:
        """Notes where a running trial stands; lost without harm."""
        content = json.dumps({**values, "pid": os.getpid(), "updated": time.time()})
        with suppress(OSError):
            write_atomically(self.path / "progress.json", content.encode(), durable=False)

    def progress(self) -> dict[str, float]:
        """Where a running trial stands, in numbers; empty when nothing was noted, or nothing that can be read."""
        try:
            return _PROGRESS.validate_json((self.path / "progress.json").read_bytes())
        except (OSError, ValueError):
            return {}

    def tidy(self) -> None:
        """Removes what only a running trial needs; to be called once its record is written."""
        half_written = [*self.path.glob(".*.tmp"), *self.checkpoints.glob(".*.tmp")]
        checkpoints = self.checkpoints.glob("step-*.safetensors")
        for path in (self.path / "progress.json", self._trained, *checkpoints, *half_written):
            with suppress(OSError):
                path.unlink(missing_ok=True)
        if self.checkpoints.is_dir() and not any(self.checkpoints.iterdir()):
            shutil.rmtree(self.checkpoints, ignore_errors=True)

    @contextmanager
    def lock(self, *, patience_seconds: float = 0.0) -> Iterator[bool]:
        """Locks the trial; gives False if another process keeps it. The lock ends with its process."""
        with storage_faults(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            opened = (self.path / ".lock").open("a")
        with opened as file:
            deadline = time.monotonic() + patience_seconds
            while not _try_lock(file.fileno(), fcntl.LOCK_EX):
                if time.monotonic() >= deadline:
                    yield False
                    return
                time.sleep(TRY_SECONDS)
            yield True

    def is_running(self) -> bool:
        """Whether a live process holds the trial; the check takes the lock for a moment, and others wait."""
        try:
            with (self.path / ".lock").open("rb") as file:
                return not _try_lock(file.fileno(), fcntl.LOCK_SH)
        except (FileNotFoundError, PermissionError):
            return False


@dataclass(frozen=True)
class RunFolder:
    """A sweep's folder, DIR."""

    path: Path
    look_seconds: ClassVar[float] = 0.0  # how often it is worth asking how far the trials are

    @property
    def location(self) -> str:
        """The run's place: the folder, or the URL whose working copy it is."""
        return str(self.path)

    @property
    def recipe(self) -> Path:
        """The recipe that the sweep was started with, as the user wrote it."""
        return self.path / RECIPE

    def trial(self, key: str) -> TrialFolder:
        """The folder of a trial, existing or not."""
        return TrialFolder(self.path / "trials" / key)

    def trials(self) -> list[TrialFolder]:
        """The trials that have a spec, in the order of their names."""
        return [self.trial(path.parent.name) for path in sorted((self.path / "trials").glob("*/spec.json"))]

    def records(self) -> dict[str, Record]:
        """Of the trials that have ended, by key."""
        return {trial.key: record for trial in self.trials() if (record := trial.record()) is not None}

    def write_plan(self, trials: Sequence[TrialSpec], recipe: str) -> None:
        """Writes the specs that are not there yet, and the recipe."""
        for trial in trials:
            self.trial(trial.key).write_spec(trial)
        if not self.recipe.exists() or self.recipe.read_bytes() != recipe.encode():
            write_atomically(self.recipe, recipe.encode())

    def fetch(self) -> None:
        """Brings this machine's copy up to date; a folder is its own."""


MOST_NEAR = 5  # runs named in one message: about a line


def near_run(path: str | Path) -> str:
    """The end of a message about a run that is not there: the path spelled most like it, else the runs beside it."""
    near, folder = near_path(path), Path(path).parent
    with suppress(OSError):  # nothing that may be listed
        beside = sorted(one.parent for one in folder.glob(f"*/{RECIPE}"))
        if not near and beside:
            more = ", ..." if len(beside) > MOST_NEAR else ""
            return f"; there are {', '.join(repr(str(one)) for one in beside[:MOST_NEAR])}{more}"
    return near


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
    except FileNotFoundError:
        raise InterlawError(f"expected {path}, found nothing there; give a trial's folder, DIR/trials/KEY") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InterlawError(f"expected to read {path}, found: {error}; check the folder") from error
