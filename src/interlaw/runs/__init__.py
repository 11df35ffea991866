"""A trial is a folder; a run is a folder of trials; everything in it appears whole or not at all."""

from typing import TYPE_CHECKING

from interlaw.late import late_names
from interlaw.runs.document import require_document
from interlaw.runs.faults import StorageError, storage_faults
from interlaw.runs.folder import RunFolder, TrialFolder
from interlaw.runs.provenance import provenance
from interlaw.runs.record import Record
from interlaw.runs.spec import BudgetSpec, MeasureSpec, RecipeBudgetKind, Treatment, TrialSpec
from interlaw.runs.storage import is_url
from interlaw.runs.stored import open_run, require_run
from interlaw.tasks import Strict, TextTaskSpec

if TYPE_CHECKING:
    from interlaw.runs.table import load_curve, load_table, measured_views, run_name, table_as, trial_row, view_table
    from interlaw.runs.trained import load_trial
else:  # with pandas or torch, so that looking at a run does without
    __getattr__ = late_names(
        __name__,
        {
            "table": (
                "load_curve",
                "load_table",
                "measured_views",
                "run_name",
                "table_as",
                "trial_row",
                "view_table",
            ),
            "trained": ("load_trial",),
        },
    )

__all__ = [
    "BudgetSpec",
    "MeasureSpec",
    "RecipeBudgetKind",
    "Record",
    "RunFolder",
    "StorageError",
    "Strict",
    "TextTaskSpec",
    "Treatment",
    "TrialFolder",
    "TrialSpec",
    "is_url",
    "load_curve",
    "load_table",
    "load_trial",
    "measured_views",
    "open_run",
    "provenance",
    "require_document",
    "require_run",
    "run_name",
    "storage_faults",
    "table_as",
    "trial_row",
    "view_table",
]
