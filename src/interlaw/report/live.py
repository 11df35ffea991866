"""A run as it is now: where its trials stand, and its page, made again when a trial has ended."""

from __future__ import annotations

import hashlib
import threading
import time
from pathlib import Path
from typing import Any

from interlaw.errors import InterlawError
from interlaw.report.document import document
from interlaw.report.markup import section, text
from interlaw.report.page import LIVE_STYLES, live_section, page
from interlaw.report.results import load_results
from interlaw.report.wording import budget_text
from interlaw.runs import RunFolder, TrialFolder, require_run, run_name
from interlaw.sweep import run_status

SCRIPTS = ("chart.js", "live.js")
MOST_POINTS = 200
# a long run is not read, and its law not fitted, all the time: an answer is good for this many times as long as it took
SHARE = 5.0


class LiveRun:
    """Answers what a watcher asks, each time from the folder as it is; safe to ask from several threads.

    Args:
        location: A run's folder or URL, finished or not.

    Raises:
        InterlawError: When there is no run.
    """

    def __init__(self, location: str | Path) -> None:
        self._location = location
        self._making = threading.Lock()
        self._made: tuple[float, str, str] = (0.0, "", "")
        self._reading = threading.Lock()
        self._read: tuple[float, dict[str, Any]] = (0.0, {})
        self._seen: dict[str, list[list[float]]] = {}
        require_run(location)

    def status(self) -> dict[str, Any]:
        """Counts of the trials by state, those that run with their losses so far, and the page's version."""
        with self._reading:
            good_until, status = self._read
            started = time.monotonic()
            if started >= good_until:
                status = self._status()
                ended = time.monotonic()
                self._read = (ended + SHARE * (ended - started), status)
            return status

    def _status(self) -> dict[str, Any]:
        run = require_run(self._location)
        running = [self._running(trial) for trial in run.trials() if trial.is_running()]
        return {"version": self._version(run), **vars(run_status(run)), "trials": running}

    def _running(self, trial: TrialFolder) -> dict[str, Any]:
        """Where one trial stands; its losses are those seen while somebody was watching."""
        progress, spec = trial.progress(), trial.spec()
        losses = self._seen.setdefault(trial.key, [])
        step, loss = progress.get("step", 0), progress.get("train_loss")
        if loss is not None and (not losses or losses[-1][0] < step):
            losses.append([step, loss])
            if len(losses) > MOST_POINTS:
                del losses[1:-1:2]
        shape = spec.shape
        return {
            "key": trial.key,
            "name": f"{shape['depth']} x {shape['width']}, seed {spec.training.seed}",
            "budget": budget_text(float(spec.budget.amount), spec.budget.kind),
            "step": step,
            "steps": progress.get("steps", spec.training.steps),
            "losses": losses,
        }

    def page(self) -> str:
        """The report of what has ended, or a page that waits for the first trial; made once a version."""
        run = require_run(self._location)
        with self._making:
            now = self._version(run)
            if self._made[1] != now:
                started = time.monotonic()
                made = self._page(run, now)
                ended = time.monotonic()
                self._made = (ended + SHARE * (ended - started), now, made)
            return self._made[2]

    def _version(self, run: RunFolder) -> str:
        """The version of the page to show: of the one that was made while it is good, then of the run as it is."""
        good_until, made, _ = self._made
        return made if time.monotonic() < good_until else version(run)

    def _page(self, run: RunFolder, now: str) -> str:
        try:
            results = load_results(self._location)
        except InterlawError as error:
            return waiting_page(run_name(run), now, reason=str(error))
        return page(results, live=now)


def version(run: RunFolder) -> str:
    """Changes when a trial ends, when one is run again, and when the plan grows."""
    digest = hashlib.sha256()
    for trial in run.trials():
        record = trial.path / "record.json"
        ended = record.stat().st_mtime_ns if record.exists() else 0
        digest.update(f"{trial.key} {ended}\n".encode())
    return digest.hexdigest()[:16]


def waiting_page(name: str, now: str, *, reason: str) -> str:
    """What is shown before there is anything to report."""
    words = "The report appears here when the first trial has ended well."
    return document(
        title=name,
        header=f'<h1>{text(name)}</h1><p class="quiet">{text(words)}</p>',
        body=live_section() + section("waiting", "Not yet", f"<p>{text(reason)}</p>"),
        data={"live": now},
        styles=LIVE_STYLES,
        scripts=SCRIPTS,
        connect=True,
    )
