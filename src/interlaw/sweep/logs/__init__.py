"""What ended trials leave in other people's trackers: one file a tracker, one form of what is written."""

from interlaw.sweep.logs.logbook import LOGGERS, Logbook, require_loggers
from interlaw.sweep.logs.trial_log import TrialLog, trial_log

__all__ = ["LOGGERS", "Logbook", "TrialLog", "require_loggers", "trial_log"]
