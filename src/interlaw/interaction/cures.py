"""What torch says of inputs that do not fit and of missing derivatives, and what the user reads instead."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import torch

from interlaw.errors import InterlawError, one_line

# what torch says -> what the user reads
CURES = {
    "(?s)forward AD|forward mode AD|not implemented.*derivative|derivative.*not implemented": (
        "an operation of this model cannot be differentiated this way ({said}); for a Hugging Face model load it with "
        'attn_implementation="eager", or measure with probes="exact"'
    ),
    "tensor for argument .*indices": "expected token ids of 32 or 64 bits, found {said}; pass ids.long()",
    "same dtype|scalar type": (
        "expected weights and inputs of one precision, found {said}; pass dtype=torch.float32, which holds "
        "for both while measuring"
    ),
    "Inference tensors": (
        "expected tensors that autograd can follow, found some that the model made under torch.inference_mode(); build "
        "the model outside of it"
    ),
    "inplace|in-place": (
        "an in-place operation overwrote what the derivative needs ({said}); replace it by one that returns a new "
        "tensor"
    ),
    r"cannot be multiplied|must match the (existing )?size|size mismatch|[Ee]xpected (\dD|input)|normalized_shape|"
    r"to have \d+ channels|invalid for input of size": (
        "expected inputs of the shape that the model takes, found {said}; check their axes, the first of which counts "
        "samples"
    ),
    "index out of range": (
        "expected token ids below the rows of the model's table and no more tokens than it has positions, found one "
        "beyond them; use its own tokenizer, or shorter sequences"
    ),
}


@contextmanager
def explained(model: str = "") -> Iterator[None]:
    """Turns torch's errors about missing derivatives and unfit inputs into ones that name the cure.

    Args:
        model: The network, where nothing else runs inside: every error is then reported as its own.
    """
    try:
        yield
    except Exception as error:
        _raise_in_words(error, model=model)


def _raise_in_words(error: Exception, *, model: str) -> NoReturn:
    """Raises what the user reads in place of an error, or the error itself."""
    if isinstance(error, InterlawError | torch.OutOfMemoryError | MemoryError):
        raise error
    for pattern, expected in CURES.items():
        if isinstance(error, RuntimeError | IndexError) and re.search(pattern, str(error)):
            raise InterlawError(expected.format(said=one_line(error))) from error
    if not model:
        raise error
    raise InterlawError(
        f"expected inputs that {model} takes, found that it ends with {type(error).__name__}: {one_line(error)}; "
        "call it yourself with one of the batches"
    ) from error
