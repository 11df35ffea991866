"""The `bottleneck` view: the closed form for y = relu(x G_w + b) with G_w = W^T W, no differentiation needed.

Legend: W (k x D) the only weight; z = x G_w + b; s_n = 1(z_n > 0). The Jacobian is diag(s) G_w, and its output side is
A_n = diag(s_n) G_w G_w diag(s_n) = (G_w G_w) * (s_n s_n^T) elementwise; so G = (G_w G_w) * C, C_ij = P(z_i, z_j > 0).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from interlaw.errors import InterlawError
from interlaw.interaction.batches import LONE, Batch
from interlaw.interaction.options import Contribute, Options, View
from interlaw.interaction.place import Outputs, Places, output_tensor, require_finite
from interlaw.interaction.routes import Contribution
from interlaw.interaction.views import OF_OUTPUTS, ones


def bottleneck_view(options: Options, _: Outputs) -> Contribute:
    """Factors V_n = diag(s_n) W^T (W W^T)^(1/2), D x k, of the closed form.

    Source: the double-descent toy of arXiv 2605.27989, after Elhage et al. 2022, arXiv 2209.10652.
    """

    def contribute(places: Places, batch: Batch) -> dict[str, Contribution]:
        W, b = _weights(places.model)
        x = batch.inputs.get(LONE)
        if x is None or x.dim() != 2 or x.shape[1] != W.shape[1]:
            raise InterlawError(f"the bottleneck view needs inputs of shape (n, {W.shape[1]}); pass a tensor")
        z = x @ W.T @ W + b
        with torch.no_grad():
            y = output_tensor(places.model(x))
        if y.shape != z.shape or not torch.allclose(y, z.relu(), rtol=1e-3, atol=1e-5):  # of float32 sums over D
            raise InterlawError(
                "the bottleneck view is the closed form of y = relu(x W^T W + b), and this model computes something "
                "else; use the input view"
            )
        eigenvalues, Q = torch.linalg.eigh(W @ W.T)
        root = Q @ torch.diag(eigenvalues.clamp(min=0).sqrt()) @ Q.T
        V = W.T @ root
        factors = require_finite((z > 0).to(W)[:, :, None] * V)
        return {"input": Contribution(content=factors, weights=ones(factors), dim=W.shape[1], masked=V)}

    return contribute


def _weights(model: nn.Module) -> tuple[Tensor, Tensor]:
    """W (k, D) and b (D)."""
    W, b = getattr(model, "weight", None), getattr(model, "bias", None)
    if not isinstance(W, Tensor) or W.dim() != 2 or not isinstance(b, Tensor) or b.shape != W.shape[1:]:
        raise InterlawError("the bottleneck view needs a model with weight (k, D) and bias (D), one entry per input")
    return W.detach(), b.detach()


BOTTLENECK = View(start=bottleneck_view, place=None, useless=("layer", *OF_OUTPUTS))
