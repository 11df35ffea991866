"""AdamW and its learning rate over the steps."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from interlaw.training.graph import is_capturable
from interlaw.training.parametrization import parameter_factors
from interlaw.training.settings import TrainSettings

EPSILON = 1e-8  # torch's default and that of Kingma & Ba 2015 (arXiv 1412.6980)


def make_optimizer(model: nn.Module, settings: TrainSettings) -> torch.optim.AdamW:
    """Fused AdamW (Loshchilov & Hutter 2017, arXiv 1711.05101) that decays matrices, and vectors if `decays` is `all`.

    Rates, epsilons and decays carry the factors of the settings' parametrization; a group's `rate_factor` multiplies
    the scheduled rate. On CUDA devices rates are tensors, so that a captured step reads their present value.
    """
    factors = parameter_factors(model, settings)
    members: dict[tuple[float, float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            is_decayed = parameter.dim() >= 2 or settings.decays == "all"
            decay = factors[name].decay * settings.weight_decay if is_decayed else 0.0
            members.setdefault((decay, factors[name].rate, factors[name].epsilon), []).append(parameter)
    captured, peak = is_capturable(next(model.parameters())), settings.learning_rate
    groups = [
        {
            "params": parameters,
            "lr": torch.tensor(peak, device=parameters[0].device) if captured else peak,
            "weight_decay": decay,
            "rate_factor": rate,
            "eps": EPSILON * epsilon,
        }
        for (decay, rate, epsilon), parameters in members.items()
    ]
    betas = (settings.beta1, settings.beta2)
    return torch.optim.AdamW(groups, betas=betas, fused=True, capturable=captured)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Gives each group the scheduled rate times its factor."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate * group["rate_factor"])
        else:
            group["lr"] = rate * group["rate_factor"]


def learning_rate_at(step: int, settings: TrainSettings) -> float:
    """The rate of a step, counted from 0: linear warm-up to the peak, then a cosine to `final_fraction` of it.

    Example:
        >>> settings = TrainSettings(steps=10, batch_size=1, learning_rate=1.0, warmup_steps=2, final_fraction=0.0)
        >>> [round(learning_rate_at(step, settings), 3) for step in (0, 1, 2, 6, 9)]
        [0.5, 1.0, 1.0, 0.5, 0.038]
    """
    if step < settings.warmup_steps:
        return settings.learning_rate * (step + 1) / settings.warmup_steps
    past = (step - settings.warmup_steps) / max(1, settings.steps - settings.warmup_steps)
    cosine = 0.5 * (1 + math.cos(math.pi * past))
    return settings.learning_rate * (settings.final_fraction + (1 - settings.final_fraction) * cosine)
