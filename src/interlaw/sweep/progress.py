"""What is done, running, failed and left in a run, and how long the rest will take."""

from __future__ import annotations

from dataclasses import dataclass, field

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
        seconds_left: Estimated wall-clock seconds, from the seconds per FLOP of the done and the running trials; None
            when nothing has run yet.
        reasons: Why trials failed, or which of their views could not be measured, by key.
        unmeasured: Done trials that lack a view.
        search_trials: Ended trials that tried a learning rate.
        search_share: Their part of all training FLOPs so far.
        evaluation_share: Seconds of evaluation over those of training alone, all done trials together.
        measure_share: Seconds of measuring over those of training alone.
        underway: How far the running trials are, by key.
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
    underway: dict[str, str] = field(default_factory=dict)


def run_status(run: RunFolder) -> RunStatus:
    """Reads where a run stands from its folder alone."""
    records: list[Record] = []
    searched: list[Record] = []
    open_work, spent_flops, spent_seconds, pending = 0.0, 0.0, 0.0, 0
    underway: dict[str, str] = {}
    for trial in run.trials():
        spec, record = trial.spec(), trial.record()
        if record is not None:
            records.append(record)
            if spec.stage == "search":
                searched.append(record)
            continue
        fraction = 0.0
        if trial.is_running():
            progress = trial.progress()
            step, steps = progress.get("step", 0), progress.get("steps", spec.training.steps)
            underway[trial.key] = f"step {step} of {steps}"
            fraction = min(max(step / max(steps, 1), 0), 1)
            spent_seconds += progress.get("seconds", 0) if fraction else 0
        else:
            pending += 1
        flops = planned_flops(spec)
        spent_flops += fraction * flops
        open_work += (1 - fraction) * flops
    done = [record for record in records if record.status == "done"]
    running = len(underway)
    spent_flops += sum(record.train_flops for record in done)
    spent_seconds += sum(record.seconds + record.measure_seconds for record in done)
    alone = sum(record.seconds - record.evaluation_seconds for record in done)
    pace = spent_seconds / spent_flops if spent_flops else None
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
        search_share=_part(sum(one.train_flops for one in searched), sum(one.train_flops for one in records)) or 0.0,
        evaluation_share=_part(sum(record.evaluation_seconds for record in done), alone),
        measure_share=_part(sum(record.measure_seconds for record in done), alone),
        underway=underway,
    )


def _reason(record: Record) -> str:
    missing = "; ".join(f"{view} not measured: {why}" for view, why in record.unmeasured.items())
    return missing if record.status == "done" else record.reason


def _part(amount: float, whole: float) -> float | None:
    return amount / whole if whole > 0 else None


def planned_flops(spec: TrialSpec) -> float:
    """Training FLOPs that a trial will spend."""
    return float(spec.units) * spec.make_shape().flops_per_token
