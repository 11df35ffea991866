"""The live picture of a sweep: one line a running trial, one bar for the whole."""

from __future__ import annotations

import time

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from interlaw import runs, sweep
from interlaw.cli.output import make_console
from interlaw.size import format_size

SILENCE_SECONDS = 30.0  # a log that says nothing for longer looks like a program that hangs
BAR_WIDTH = 24  # characters: a trial's line then fits a terminal of 100
LEAST_SECONDS = 1e-9  # of training, where the clock has not advanced: the pace must not divide by zero


class LiveSweep:
    """Listens to a sweep's events and draws them on stderr.

    Where that is no terminal, it prints one line a finished trial, and how far the running ones are every half minute.

    Args:
        trials: The plan.
        already_done: How many of them had ended before.
        then: Told every event after it was drawn.
    """

    def __init__(
        self, trials: list[runs.TrialSpec], *, already_done: int, then: sweep.Listener = lambda event: None
    ) -> None:
        self._then = then
        self._console = make_console()
        self._names = {trial.key: describe(trial) for trial in trials}
        self._tokens = {trial.key: trial.units for trial in trials}
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=BAR_WIDTH),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._whole = self._progress.add_task("trials", total=len(trials), completed=already_done, note="")
        self._lines: dict[str, TaskID] = {}
        self._running: dict[str, str] = {}
        self._spoken = time.monotonic()
        self._graph = ""

    def __enter__(self) -> LiveSweep:
        self._progress.start()
        if not self._console.is_terminal:
            done, total = self._progress.tasks[0].completed, self._progress.tasks[0].total
            self._console.print(f"starting: {done:.0f} of {total:.0f} trials done")
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def listen(self, event: sweep.Event) -> None:
        """Takes one event."""
        if event.kind == "started":
            if event.key in self._lines:  # its worker died, another one resumes
                self._progress.remove_task(self._lines[event.key])
            self._lines[event.key] = self._progress.add_task(self._names[event.key], total=None, note="")
        elif event.kind == "progress":
            values = event.values
            pace = self._tokens[event.key] * values["step"] / values["steps"] / max(values["seconds"], LEAST_SECONDS)
            note = f"loss {values['train_loss']:.3f}  {pace:,.0f} tokens/s"
            self._progress.update(self._lines[event.key], completed=values["step"], total=values["steps"], note=note)
            self._running[event.key] = f"step {values['step']} of {values['steps']}, {note}"
            self._say_running()
        else:
            self._end(event)
        self._then(event)

    def _say_running(self) -> None:
        """One line on what runs, where no bar shows it and nothing was said for a while."""
        now = time.monotonic()
        if self._console.is_terminal or now - self._spoken < SILENCE_SECONDS:
            return
        self._spoken = now
        done = self._progress.tasks[0].completed
        where = "; ".join(f"{' '.join(self._names[key].split())} {note}" for key, note in sorted(self._running.items()))
        self._console.print(f"{done:.0f} of {self._progress.tasks[0].total:.0f} trials done; running: {where}")

    def _end(self, event: sweep.Event) -> None:
        """A trial ended: one line stays, the bar moves."""
        self._progress.remove_task(self._lines.pop(event.key))
        self._progress.advance(self._whole)
        self._running.pop(event.key, None)
        self._spoken = time.monotonic()
        name, record = self._names[event.key], event.record
        if record is None:
            self._console.print(f"{name}  elsewhere: another process runs it")
            return
        if record.status == "done":
            missing = "".join(f"  {view} not measured: {why}" for view, why in record.unmeasured.items())
            self._console.print(f"{name}  loss {record.loss:.4f}  {record.seconds:.1f} s{missing}")
        else:
            self._console.print(f"{name}  {record.status}  {record.reason}")
        graph = record.provenance.get("graph", "")
        if graph not in ("", "captured", self._graph):
            self._graph = graph  # once, not for every trial
            self._console.print(f"on this device: {graph}")


def describe(trial: runs.TrialSpec) -> str:
    """A trial in one short phrase."""
    shape = trial.make_shape()
    return f"{format_size(trial.budget.amount):>5}  {shape.depth}x{shape.width:<4} seed {trial.training.seed}"
