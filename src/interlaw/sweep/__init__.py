"""Sweeps: a recipe becomes a plan of trials, and executors run what is missing."""

from typing import TYPE_CHECKING

from interlaw.late import late_names

if TYPE_CHECKING:
    from interlaw.sweep.cluster import RayOptions, parse_resources, require_undivided
    from interlaw.sweep.driver import Executor, prepare_run, require_folder, run_trials
    from interlaw.sweep.feasible import require_smallest_fits
    from interlaw.sweep.local import Event, Listener
    from interlaw.sweep.logs import LOGGERS, Logbook, require_loggers
    from interlaw.sweep.plan import plan_trials
    from interlaw.sweep.progress import RunStatus, planned_flops, run_status
    from interlaw.sweep.recipe import MeasurePart, Recipe, TrainingPart, parse_recipe, read_recipe
    from interlaw.sweep.rerun import RERUN_TOLERANCE, Rerun, rerun_trial
    from interlaw.sweep.starter import starter_recipe
    from interlaw.sweep.transfer import CLAIMS, Bench, RateCurve, coordinate_checks, make_bench, rate_curves
    from interlaw.sweep.treated import TreatedRuns, read_treated
    from interlaw.sweep.trial import run_trial
else:  # each with what it needs: reading where a run stands does without torch
    __getattr__ = late_names(
        __name__,
        {
            "cluster": (
                "RayOptions",
                "parse_resources",
                "require_undivided",
            ),
            "driver": (
                "Executor",
                "prepare_run",
                "require_folder",
                "run_trials",
            ),
            "feasible": ("require_smallest_fits",),
            "local": (
                "Event",
                "Listener",
            ),
            "logs": (
                "LOGGERS",
                "Logbook",
                "require_loggers",
            ),
            "plan": ("plan_trials",),
            "progress": (
                "RunStatus",
                "planned_flops",
                "run_status",
            ),
            "recipe": (
                "MeasurePart",
                "Recipe",
                "TrainingPart",
                "parse_recipe",
                "read_recipe",
            ),
            "rerun": (
                "RERUN_TOLERANCE",
                "Rerun",
                "rerun_trial",
            ),
            "starter": ("starter_recipe",),
            "transfer": (
                "CLAIMS",
                "Bench",
                "RateCurve",
                "coordinate_checks",
                "make_bench",
                "rate_curves",
            ),
            "treated": (
                "TreatedRuns",
                "read_treated",
            ),
            "trial": ("run_trial",),
        },
    )

__all__ = [
    "CLAIMS",
    "LOGGERS",
    "RERUN_TOLERANCE",
    "Bench",
    "Event",
    "Executor",
    "Listener",
    "Logbook",
    "MeasurePart",
    "RateCurve",
    "RayOptions",
    "Recipe",
    "Rerun",
    "RunStatus",
    "TrainingPart",
    "TreatedRuns",
    "coordinate_checks",
    "make_bench",
    "parse_recipe",
    "parse_resources",
    "plan_trials",
    "planned_flops",
    "prepare_run",
    "rate_curves",
    "read_recipe",
    "read_treated",
    "require_folder",
    "require_loggers",
    "require_smallest_fits",
    "require_undivided",
    "rerun_trial",
    "run_status",
    "run_trial",
    "run_trials",
    "starter_recipe",
]
