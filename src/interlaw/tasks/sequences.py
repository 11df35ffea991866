"""Teacher and student: a frozen random GRU maps noise to features, which a student learns (arXiv 2605.27989)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from interlaw.errors import InterlawError
from interlaw.models import build_model
from interlaw.shapes import GRUShape
from interlaw.tasks.samples import Samples

Batch = tuple[Float[Tensor, "batch time 1"], Float[Tensor, "batch features"]]
_CHUNK = 512


class SequenceTask:
    """Predict the teacher's features at the last step; the loss is the mean squared error over them.

    Args:
        splits: Sequences (n, time, 1) and features (n, features) of train, validation and test.
    """

    unit = "sequence"
    units_per_sample = 1

    def __init__(self, splits: dict[str, tuple[Tensor, Tensor]]) -> None:
        self.samples = Samples(splits)

    def batch(self, *, seed: int, step: int, size: int) -> Batch:
        """The training batch of a step."""
        return self.samples.batch(seed=seed, step=step, size=size)

    def evaluation(self, split: str, *, num_samples: int, batch_size: int) -> Iterator[Batch]:
        """Held-out sequences."""
        return self.samples.evaluation(split, num_samples=num_samples, batch_size=batch_size)

    def probes(self, *, num_samples: int, with_targets: bool) -> Float[Tensor, "samples time 1"]:
        """Validation sequences on which interaction is measured.

        Raises:
            InterlawError: For a view of next-token losses.
        """
        if with_targets:
            raise InterlawError("expected a view without targets for a regression task, found loss; choose output")
        return self.samples.splits["validation"][0][:num_samples]

    def loss(self, model: nn.Module, batch: Batch) -> Float[Tensor, ""]:
        """Mean squared error over features; a constant guess scores about 1."""
        inputs, targets = batch
        return F.mse_loss(model(inputs), targets)

    def figures(self, loss: float) -> dict[str, float]:
        """Share of the features' variance that is explained."""
        return {"explained_variance": 1 - loss / float(self.samples.splits["test"][1].var(dim=0, correction=0).mean())}


def draw_task(
    sizes: Mapping[str, int], *, time: int, teacher_depth: int, teacher_width: int, seed: int, device: str
) -> SequenceTask:
    """Noise and what the teacher makes of it in each split, worked out on the CPU whatever the device."""
    teacher = build_model(GRUShape(depth=teacher_depth, width=teacher_width, time=time), seed=seed)
    generator = torch.Generator().manual_seed(seed)
    raw = {}
    for split, count in sizes.items():
        x = torch.randn(count, time, 1, generator=generator)
        raw[split] = (x, last_states(teacher.get_submodule("layers"), x))
    mean, std = raw["train"][1].mean(0), raw["train"][1].std(0, correction=0).clamp(min=1e-12)
    return SequenceTask({split: (x.to(device), ((y - mean) / std).to(device)) for split, (x, y) in raw.items()})


@torch.no_grad()
def last_states(teacher: nn.Module, x: Float[Tensor, "n time 1"]) -> Float[Tensor, "n features"]:
    """The teacher's top layer after the last step."""
    return torch.cat([teacher(x[first : first + _CHUNK])[0][:, -1] for first in range(0, len(x), _CHUNK)])
