"""What other programs call our columns: to propose how a table could be read, never to guess."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

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
