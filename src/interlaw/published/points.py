"""The numbers behind the pictures of published models: what a figure would draw, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from interlaw.published.row import PublishedRow, Variant
from interlaw.published.selection import HOMOGENEOUS_PROTOCOL, select_models
from interlaw.published.table import published_rows


@dataclass(frozen=True, kw_only=True)
class RatioPoint:
    """One published model as a point of R against N, with its score where one was measured under the protocol.

    Attributes:
        name: The model.
        family: Its family.
        depth: Layers.
        width: d_model.
        params: N, total parameters.
        ratio: R, depth / width.
        tokens: Training tokens, where stated.
        score: MMLU-Pro in percent; None when the protocol was not run.
        at_chance: Whether the score cannot be told from guessing.
        size_bin: The narrow size bin, if any.
    """

    name: str
    family: str
    depth: int
    width: int
    params: int
    ratio: float
    tokens: float | None
    score: float | None
    at_chance: bool
    size_bin: str | None


def published_ratio_points(
    rows: Iterable[PublishedRow] | None = None,
    *,
    protocol: str = HOMOGENEOUS_PROTOCOL,
    variant: Variant = "base",
) -> list[RatioPoint]:
    """Every model of a table once, smallest first.

    Args:
        rows: The table; the built-in one when not given.
        protocol: Whose scores to show.
        variant: `base` or `inst`.

    Example:
        >>> points = published_ratio_points()
        >>> len(points), sum(point.score is not None for point in points)
        (105, 81)
    """
    rows = tuple(published_rows() if rows is None else rows)
    scored = {model.row.name: model for model in select_models(rows, protocol=protocol, variant=variant)}
    first = {row.name: row for row in reversed(rows)}
    points = []
    for name, row in first.items():
        model = scored.get(name)
        points.append(
            RatioPoint(
                name=name,
                family=row.family,
                depth=row.depth,
                width=row.width,
                params=row.params_total,
                ratio=row.ratio,
                tokens=row.tokens,
                score=model.score if model else None,
                at_chance=model.at_chance if model else False,
                size_bin=model.size_bin if model else None,
            )
        )
    return sorted(points, key=lambda point: (point.params, point.name))
