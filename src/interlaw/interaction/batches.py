"""Inputs as the user has them (a tensor, or an iterable of tensors or of dicts of tensors) as a stream of batches.

A batch is fed to the network here, so torch's errors about inputs are put into the user's words here too.
Legend: n clusters (samples, or sequences) of a batch; T tokens of a sequence.
"""

from __future__ import annotations

import ctypes
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from interlaw.errors import InterlawError, one_line
from interlaw.interaction.cures import CURES

Inputs = Tensor | dict[str, Tensor]

FORMS = (
    "a tensor, measure(model, x), or an iterable of batches (tensors or dicts), "
    "measure(model, [{'input_ids': ids}, ...])"
)
# Clusters that are moved to the model's device at once; `Places.at_once` says how many of them run at once.
LARGEST = 4096
# What torch's cross entropy leaves out.
IGNORED = -100
BESIDE = ("attention_mask", "labels")  # of a dict: what goes with the inputs, and is none


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Clusters that are measured together.

    Attributes:
        inputs: What the model is called with; the first axis counts clusters.
        targets: (n, T) the token after each token of the inputs, `IGNORED` where there is none; for a view of the loss.
        groups: (n,) the number of each sample's group, where samples form groups.
    """

    inputs: Inputs
    targets: Tensor | None = None
    groups: Tensor | None = None

    def __len__(self) -> int:
        """Number of clusters."""
        return _length(self.inputs)

    def take(self, start: int, stop: int) -> Batch:
        """Clusters start to stop."""
        return self.changed(lambda tensor: tensor[start:stop])

    def repeated(self, count: int) -> Batch:
        """Each cluster so many times."""
        return self.changed(lambda tensor: tensor.repeat_interleave(count, 0))

    def changed(self, change: Callable[[Tensor], Tensor]) -> Batch:
        """The batch with every tensor changed."""
        given = self.inputs
        inputs = change(given) if isinstance(given, Tensor) else {name: change(value) for name, value in given.items()}
        targets, groups = (None if each is None else change(each) for each in (self.targets, self.groups))
        return Batch(inputs=inputs, targets=targets, groups=groups)

    def pieces(self, size: int) -> Iterator[Batch]:
        """The batch in parts of at most `size` clusters."""
        for start in range(0, len(self), size):
            yield self.take(start, start + size)

    def fed_to(self, model: nn.Module, *, edit: Callable[[Any], Tensor] | None = None, **options: Any) -> Any:
        """What the model returns for it, its one real-valued tensor edited; labels are not for the model."""
        inputs = self.inputs if edit is None else _edited(self.inputs, edit)
        with explained(type(model).__name__):
            return model(inputs, **options) if isinstance(inputs, Tensor) else model(**_unlabelled(inputs), **options)

    @property
    def num_tokens(self) -> int | None:
        """Tokens of a sequence, where the batch holds their ids."""
        ids = self.inputs if isinstance(self.inputs, Tensor) else self.inputs.get("input_ids")
        return None if ids is None or ids.is_floating_point() or ids.dim() != 2 else ids.shape[1]

    @property
    def mask(self) -> Tensor | None:
        """The (n, T) mask of real tokens, where the batch has one."""
        return None if isinstance(self.inputs, Tensor) else self.inputs.get("attention_mask")


@contextmanager
def explained(model: str = "") -> Iterator[None]:
    """Turns torch's errors about missing derivatives and unfit inputs into ones that name the cure.

    Args:
        model: The network, where nothing else runs inside: every error is then reported as its own.
    """
    try:
        yield
    except (InterlawError, torch.OutOfMemoryError, MemoryError):
        raise
    except Exception as error:
        for pattern, expected in CURES.items():
            if isinstance(error, RuntimeError | IndexError) and re.search(pattern, str(error)):
                raise InterlawError(expected.format(said=one_line(error))) from error
        if not model:
            raise
        raise InterlawError(
            f"expected inputs that {model} takes, found that it ends with {type(error).__name__}: {one_line(error)}; "
            "call it yourself with one of the batches"
        ) from error


def device_of(model: nn.Module) -> torch.device:
    """Where the model's weights are; the CPU for a model without any."""
    tensor = next(chain(model.parameters(), model.buffers()), None)
    return torch.device("cpu") if tensor is None else tensor.device


class Batches:
    """The inputs in batches, on the model's device and in the precision of the measurement; to be read once.

    Args:
        inputs: A tensor whose first axis counts clusters, or an iterable of batches.
        device: Where the model is.
        dtype: Precision of real-valued inputs; their own when None.
        most: At most so many samples.
        groups: One label a sample, for samples that depend on each other: all of a document, a subject or an image are
            one cluster. Where all samples are there, those of a group are put after each other.
        with_targets: Each batch becomes its tokens but the last, and the token after each as its target.

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
        with_targets: bool = False,
    ) -> None:
        self._inputs: object = inputs
        self._groups: Tensor | None = None
        if groups is not None:
            self._inputs, self._groups = _in_order(inputs, group_codes(groups), most=most)
        lengths = [len(inputs)] if isinstance(inputs, Tensor) and inputs.dim() else []
        counts = lengths + ([] if most is None else [most])
        self.expected = min(counts, default=None) if self._groups is None else int(self._groups[-1]) + 1
        self.device = device
        self._dtype = dtype
        self._most = most
        self._with_targets = with_targets
        self._digests: list[bytes] = []

    def __iter__(self) -> Iterator[Batch]:
        """Batches of any accepted form of inputs, empty ones left out."""
        done = 0
        for inputs in self._as_given():
            for piece in Batch(inputs=inputs).pieces(LARGEST):
                kept = piece if self._most is None else piece.take(0, self._most - done)
                labels = None if self._groups is None else self._groups[done : done + len(kept)]
                done += len(kept)
                self._require_labels(done, ended=False)
                self._digests += _rows(kept.inputs)
                moved = Batch(inputs=_moved(kept.inputs, device=self.device, dtype=self._dtype), groups=labels)
                yield _shifted(moved) if self._with_targets else moved
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

    def _as_given(self) -> Iterator[Inputs]:
        """The batches, checked."""
        inputs = self._inputs
        if isinstance(inputs, Tensor):
            inputs = [inputs] if inputs.dim() else []
        if isinstance(inputs, Mapping | str | bytes) or not isinstance(inputs, Iterable):
            is_data = hasattr(inputs, "__getitem__") and not isinstance(inputs, Mapping | str | bytes)
            cure = "; measure(model, torch.utils.data.DataLoader(dataset, batch_size=64))" if is_data else ""
            raise TypeError(f"inputs must be {FORMS}; found {type(inputs).__name__}{cure}")
        for given in inputs:
            batch = _checked(_bare(given))
            if _length(batch):
                yield batch

    @property
    def are_copies(self) -> bool:
        """Whether all samples that were read are the same one."""
        return len(set(self._digests)) == 1 < len(self._digests)

    def digest(self, count: int) -> str:
        """One digest of the first `count` clusters in their order, however they were cut into batches."""
        return hashlib.sha256(b"".join(self._digests[:count])).hexdigest()


def real_names(inputs: Mapping[str, Tensor]) -> list[str]:
    """Names of the batch's real-valued inputs."""
    return [name for name, tensor in inputs.items() if tensor.is_floating_point() and name not in BESIDE]


def _edited(inputs: Inputs, edit: Callable[[Any], Tensor]) -> Inputs:
    """The inputs with their one real-valued tensor edited."""
    if isinstance(inputs, Tensor):
        return edit(inputs)
    name = _only_real(inputs)
    return {**inputs, name: edit(inputs[name])}


def _unlabelled(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The inputs without labels, which are not for the model."""
    return {name: value for name, value in inputs.items() if name != "labels"}


def real_input(inputs: Inputs) -> Tensor:
    """The batch's one real-valued tensor, or its one tensor."""
    return inputs if isinstance(inputs, Tensor) else inputs[_only_real(inputs)]


def _only_real(inputs: Mapping[str, Tensor]) -> str:
    """The name of the one real-valued input."""
    real = real_names(inputs)
    if len(real) != 1:
        raise InterlawError(
            f"expected one real-valued tensor in the batch, found {real}; pass layer= to say where to differentiate"
        )
    return real[0]


def _length(inputs: Inputs) -> int:
    """Number of clusters."""
    return int((inputs if isinstance(inputs, Tensor) else next(iter(inputs.values()))).shape[0])


def _bare(batch: object) -> object:
    """A batch out of the list or tuple in which the loader of a lone tensor has it."""
    return batch[0] if isinstance(batch, list | tuple) and len(batch) == 1 and isinstance(batch[0], Tensor) else batch


def _checked(batch: object) -> Inputs:
    """One batch of an accepted form."""
    for tensor in batch.values() if isinstance(batch, Mapping) else [batch]:
        if isinstance(tensor, Tensor) and tensor.layout != torch.strided:
            raise InterlawError(f"expected dense inputs, found a layout of {tensor.layout}; pass x.to_dense()")
    if isinstance(batch, Tensor) and batch.dim():
        return batch
    if isinstance(batch, Mapping) and batch:
        tensors = {str(name): value for name, value in batch.items() if isinstance(value, Tensor) and value.dim()}
        if len({value.shape[0] for value in tensors.values()}) == 1 and len(tensors) == len(batch):
            return tensors
        raise InterlawError(
            f"expected a dict of tensors with one first axis, found keys {sorted(map(str, batch))}; "
            "leave out what is not a tensor of the batch"
        )
    several = "; of inputs with labels pass the inputs, measure(model, (batch[0] for batch in loader))"
    hint = several if isinstance(batch, tuple | list) and batch and isinstance(batch[0], Tensor) else ""
    raise TypeError(f"inputs must be {FORMS}; found a batch of type {type(batch).__name__}{hint}")


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


def _in_order(inputs: object, codes: list[int], *, most: int | None) -> tuple[object, Tensor]:
    """The samples of a group after each other, where all are there, and the number of each sample's group."""
    order = sorted(range(len(codes)), key=codes.__getitem__)
    ordered = torch.tensor(sorted(codes)[:most])
    if order == list(range(len(codes))):
        return inputs, ordered
    whole = _joined(inputs)
    if whole is None:
        raise InterlawError(
            "expected the samples of a group after each other, found a group that comes back after another; sort "
            "inputs and groups"
        )
    if _length(whole) != len(codes):
        raise _not_one_each(len(codes), _length(whole))
    return whole[order] if isinstance(whole, Tensor) else [
        {name: value[order] for name, value in whole.items()}
    ], ordered


def _not_one_each(labels: int, samples: int) -> InterlawError:
    """The refusal of labels whose number is not that of the samples."""
    return InterlawError(
        f"expected one group a sample, found {labels} groups for {samples} samples; give a label for each sample"
    )


def _joined(inputs: object) -> Inputs | None:
    """A tensor, or a list of batches of one shape, as one batch; None where that cannot be."""
    batches: list[Any] = [_bare(batch) for batch in inputs] if isinstance(inputs, list | tuple) else [inputs]
    if all(isinstance(batch, Tensor) for batch in batches):
        return torch.cat(batches) if len({batch.shape[1:] for batch in batches}) == 1 else None
    if not all(isinstance(batch, dict) and all(isinstance(v, Tensor) for v in batch.values()) for batch in batches):
        return None
    shapes = {frozenset((name, value.shape[1:]) for name, value in batch.items()) for batch in batches}
    return {name: torch.cat([batch[name] for batch in batches]) for name in batches[0]} if len(shapes) == 1 else None


def _moved(inputs: Inputs, *, device: torch.device, dtype: torch.dtype | None) -> Any:
    """The inputs on a device, without a history; those made in inference mode are copied, autograd cannot save them."""
    if not isinstance(inputs, Tensor):
        return {name: _moved(value, device=device, dtype=dtype) for name, value in inputs.items()}
    moved = inputs.detach().to(device)
    moved = moved.clone() if moved.is_inference() else moved
    return moved.to(dtype) if dtype is not None and moved.is_floating_point() else moved


def _shifted(batch: Batch) -> Batch:
    """Inputs without the last token and targets without the first, padding marked as ignored."""
    inputs = batch.inputs
    if isinstance(inputs, Tensor):
        if inputs.is_floating_point() or inputs.dim() != 2 or inputs.shape[1] < 2:
            raise InterlawError(
                f"the loss view needs token ids (batch, time) with time at least 2, found {inputs.dtype} of shape "
                f"{tuple(inputs.shape)}; pass ids, or use the input view"
            )
        return replace(batch, inputs=inputs[:, :-1], targets=inputs[:, 1:].long())
    ids = inputs.get("input_ids")
    if ids is None:
        raise InterlawError(f"the loss view needs a batch with 'input_ids', found {sorted(inputs)}")
    labels = inputs.get("labels", ids)
    if labels.shape != ids.shape or labels.is_floating_point():
        raise InterlawError(
            f"the loss view needs a label a token, {IGNORED} where there is none, found {labels.dtype} of shape "
            f"{tuple(labels.shape)} for ids of shape {tuple(ids.shape)}; leave labels out to predict the next token"
        )
    targets = labels[:, 1:].long()
    if batch.mask is not None:
        # Both ends of the pair: behind padding on the left, the first token is predicted from none that is real.
        targets = targets.masked_fill((batch.mask[:, 1:] == 0) | (batch.mask[:, :-1] == 0), IGNORED)
    time = ids.shape[1]
    cut = {
        name: value[:, :-1] if value.dim() >= 2 and value.shape[1] == time else value
        for name, value in inputs.items()
        if name != "labels"
    }
    return replace(batch, inputs=cut, targets=targets)


def _rows(inputs: Inputs) -> Iterator[bytes]:
    """A digest for each cluster."""
    tensors = [inputs] if isinstance(inputs, Tensor) else [inputs[name] for name in sorted(inputs)]
    plain = [tensor.detach().cpu().contiguous() for tensor in tensors]
    for row in zip(*(tensor.flatten(1) if tensor.dim() > 1 else tensor[:, None] for tensor in plain), strict=False):
        digest = hashlib.sha256()
        for part in row:
            digest.update(f"{part.dtype}{tuple(part.shape)}".encode())
            digest.update(ctypes.string_at(part.data_ptr(), part.nbytes))
        yield digest.digest()
