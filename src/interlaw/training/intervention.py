"""A term beside the loss that moves interaction itself, so that its effect on the loss can be told from its company.

Legend: g(x) = df/dx of a network with one output; A_1, A_2 the means of g g^T over the two halves of a batch.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from interlaw.errors import InterlawError
from interlaw.training.settings import Intervention


def intervention_term(model: nn.Module, inputs: Float[Tensor, "batch ..."], *, on: Intervention) -> Float[Tensor, ""]:
    """What is added to a batch's loss, before it is multiplied by the strength.

    `interaction`: <off A_1, off A_2> / (tr A_1 tr A_2), the scale-free AOFE at the input. The halves are independent,
    so the numerator has no bias, unlike the energy of one batch's mean. `trace`, the control: log(tr A_1 tr A_2) / 2,
    which moves the size of the gradients and leaves their directions alone.

    Args:
        model: A network with one output a sample.
        inputs: A batch of real-valued inputs, at least two.
        on: What the term is made of.

    Raises:
        InterlawError: The inputs are not real numbers, there are fewer than two, or there is more than one output.

    Example:
        A linear network has A = w w^T wherever it is measured: 1 - sum w^4 / (sum w^2)^2.

        >>> model = nn.Linear(2, 1)
        >>> _ = model.weight.data.copy_(torch.tensor([[1.0, 2.0]]))
        >>> round(intervention_term(model, torch.randn(6, 2), on="interaction").item(), 4)
        0.32
    """
    if not inputs.is_floating_point() or len(inputs) < 2:
        raise InterlawError(
            f"expected at least 2 real-valued inputs a batch for an intervention, found {len(inputs)} of "
            f"{inputs.dtype}; choose a regression task, or remove the part intervention"
        )
    x = inputs.detach().requires_grad_()
    y = model(x)
    if y.numel() != len(inputs):
        raise InterlawError(
            f"expected a network with one output for an intervention, found outputs of shape {tuple(y.shape[1:])}; "
            "choose a task with one target, or remove the part intervention"
        )
    (g,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    half = len(inputs) // 2
    first, second = (part.flatten(1) for part in (g[:half], g[half:]))
    A_1, A_2 = first.T @ first / len(first), second.T @ second / len(second)
    traces = A_1.trace() * A_2.trace()
    if on == "trace":
        return 0.5 * traces.log()
    return ((A_1 * A_2).sum() - (A_1.diagonal() * A_2.diagonal()).sum()) / traces
