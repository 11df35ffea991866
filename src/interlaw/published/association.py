"""Does the depth-width ratio go with published models' scores, and does the paper's claim predict how?"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from interlaw.published.correlation import Array, Correlation, correlate
from interlaw.published.placement import centre_of
from interlaw.published.row import PublishedRow

ALL_SIZES = "all"
Verdict = Literal["supports", "contradicts", "cannot tell", "not testable"]


@dataclass(frozen=True, kw_only=True)
class Association:
    """How one predictor goes with the score, in one size bin, under one protocol.

    Attributes:
        bin: Name of the size bin.
        protocol: The one protocol of all scores.
        variant: `base` or `inst`.
        predictor: `ratio` R; `log_ratio`; `claim_distance` |log R - log of the interval's centre|; and, to compare
            with, `log_params` and `log_tokens`. None is held constant against itself.
        num_models: Models in the bin.
        num_families: Their families.
        num_in_interval: Models whose R lies inside the claimed interval.
        pearson: Pearson's correlation with the score.
        spearman: Spearman's.
        above_chance: Pearson's over the models that do better than guessing.
        given_params: Partial correlation given log N.
        given_params_and_tokens: Partial correlation given log N and log training tokens (fewer models state these).
        verdict: For `claim_distance`: `supports` where the intervals of both Pearson's and the partial correlation
            given log N lie below 0 (nearer the centre, better score), `contradicts` where both lie above 0,
            `not testable` where no model lies inside the interval, else `cannot tell`.
    """

    bin: str
    protocol: str
    variant: str
    predictor: str
    num_models: int
    num_families: int
    num_in_interval: int
    pearson: Correlation
    spearman: Correlation
    above_chance: Correlation
    given_params: Correlation
    given_params_and_tokens: Correlation
    verdict: Verdict | None = None

    def statistics(self) -> dict[str, Correlation]:
        """Its five correlations by name."""
        return {name: value for name, value in vars(self).items() if isinstance(value, Correlation)}


def predictors(interval: tuple[float, float]) -> dict[str, Callable[[PublishedRow], float]]:
    """The properties of a model that are set against its score."""
    centre = centre_of(interval)
    return {
        "ratio": lambda row: row.ratio,
        "log_ratio": lambda row: math.log(row.ratio),
        "claim_distance": lambda row: abs(math.log(row.ratio / centre)),
        "log_params": lambda row: math.log(row.params_total),
        "log_tokens": lambda row: math.log(row.tokens) if row.tokens else math.nan,
    }


def associate(
    size_bin: str, predictor: str, *, models: Sequence[PublishedRow], interval: tuple[float, float]
) -> Association:
    """One predictor in a size bin, or in `all`, that holds at least one of the models."""
    inside = [model for model in models if size_bin in (model.size_bin, ALL_SIZES)]
    columns = {name: np.array([value(model) for model in inside]) for name, value in predictors(interval).items()}
    score = np.array([model.score for model in inside])
    families = [model.family_key for model in inside]
    chance = np.array([model.at_chance for model in inside])

    def against(*controls: str, ranks: bool = False, only: Array | None = None) -> Correlation:
        others = [columns[name] for name in controls if name != predictor]
        x = columns[predictor] if only is None else np.where(only, columns[predictor], np.nan)
        return correlate(x, score, families=families, controls=others, ranks=ranks)

    pearson, given_params = against(), against("log_params")
    num_in_interval = sum(interval[0] <= model.ratio <= interval[1] for model in inside)
    return Association(
        bin=size_bin,
        protocol=str(inside[0].protocol),
        variant=str(inside[0].variant),
        predictor=predictor,
        num_models=len(inside),
        num_families=len(set(families)),
        num_in_interval=num_in_interval,
        pearson=pearson,
        spearman=against(ranks=True),
        above_chance=against(only=~chance),
        given_params=given_params,
        given_params_and_tokens=against("log_params", "log_tokens"),
        verdict=_verdict(num_in_interval, pearson, given_params) if predictor == "claim_distance" else None,
    )


def _verdict(num_in_interval: int, *correlations: Correlation) -> Verdict:
    """What the intervals say about a predicted negative sign; far from the interval, nearer only means deeper."""
    if not num_in_interval:
        return "not testable"
    if all(one.high is not None and one.high < 0 for one in correlations):
        return "supports"
    if all(one.low is not None and one.low > 0 for one in correlations):
        return "contradicts"
    return "cannot tell"
