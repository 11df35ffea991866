"""Next-token prediction on a corpus: batches, held-out windows and probes, each a pure function of its arguments."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from interlaw.tasks.corpus import SPLITS, Corpus
from interlaw.tasks.task import numbers_from, sent

Batch = tuple[Int[Tensor, "batch time"], Int[Tensor, "batch time"]]


class TextTask:
    """Predict each token from those before it; the loss is the mean cross-entropy in nats per token.

    Args:
        corpus: The token files.
        context: Tokens a sequence.
        device: Where batches are put; an accelerator holds the tokens themselves, so that only places travel.

    Raises:
        InterlawError: When a split is shorter than one sequence and its target.
    """

    unit = "token"

    def __init__(self, corpus: Corpus, *, context: int, device: torch.device | str = "cpu") -> None:
        corpus.require_context(context)
        self.corpus = corpus
        self.context = context
        self.device = torch.device(device)
        self._tokens = {split: corpus.tokens(split) for split in SPLITS}
        self._resident: dict[str, Tensor] = {}
        if self.device.type != "cpu":
            self.keep_on_device()

    def keep_on_device(self) -> None:
        """Copies the tokens to the device, a byte each where the vocabulary allows, four bytes where not."""
        self._offsets = torch.arange(self.context + 1, device=self.device)
        for split, tokens in self._tokens.items():
            narrow = np.uint8 if tokens.dtype == np.uint8 else np.int32
            self._resident[split] = torch.from_numpy(tokens.astype(narrow)).to(self.device)

    @property
    def units_per_sample(self) -> int:
        """Predicted tokens a sequence."""
        return self.context

    def batch(self, *, seed: int, step: int, size: int) -> Batch:
        """The training batch of a step: `size` windows at random places, the same for every model."""
        tokens = self._tokens["train"]
        starts = numbers_from(seed, step).integers(0, len(tokens) - self.context, size=size)
        return self._windows("train", starts)

    def evaluation(self, split: str, *, num_samples: int, batch_size: int) -> Iterator[Batch]:
        """Windows spread evenly over a split, without overlap; fewer when the split holds fewer."""
        starts = self._spread(split, num_samples)
        for first in range(0, len(starts), batch_size):
            yield self._windows(split, starts[first : first + batch_size])

    def probes(self, *, num_samples: int, with_targets: bool) -> Int[Tensor, "samples time"]:
        """Sequences spread over the validation split, on which interaction is measured.

        Args:
            num_samples: Sequences; fewer when the split holds fewer.
            with_targets: Append the token after the last one, for views that differentiate the loss.
        """
        inputs, targets = self._windows("validation", self._spread("validation", num_samples))
        return torch.cat([inputs, targets[:, -1:]], dim=1) if with_targets else inputs

    def loss(self, model: nn.Module, batch: Batch) -> Float[Tensor, ""]:
        """Mean cross-entropy over the batch, nats per token."""
        inputs, targets = batch
        logits = model(inputs)
        return F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())

    def figures(self, loss: float) -> dict[str, float]:
        """What follows from a test loss: bits per byte of text."""
        tokens_per_byte = self.corpus.num_tokens["test"] / self.corpus.num_bytes["test"]
        return {"bits_per_byte": loss / math.log(2) * tokens_per_byte}

    def _spread(self, split: str, num_samples: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Starts of non-overlapping windows at equal distances."""
        available = len(self._tokens[split]) // (self.context + 1)
        chosen = min(num_samples, available)
        return (np.arange(chosen) * available // chosen).astype(np.int64) * (self.context + 1)

    def _windows(self, split: str, starts: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Batch:
        """Sequences and their targets from the given places."""
        if split in self._resident:
            there = sent(torch.from_numpy(starts), self.device)[:, None] + self._offsets
            held = self._resident[split][there].long()
            return held[:, :-1], held[:, 1:]
        places = starts[:, None] + np.arange(self.context + 1)
        window = torch.from_numpy(self._tokens[split][places].astype(np.int64)).to(self.device)
        return window[:, :-1], window[:, 1:]
