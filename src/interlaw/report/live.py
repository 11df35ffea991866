"""A run as it is now: where its trials stand, and its page, made again when a trial has ended."""

from __future__ import annotations

import hashlib
import math
import threading
import time
from pathlib import Path

from interlaw.errors import InterlawError
from interlaw.plain import Json
from interlaw.report.document import document, drawn
from interlaw.report.live_figure import live_drawing
from interlaw.report.page import page
from interlaw.report.results import load_results
from interlaw.report.wording import budget_text, number
from interlaw.runs import RunFolder, TrialFolder, TrialSpec, require_run, run_name
from interlaw.sweep import RunStatus, run_status

SCRIPTS = ("page.js", "live.js")
MOST_REASONS = 3  # of failed trials, beside those that run: the list stays on one screen
MOST_POINTS = 200  # of a trial's losses: a panel of 600 pixels shows no more
# a long run is not read, and its law not fitted, all the time: an answer is good for this many times as long as it took
SHARE = 5.0
MINUTE, HOUR = 60, 3600  # seconds


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
        self._read: tuple[float, Json] = (0.0, {})
        self._seen: dict[str, list[list[float]]] = {}
        require_run(location)

    def status(self) -> Json:
        """Counts of the trials by state, those that run with their losses so far, and the page's version."""
        with self._reading:
            good_until, status = self._read
            started = time.monotonic()
            if started >= good_until:
                status = self._status()
                ended = time.monotonic()
                self._read = (ended + SHARE * (ended - started), status)
            return status

    def _status(self) -> Json:
        run = require_run(self._location)
        status = run_status(run)
        failed = list(status.reasons.items())[:MOST_REASONS]
        said, losses = [], []
        for trial in run.trials():
            if trial.is_running():
                words, points = self._running(trial)
                said.append(words)
                losses += points
        return {
            "version": self._version(run),
            **vars(status),
            "sentence": sentence(status),
            "left": f"about {duration(status.seconds_left)} left" if status.seconds_left and said else "",
            "said": said + [f"{trial_name(run.trial(key).spec())}: {reason}" for key, reason in failed],
            "losses": losses,
        }

    def _running(self, trial: TrialFolder) -> tuple[str, list[Json]]:
        """Where one trial stands, in a line, and the points of its losses: those seen while somebody was watching."""
        progress, spec = trial.progress(), trial.spec()
        losses = self._seen.setdefault(trial.key, [])
        step, loss = progress.get("step", 0), progress.get("train_loss")
        if loss is not None and (not losses or losses[-1][0] < step):
            losses.append([step, loss])
            if len(losses) > MOST_POINTS:
                del losses[1:-1:2]
        name, steps = trial_name(spec), progress.get("steps", spec.training.steps)
        now = f", training loss {number(losses[-1][1])}" if losses else ""
        points = [
            {
                "trial": name,
                "share": at / max(steps, 1),
                "loss": seen,
                "said": f"{name}: training loss {number(seen)} at step {at}",
            }
            for at, seen in losses
        ]
        return f"{name}: step {step:,} of {steps:,}{now}", points

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
        """The report, or a page that says why there is none yet."""
        reason = "No trial has ended yet, so nothing is known of the shapes."
        if run.records():
            try:
                results = load_results(self._location)
            except InterlawError as error:  # none ended well
                reason = str(error)
            else:
                return page(results, live=now)
        figures, panels = drawn([("live", "The sweep now", live_drawing())])
        return document(
            "waiting.html.j2",
            title=run_name(run),
            data={"live": now, "panels": panels},
            scripts=SCRIPTS,
            connect=True,
            live=figures[0].cells[0],
            reason=reason,
        )


def version(run: RunFolder) -> str:
    """Changes when a trial ends, when one is run again, and when the plan grows."""
    digest = hashlib.sha256()
    for trial in run.trials():
        record = trial.path / "record.json"
        ended = record.stat().st_mtime_ns if record.exists() else 0
        digest.update(f"{trial.key} {ended}\n".encode())
    return digest.hexdigest()


def sentence(status: RunStatus) -> str:
    """Where the sweep stands.

    Example:
        >>> sentence(RunStatus(done=3, failed=0, diverged=0, running=1, pending=2, seconds_left=None, reasons={}))
        '3 done, 1 running, 2 waiting'
    """
    failed = f", {status.failed} failed or diverged" if status.failed else ""
    over = ""
    if not status.running:
        over = ". Nothing runs at the moment." if status.pending else ". The sweep has ended."
    return f"{status.done} done{failed}, {status.running} running, {status.pending} waiting{over}"


def duration(seconds: float) -> str:
    """A time as a person reads it.

    Example:
        >>> duration(42.1), duration(600), duration(9000)
        ('43 seconds', '10 minutes', '2.5 hours')
    """
    if seconds < 1.5 * MINUTE:
        return f"{math.ceil(seconds)} seconds"
    return f"{round(seconds / MINUTE)} minutes" if seconds < 1.5 * HOUR else f"{seconds / HOUR:.2g} hours"


def trial_name(spec: TrialSpec) -> str:
    """A trial's budget, shape and seed."""
    budget = budget_text(float(spec.budget.amount), spec.budget.kind)
    return f"{budget}, {spec.shape['depth']} x {spec.shape['width']}, seed {spec.training.seed}"
