"""Which rows enter a comparison: one protocol and variant, one score a model; size bins; scores near guessing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from interlaw.errors import InterlawError
from interlaw.published.row import PublishedRow, Variant

HOMOGENEOUS_PROTOCOL = "5-shot log-likelihood"
# Byte-level sweep of arXiv 2605.27989: these R are within 2 % of the best test loss at every budget from 1M to 10M.
PAPER_INTERVAL = (0.020, 0.065)

# MMLU-Pro has 12,032 questions with up to ten options; guessing reads about 11 % with raw accuracy. A score within
# three binomial standard errors of that cannot be told from guessing.
CHANCE_PERCENT = 11.0
NUM_QUESTIONS = 12_032


@dataclass(frozen=True, kw_only=True)
class SizeBin:
    """Models of similar size: low <= params_total < high."""

    name: str
    low: float
    high: float

    def __contains__(self, params: object) -> bool:
        """Whether a parameter count lies in the bin."""
        return isinstance(params, int | float) and self.low <= params < self.high


SIZE_BINS = (
    SizeBin(name="0.4-2.5B", low=0.4e9, high=2.5e9),
    SizeBin(name="2.5-5B", low=2.5e9, high=5e9),
    SizeBin(name="5-10B", low=5e9, high=10e9),
    SizeBin(name="all", low=0.0, high=math.inf),
)


@dataclass(frozen=True, kw_only=True)
class ScoredModel:
    """One model in a comparison: the row that counts, and its other scores under the same protocol and variant.

    Attributes:
        row: The row whose score is used.
        score: MMLU-Pro in percent.
        replicates: Further scores of the same model, protocol and variant: how well the protocol repeats.
    """

    row: PublishedRow
    score: float
    replicates: tuple[float, ...] = ()

    @property
    def at_chance(self) -> bool:
        """Whether the score cannot be told from guessing (see `chance_ceiling`)."""
        return self.score <= chance_ceiling()

    @property
    def size_bin(self) -> str | None:
        """The narrow size bin the model lies in, if any."""
        return next((one.name for one in SIZE_BINS[:-1] if self.row.params_total in one), None)


def chance_ceiling() -> float:
    """The score in percent up to which a model is marked as guessing: chance plus three binomial standard errors.

    Example:
        >>> round(chance_ceiling(), 2)
        11.86
    """
    chance = CHANCE_PERCENT / 100
    return 100 * (chance + 3 * math.sqrt(chance * (1 - chance) / NUM_QUESTIONS))


def select_models(
    rows: Iterable[PublishedRow], *, protocol: str = HOMOGENEOUS_PROTOCOL, variant: Variant = "base"
) -> tuple[ScoredModel, ...]:
    """One score a model, all of one protocol and variant.

    Several rows can carry the same model, variant and protocol (other laboratories repeat a run; the built-in table has
    22 such repeats among its base models). The first one counts, so put rows that should win first; the built-in table
    lists the Open LLM Leaderboard v2 first, so that one evaluator scored as many models as possible. The others are
    kept as `replicates`.

    Args:
        rows: The table; a user's rows before the built-in ones.
        protocol: The one protocol to use.
        variant: `base` or `inst`.

    Raises:
        InterlawError: When no row has that protocol and variant; the message lists what there is.
    """
    rows = list(rows)
    chosen: dict[str, PublishedRow] = {}
    repeats: dict[str, list[float]] = {}
    for row in rows:
        if row.mmlu_pro is None or row.protocol != protocol or row.variant != variant:
            continue
        if row.name in chosen:
            repeats[row.name].append(row.mmlu_pro)
        else:
            chosen[row.name], repeats[row.name] = row, []
    if not chosen:
        raise InterlawError(
            f"expected scores with protocol {protocol!r} and variant {variant!r}, found none; "
            f"the table holds: {describe_protocols(rows)}"
        )
    return tuple(
        ScoredModel(row=row, score=float(row.mmlu_pro or 0.0), replicates=tuple(repeats[name]))
        for name, row in chosen.items()
    )


def describe_protocols(rows: Sequence[PublishedRow]) -> str:
    """The protocols and variants of a table with their numbers of scores, in words."""
    counts: dict[tuple[str, str], int] = {}
    for row in rows:
        if row.mmlu_pro is not None:
            key = (row.protocol or "", row.variant or "")
            counts[key] = counts.get(key, 0) + 1
    return ", ".join(f"{protocol!r} {variant} ({count})" for (protocol, variant), count in sorted(counts.items()))
