"""A sweep from recipe to records: plan, write the plan down, run what is missing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from interlaw.errors import InterlawError
from interlaw.runs import RunFolder, StorageError, TrialSpec, open_run
from interlaw.sweep.cluster import RayOptions
from interlaw.sweep.conditions import Conditions
from interlaw.sweep.plan import plan_trials
from interlaw.sweep.progress import planned_flops
from interlaw.sweep.ray import run_on_ray
from interlaw.sweep.recipe import Recipe, read_recipe
from interlaw.sweep.together import Listener, group_trials, run_group
from interlaw.sweep.workers import default_workers, run_in_processes

Executor = Literal["local", "processes", "ray"]


def prepare_run(recipe: Recipe, text: str, *, out: str | Path, folder: Path) -> tuple[RunFolder, list[TrialSpec]]:
    """Makes or reopens a run folder and writes down every planned trial.

    Args:
        recipe: The sweep.
        text: The recipe as written; kept as DIR/recipe.toml.
        out: DIR, or a URL of storage such as s3://bucket/run.
        folder: Folder of the recipe file; relative corpus paths start there.

    Returns:
        The run and all its planned trials. Under treatment `search` the plan grows with what has ended: call again
        after a round, until nothing is missing.

    Raises:
        InterlawError: When DIR cannot be written, or holds trials that this recipe does not plan.
    """
    run, trials, ended = plan_run(recipe, out=out, folder=folder)
    for key in ended:  # what a process left that was killed between a record and its tidying
        run.trial(key).tidy()
    try:
        run.write_plan(trials, text)
    except (OSError, StorageError) as error:
        reason = error.reason if isinstance(error, StorageError) else error.strerror
        raise InterlawError(f"expected to write to {str(out)!r}, found: {reason}; choose another --out") from error
    return run, trials


def plan_run(recipe: Recipe, *, out: str | Path, folder: Path) -> tuple[RunFolder, list[TrialSpec], set[str]]:
    """What `prepare_run` would plan from the same arguments, without writing.

    Returns:
        The run, all its planned trials, and the keys of those that have ended.

    Raises:
        InterlawError: When DIR is a file, or holds trials that this recipe does not plan.
    """
    require_folder(out)
    run = open_run(out)
    run.fetch()
    ended = run.records()
    trials = plan_trials(recipe, folder=folder, records=ended)
    strangers = {trial.key for trial in run.trials()} - {trial.key for trial in trials}
    if strangers:
        raise InterlawError(
            f"expected a new folder or one of this recipe, found {len(strangers)} trials in {str(out)!r} that it does "
            f"not plan{_changed_keys(run, recipe)}; choose another --out, or take the recipe that made them"
        )
    return run, trials, set(ended)


def _changed_keys(run: RunFolder, recipe: Recipe) -> str:
    """Names the keys in which the run's own recipe differs; nothing where that recipe is gone or unreadable."""
    try:
        kept, _ = read_recipe(run.recipe)
    except InterlawError:
        return ""
    import pandas as pd  # it takes longer to import than most sweeps to plan

    old, new = (pd.json_normalize(one.model_dump(mode="json")).to_dict("records")[0] for one in (kept, recipe))
    changed = sorted(str(key) for key in {**old, **new} if old.get(key) != new.get(key))
    changes = [f"{key} was {old.get(key)!r}, is {new.get(key)!r}" for key in changed]
    return f" (its recipe's {'; '.join(changes)})" if changes else ""


def require_folder(out: str | Path) -> None:
    """Raises InterlawError when what the run's folder is to be is a file."""
    if Path(out).exists() and not Path(out).is_dir():
        raise InterlawError(f"expected a folder for --out, found the file {str(out)!r}; name another place")


def require_supported(
    conditions: Conditions, *, executor: Executor, num_workers: int | None = None, ray: RayOptions | None = None
) -> None:
    """Refuses what an executor does not do, before anything is written.

    Raises:
        InterlawError: Less than one worker is asked for, or an option belongs to another executor.
    """
    if num_workers is not None and num_workers < 1:
        raise InterlawError(f"expected at least 1 worker, found {num_workers}; choose a positive number")
    if conditions.in_flight is not None and executor != "processes":
        raise InterlawError(
            f"expected groups in flight in worker processes alone, found the executor {executor!r}; "
            "remove --in-flight, or choose --executor processes"
        )
    ray = ray or RayOptions()
    if executor != "ray" and ray != RayOptions():
        raise InterlawError(
            "--address, --resources-per-trial and --devices-per-trial belong to --executor ray, "
            f"found {executor!r}; remove them"
        )
    # a batch is divided among the devices, and not cut beyond that
    if ray.num_devices > 1 and (conditions.memory_limit is not None or conditions.compiled):
        raise InterlawError(
            "--memory-limit and --compile belong to trials on one device, "
            f"found --devices-per-trial {ray.num_devices}; remove them"
        )


def run_trials(
    run: RunFolder,
    trials: list[TrialSpec],
    *,
    executor: Executor = "processes",
    num_workers: int | None = None,
    ray: RayOptions | None = None,
    conditions: Conditions | None = None,
    listen: Listener,
    **changes: Any,
) -> None:
    """Runs the trials that have no record yet, the longest first.

    Args:
        run: The run's folder.
        trials: The plan.
        executor: `local`: one after another in this process; `processes`: in worker processes; `ray`: on a cluster.
        num_workers: Trials at a time; one a core, one an accelerator, or what a cluster has room for, when None.
        ray: Cluster and resources for the executor `ray`; its defaults when None.
        conditions: Where and how each trial runs; the defaults of `Conditions` when None.
        listen: Called with each event.
        **changes: Attributes of `Conditions` that replace these, such as `device` and `memory_limit`.

    Raises:
        InterlawError: When a number is out of range, or the executor does not do what is asked for.
    """
    how = replace(conditions or Conditions(), **changes)
    ray = ray or RayOptions()
    require_supported(how, executor=executor, num_workers=num_workers, ray=ray)
    if executor != "local" and run.location.startswith("memory://"):
        raise InterlawError(
            f"expected storage that other processes reach, found {run.location!r}; choose it, or the executor local"
        )
    missing = [trial for trial in trials if run.trial(trial.key).record() is None]
    missing.sort(key=planned_flops, reverse=True)
    if executor == "local" or not missing:
        for group in group_trials(missing, trials, conditions=how):
            run_group(group, run, conditions=how, listen=listen)
    elif executor == "processes":
        # not fewer where few are missing: threads would grow, and with them the last bits of the results change
        num_workers = num_workers or default_workers(how.device)
        groups = group_trials(missing, trials, conditions=how, num_workers=num_workers)
        run_in_processes(groups, run, conditions=how, plan=trials, num_workers=num_workers, listen=listen)
    else:
        run_on_ray(missing, run, conditions=how, plan=trials, num_workers=num_workers, options=ray, listen=listen)
