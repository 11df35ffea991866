"""Samples that share a document, a subject or an image: each such group is one cluster.

Legend: V_n the factor of sample n (s x r), A_n = V_n V_n^T; a group's contribution is the sum of its samples', with the
factor [V_1 V_2 ...].
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby

import torch
from torch import Tensor
from torch.nn import functional as F

from interlaw.errors import InterlawError
from interlaw.interaction.batches import Inputs
from interlaw.interaction.routes import Contribution

Parts = dict[str, Contribution]


def group_codes(groups: object) -> list[int]:
    """A number for each sample's group, in the order in which groups first appear.

    Raises:
        InterlawError: They are no sequence of labels.

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


def side_by_side(inputs: object, codes: list[int]) -> tuple[object, list[int]]:
    """A tensor, or a list of batches of one shape, with the samples of a group after each other; a stream as it is.

    Raises:
        InterlawError: There are more or fewer labels than samples.
    """
    order = sorted(range(len(codes)), key=codes.__getitem__)
    if order == list(range(len(codes))):
        return inputs, codes
    batches = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
    if isinstance(inputs, Tensor) or _alike(batches):
        whole = _joined(batches)
        _require_length(len(whole if isinstance(whole, Tensor) else next(iter(whole.values()))), codes)
        sorted_ = whole[order] if isinstance(whole, Tensor) else {name: value[order] for name, value in whole.items()}
        return (sorted_ if isinstance(sorted_, Tensor) else [sorted_]), [codes[index] for index in order]
    return inputs, codes


def grouped(parts: Iterable[Parts], codes: list[int]) -> Iterator[Parts]:
    """Contributions of samples as contributions of whole groups; a group is handed on when the next one begins.

    Raises:
        InterlawError: A group comes back after another, or labels and samples differ in number.
    """
    waiting: Parts = {}
    start = taken = closed = 0
    for part in parts:
        taken += len(next(iter(part.values())).weights)
        _require_length(taken, codes, more=True)
        waiting = {name: _stacked(waiting[name], one) if waiting else one for name, one in part.items()}
        runs = [len(list(run)) for _, run in groupby(codes[start:taken])]
        if len(runs) > 1:
            whole = sum(runs[:-1])
            closed = _require_new(codes, start, start + whole, closed)
            yield {name: _merged(_cut(one, 0, whole), runs[:-1]) for name, one in waiting.items()}
            waiting = {name: _cut(one, whole, None) for name, one in waiting.items()}
            start += whole
    _require_length(taken, codes, more=True)
    if waiting:
        _require_new(codes, start, taken, closed)
        yield {name: _merged(one, [taken - start]) for name, one in waiting.items()}


def _require_new(codes: list[int], start: int, stop: int, closed: int) -> int:
    """Refuses a group that was handed on before; returns how many were."""
    for code, _ in groupby(codes[start:stop]):
        if code < closed:
            raise InterlawError(
                "expected the samples of a group after each other, found a group that comes back after another; sort "
                "inputs and groups"
            )
        closed = code + 1
    return closed


def _require_length(samples: int, codes: list[int], *, more: bool = False) -> None:
    """Refuses other than one label a sample; more labels are fine where samples may be fewer than there are."""
    if samples > len(codes) or (samples < len(codes) and not more):
        raise InterlawError(f"expected one group a sample, found {len(codes)} groups for {samples} samples")


def _alike(batches: list[object]) -> bool:
    """Whether batches can be joined along their first axis."""
    if all(isinstance(batch, Tensor) for batch in batches):
        return len({batch.shape[1:] for batch in batches if isinstance(batch, Tensor)}) == 1
    shapes = {
        tuple(sorted((str(name), tuple(value.shape[1:])) for name, value in batch.items()))
        for batch in batches
        if isinstance(batch, dict) and all(isinstance(value, Tensor) for value in batch.values())
    }
    return len(shapes) == 1 and all(isinstance(batch, dict) for batch in batches)


def _joined(batches: list[object]) -> Inputs:
    """Batches of one shape as one."""
    tensors = [batch for batch in batches if isinstance(batch, Tensor)]
    if tensors:
        return torch.cat(tensors)
    dicts = [batch for batch in batches if isinstance(batch, dict)]
    return {name: torch.cat([batch[name] for batch in dicts]) for name in dicts[0]}


def _cut(part: Contribution, start: int, stop: int | None) -> Contribution:
    """Samples start to stop."""
    return part.with_content(part.content[start:stop], part.weights[start:stop])


def _stacked(first: Contribution, second: Contribution) -> Contribution:
    """Two contributions of one kind as one; shorter factors get columns of zeros."""
    if (first.factors is None) != (second.factors is None):
        first, second = (one if one.factors is None else _as_matrices(one) for one in (first, second))
    contents = [first.content, second.content]
    if first.factors is not None:
        rank = max(content.shape[2] for content in contents)
        contents = [F.pad(content, (0, rank - content.shape[2])) for content in contents]
    return second.with_content(torch.cat(contents), torch.cat([first.weights, second.weights]))


def _as_matrices(part: Contribution) -> Contribution:
    """Factors multiplied out."""
    assert part.factors is not None
    return replace(part, factors=None, matrices=part.factors @ part.factors.mT)


def _merged(part: Contribution, sizes: list[int]) -> Contribution:
    """Neighbours summed: matrices added, factors side by side."""
    weights = torch.stack([piece.sum() for piece in torch.split(part.weights, sizes)])
    pieces = torch.split(part.content, sizes)
    if part.factors is None:
        return part.with_content(torch.stack([piece.sum(0) for piece in pieces]), weights)
    wide = [piece.transpose(0, 1).flatten(1) for piece in pieces]
    rank = max(piece.shape[1] for piece in wide)
    return part.with_content(torch.stack([F.pad(piece, (0, rank - piece.shape[1])) for piece in wide]), weights)
