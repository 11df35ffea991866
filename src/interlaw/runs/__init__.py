"""A trial is a folder; a run is a folder of trials; everything in it appears whole or not at all."""

from interlaw.runs.folder import RunFolder, TrialFolder, require_run
from interlaw.runs.provenance import provenance
from interlaw.runs.record import Record
from interlaw.runs.spec import BudgetSpec, MeasureSpec, RecipeBudgetKind, Treatment, TrialSpec
from interlaw.runs.table import load_curve, load_table, measured_views, run_name, table_as, view_table
from interlaw.runs.trained import load_trial
from interlaw.tasks import Strict, TextTaskSpec

__all__ = [
    "BudgetSpec",
    "MeasureSpec",
    "Record",
    "RecipeBudgetKind",
    "RunFolder",
    "Strict",
    "TextTaskSpec",
    "Treatment",
    "TrialFolder",
    "TrialSpec",
    "load_curve",
    "load_table",
    "load_trial",
    "measured_views",
    "provenance",
    "require_run",
    "run_name",
    "table_as",
    "view_table",
]
