"""Where a user's own models lie among the published ones."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from interlaw.published.row import PublishedRow
from interlaw.published.selection import ScoredModel


@dataclass(frozen=True, kw_only=True)
class Placement:
    """One row that a user added.

    Attributes:
        row: The row.
        position: `below`, `inside` or `above` the claimed interval of R.
        compared: Whether its score is one of the comparison's (same protocol and variant).
        nearest: The compared models nearest in log N and log R, other than itself.
    """

    row: PublishedRow
    position: str
    compared: bool
    nearest: tuple[ScoredModel, ...]

    def to_dict(self) -> dict[str, Any]:
        """What the command's JSON says of it."""
        return {
            "name": self.row.name,
            "depth": self.row.depth,
            "width": self.row.width,
            "ratio": self.row.ratio,
            "params": self.row.params_total,
            "variant": self.row.variant,
            "protocol": self.row.protocol,
            "mmlu_pro": self.row.mmlu_pro,
            "position": self.position,
            "compared": self.compared,
            "nearest": [
                {
                    "name": model.row.name,
                    "ratio": model.row.ratio,
                    "params": model.row.params_total,
                    "mmlu_pro": model.score,
                }
                for model in self.nearest
            ],
        }


def place_rows(
    added: Iterable[PublishedRow], models: Sequence[ScoredModel], *, interval: tuple[float, float]
) -> tuple[Placement, ...]:
    """Places rows against an interval of R and the nearest models of a comparison.

    Args:
        added: A user's rows.
        models: The models compared (they may include the added ones).
        interval: The claimed interval of R.
    """
    by_name = {model.row.name: model for model in models}
    placements = []
    for row in added:
        others = [model.row for model in models if model.row.name != row.name]
        near = nearest_rows(others, params=row.params_total, ratio=row.ratio)
        position = "below" if row.ratio < interval[0] else "above" if row.ratio > interval[1] else "inside"
        used = by_name.get(row.name)
        placements.append(
            Placement(
                row=row,
                position=position,
                compared=used is not None and used.row is row,
                nearest=tuple(by_name[other.name] for other in near),
            )
        )
    return tuple(placements)


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
