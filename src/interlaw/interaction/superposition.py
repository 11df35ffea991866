"""Superposition in parameter space: energies of W^T W, and its agreement with the AGOP at the layer's input.

Legend: W (out x in) a layer's weights; G (in x in) the averaged AGOP; E (V x d) an embedding table read as a layer on
one-hot inputs, so that W^T W = E E^T (V x V), which is never formed: its functionals follow from C = E^T E.
"""

from __future__ import annotations

from torch import Tensor, nn

from interlaw.errors import InterlawError
from interlaw.interaction.grams import haar_null
from interlaw.interaction.matrix import Energies, energies, energies_from


def kernel_of(module: nn.Module) -> Tensor | None:
    """W (out x in) of a linear, Conv1D (Hugging Face) or convolution layer, the table of an embedding; else None."""
    weight = getattr(module, "weight", None)
    if not isinstance(weight, Tensor) or weight.dim() < 2:
        return None
    if isinstance(module, nn.Linear | nn.Embedding):
        return weight.detach()
    if type(module).__name__ == "Conv1D":
        return weight.detach().T
    if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d) and module.groups == 1:
        return weight.detach().flatten(1)
    return None


def superposition(module: nn.Module) -> Energies:
    """Energies of W^T W, of E E^T for an embedding.

    Raises:
        InterlawError: The module has no weights of a known kind.

    Example:
        >>> import torch
        >>> layer = torch.nn.Linear(2, 2)
        >>> with torch.no_grad():
        ...     _ = layer.weight.copy_(torch.eye(2))
        >>> superposition(layer).aofe  # two features, a direction each
        0.0
    """
    W = kernel_of(module)
    if W is None:
        raise InterlawError(
            f"expected a linear, convolution or embedding layer, found {type(module).__name__}; name another layer"
        )
    W = W.double()
    if not isinstance(module, nn.Embedding):
        return energies(W.T @ W)
    diagonal = W.square().sum(1)
    return energies_from((W.T @ W).square().sum(), diagonal.square().sum(), diagonal.sum(), dim=len(W), null=haar_null)


def agreement(module: nn.Module, G: Tensor) -> tuple[float, float]:
    """Cosine of W^T W and G, plain and after the mean entry of each is taken away.

    For an embedding G is taken at its output, and E E^T is compared with E G E^T, the AGOP at one-hot inputs.

    Source: Radhakrishnan et al. 2022, arXiv 2212.13881 (the ansatz, and correlation as its measure).
    """
    W = kernel_of(module)
    assert W is not None
    W, G = W.double(), G.double()
    if not isinstance(module, nn.Embedding):
        first, second = W.T @ W, G
        products = (first * second).sum(), first.square().sum(), second.square().sum()
        sums, size = (first.sum(), second.sum()), first.numel()
    else:
        C, total = W.T @ W, W.sum(0)
        CG = C @ G
        # <E E^T, E G E^T> = tr(C C G) and ||E G E^T||^2 = tr(C G C G); sums of entries are 1^T E . E^T 1.
        products = (CG * C).sum(), C.square().sum(), (CG * CG.T).sum()
        sums, size = (total @ total, total @ G @ total), len(W) ** 2
    plain = products[0] / (products[1] * products[2]).sqrt()
    inner, *squares = (
        product - a * b / size for product, a, b in zip(products, (sums[0], *sums), (sums[1], *sums), strict=True)
    )
    spread = (squares[0] * squares[1]).clamp(min=0).sqrt()
    # One coordinate has no spread of entries: the correlation is undefined and reads 0.
    return float(plain), float(inner / spread) if float(spread) > 0 else 0.0
