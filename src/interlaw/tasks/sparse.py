"""Sparse vectors of unit norm, the data of the double-descent toy (arXiv 2605.27989, after arXiv 2209.10652)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from interlaw.errors import InterlawError


@dataclass(frozen=True, kw_only=True)
class SparseRows:
    """A matrix X of mostly zeros by its nonzero entries, ordered by row and then by column.

    Attributes:
        num_rows: Samples.
        dim: Coordinates of a sample.
        row: Row of each entry.
        column: Column of each entry.
        value: The entries.
    """

    num_rows: int
    dim: int
    row: Int[Tensor, " entries"]
    column: Int[Tensor, " entries"]
    value: Float[Tensor, " entries"]

    def dense(self) -> Float[Tensor, "rows dim"]:
        """X itself."""
        X = self.value.new_zeros(self.num_rows, self.dim)
        X[self.row, self.column] = self.value
        return X


def draw_sparse_rows(num_rows: int, *, dim: int = 1000, density: float = 0.01, seed: int = 0) -> SparseRows:
    """Rows whose coordinates are uniform on [0, 1) with probability `density` and else 0, scaled to unit norm.

    A row without any nonzero coordinate stays zero.

    Raises:
        InterlawError: When the density is no probability above 0.

    Example:
        >>> rows = draw_sparse_rows(3, dim=50, density=0.2)
        >>> rows.dense().norm(dim=1)
        tensor([1.0000, 1.0000, 1.0000])
    """
    if not 0 < density <= 1:
        raise InterlawError(f"expected a density above 0 and at most 1, found {density}; 0.01 means 99% zeros")
    generator = torch.Generator().manual_seed(seed)
    kept = torch.rand(num_rows, dim, generator=generator) < density
    X = F.normalize(torch.rand(num_rows, dim, generator=generator) * kept, dim=1)
    row, column = X.nonzero(as_tuple=True)
    return SparseRows(num_rows=num_rows, dim=dim, row=row, column=column, value=X[row, column])
