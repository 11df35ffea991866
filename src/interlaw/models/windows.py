"""Which parts of a text are read: from its start on, or drawn from all of it, so that neighbours are rare."""

from __future__ import annotations

import torch
from torch import Tensor

from interlaw.errors import InterlawError


def chosen_of(count: int, *, most: int, seed: int | None) -> list[int]:
    """At most so many of `count` places: the first ones, or drawn without repetition as a function of the seed.

    Example:
        >>> chosen_of(5, most=3, seed=None), sorted(chosen_of(3, most=9, seed=0))
        ([0, 1, 2], [0, 1, 2])
    """
    if seed is None:
        return list(range(min(count, most)))
    drawn: list[int] = torch.randperm(count, generator=torch.Generator().manual_seed(seed))[:most].tolist()
    return drawn


def windows_of(ids: list[int], *, window: int, most: int, seed: int | None) -> Tensor:
    """Windows of a text that share no token, one row each; what is left at the end is not read.

    Raises:
        InterlawError: The text is shorter than one window.
    """
    count = len(ids) // window
    if count == 0:
        raise InterlawError(
            f"expected at least {window} tokens of text, found {len(ids)}; give more text or a smaller --context"
        )
    return torch.tensor(ids[: count * window]).reshape(count, window)[chosen_of(count, most=most, seed=seed)]
