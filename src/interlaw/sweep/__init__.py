"""Sweeps: a recipe becomes a plan of trials, and executors run what is missing."""

from interlaw.sweep.driver import Executor, prepare_run, run_trials
from interlaw.sweep.local import Event, Listener
from interlaw.sweep.plan import plan_trials
from interlaw.sweep.progress import RunStatus, planned_flops, run_status
from interlaw.sweep.ray import RayOptions, parse_resources
from interlaw.sweep.recipe import Recipe, parse_recipe, read_recipe
from interlaw.sweep.trial import run_trial

__all__ = [
    "Event",
    "Executor",
    "Listener",
    "RayOptions",
    "Recipe",
    "RunStatus",
    "parse_recipe",
    "parse_resources",
    "plan_trials",
    "planned_flops",
    "prepare_run",
    "read_recipe",
    "run_status",
    "run_trial",
    "run_trials",
]
