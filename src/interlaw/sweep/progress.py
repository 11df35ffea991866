"""What is done, running, failed and left in a run, and how long the rest will take."""

from __future__ import annotations

from dataclasses import dataclass

from interlaw.runs import Record, RunFolder, TrialSpec


@dataclass(frozen=True, kw_only=True)
class RunStatus:
    """Counts of a run's trials by state; `done + failed + running + pending` is their number.

    Attributes:
        done: Trials that ended well.
        failed: Trials that failed or diverged.
        diverged: The diverged ones among the failed.
        running: Trials that a live process holds.
        pending: Trials not started, or stopped half-way.
        seconds_left: Estimated wall-clock seconds, from the done trials' seconds per FLOP and the trials that run now;
            None when unknown.
        reasons: Why trials failed, or which of their views could not be measured, by key.
        unmeasured: Done trials that lack a view.
        search_trials: Ended trials that tried a learning rate.
        search_share: Their part of all training FLOPs so far.
        evaluation_share: Seconds of evaluation over those of training alone, all done trials together.
        measure_share: Seconds of measuring over those of training alone.
    """

    done: int
    failed: int
    diverged: int
    running: int
    pending: int
    seconds_left: float | None
    reasons: dict[str, str]
    unmeasured: int = 0
    search_trials: int = 0
    search_share: float = 0.0
    evaluation_share: float | None = None
    measure_share: float | None = None


def run_status(run: RunFolder) -> RunStatus:
    """Reads where a run stands from its folder alone."""
    records: list[Record] = []
    searched: list[Record] = []
    open_work, running, pending = 0.0, 0, 0
    for trial in run.trials():
        record = trial.record()
        if record is not None:
            records.append(record)
            if trial.spec().stage == "search":
                searched.append(record)
            continue
        fraction_left = 1.0
        if trial.is_running():
            running += 1
            progress = trial.progress()
            fraction_left -= min(max(progress.get("step", 0) / max(progress.get("steps", 1), 1), 0), 1)
        else:
            pending += 1
        open_work += fraction_left * planned_flops(trial.spec())
    done = [record for record in records if record.status == "done"]
    flops = sum(record.train_flops for record in done)
    alone = [record.seconds - record.evaluation_seconds for record in done]
    pace = sum(record.seconds + record.measure_seconds for record in done) / flops if flops else None
    return RunStatus(
        done=len(done),
        failed=len(records) - len(done),
        diverged=sum(record.status == "diverged" for record in records),
        running=running,
        pending=pending,
        seconds_left=None if pace is None else pace * open_work / max(1, running),
        reasons={record.key: why for record in records if (why := _reason(record))},
        unmeasured=sum(bool(record.unmeasured) for record in records),
        search_trials=len(searched),
        search_share=_part(sum(record.train_flops for record in searched), [r.train_flops for r in records]) or 0.0,
        evaluation_share=_part(sum(record.evaluation_seconds for record in done), alone),
        measure_share=_part(sum(record.measure_seconds for record in done), alone),
    )


def _reason(record: Record) -> str:
    """What went wrong, if anything."""
    missing = "; ".join(f"{view} not measured: {why}" for view, why in record.unmeasured.items())
    return missing if record.status == "done" else record.reason


def _part(amount: float, of: list[float]) -> float | None:
    """A part of a sum, where there is one."""
    whole = sum(of)
    return amount / whole if whole > 0 else None


def planned_flops(spec: TrialSpec) -> float:
    """Training FLOPs that a trial will spend."""
    units = spec.training.steps * spec.training.batch_size * spec.task.units_per_sample
    return float(units) * spec.make_shape().flops_per_token
