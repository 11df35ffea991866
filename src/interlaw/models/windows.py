"""Which parts of a text are read (from its start on, or drawn from all of it), and whether a network can read them."""

from __future__ import annotations

from contextlib import suppress

import torch
from torch import Tensor, nn

from interlaw.errors import InterlawError

NUM_BYTES = 256  # values of a byte


def chosen_of(count: int, *, most: int, seed: int | None) -> Tensor:
    """At most so many of `count` places: the first ones, or drawn without repetition as a function of the seed.

    Example:
        >>> chosen_of(5, most=3, seed=None).tolist(), sorted(chosen_of(3, most=9, seed=0).tolist())
        ([0, 1, 2], [0, 1, 2])
    """
    if seed is None:
        return torch.arange(min(count, most))
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))[:most]


def windows_of(ids: list[int], *, window: int, most: int, seed: int | None) -> Tensor:
    """Windows of a text that share no token, one row each; what is left at the end is not read.

    Raises:
        InterlawError: The text is shorter than one window.
    """
    count = len(ids) // window
    if count == 0:
        raise InterlawError(
            f"expected at least {window} tokens of text, found {len(ids)}; give more text or a smaller context="
        )
    return torch.tensor(ids[: count * window]).reshape(count, window)[chosen_of(count, most=most, seed=seed)]


def require_bytes(model: nn.Module) -> None:
    """Refuses a network whose token table is no table of bytes: text would reach it as other tokens.

    Raises:
        InterlawError: Its table has other than 256 entries.
    """
    table = None
    with suppress(AttributeError, NotImplementedError):  # a network of the user's own, or one of pictures
        table = model.get_input_embeddings()  # type: ignore[operator]
    tables = [table] if table is not None else [each for each in model.modules() if isinstance(each, nn.Embedding)]
    sizes = [int(each.num_embeddings) for each in tables if hasattr(each, "num_embeddings")]
    if sizes and NUM_BYTES not in sizes:
        raise InterlawError(
            f"expected a network that reads bytes (a vocabulary of {NUM_BYTES}), found one of {max(sizes)}: bytes are "
            "not its tokens; give token ids with inputs='IDS.npy', or save the model with its tokenizer and name that "
            "folder"
        )


def require_within(ids: Tensor, *, context: int) -> None:
    """Refuses sequences longer than a network reads."""
    if ids.shape[1] > context:
        raise InterlawError(
            f"expected sequences of at most {context} tokens (the context), found {ids.shape[1]}; shorten them"
        )
