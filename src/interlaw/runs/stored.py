"""A run kept under a URL: this machine works on a copy, the storage holds what counts.

A trial is fetched when it is begun, its checkpoints follow while it trains, its weights and curve before its record,
and the record last and once. If a process or a machine dies, the storage still holds a run that any machine can resume.
"""

from __future__ import annotations

import atexit
import functools
import json
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from urllib.parse import unquote, urlsplit

from interlaw.errors import InterlawError
from interlaw.files import write_atomically
from interlaw.plain import Json
from interlaw.runs.folder import RECIPE, RunFolder, TrialFolder, near_run
from interlaw.runs.record import Record
from interlaw.runs.spec import TrialSpec
from interlaw.runs.storage import BEAT_SECONDS, Lease, Storage, is_url, lease_number, read_lease

_LEASE = "lease.json"  # the copy of whichever lease counts
_ONCE = (RECIPE, "spec.json", "record.json", "curve.csv")  # what is small, and once written stays


@dataclass(frozen=True)
class StoredTrial(TrialFolder):
    """A trial's working copy and its place in the storage."""

    storage: Storage

    def write_record(self, record: Record) -> None:
        """Stores weights and curve, then the record: from here on the trial has ended. The first record stands."""
        files = [path for path in (self.weights, self.path / "curve.csv") if path.exists()]
        self.storage.write({path.relative_to(self.path).as_posix(): path.read_bytes() for path in files})
        content = (record.model_dump_json(indent=1) + "\n").encode()
        if not self.storage.create("record.json", content):
            content = self.storage.read("record.json") or content  # ours where it was just removed, to run it again
        write_atomically(self.path / "record.json", content)

    def forget_record(self) -> None:
        """Removes the record here and there."""
        self.storage.delete(["record.json"])
        super().forget_record()

    def progress(self) -> Json:
        """What the holder wrote last, as of the last fetch."""
        path = self.path / _LEASE
        return read_lease(path.read_bytes()) if path.exists() else {}

    def is_running(self) -> bool:
        """Whether somebody's lease held at the last fetch."""
        values = self.progress()
        return bool(values.get("until", 0.0) > values.get("seen", 0.0))

    @contextmanager
    def lock(self, *, patience_seconds: float = 0.0) -> Iterator[bool]:
        """Holds the trial, so that no other process runs it, and keeps the storage up to date."""
        lease = Lease(self.storage)
        with super().lock(patience_seconds=patience_seconds) as free:
            if not free or not lease.acquire(patience_seconds=patience_seconds):
                yield False
                return
            try:
                with _every_beat(lambda: lease.renew(super(StoredTrial, self).progress())), self._following():
                    yield True
            finally:
                with suppress(Exception):  # it runs out by itself
                    lease.release()

    @contextmanager
    def _following(self) -> Iterator[None]:
        """Brings record or checkpoints here, and stores what is new until the trial ends or is broken off."""
        names = self.storage.names()
        wanted = ["record.json"] if "record.json" in names else [n for n in names if n.startswith("checkpoint/step-")]
        for name, content in self.storage.read_all(wanted).items():
            write_atomically(self.path / name, content)
        try:
            # apart from the lease: a large checkpoint takes longer than a lease lasts
            with _every_beat(self._push_checkpoints):
                yield
        finally:
            with suppress(Exception):  # what is not stored now costs the time since the last beat
                self._push_checkpoints()
            shutil.rmtree(self.checkpoints, ignore_errors=True)

    def _push_checkpoints(self) -> None:
        """Stores checkpoints that are only here; removes those that the trial no longer keeps."""
        here = {f"checkpoint/{path.name}": path for path in self.checkpoints.glob("step-*.safetensors")}
        there = {name for name in self.storage.names() if name.startswith("checkpoint/step-")}
        for name in sorted(here.keys() - there):
            with suppress(FileNotFoundError):  # the trial has a newer one by now
                self.storage.write({name: here[name].read_bytes()})
        if here or self.record() is not None:
            self.storage.delete(there - here.keys())


@dataclass(frozen=True)
class StoredRun(RunFolder):
    """A run's working copy and its place in the storage."""

    storage: Storage
    look_seconds: ClassVar[float] = BEAT_SECONDS

    @property
    def location(self) -> str:
        """The URL."""
        return self.storage.url

    def trial(self, key: str) -> TrialFolder:
        """The working copy of a trial."""
        return StoredTrial(self.path / "trials" / key, self.storage.below("trials", key))

    def write_plan(self, trials: Sequence[TrialSpec], recipe: str) -> None:
        """Writes the specs that are not there yet, and the recipe."""
        super().write_plan(trials, recipe)
        new = {f"trials/{trial.key}/spec.json" for trial in trials} - set(self.storage.names())
        contents = {name: (self.path / name).read_bytes() for name in sorted(new)}
        self.storage.write({**contents, RECIPE: recipe.encode()})

    def fetch(self) -> None:
        """Brings recipe, specs, records, curves and leases here."""
        names = self.storage.names()
        leases = {name.rpartition("/")[0]: name for name in names if lease_number(name.rpartition("/")[2])}
        small = {name for name in names if name.rpartition("/")[2] in _ONCE}
        for record in self.path.glob("trials/*/record.json"):
            if record.relative_to(self.path).as_posix() not in small:
                record.unlink()  # forgotten by another machine
        for lease in self.path.glob(f"trials/*/{_LEASE}"):
            lease.unlink()
        wanted = [name for name in small if name == RECIPE or not (self.path / name).exists()]
        for name, content in self.storage.read_all([*wanted, *leases.values()]).items():
            if name in wanted:
                write_atomically(self.path / name, content)
            else:
                seen = json.dumps({**read_lease(content), "seen": time.time()})
                write_atomically(self.path / name.rpartition("/")[0] / _LEASE, seen.encode())


def open_run(location: str | Path) -> RunFolder:
    """A run's folder, or a working copy of a run under a URL; nothing need be there yet."""
    if is_url(location):
        url = str(location).rstrip("/")
        return StoredRun(working_copy(url), Storage(url))
    text = str(location)
    return RunFolder(Path(unquote(urlsplit(text).path)) if text.startswith("file://") else Path(location))


def require_run(location: str | Path) -> RunFolder:
    """Opens an existing run.

    Raises:
        InterlawError: When there is no run.
    """
    run = open_run(location)
    run.fetch()
    if not run.recipe.is_file():
        below = ", ".join(repr(str(path.parent)) for path in sorted(run.path.glob(f"*/{RECIPE}")))
        remedy = f"the runs below it are {below}: give one of these" if below else _instead(str(location))
        if not is_url(location) and not run.path.exists():
            remedy += near_run(run.path)
        raise InterlawError(f"expected a run folder with {RECIPE}, found none in {str(location)!r}; {remedy}")
    return run


def _instead(name: str) -> str:
    """What to do with a name that is no run: in Python tables of files and of public sweeps come from elsewhere."""
    if name.startswith("public:"):
        return f"of a public sweep, interlaw.published.find_sweep({name!r}).table() is the table"
    if name.endswith((".csv", ".tsv", ".jsonl", ".parquet")):
        return "a table is read by `interlaw fit FILE`, or in Python by pandas"
    return "give the folder of a sweep"


@contextmanager
def _every_beat(work: Callable[[], None]) -> Iterator[None]:
    """Does the work every few seconds while the block runs; after a failure it tries again the next time."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(BEAT_SECONDS):
            with suppress(Exception):  # storage that is away for a while costs nothing
                work()

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@functools.cache
def working_copy(url: str) -> Path:
    """A folder for this process's copy of a URL, the same at every call; removed when the process ends."""
    path = tempfile.mkdtemp(prefix="interlaw-run-")
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return Path(path)
