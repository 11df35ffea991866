"""A term beside the loss that moves interaction, to tell its effect from that of what usually changes with it.

Legend: g the gradients at a network's input, one a sample or token; A_1, A_2 the means of g g^T over the two halves of
a batch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from interlaw.errors import InterlawError
from interlaw.training.settings import Intervention

LossOf = Callable[[nn.Module, Any], Tensor]


def intervention_term(
    model: nn.Module, batch: tuple[Tensor, ...], *, on: Intervention, loss: LossOf
) -> Float[Tensor, ""]:
    """What is added to a batch's loss, before it is multiplied by the strength.

    `interaction`: <off A_1, off A_2> / (tr A_1 tr A_2), the scale-free AOFE at the input. The halves are independent,
    so the numerator has no bias, unlike the energy of one batch's mean. `trace`, the control: log(tr A_1 tr A_2) / 2,
    which moves the size of the gradients and leaves their directions alone.

    Where the inputs are real numbers, g is the gradient of the network's one output, as in the view `input`. Where they
    are tokens, g is the gradient of the loss at their embeddings, as in the view `loss`.

    Args:
        model: A network with one output a sample, or one that embeds tokens.
        batch: Inputs, at least two, and their targets.
        on: What the term is made of.
        loss: The mean loss of a batch; used only where the inputs are tokens.

    Raises:
        InterlawError: There are fewer than two samples, more than one output, or no embeddings.

    Example:
        A linear network has A = w w^T wherever it is measured: 1 - sum w^4 / (sum w^2)^2.

        >>> model = nn.Linear(2, 1)
        >>> _ = model.weight.data.copy_(torch.tensor([[1.0, 2.0]]))
        >>> inputs, targets = torch.randn(6, 2), torch.randn(6, 1)
        >>> round(intervention_term(model, (inputs, targets), on="interaction", loss=nn.MSELoss()).item(), 4)
        0.32
    """
    if len(batch[0]) < 2:
        raise InterlawError(
            f"expected at least 2 samples a batch for an intervention, found {len(batch[0])}; raise batch_size"
        )
    of_output = batch[0].is_floating_point()
    g = _output_gradients(model, batch[0]) if of_output else _embedding_gradients(model, batch, loss=loss)
    half = len(g) // 2
    first, second = (part.reshape(-1, g.shape[-1]) for part in (g[:half], g[half:]))
    A_1, A_2 = first.T @ first / len(first), second.T @ second / len(second)
    # not trace(): its backward pass reads a number, which no CUDA graph can
    traces = A_1.diagonal().sum() * A_2.diagonal().sum()
    if on == "trace":
        return 0.5 * traces.log()
    return ((A_1 * A_2).sum() - (A_1.diagonal() * A_2.diagonal()).sum()) / traces


def _output_gradients(model: nn.Module, inputs: Tensor) -> Float[Tensor, "samples dim"]:
    """The gradient dy/dx of a network with one output a sample."""
    x = inputs.detach().requires_grad_()
    y = model(x)
    if y.numel() != len(inputs):
        raise InterlawError(
            f"expected a network with one output for an intervention, found outputs of shape {tuple(y.shape[1:])}; "
            "choose a task with one target, or remove the part intervention"
        )
    (g,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    return g.flatten(1)


def _embedding_gradients(
    model: nn.Module, batch: tuple[Tensor, ...], *, loss: LossOf
) -> Float[Tensor, "samples tokens width"]:
    """The loss's gradient at the embeddings, times the number of tokens: then of the scale of one token's loss."""
    layer = getattr(model, "get_input_embeddings", None)
    if layer is None:
        raise InterlawError(
            f"expected a network with get_input_embeddings for an intervention on tokens, found "
            f"{type(model).__name__}; remove the part intervention"
        )
    embeddings: list[Tensor] = []
    hook = layer().register_forward_hook(lambda _module, _inputs, h: embeddings.append(h))
    try:
        with sdpa_kernel(SDPBackend.MATH):  # torch's fused attention has no second derivative
            mean = loss(model, batch)
    finally:
        hook.remove()
    (g,) = torch.autograd.grad(mean, embeddings[0], create_graph=True)
    return g * batch[0].numel()
