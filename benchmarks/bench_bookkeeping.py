"""What a run of 1,000 trials costs beside the training: its plan, status, table, and the driver's time and memory."""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import psutil
from tests.recipes import write_recipe

from benchmarks.row import Row
from interlaw.files import write_atomically
from interlaw.runs import Record, RunFolder, TrialSpec, load_table, provenance
from interlaw.sweep import Event, prepare_run, read_recipe, run_status, run_trials
from interlaw.sweep.trial import Attempt

DEPTHS, SEEDS = 10, 100
TRIALS = DEPTHS * SEEDS  # of a large sweep
WARM_UP = 100  # trials after which the driver has loaded what it needs: it grows with trials from then on
PLAIN_TRIALS, PLAIN_BYTES = 100, 6000  # whose files are written alone; a record or a curve is about as large
# any numbers: what is timed is how they are written and read
ESTIMATE = {"value": 0.25, "stderr": 0.01, "low": 0.23, "high": 0.27}
QUANTITIES = ("energy", "diagonal_energy", "aofe", "aofe_ratio", "aofe_scale_free", "trace", "participation_ratio")
MEASURED = dict.fromkeys((*QUANTITIES, "mean_cos2", "null", "excess"), ESTIMATE)


def run() -> list[Row]:
    """Seconds against a target of one second; the cost of a trial against reading and writing its files alone."""
    with tempfile.TemporaryDirectory() as scratch:
        path = write_recipe(
            Path(scratch), top={"depths": f"1-{DEPTHS}", "seeds": list(range(SEEDS))}, budget={"amounts": ["90k"]}
        )
        recipe, text = read_recipe(path)
        out = path.parent / "run"

        def prepare() -> tuple[RunFolder, list[TrialSpec]]:
            return prepare_run(recipe, text, out=out, folder=path.parent)

        first = _seconds(prepare, repeats=1)
        folder, trials = prepare()
        work, growth = _drive(folder, trials)
        rows = [
            ("plan and write 1,000 trials", "s", first, None, 10),
            (
                "bookkeeping of a trial that does nothing",
                "ms",
                1e3 * work / TRIALS,
                1e3 * _files_alone(Path(scratch)),
                50,
            ),
            ("growth of the driver over 1,000 trials", "MiB", growth, None, 20),
            ("status of 1,000 trials", "s", _seconds(lambda: run_status(folder)), None, 1),
            ("resume with nothing missing", "s", _seconds(lambda: _resume(prepare)), None, 1),
            ("table of 1,000 trials", "s", _seconds(lambda: load_table(out)), None, 2),
        ]
    return [
        Row(name=name, unit=unit, ours=ours, baseline=base, target=f"< {target} {unit}")
        for name, unit, ours, base, target in rows
    ]


def _seconds(work: Callable[[], object], *, repeats: int = 3) -> float:
    """The shortest of a few runs."""
    took = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        took.append(time.perf_counter() - started)
    return min(took)


def _drive(folder: RunFolder, trials: list[TrialSpec]) -> tuple[float, float]:
    """Seconds of trials that train nothing, and mebibytes that the process grew by after the first of them."""
    ended = [0]
    warm = [0]

    def listen(event: Event) -> None:
        ended[0] += event.kind == "ended"
        if event.kind == "ended" and ended[0] == WARM_UP:
            gc.collect()
            warm[0] = psutil.Process().memory_info().rss

    with patch("interlaw.sweep.trial.Attempt._run", _nothing):
        started = time.perf_counter()
        run_trials(folder, trials, executor="local", listen=listen)
        took = time.perf_counter() - started
    gc.collect()
    return took, (psutil.Process().memory_info().rss - warm[0]) / 2**20


def _nothing(attempt: Attempt, slicing: object) -> Record:
    """A trial's result without the trial."""
    spec, shape = attempt.spec, attempt.spec.make_shape()
    attempt.folder.write_curve(
        [{"step": i, "units": i, "train_loss": 1.0, "val_loss": 1.0, "learning_rate": 0.1} for i in range(5)]
    )
    return Record(
        key=spec.key,
        status="done",
        shape=shape.to_dict(),
        loss=2.0,
        val_loss=2.0,
        figures={"bits_per_byte": 3.0},
        units=10,
        train_flops=1e6,
        seconds=1.0,
        measurements={"projected": MEASURED, "loss": MEASURED},
        provenance=provenance(),
    )


def _files_alone(scratch: Path) -> float:
    """Seconds to write and flush the two files of a trial, with plain calls."""
    content = b"x" * PLAIN_BYTES
    started = time.perf_counter()
    for index in range(PLAIN_TRIALS):
        for name in ("record.json", "curve.csv"):
            write_atomically(scratch / "plain" / str(index) / name, content)
    return (time.perf_counter() - started) / PLAIN_TRIALS


def _resume(prepare: Callable[[], tuple[RunFolder, list[TrialSpec]]]) -> None:
    """What `interlaw sweep` does on a run that is complete."""
    folder, trials = prepare()
    run_trials(folder, trials, executor="local", listen=lambda event: None)
