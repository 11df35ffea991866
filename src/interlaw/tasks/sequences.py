"""Teacher and student: a frozen random GRU maps noise to features, which a student learns (arXiv 2605.27989)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from interlaw.models import build_model
from interlaw.shapes import GRUShape
from interlaw.tasks.regression_specs import SequenceTaskSpec
from interlaw.tasks.samples import Splits

_CHUNK = 512  # sequences at once: their states take 10 MB at 80 steps of 64 units


def draw_splits(spec: SequenceTaskSpec) -> Splits:
    """Noise and what the teacher makes of it in each split, worked out on the CPU whatever the device."""
    teacher = build_model(
        GRUShape(depth=spec.teacher_depth, width=spec.teacher_width, time=spec.time), seed=spec.data_seed
    )
    generator = torch.Generator().manual_seed(spec.data_seed)
    noise = {split: torch.randn(count, spec.time, 1, generator=generator) for split, count in spec.counts.items()}
    features = {split: last_states(teacher.get_submodule("layers"), x) for split, x in noise.items()}
    mean, std = features["train"].mean(0), features["train"].std(0, correction=0).clamp(min=1e-12)
    return {split: (x, (features[split] - mean) / std) for split, x in noise.items()}


@torch.no_grad()
def last_states(teacher: nn.Module, x: Float[Tensor, "n time 1"]) -> Float[Tensor, "n features"]:
    """The teacher's top layer after the last step."""
    return torch.cat([teacher(x[first : first + _CHUNK])[0][:, -1] for first in range(0, len(x), _CHUNK)])
