"""Regression on fixed sets of samples: which of them make the batch of a step, and which are held out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from interlaw.errors import InterlawError
from interlaw.tasks.task import numbers_from, sent

Batch = tuple[Tensor, Tensor]
Splits = dict[str, Batch]


class RegressionTask:
    """Predict targets from inputs; the loss is the mean squared error over samples and outputs.

    Everything lies in memory; training goes through its samples in a new order every epoch.

    Args:
        splits: Inputs and targets of train, validation and test; their first axes count samples.
        unit: What a sample is, in the singular.
        view: The view that the error names when one of next-token losses is asked for.
    """

    units_per_sample = 1

    def __init__(self, splits: Mapping[str, Batch], *, unit: str = "sample", view: str = "input") -> None:
        self.splits = dict(splits)
        self.unit = unit
        self._view = view
        self._orders: dict[int, tuple[int, Tensor]] = {}

    def batch(self, *, seed: int, step: int, size: int) -> Batch:
        """The training batch of a step, a pure function of its arguments: each sample once an epoch.

        The last batch of an epoch is filled up from the next one.
        """
        inputs, targets = self.splits["train"]
        count = len(inputs)
        first, last = step * size, (step + 1) * size
        chosen = []
        for epoch in range(first // count, (last - 1) // count + 1):
            begin, end = max(first, epoch * count), min(last, (epoch + 1) * count)
            chosen.append(self._epoch(seed, epoch, inputs=inputs)[begin - epoch * count : end - epoch * count])
        index = torch.cat(chosen)
        return inputs[index], targets[index]

    def evaluation(self, split: str, *, num_samples: int, batch_size: int) -> Iterator[Batch]:
        """The first samples of a split, fewer when it holds fewer."""
        inputs, targets = (tensor[:num_samples] for tensor in self.splits[split])
        for first in range(0, len(inputs), batch_size):
            yield inputs[first : first + batch_size], targets[first : first + batch_size]

    def probes(self, *, num_samples: int, with_targets: bool) -> Tensor:
        """Validation inputs on which interaction is measured.

        Raises:
            InterlawError: For a view of next-token losses, which a regression does not have.
        """
        if with_targets:
            raise InterlawError(
                f"expected a view without targets for a regression task, found loss; choose {self._view}"
            )
        return self.splits["validation"][0][:num_samples]

    def loss(self, model: nn.Module, batch: Batch) -> Float[Tensor, ""]:
        """Mean squared error."""
        inputs, targets = batch
        return F.mse_loss(model(inputs), targets)

    def figures(self, loss: float) -> dict[str, float]:
        """Share of the test targets' variance that is explained."""
        return {"explained_variance": 1 - loss / float(self.splits["test"][1].var(dim=0, correction=0).mean())}

    def _epoch(self, seed: int, epoch: int, *, inputs: Tensor) -> Tensor:
        """The order of an epoch, where the inputs lie; each seed's last one is kept, for several may train in turn."""
        if seed not in self._orders or self._orders[seed][0] != epoch:
            order = torch.from_numpy(numbers_from(seed, epoch).permutation(len(inputs)))
            self._orders[seed] = (epoch, sent(order, inputs.device))
        return self._orders[seed][1]
