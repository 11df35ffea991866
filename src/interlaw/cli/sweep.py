"""`interlaw sweep`: runs what is missing of a recipe; safe to stop and run again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from typer import Argument, Option

from interlaw import machine, runs, tasks
from interlaw import sweep as sweeps
from interlaw.cli.loading import busy
from interlaw.cli.options import TrainDevice, Workers
from interlaw.cli.output import AsJson, make_console, next_command, print_json, tell
from interlaw.errors import InterlawError, WorkFailedError
from interlaw.size import UNEVEN, counted, format_ratio, format_size, parse_size


def sweep(
    recipe: Annotated[Path, Argument(help="A TOML recipe.")],
    out: Annotated[
        str,
        Option(
            metavar="DIR|URL",
            help="The run's folder, or storage such as s3://bucket/run; made when missing, resumed when not.",
        ),
    ],
    executor: Annotated[
        Literal["local", "processes", "ray"],
        Option(help="local: one trial after another; processes: worker processes; ray: a cluster."),
    ] = "processes",
    workers: Workers = None,
    device: TrainDevice = None,
    memory_limit: Annotated[
        str | None,
        Option(help="Most that a trial may plan with, such as 4G; batches are cut to fit. Else what is free."),
    ] = None,
    compiled: Annotated[bool, Option("--compile", help="Train through torch.compile; its cache is kept.")] = False,
    in_flight: Annotated[
        int | None,
        Option(
            help="Most groups of trials at a time in a process, for a GPU that one leaves idle; one when not given."
        ),
    ] = None,
    address: Annotated[
        str | None,
        Option(help="Ray cluster to join, or local to start one. When not given: a running cluster, else local."),
    ] = None,
    resources_per_trial: Annotated[
        str, Option(help="What a trial takes of a Ray cluster, such as cpu=2,gpu=0.5.")
    ] = "cpu=1",
    devices_per_trial: Annotated[
        int, Option(help="Processes on a Ray cluster that share a trial and its resources, one a device.")
    ] = 1,
    retry: Annotated[
        Literal["failed"] | None, Option(help="Also run or measure again what `failed` (diverged trials are results).")
    ] = None,
    log: Annotated[
        list[str] | None,
        Option(help="Also write each ended trial to tensorboard, wandb or mlflow; may be given several times."),
    ] = None,
    dry_run: Annotated[bool, Option("--dry-run", help="Show the plan, run and write nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Train and measure what is missing of a recipe.

    Equal-budget shapes, on one machine or a Ray cluster; run the same command again to resume a stopped sweep.
    """
    sweeps.require_loggers(log or [])
    ray = sweeps.parse_resources(resources_per_trial, address=address, num_devices=devices_per_trial)
    usual = machine.default_device() if executor != "ray" else "cuda" if ray.num_gpus else "cpu"
    conditions = sweeps.Conditions(
        device=device or usual,
        memory_limit=None if memory_limit is None else parse_size(memory_limit),
        compiled=compiled,
        in_flight=in_flight,
    )
    require_conditions(conditions, executor=executor, ray=ray, resources=resources_per_trial)
    parsed, text = sweeps.read_recipe(recipe)
    note_text_elsewhere(parsed, recipe.parent)
    if conditions.memory_limit is not None:
        planned = sweeps.plan_trials(parsed, folder=recipe.parent)
        sweeps.require_smallest_fits(planned, limit_bytes=conditions.memory_limit)
    if dry_run:
        _, trials, ended = sweeps.plan_run(parsed, out=out, folder=recipe.parent)
        show_plan(trials, ended, device=conditions.device, as_json=as_json)
        return
    if retry is not None:
        forget_failures(runs.open_run(out))
    plan = partial(sweeps.prepare_run, parsed, text, out=out, folder=recipe.parent)
    run_missing = partial(sweeps.run_trials, executor=executor, num_workers=workers, conditions=conditions, ray=ray)
    conclude(drive(plan, run_missing, log=log or []), out, as_json=as_json)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How the trials of a run ended: counts of them, and where they are.

    Attributes:
        planned: All of the plan.
        done: Those that ended well.
        failed: Those that failed or diverged.
        unmeasured: Those that ended well and lack a view.
        skipped: Those that had ended before.
        run_dir: The run's folder or URL.
    """

    planned: int
    done: int
    failed: int
    unmeasured: int
    skipped: int
    run_dir: str


def require_conditions(
    conditions: sweeps.Conditions, *, executor: sweeps.Executor, ray: sweeps.RayOptions, resources: str
) -> None:
    """Refuses conditions that the executor cannot meet, or a device that is not there."""
    sweeps.require_supported(conditions, executor=executor, ray=ray)
    if executor != "ray":
        machine.require_device(conditions.device)
    elif ray.num_gpus and conditions.device == "cpu":
        raise InterlawError(f"expected a device of the GPUs asked for with {resources!r}, found cpu; add --device cuda")


def note_text_elsewhere(recipe: sweeps.Recipe, folder: Path) -> None:
    """Names the text that a recipe reads from outside its own folder: whoever wrote it may be somebody else."""
    corpus = getattr(recipe.task, "corpus", tasks.EMBEDDED)
    if corpus == tasks.EMBEDDED or corpus.startswith("datasets:"):
        return
    place = (folder / corpus).resolve()
    if not place.is_relative_to(folder.resolve()):
        tell(f"the recipe's text lies outside its folder: reading {place}")


def conclude(outcome: Outcome, out: str, *, as_json: bool) -> None:
    """Prints how a sweep ended and what comes next; raises WorkFailedError where trials did not end well."""
    if as_json:
        print_json(outcome)
    ended, status = outcome.done + outcome.failed, next_command("status", out)
    if outcome.failed:
        raise WorkFailedError(f"{outcome.failed} of {ended} trials failed or diverged; `{status}` says why")
    if outcome.unmeasured:
        raise WorkFailedError(
            f"{outcome.unmeasured} of {ended} trials have a loss but could not be measured; `{status}` says why, "
            "--retry failed measures them again"
        )
    if not as_json:
        whole = outcome.done == outcome.planned
        goal = next_command("fit", out) if whole else f"another process runs the others; {status}"
        tell(f"{outcome.done} of {outcome.planned} done; next: {goal}")


def forget_failures(run: runs.RunFolder) -> None:
    """Removes the records of failed and unmeasured trials, so that they resume where they stopped."""
    run.fetch()
    for key, record in run.records().items():
        if record.status == "failed" or record.unmeasured:
            run.trial(key).forget_record()


def drive(
    plan: Callable[[], tuple[runs.RunFolder, list[runs.TrialSpec]]],
    run_missing: Callable[..., None],
    *,
    log: Sequence[str] = (),
) -> Outcome:
    """Plans and runs in rounds until nothing is missing, under a live picture; counts how the trials ended.

    One round is all, unless the plan grows with what has ended (treatment `search`). A round that ends nothing new is
    the last: another driver holds what is left.

    Args:
        plan: The run and its trials, as far as they are known.
        run_missing: `run_trials` with its options: takes the run, its trials and `listen`.
        log: Trackers that each ended trial is also written to.
    """
    from interlaw.cli.live import LiveSweep

    with busy("reading the data"):
        run, trials = plan()
    # trackers that keep files write in the run, or here when the run lies under a URL
    logs = Path("logs") / runs.run_name(run) if runs.is_url(run.location) else run.path / "logs"
    logbook = sweeps.Logbook(run, logs, names=log)
    ended = before = set(run.records())
    if not ended:
        note_uneven(trials)
    while len(ended) < len(trials):
        try:
            with LiveSweep(trials, already_done=len(ended), then=logbook.listen) as live:
                run_missing(run, trials, listen=live.listen)
        except KeyboardInterrupt:
            tell("stopped; run the same command again to resume")
            raise
        earlier = ended
        run, trials = plan()
        ended = set(run.records())
        if ended == earlier:
            break
    logbook.close()
    records = run.records().values()
    done = sum(record.status == "done" for record in records)
    return Outcome(
        planned=len(trials),
        done=done,
        failed=len(records) - done,
        unmeasured=sum(bool(record.unmeasured) for record in records),
        skipped=len(before),
        run_dir=run.location,
    )


def note_uneven(trials: Sequence[runs.TrialSpec]) -> None:
    """Names each budget in parameters whose shapes differ much in size, before time is spent on it."""
    sizes: dict[float, list[int]] = {}
    for trial in trials:
        if trial.budget.kind.startswith("params"):
            count: int = getattr(trial.make_shape(), trial.budget.kind)
            sizes.setdefault(trial.budget.amount, []).append(count)
    for amount, counts in sizes.items():
        if max(counts) > (1 + UNEVEN) * min(counts):
            tell(
                f"note: budget {format_size(amount)}: its shapes have {min(counts):,} to {max(counts):,} parameters, "
                "and a fit may not separate shape from size; a smaller head_dim or multiple_of, or a larger budget, "
                "makes them more equal"
            )


def show_plan(trials: list[runs.TrialSpec], ended: set[str], *, device: str, as_json: bool) -> None:
    """What a run holds, how much of that has ended, and where the rest would run."""
    rows = [
        {
            "key": t.key,
            "ended": t.key in ended,
            "seed": t.training.seed,
            "steps": t.training.steps,
            "flops": sweeps.planned_flops(t),
            **t.make_shape().to_dict(),
        }
        for t in trials
    ]
    searching = any(t.stage == "search" for t in trials) and len(ended) < len(trials)
    first_round = searching and not ended
    if as_json:
        flops = sum(row["flops"] for row in rows)
        print_json({"trials": rows, "train_flops": flops, "first_round_only": first_round, "device": device})
        return
    note_uneven(trials)
    console = make_console(stderr=False)
    for row in rows:
        console.print(
            f"{row['key']}  {row['depth']}x{row['width']}  R {format_ratio(row['ratio'])}  {row['params']:,} "
            f"parameters  seed {row['seed']}  {row['steps']} steps{'  ended' if row['ended'] else ''}",
        )
    left = [row for row in rows if not row["ended"]]
    all_flops, left_flops = (format_size(sum(row["flops"] for row in some)) for some in (rows, left))
    so_far = f"; {len(rows) - len(left)} ended, {left_flops} FLOPs left" if ended else ""
    console.print(f"{counted(len(rows), 'trial')}, {all_flops} training FLOPs, on {device}{so_far}")
    if searching:
        rounds = "the search's first round alone" if first_round else "the search's rounds so far"
        console.print(f"{rounds}: further rates, then a final trial a seed, are planned from the losses")
