"""Inputs as the user has them (a tensor, or an iterable of tensors or of dicts of tensors) as a stream of batches.

Inside there is one form, tensors by name: a lone tensor has the name `LONE`.
Legend: n clusters (samples, or sequences) of a batch; T tokens of a sequence.
"""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from interlaw.errors import InterlawError
from interlaw.interaction.cures import explained

FORMS = (
    "a tensor, measure(model, x), or an iterable of batches (tensors or dicts), "
    "measure(model, [{'input_ids': ids}, ...])"
)
NOT_ONE = "expected one real-valued tensor in the batch, found {found}; pass layer= to say where to differentiate"
# Clusters that are moved to the model's device at once; `Places.at_once` says how many of them run at once.
LARGEST = 4096
# What torch's cross entropy leaves out.
IGNORED = -100
LONE = ""
BESIDE = ("attention_mask", "labels")  # by name: what goes with the inputs, and is none

Inputs = dict[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Clusters that are measured together.

    Attributes:
        inputs: What the model is called with, by name; the first axis counts clusters.
        targets: (n, T) the token after each token of the inputs, `IGNORED` where there is none; for a view of the loss.
        groups: (n,) the number of each sample's group, where samples form groups.
    """

    inputs: Inputs
    targets: Tensor | None = None
    groups: Tensor | None = None

    def __len__(self) -> int:
        """Number of clusters."""
        return len(next(iter(self.inputs.values())))

    def take(self, start: int, stop: int) -> Batch:
        """Clusters start to stop."""
        return self.changed(lambda tensor: tensor[start:stop])

    def repeated(self, count: int) -> Batch:
        """Each cluster so many times."""
        return self.changed(lambda tensor: tensor.repeat_interleave(count, 0))

    def changed(self, change: Callable[[Tensor], Tensor]) -> Batch:
        """The batch with every tensor changed."""
        inputs = {name: change(value) for name, value in self.inputs.items()}
        targets, groups = (None if each is None else change(each) for each in (self.targets, self.groups))
        return Batch(inputs=inputs, targets=targets, groups=groups)

    def pieces(self, size: int) -> Iterator[Batch]:
        """The batch in parts of at most `size` clusters."""
        for start in range(0, len(self), size):
            yield self.take(start, start + size)

    def fed_to(self, model: nn.Module, *, edit: Callable[[Any], Tensor] | None = None, **options: Any) -> Any:
        """What the model returns for it, its one real-valued tensor edited; labels are not for the model."""
        given = {name: value for name, value in self.inputs.items() if name != "labels"}
        given |= {} if edit is None else {self.edited: edit(given[self.edited])}
        with explained(type(model).__name__):
            return model(given[LONE], **options) if LONE in given else model(**given, **options)

    @property
    def real_names(self) -> list[str]:
        """Names of its real-valued inputs."""
        return [name for name, tensor in self.inputs.items() if tensor.is_floating_point() and name not in BESIDE]

    @property
    def edited(self) -> str:
        """The name of its one real-valued input, or of its lone tensor."""
        names = [LONE] if LONE in self.inputs else self.real_names
        if len(names) != 1:
            raise InterlawError(NOT_ONE.format(found=names))
        return names[0]

    @property
    def num_tokens(self) -> int | None:
        """Tokens of a sequence, where the batch holds their ids."""
        ids = self.inputs.get("input_ids", self.inputs.get(LONE))
        return None if ids is None or ids.is_floating_point() or ids.dim() != 2 else ids.shape[1]

    @property
    def mask(self) -> Tensor | None:
        """The (n, T) mask of real tokens, where the batch has one."""
        return self.inputs.get("attention_mask")


class Batches:
    """The inputs in batches, on the model's device and in the precision of the measurement; to be read once.

    Args:
        inputs: A tensor whose first axis counts clusters, or an iterable of batches.
        device: Where the model is.
        dtype: Precision of real-valued inputs; their own when None.
        most: At most so many samples.
        groups: One label a sample, for samples that depend on each other: all of a document, a subject or an image are
            one cluster. Where all samples are there, those of a group are put after each other.

    Attributes:
        expected: How many clusters there will be; None where only reading shows it.

    Example:
        >>> import torch
        >>> x = torch.arange(6.0).reshape(3, 2)
        >>> whole, cut = Batches(x, device=x.device), Batches([x[:1], x[1:]], device=x.device)
        >>> sum(len(batch) for batch in whole), sum(len(batch) for batch in cut)
        (3, 3)
        >>> whole.digest(3) == cut.digest(3), whole.digest(2) == cut.digest(3)
        (True, False)
    """

    def __init__(
        self,
        inputs: object,
        *,
        device: torch.device,
        dtype: torch.dtype | None = None,
        most: int | None = None,
        groups: object = None,
    ) -> None:
        self._given, self._groups = _require_batches(inputs), None
        if groups is not None:
            self._given, self._groups = _in_order(self._given, group_codes(groups), most=most)
        lengths = [len(inputs)] if isinstance(inputs, Tensor) and inputs.dim() else []
        counts = lengths + ([] if most is None else [most])
        self.expected = min(counts, default=None) if self._groups is None else int(self._groups[-1]) + 1
        self._device = device
        self._dtype = dtype
        self._most = most
        self._digests: list[bytes] = []

    def __iter__(self) -> Iterator[Batch]:
        """Batches of any accepted form of inputs, empty ones left out."""
        done = 0
        for given in self._given:
            for piece in Batch(inputs=_by_name(given)).pieces(LARGEST):
                kept = piece if self._most is None else piece.take(0, self._most - done)
                labels = None if self._groups is None else self._groups[done : done + len(kept)]
                done += len(kept)
                self._require_labels(done, ended=False)
                self._digests += _rows(kept.inputs)
                yield Batch(inputs={name: self._moved(value) for name, value in kept.inputs.items()}, groups=labels)
                if done == self._most:
                    return
        if not done:
            raise InterlawError("expected at least one sample, found none; check the inputs")
        self._require_labels(done, ended=True)

    def _require_labels(self, samples: int, *, ended: bool) -> None:
        """Refuses other than one label a sample; there may be more while samples are still to come."""
        labels = samples if self._groups is None else len(self._groups)
        if samples > labels or (ended and samples < labels):
            raise _not_one_each(labels, samples)

    def _moved(self, tensor: Tensor) -> Tensor:
        """On the device, without a history; what was made in inference mode is copied, autograd cannot save it."""
        moved = tensor.detach().to(self._device)
        moved = moved.clone() if moved.is_inference() else moved
        return moved.to(self._dtype) if self._dtype is not None and moved.is_floating_point() else moved

    @property
    def are_copies(self) -> bool:
        """Whether all samples that were read are the same one."""
        return len(set(self._digests)) == 1 < len(self._digests)

    def digest(self, count: int) -> str:
        """One digest of the first `count` clusters in their order, however they were cut into batches."""
        return hashlib.sha256(b"".join(self._digests[:count])).hexdigest()


def _require_batches(inputs: object) -> Iterable[object]:
    """The inputs as an iterable of batches, which are not checked yet."""
    if isinstance(inputs, Tensor):
        return [inputs] if inputs.dim() else []
    if isinstance(inputs, Mapping | str | bytes) or not isinstance(inputs, Iterable):
        is_data = hasattr(inputs, "__getitem__") and not isinstance(inputs, Mapping | str | bytes)
        cure = "; measure(model, torch.utils.data.DataLoader(dataset, batch_size=64))" if is_data else ""
        raise TypeError(f"inputs must be {FORMS}; found {type(inputs).__name__}{cure}")
    return inputs


def _by_name(batch: object) -> Inputs:
    """One batch of an accepted form."""
    if isinstance(batch, list | tuple) and len(batch) == 1:
        batch = batch[0] if isinstance(batch[0], Tensor) else batch  # as the loader of a lone tensor has it
    given = {LONE: batch} if isinstance(batch, Tensor) and batch.dim() else batch
    if not isinstance(given, Mapping) or not given:
        several = "; of inputs with labels pass the inputs, measure(model, (batch[0] for batch in loader))"
        hint = several if isinstance(batch, tuple | list) and batch and isinstance(batch[0], Tensor) else ""
        raise TypeError(f"inputs must be {FORMS}; found a batch of type {type(batch).__name__}{hint}")
    tensors = {str(name): value for name, value in given.items() if isinstance(value, Tensor) and value.dim()}
    for tensor in tensors.values():
        if tensor.layout != torch.strided:
            raise InterlawError(f"expected dense inputs, found a layout of {tensor.layout}; pass x.to_dense()")
    if len({len(tensor) for tensor in tensors.values()}) != 1 or len(tensors) != len(given):
        raise InterlawError(
            f"expected a dict of tensors with one first axis, found keys {sorted(map(str, given))}; "
            "leave out what is not a tensor of the batch"
        )
    return tensors


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


def _in_order(given: Iterable[object], codes: list[int], *, most: int | None) -> tuple[Iterable[object], Tensor]:
    """The samples of a group after each other, where all are there, and the number of each sample's group."""
    order = sorted(range(len(codes)), key=codes.__getitem__)
    ordered = torch.tensor(sorted(codes)[:most])
    if order == list(range(len(codes))):
        return given, ordered
    batches = [_by_name(batch) for batch in given] if isinstance(given, list | tuple) else []
    shapes = {frozenset((name, value.shape[1:]) for name, value in batch.items()) for batch in batches}
    if len(shapes) != 1:
        raise InterlawError(
            "expected the samples of a group after each other, found a group that comes back after another; sort "
            "inputs and groups"
        )
    whole = {name: torch.cat([batch[name] for batch in batches]) for name in batches[0]}
    samples = len(Batch(inputs=whole))
    if samples != len(codes):
        raise _not_one_each(len(codes), samples)
    return [{name: value[order] for name, value in whole.items()}], ordered


def _not_one_each(labels: int, samples: int) -> InterlawError:
    return InterlawError(
        f"expected one group a sample, found {labels} groups for {samples} samples; give a label for each sample"
    )


def _rows(inputs: Inputs) -> Iterator[bytes]:
    """A digest for each cluster."""
    plain = [inputs[name].detach().cpu().contiguous() for name in sorted(inputs)]
    for row in zip(*(tensor.flatten(1) if tensor.dim() > 1 else tensor[:, None] for tensor in plain), strict=False):
        digest = hashlib.sha256()
        for part in row:
            digest.update(f"{part.dtype}{tuple(part.shape)}".encode())
            digest.update(ctypes.string_at(part.data_ptr(), part.nbytes))
        yield digest.digest()
