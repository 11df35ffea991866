"""Which clusters a measurement saw: one digest of their inputs, however they were cut into batches."""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Iterable, Iterator, Mapping

from torch import Tensor


class Fingerprint:
    """Passes inputs on as they are and remembers a digest of every cluster.

    Example:
        >>> import torch
        >>> x = torch.arange(6.0).reshape(3, 2)
        >>> whole, cut = Fingerprint(x), Fingerprint([x[:1], x[1:]])
        >>> _ = list(cut.watched)
        >>> whole.of_first(3) == cut.of_first(3), whole.of_first(2) == cut.of_first(3)
        (True, False)
    """

    def __init__(self, inputs: object) -> None:
        self._tensor = inputs if isinstance(inputs, Tensor) else None
        self._digests: list[bytes] = []
        self.watched = inputs
        # What is neither a tensor nor an iterable of batches is refused where batches are read.
        if isinstance(inputs, Iterable) and not isinstance(inputs, Tensor | Mapping | str | bytes):
            self.watched = self._watch(inputs)

    def of_first(self, count: int) -> str:
        """The digest of the first `count` clusters, in their order."""
        digests = self._digests if self._tensor is None else list(_rows([self._tensor[:count]]))
        return hashlib.sha256(b"".join(digests[:count])).hexdigest()

    def _watch(self, inputs: Iterable[object]) -> Iterator[object]:
        """The batches, each noted as it passes."""
        for batch in inputs:
            if isinstance(batch, Tensor):
                self._digests += _rows([batch])
            elif isinstance(batch, Mapping):
                self._digests += _rows([batch[name] for name in sorted(batch, key=str)])
            yield batch


def _rows(tensors: list[object]) -> Iterator[bytes]:
    """A digest for each row of tensors of one first axis."""
    plain = [tensor.detach().cpu().contiguous() for tensor in tensors if isinstance(tensor, Tensor) and tensor.dim()]
    for row in zip(*(tensor.flatten(1) if tensor.dim() > 1 else tensor[:, None] for tensor in plain), strict=False):
        digest = hashlib.sha256()
        for part in row:
            digest.update(f"{part.dtype}{tuple(part.shape)}".encode())
            digest.update(ctypes.string_at(part.data_ptr(), part.nbytes))
        yield digest.digest()
