"""What other programs call our columns, to propose how a table could be read, and what they say of how a run ended."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from interlaw.errors import InterlawError

# spelled small and without marks; of several in a table the first here is proposed
_SPELLINGS = {
    "params": (
        *("params", "numparams", "nparams", "parameters", "numparameters", "nparameters", "totalparams"),
        *("paramcount", "parametercount", "modelparams", "modelsize", "trainableparams", "size"),
    ),
    "depth": (
        *("depth", "nlayer", "nlayers", "numlayers", "numhiddenlayers", "layers", "hiddenlayers", "nblocks"),
        *("numblocks", "blocks", "modeldepth"),
    ),
    "width": (
        *("width", "nembd", "nembed", "dmodel", "modeldim", "hiddensize", "hiddendim", "embeddim", "embdim"),
        *("embeddingdim", "dim", "hidden", "nhidden", "channels", "modelwidth"),
    ),
    "loss": (
        *("loss", "testloss", "losstest", "finalloss", "evalloss", "losseval", "valloss", "lossval"),
        *("validationloss", "testnll", "testce", "crossentropy"),
    ),
    "seed": ("seed", "randomseed", "rngseed", "initseed", "modelseed", "replicate", "replica", "repeat", "rep"),
    "learning_rate": ("learningrate", "lr", "maxlr", "peaklr", "baselr", "maxlearningrate", "peaklearningrate"),
}
# W&B says finished, MLflow FINISHED, Optuna COMPLETE, Ray TERMINATED, Slurm COMPLETED; without a word a run counts
_DONE = {"", "done", "finished", "complete", "completed", "success", "succeeded", "terminated", "ok"}
_DIVERGED = {"diverged", "nan"}
_WITHOUT = {
    *("failed", "fail", "failure", "error", "errored", "crashed", "killed", "canceled", "cancelled", "aborted", "oom"),
    *("preempted", "preempting", "timeout", "out_of_memory", "node_fail", "pruned", "stopped", "interrupted"),
    *("running", "pending", "queued", "scheduled", "waiting", "created", "paused", "resuming"),
}


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def meant(name: str) -> str | None:
    """Which of our columns a name seems to mean.

    Example:
        >>> meant("n_layer"), meant("val/loss"), meant("task")
        ('depth', 'loss', None)
    """
    plain = _plain(name)
    return next((ours for ours, spellings in _SPELLINGS.items() if plain in spellings), None)


def proposal(missing: Iterable[str], names: Iterable[str]) -> str:
    """The options that would read a table without these columns of ours; THEIRS where no name is like one of ours.

    Example:
        >>> proposal(["depth", "loss"], ["n_layer", "val/loss", "test loss"])
        "--column depth=n_layer --column loss='test loss'"
    """
    plain = {_plain(name): name for name in reversed(list(names))}
    likely = {ours: next((plain[each] for each in _SPELLINGS[ours] if each in plain), "THEIRS") for ours in missing}
    return " ".join(f"--column {ours}={shlex.quote(theirs)}" for ours, theirs in likely.items())


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
