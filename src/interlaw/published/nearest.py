"""Which published models are most like a shape: near in size and in depth-width ratio."""

from __future__ import annotations

import math
from collections.abc import Iterable

from interlaw.published.row import PublishedRow


def nearest_rows(rows: Iterable[PublishedRow], *, params: float, ratio: float, count: int = 3) -> list[PublishedRow]:
    """The models nearest to a shape in the plane of log N and log R, nearest first.

    Distance is sqrt((log N / N')^2 + (log R / R')^2): a factor of two in size weighs as much as one in ratio.

    Args:
        rows: Models to choose from; of rows of one name only the first counts.
        params: N, total parameters.
        ratio: R, depth / width.
        count: How many to return at most.

    Example:
        >>> from interlaw.published import published_rows
        >>> nearest_rows(published_rows(), params=1.2e9, ratio=16 / 2048, count=1)[0].name
        'OLMo-1B'
    """
    first = {row.name: row for row in reversed(list(rows))}

    def distance(row: PublishedRow) -> float:
        return math.hypot(math.log(row.params_total / params), math.log(row.ratio / ratio))

    return sorted(first.values(), key=lambda row: (distance(row), row.name))[:count]
