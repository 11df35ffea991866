"""Teacher and student: a frozen random GRU maps noise to features, which a student learns (arXiv 2605.27989)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from interlaw.models import build_model
from interlaw.shapes import GRUShape
from interlaw.tasks.samples import Splits

_CHUNK = 512  # sequences at once: their states take 10 MB at 80 steps of 64 units


def draw_splits(counts: Mapping[str, int], *, teacher: GRUShape, seed: int) -> Splits:
    """Noise and what the teacher makes of it in each split, worked out on the CPU whatever the device."""
    layers = build_model(teacher, seed=seed).get_submodule("layers")
    generator = torch.Generator().manual_seed(seed)
    noise = {split: torch.randn(count, teacher.time, 1, generator=generator) for split, count in counts.items()}
    features = {split: last_states(layers, x) for split, x in noise.items()}
    mean, std = features["train"].mean(0), features["train"].std(0, correction=0)
    std = std.clamp(min=1e-12)  # a constant feature has no spread to divide by
    return {split: (x, (features[split] - mean) / std) for split, x in noise.items()}


@torch.no_grad()
def last_states(teacher: nn.Module, x: Float[Tensor, "n time 1"]) -> Float[Tensor, "n features"]:
    """The teacher's top layer after the last step."""
    return torch.cat([teacher(x[first : first + _CHUNK])[0][:, -1] for first in range(0, len(x), _CHUNK)])
