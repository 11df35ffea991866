"""How initial weights and AdamW's numbers follow width and depth, so that one learning rate serves every shape.

With m = width / base_width and l = depth / base_depth. A weight with forward multiplier c, std s, rate eta, epsilon e
and decay d trains under Adam exactly as one without multiplier and with c s, c eta, e / c, d / c: gradients grow by
1 / c, Adam's step does not. So every rule below is a set of factors on the weight itself; no network knows of it.

| role | what | std | rate | epsilon | decay |
|---|---|---|---|---|---|
| input | token table, positions, first layer | 1 | 1 | 1/m | 1 |
| hidden | matrices inside blocks | m^-1/2 | 1/m | 1/m | m |
| writer | matrices that add to the residual stream: hidden, with c = 1/l under `completep` | | | | |
| vector | norms and biases (a writer's bias with its c) | 1 | 1 | 1/m | 0 |
| output | the head, c = 1/m | 1/m | 1/m | 1 | m |

`completep` also multiplies the epsilon of hidden, writer and vector rows by 1/l: inside the blocks, as published, and
for the few vectors outside them, which share their row. At the base shape both are standard. Where a network's own
initial std already falls with width or depth, the factor leaves that part out.
Sources: `mup`: Yang et al. 2022, arXiv 2203.03466, table 8; decay, epsilon and `completep` (alpha = 1): Dey et al.
2025, arXiv 2505.01618, table 1.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from interlaw.errors import InterlawError
from interlaw.models import Role, Roles
from interlaw.training.rules import Factors, require_rule
from interlaw.training.settings import TrainSettings


def factors(role: Role, settings: TrainSettings, *, width: int, depth: int, roles: Roles) -> Factors:
    """The factors of a role under the settings' parametrization; the module's table in code.

    Args:
        role: The parameter's role.
        settings: Names the parametrization and its base shape.
        width: The network's width.
        depth: The network's depth.
        roles: The network's, which say how its own initial weights follow width and depth.

    Example:
        >>> settings = TrainSettings(steps=1, batch_size=1, learning_rate=1.0, parametrization="mup", base_width=32)
        >>> plain = Roles(inputs=(), outputs=(), writers=())
        >>> factors("hidden", settings, width=128, depth=2, roles=plain)
        Factors(std=0.5, rate=0.25, epsilon=0.25, decay=4.0)
    """
    rule = require_rule(settings.parametrization)
    m = width / settings.base_width if "width" in rule.axes else 1.0
    deep = depth / settings.base_depth if "depth" in rule.axes else 1.0
    plain = rule.factors(role, m, deep)
    undone = math.sqrt(m) if role in roles.width_scaled else 1.0
    if role == "writer" and roles.depth_scaled:
        undone *= math.sqrt(deep)
    return replace(plain, std=plain.std * undone)


def parameter_factors(model: nn.Module, settings: TrainSettings) -> dict[str, Factors]:
    """The factors of every parameter by name.

    Raises:
        InterlawError: When the family has no roles, or no residual blocks for `completep` to scale; or when the network
            ties its head to its token table: one weight cannot follow two rules.
    """
    names = dict(model.named_parameters())
    rule = require_rule(settings.parametrization)
    if not rule.axes:
        return dict.fromkeys(names, Factors())
    roles: Roles | None = getattr(model, "roles", None)
    shape: Any = getattr(model, "shape", None)
    if roles is None:
        raise InterlawError(
            f"expected a family whose parameters have roles under {settings.parametrization}, found "
            f"{type(model).__name__}; use treatment = 'fixed' or 'search'"
        )
    if "depth" in rule.axes and not roles.writers:
        raise InterlawError(
            f"expected a family with residual blocks under {settings.parametrization}, found {type(model).__name__}; "
            "use treatment = 'mup' or 'search'"
        )
    if not any(roles.of(name, parameter) == "output" for name, parameter in names.items()):
        raise InterlawError(
            f"expected an untied head under {settings.parametrization}, found it tied to the token table; "
            "set tied = false, or use treatment = 'fixed' or 'search'"
        )
    return {
        name: factors(roles.of(name, parameter), settings, width=shape.width, depth=shape.depth, roles=roles)
        for name, parameter in names.items()
    }


@torch.no_grad()
def scale_initial_weights(model: nn.Module, settings: TrainSettings) -> None:
    """Multiplies fresh weights by their std factors, in place; vectors start at constants and keep them."""
    factors = parameter_factors(model, settings)
    for name, parameter in model.named_parameters():
        if parameter.dim() >= 2:
            parameter.mul_(factors[name].std)
