"""What the words of other trackers say of a run: it ended well, it diverged, or it has no result."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from interlaw.errors import InterlawError

# W&B says finished, MLflow FINISHED, Optuna COMPLETE, Ray TERMINATED, Slurm COMPLETED; without a word a run counts
_DONE = {"", "done", "finished", "complete", "completed", "success", "succeeded", "terminated", "ok"}
_DIVERGED = {"diverged", "nan"}
_WITHOUT = {
    *("failed", "fail", "failure", "error", "errored", "crashed", "killed", "canceled", "cancelled", "aborted", "oom"),
    *("preempted", "preempting", "timeout", "out_of_memory", "node_fail", "pruned", "stopped", "interrupted"),
    *("running", "pending", "queued", "scheduled", "waiting", "created", "paused", "resuming"),
}


def state_column(names: Iterable[str]) -> str | None:
    """The column that says how runs ended: `status`, or `state` as W&B and Optuna call it; capitals do not matter.

    Example:
        >>> state_column(["Name", "State", "loss"]), state_column(["loss"])
        ('State', None)
    """
    spelled = {name.lower(): name for name in reversed(list(names))}
    return spelled.get("status", spelled.get("state"))


def states_of(words: NDArray[np.str_], *, column: str) -> NDArray[np.str_]:
    """Each word as `done`, `diverged` or `failed`.

    Raises:
        InterlawError: A word is none of those that are known: its rows can neither be used nor left out.
    """
    plain = [str(word).strip().lower().removeprefix("trialstate.").removeprefix("runstatus.") for word in words]
    unknown = sorted(set(plain) - _DONE - _DIVERGED - _WITHOUT)
    if unknown:
        raise InterlawError(
            f"expected {column} to say done (or finished, completed), diverged or failed (or crashed, running), found "
            f"{unknown[0]!r}; replace the word, or drop the column if all runs ended well"
        )
    states = ["done" if word in _DONE else "diverged" if word in _DIVERGED else "failed" for word in plain]
    return np.array(states, dtype=np.str_)
