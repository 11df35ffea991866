"""The interaction interval: the range of shapes Pareto-optimal for (high aofe_ratio, low aofe), and what chance gives.

The loss is not an argument of anything that finds the interval; it enters only where the two intervals are compared.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from interlaw.laws.result import InteractionInterval, Overlap
from interlaw.laws.table import FloatArray


def pareto_front(aofe_ratio: FloatArray, aofe: FloatArray) -> NDArray[np.bool_]:
    """True where no other shape has a ratio at least as high and an energy at least as low, one of them strictly.

    Example:
        >>> import numpy as np
        >>> pareto_front(np.array([0.9, 0.8, 0.95]), np.array([1.0, 2.0, 3.0])).tolist()
        [True, False, True]
    """
    no_worse = (aofe_ratio[:, None] >= aofe_ratio[None, :]) & (aofe[:, None] <= aofe[None, :])
    better = (aofe_ratio[:, None] > aofe_ratio[None, :]) | (aofe[:, None] < aofe[None, :])
    return np.asarray(~(no_worse & better).any(axis=0), dtype=bool)


def interaction_interval(log_ratio: FloatArray, front: NDArray[np.bool_]) -> InteractionInterval:
    """Range of the front's ratios; `log_ratio` ascending, (n,)."""
    cells = cell_lengths(log_ratio)
    span = _between(front)
    return InteractionInterval(
        low=float(np.exp(log_ratio[front].min())),
        high=float(np.exp(log_ratio[front].max())),
        num_pareto=int(front.sum()),
        num_shapes=len(log_ratio),
        share_of_grid=float(cells[span].sum() / cells.sum()),
    )


def cell_lengths(log_ratio: FloatArray) -> FloatArray:
    """Length of the grid cell that each shape stands for: halfway to its neighbours, symmetric at the ends."""
    if len(log_ratio) < 2:
        return np.ones_like(log_ratio)
    gaps = np.maximum(np.diff(log_ratio), 1e-12)
    return np.convolve(np.concatenate([gaps[:1], gaps, gaps[-1:]]), [0.5, 0.5], mode="valid")


def overlap(
    log_ratio: FloatArray,
    front: NDArray[np.bool_],
    *,
    in_loss_interval: NDArray[np.bool_],
    best: int,
    num_permutations: int,
    rng: np.random.Generator,
) -> tuple[Overlap, FloatArray]:
    """Jaccard index of the two intervals with its permutation distribution.

    Shuffling the pairs (aofe_ratio, aofe) over the shapes leaves which pairs are on the front unchanged and moves only
    where they lie; so the null is the front's size dropped on random positions of the grid.

    Returns:
        The overlap, and the permuted Jaccard indices (num_permutations,), for pooling over budgets.
    """
    cells = cell_lengths(log_ratio)
    observed = float(_jaccard(_between(front)[None, :], in_loss_interval, cells)[0])
    order = rng.permuted(np.tile(np.arange(len(front)), (num_permutations, 1)), axis=1)[:, : int(front.sum())]
    positions = np.arange(len(front))
    spans = (positions >= order.min(axis=1)[:, None]) & (positions <= order.max(axis=1)[:, None])
    permuted = _jaccard(spans, in_loss_interval, cells)
    result = Overlap(
        jaccard=observed,
        chance=float(permuted.mean()),
        p_value=float((1 + (permuted >= observed - 1e-12).sum()) / (1 + num_permutations)),
        num_permutations=num_permutations,
        best_inside=bool(_between(front)[best]),
        chance_best_inside=float(spans[:, best].mean()),
    )
    return result, permuted


def _between(front: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Every position from the first to the last member of the front."""
    members = np.flatnonzero(front)
    positions = np.arange(len(front))
    return np.asarray((positions >= members[0]) & (positions <= members[-1]), dtype=bool)


def _jaccard(spans: NDArray[np.bool_], fixed: NDArray[np.bool_], cells: FloatArray) -> FloatArray:
    both = (spans & fixed) @ cells
    either = (spans | fixed) @ cells
    return np.asarray(both / either, dtype=np.float64)
