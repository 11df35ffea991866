"""Samples that depend on each other: all of a document, a subject or an image are one cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

import torch
from torch import Tensor

from interlaw.errors import InterlawError
from interlaw.interaction.batches import Inputs
from interlaw.interaction.routes import Contribution

Parts = dict[str, Contribution]


def in_order(inputs: object, groups: object) -> tuple[object, list[int]]:
    """The samples of a group after each other, where all are there, and the number of each sample's group.

    Args:
        inputs: As the user has them; a stream is left as it is.
        groups: One label a sample.
    """
    codes = group_codes(groups)
    order = sorted(range(len(codes)), key=codes.__getitem__)
    if order == list(range(len(codes))):
        return inputs, codes
    whole = _joined(inputs)
    if whole is None:
        raise InterlawError(
            "expected the samples of a group after each other, found a group that comes back after another; sort "
            "inputs and groups"
        )
    tensors = [whole] if isinstance(whole, Tensor) else whole.values()
    _require_one_label_each(len(next(iter(tensors))), codes)
    ordered = whole[order] if isinstance(whole, Tensor) else [{name: value[order] for name, value in whole.items()}]
    return ordered, [codes[index] for index in order]


def grouped(parts: Iterable[Parts], codes: list[int]) -> Iterator[Parts]:
    """Contributions of samples as contributions of whole groups; a group is complete when the next one begins.

    Args:
        parts: At every place, what the next samples add.
        codes: The number of each sample's group.

    Raises:
        InterlawError: Labels and samples differ in number.
    """
    waiting: Parts = {}
    start = taken = 0
    for part in parts:
        taken += len(next(iter(part.values())).weights)
        _require_one_label_each(taken, codes, more=True)
        waiting = {name: waiting[name].followed_by(one) if waiting else one for name, one in part.items()}
        *runs, _ = (len(list(run)) for _, run in groupby(codes[start:taken]))
        if runs:
            whole = sum(runs)
            yield {name: one.take(0, whole).pooled(runs) for name, one in waiting.items()}
            waiting = {name: one.take(whole, None) for name, one in waiting.items()}
            start += whole
    _require_one_label_each(taken, codes)
    if waiting:
        yield {name: one.pooled([taken - start]) for name, one in waiting.items()}


def group_codes(groups: object) -> list[int]:
    """A number for each sample's group, in the order in which groups first appear.

    Example:
        >>> group_codes(["a", "b", "a"])
        [0, 1, 0]
    """
    labels = groups.tolist() if hasattr(groups, "tolist") else groups
    if isinstance(labels, str | bytes) or not isinstance(labels, Sequence) or not labels:
        raise InterlawError(
            f"expected groups as one label a sample, found {type(groups).__name__}; give a list such as [0, 0, 1, 1]"
        )
    known: dict[object, int] = {}
    return [known.setdefault(label, len(known)) for label in labels]


def _require_one_label_each(samples: int, codes: list[int], *, more: bool = False) -> None:
    """Refuses other than one label a sample; `more` labels are fine while samples are still to come."""
    if samples > len(codes) or (samples < len(codes) and not more):
        raise InterlawError(f"expected one group a sample, found {len(codes)} groups for {samples} samples")


def _joined(inputs: object) -> Inputs | None:
    """A tensor, or a list of batches of one shape, as one batch; None where that cannot be."""
    batches: list[Any] = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
    if all(isinstance(batch, Tensor) for batch in batches):
        return torch.cat(batches) if len({batch.shape[1:] for batch in batches}) == 1 else None
    if not all(isinstance(batch, dict) and all(isinstance(v, Tensor) for v in batch.values()) for batch in batches):
        return None
    shapes = {frozenset((name, value.shape[1:]) for name, value in batch.items()) for batch in batches}
    return {name: torch.cat([batch[name] for batch in batches]) for name in batches[0]} if len(shapes) == 1 else None
