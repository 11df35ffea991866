"""The coordinate check: do activations move alike in every width and depth during the first steps of training?

Where they do, one learning rate suits every shape (Yang et al. 2022, arXiv 2203.03466, appendix D.1; over depth: Dey et
al. 2025, arXiv 2505.01618, figure 5). Where they grow with the shape, large shapes need smaller rates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from interlaw.models import build_model
from interlaw.shapes import Shape
from interlaw.tasks import Task
from interlaw.training.optimizer import make_optimizer, set_rate
from interlaw.training.parametrization import scale_initial_weights
from interlaw.training.settings import TrainSettings

# Slopes of log movement on log size up to this count as none. Judgement: over a factor of 4 in size, 1.5 in movement.
FLAT = 0.3
READING_STEP = 2**40  # of the batch that is watched: no training reaches it


@dataclass(frozen=True, kw_only=True)
class CoordinateCheck:
    """How far activations move, by size.

    Attributes:
        parametrization: standard, mup or completep.
        axis: What grows.
        sizes: Widths or depths.
        stream: Root mean square movement of the last block's output since the start, (sizes, steps).
        outputs: The same of the network's outputs.
        stream_slope: Slope of log movement on log size after the last step.
        outputs_slope: The same of the outputs.
    """

    parametrization: str
    axis: Literal["width", "depth"]
    sizes: tuple[int, ...]
    stream: tuple[tuple[float, ...], ...]
    outputs: tuple[tuple[float, ...], ...]
    stream_slope: float
    outputs_slope: float

    @property
    def is_flat(self) -> bool:
        """Whether neither grows with the size, nor dies out, by more than `FLAT`."""
        return abs(self.stream_slope) <= FLAT and abs(self.outputs_slope) <= FLAT


def check_coordinates(
    shapes: Sequence[Shape],
    *,
    axis: Literal["width", "depth"],
    open_task: Callable[[Shape], Task],
    settings: TrainSettings,
    seeds: Sequence[int] = (0,),
) -> CoordinateCheck:
    """Trains each shape for a few steps and watches one batch.

    Args:
        shapes: At least two, which differ along the axis.
        axis: What grows.
        open_task: The data of a shape.
        settings: Rate, batch, parametrization; its `steps` are all taken, at the peak rate.
        seeds: Movements are averaged over these.
    """
    runs = np.array(
        [[_movements(shape, open_task(shape), settings=settings, seed=seed) for seed in seeds] for shape in shapes]
    )
    stream, outputs = (runs.mean(axis=1)[:, i] for i in (0, 1))
    sizes = tuple(int(getattr(shape, axis)) for shape in shapes)
    return CoordinateCheck(
        parametrization=settings.parametrization,
        axis=axis,
        sizes=sizes,
        stream=tuple(map(tuple, stream.tolist())),
        outputs=tuple(map(tuple, outputs.tolist())),
        stream_slope=_slope(sizes, stream[:, -1]),
        outputs_slope=_slope(sizes, outputs[:, -1]),
    )


def _movements(shape: Shape, task: Task, *, settings: TrainSettings, seed: int) -> tuple[list[float], list[float]]:
    """Movement of the last block's output and of the network's outputs after each step."""
    model = build_model(shape, seed=seed)
    scale_initial_weights(model, settings)
    optimizer = make_optimizer(model, settings)
    set_rate(optimizer, settings.learning_rate)
    watched = task.batch(seed=seed, step=READING_STEP, size=settings.batch_size)
    start = _activations(model, task, batch=watched)
    moved: tuple[list[float], list[float]] = ([], [])
    for step in range(settings.steps):
        optimizer.zero_grad()
        task.loss(model, task.batch(seed=seed, step=step, size=settings.batch_size)).backward()  # type: ignore[no-untyped-call]
        if settings.clip:
            nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
        optimizer.step()
        for values, now, before in zip(moved, _activations(model, task, batch=watched), start, strict=True):
            values.append((now - before).square().mean().sqrt().item())
    return moved


@torch.no_grad()
def _activations(model: nn.Module, task: Task, *, batch: Any) -> tuple[Tensor, Tensor]:
    """The last block's output and the network's outputs on a batch."""
    seen: dict[str, Tensor] = {}

    def keep(name: str, _module: nn.Module, _inputs: Any, output: Any) -> None:
        seen[name] = output[0] if isinstance(output, tuple) else output

    with ExitStack() as hooks:
        for name, module in (("stream", _last_block(model)), ("outputs", model)):
            hooks.callback(module.register_forward_hook(partial(keep, name)).remove)
        task.loss(model, batch)
    return seen["stream"], seen["outputs"]


def _last_block(model: nn.Module) -> nn.Module:
    """The last of the residual blocks, or a recurrent network's layers."""
    for module in model.modules():
        if isinstance(module, nn.ModuleList):
            return module[-1]
        if isinstance(module, nn.RNNBase):
            return module
    return model


def _slope(sizes: Sequence[int], values: np.ndarray[Any, Any]) -> float:
    """Least squares in log-log."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])
