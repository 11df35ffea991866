"""Several networks' weights as one matrix: their losses by batched products, AdamW and clipping in a few operations.

Legend: K replicas, P trainable parameters of one; W (K, P) all weights, g their gradients.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from interlaw.errors import InterlawError
from interlaw.models import WrittenOut
from interlaw.tasks import Task, sent
from interlaw.training.precision import in_precision
from interlaw.training.settings import TrainSettings


def attention_of_stacks(device: torch.device) -> AbstractContextManager[None]:
    """The kernels of attention for weights in batches, while it lasts.

    A CPU's fused one has no rule for them (torch 2.13): it would run replica by replica. On a device one of two has a
    backward pass for them (torch 2.11); it knows bfloat16 alone.
    """
    fused = [] if device.type == "cpu" else [SDPBackend.FLASH_ATTENTION]
    kernels: AbstractContextManager[None] = sdpa_kernel([*fused, SDPBackend.MATH])
    return kernels


class Stack:
    """The weights of K networks in one matrix W (K, P), with AdamW's moments beside it.

    Args:
        models: Networks of one shape, two at least.
        optimizers: Their optimizers, whose moments and steps are taken over.
    """

    def __init__(self, models: Sequence[nn.Module], optimizers: Sequence[torch.optim.AdamW]) -> None:
        self.base = models[0]
        self.base.train()
        for module in self.base.modules():
            if isinstance(module, WrittenOut):
                module.written_out = True
        self._shapes = {name: parameter.shape for name, parameter in _trained(models[0])}
        self._sizes = [shape.numel() for shape in self._shapes.values()]
        self._weights = torch.stack([_flat([p for _, p in _trained(model)]) for model in models]).requires_grad_()
        self._buffers = {
            name: torch.stack([dict(model.named_buffers())[name] for model in models])
            for name, _ in models[0].named_buffers()
        }
        fixed = {name: parameter for name, parameter in models[0].named_parameters() if not parameter.requires_grad}
        if fixed:
            raise InterlawError(f"expected replicas whose weights all train, found {next(iter(fixed))!r} frozen")
        self._columns = self._per_column(optimizers[0])
        self._first, self._second, self._steps = self._moments(models, optimizers)
        self._scheduled = self._weights.new_empty(len(models) + 2)  # rates, then the two corrections

    def losses(
        self, task: Task, batch: tuple[Tensor, ...], *, settings: TrainSettings, shared: bool = False
    ) -> Float[Tensor, " k"]:
        """Mean loss of each replica over its own batch (tensors (K, batch, ...)), or over one batch of all."""
        parts = zip(self._shapes.items(), torch.split(self._weights, self._sizes, dim=1), strict=True)
        parameters = {name: part.view(-1, *shape) for (name, shape), part in parts}

        def loss(weights: dict[str, Tensor], buffers: dict[str, Tensor], one: tuple[Tensor, ...]) -> Tensor:
            network = _Bound(self.base, {**weights, **buffers})
            with in_precision(settings.precision, self._weights.device.type), attention_of_stacks(self._weights.device):
                return task.loss(network, one)

        losses: Tensor = vmap(loss, in_dims=(0, 0, None if shared else 0))(parameters, self._buffers, batch)
        return losses

    def forget_gradients(self) -> None:
        """Leaves none of an earlier step, or of a capture that failed within one."""
        self._weights.grad = None

    def schedule(self, rates: Sequence[float], settings: TrainSettings) -> None:
        """Sets what the next `update` reads: each replica's rate and AdamW's corrections, in tensors."""
        self._steps += 1
        corrections = [1 - settings.beta1**self._steps, math.sqrt(1 - settings.beta2**self._steps)]
        values = torch.tensor([*rates, *corrections], dtype=self._weights.dtype)
        self._scheduled.copy_(sent(values, self._weights.device))

    @torch.no_grad()
    def update(self, settings: TrainSettings) -> None:
        """Clips each replica's gradient and takes AdamW's step, written out as `torch.optim.AdamW` defines it."""
        W, g = self._weights, self._weights.grad
        assert g is not None
        if settings.clip:  # as nn.utils.clip_grad_norm_ does, whose 1e-6 keeps a zero norm from dividing
            g.mul_((settings.clip / (g.norm(dim=1, keepdim=True) + 1e-6)).clamp(max=1))
        rates, first_correction, second_correction = torch.split(self._scheduled, [len(W), 1, 1])
        rate = rates[:, None] * self._columns["rate_factor"]
        W.mul_(1 - rate * self._columns["weight_decay"])
        self._first.lerp_(g, 1 - settings.beta1)
        self._second.mul_(settings.beta2).addcmul_(g, g, value=1 - settings.beta2)
        W.sub_(rate / first_correction * self._first / (self._second.sqrt() / second_correction + self._columns["eps"]))

    @torch.no_grad()
    def unstack(self, models: Sequence[nn.Module], optimizers: Sequence[torch.optim.AdamW] = ()) -> None:
        """Copies weights and buffers into the models, and the moments into their optimizers."""
        for place, model in enumerate(models):
            parts = torch.split(self._weights[place], self._sizes)
            for (_, parameter), part in zip(_trained(model), parts, strict=True):
                parameter.copy_(part.view_as(parameter))
            for name, buffer in model.named_buffers():
                buffer.copy_(self._buffers[name][place])
        for place, (model, optimizer) in enumerate(zip(models, optimizers, strict=False)):
            firsts, seconds = (torch.split(moments[place], self._sizes) for moments in (self._first, self._second))
            for (_, parameter), first, second in zip(_trained(model), firsts, seconds, strict=True):
                optimizer.state[parameter] = {
                    "step": torch.tensor(float(self._steps), device=parameter.device),
                    "exp_avg": first.view_as(parameter).clone(),
                    "exp_avg_sq": second.view_as(parameter).clone(),
                }

    def _per_column(self, optimizer: torch.optim.AdamW) -> dict[str, Tensor]:
        """Rate factor, decay and epsilon of each of the P columns."""
        group_of = {id(parameter): group for group in optimizer.param_groups for parameter in group["params"]}
        trained = [(_flat([parameter]), group_of[id(parameter)]) for _, parameter in _trained(self.base)]
        return {
            name: torch.cat([torch.full_like(flat, group[name]) for flat, group in trained])
            for name in ("rate_factor", "weight_decay", "eps")
        }

    def _moments(
        self, models: Sequence[nn.Module], optimizers: Sequence[torch.optim.AdamW]
    ) -> tuple[Tensor, Tensor, int]:
        """The moments that checkpoints restored, or zeros, and the steps taken."""
        states = [[opt.state[p] for _, p in _trained(model)] for model, opt in zip(models, optimizers, strict=True)]
        if not states[0][0]:
            return torch.zeros_like(self._weights), torch.zeros_like(self._weights), 0
        first, second = (
            torch.stack([_flat([state[name] for state in one]) for one in states]) for name in ("exp_avg", "exp_avg_sq")
        )
        return first, second, int(states[0][0]["step"])


class _Bound(nn.Module):
    """The base network under other weights."""

    def __init__(self, base: nn.Module, weights: dict[str, Tensor]) -> None:
        super().__init__()
        self._call: Callable[..., Any] = lambda *inputs: functional_call(base, weights, inputs)

    def forward(self, *inputs: Tensor) -> Any:
        """What the network gives for the inputs."""
        return self._call(*inputs)


def _trained(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """Its trained parameters, a shared one once."""
    return ((name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad)


def _flat(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([tensor.detach().reshape(-1) for tensor in tensors])
