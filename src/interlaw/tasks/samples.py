"""Fixed sets of samples: which of them make the batch of a step, and which are held out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor


class Samples:
    """Inputs and targets a split, in memory; training goes through them in a new order every epoch.

    Args:
        splits: Split name to inputs and targets, their first axes equal.
    """

    def __init__(self, splits: Mapping[str, tuple[Tensor, Tensor]]) -> None:
        self.splits = dict(splits)
        self._order: tuple[tuple[int, int], Tensor] | None = None

    def batch(self, *, seed: int, step: int, size: int) -> tuple[Tensor, Tensor]:
        """The training batch of a step, a pure function of its arguments: each sample once an epoch.

        The last batch of an epoch is filled up from the next one.
        """
        inputs, targets = self.splits["train"]
        count = len(inputs)
        first, last = step * size, (step + 1) * size
        chosen = []
        for epoch in range(first // count, (last - 1) // count + 1):
            begin, end = max(first, epoch * count), min(last, (epoch + 1) * count)
            chosen.append(self._epoch(seed, epoch, count)[begin - epoch * count : end - epoch * count])
        index = torch.cat(chosen).to(inputs.device)
        return inputs[index], targets[index]

    def evaluation(self, split: str, *, num_samples: int, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """The first samples of a split, fewer when it holds fewer."""
        inputs, targets = (tensor[:num_samples] for tensor in self.splits[split])
        for first in range(0, len(inputs), batch_size):
            yield inputs[first : first + batch_size], targets[first : first + batch_size]

    def _epoch(self, seed: int, epoch: int, count: int) -> Tensor:
        """The order of an epoch; the last one asked for is kept."""
        if self._order is None or self._order[0] != (seed, epoch):
            source = np.random.Generator(np.random.Philox(key=[seed, epoch]))
            self._order = ((seed, epoch), torch.from_numpy(source.permutation(count)))
        return self._order[1]
