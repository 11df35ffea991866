"""Teacher and student: a frozen random GRU maps noise to features, which a student learns (arXiv 2605.27989)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from interlaw.models import build_model
from interlaw.shapes import GRUShape
from interlaw.tasks.samples import RegressionTask

_CHUNK = 512


def draw_task(
    sizes: Mapping[str, int], *, time: int, teacher_depth: int, teacher_width: int, seed: int, device: str
) -> RegressionTask:
    """Noise and what the teacher makes of it in each split, worked out on the CPU whatever the device."""
    teacher = build_model(GRUShape(depth=teacher_depth, width=teacher_width, time=time), seed=seed)
    generator = torch.Generator().manual_seed(seed)
    raw = {}
    for split, count in sizes.items():
        x = torch.randn(count, time, 1, generator=generator)
        raw[split] = (x, last_states(teacher.get_submodule("layers"), x))
    mean, std = raw["train"][1].mean(0), raw["train"][1].std(0, correction=0).clamp(min=1e-12)
    splits = {split: (x.to(device), ((y - mean) / std).to(device)) for split, (x, y) in raw.items()}
    return RegressionTask(splits, unit="sequence", view="output")


@torch.no_grad()
def last_states(teacher: nn.Module, x: Float[Tensor, "n time 1"]) -> Float[Tensor, "n features"]:
    """The teacher's top layer after the last step."""
    return torch.cat([teacher(x[first : first + _CHUNK])[0][:, -1] for first in range(0, len(x), _CHUNK)])
