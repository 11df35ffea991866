"""R against the scores of published models: every predictor in every size bin, models of equal R, what to beware of."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np

from interlaw.laws import POWER
from interlaw.plain import Json
from interlaw.published.correlation import Array, Correlation, correlate, effective_number
from interlaw.published.placement import PAPER_INTERVAL, centre_of, position, require_interval
from interlaw.published.row import SIZE_BINS, PublishedRow, Variant
from interlaw.published.table import HOMOGENEOUS_PROTOCOL, check_consistent, scores_by_model

ALL_SIZES = "all"
Verdict = Literal["supports", "contradicts", "cannot tell", "not testable"]
FEWEST_ALIKE = 3  # models of equal R: two may be one recipe at two sizes


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


@dataclass(frozen=True, kw_only=True)
class SharedRatio:
    """Models of one size bin whose R is exactly the same: whatever separates their scores, it is not R."""

    bin: str
    ratio: float
    num_models: int
    lowest: float
    highest: float
    names: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Everything `interlaw compare` shows.

    Attributes:
        interval: The claimed interval of R.
        associations: One per size bin and predictor.
        shared_ratios: Groups of at least `FEWEST_ALIKE` models of equal R, largest first.
        models: The models compared, one row each.
        replicates: By a model's name, its further scores under the protocol: how well the protocol repeats.
        warnings: What a reader must know, in words.
    """

    interval: tuple[float, float]
    associations: tuple[Association, ...]
    shared_ratios: tuple[SharedRatio, ...]
    models: tuple[PublishedRow, ...]
    replicates: dict[str, tuple[float, ...]]
    warnings: tuple[str, ...]

    def answer(self) -> list[str]:
        """What R has to do with the score, in three sentences: the claim, R at equal size, training tokens.

        A size bin speaks for itself, for across all sizes R and the score both go with size.
        """
        bins = {one.bin for one in self.associations} - {ALL_SIZES} or {ALL_SIZES}
        of = {
            name: [one for one in self.associations if one.predictor == name and one.bin in bins]
            for name in ("claim_distance", "ratio", "log_tokens")
        }
        return [_claim(of["claim_distance"], self.interval), _ratio(of["ratio"]), _tokens(of["log_tokens"])]

    def to_dict(self) -> Json:
        """The keys of the command's JSON."""
        return {
            "answer": self.answer(),
            "claim": {
                "interval": list(self.interval),
                "centre": centre_of(self.interval),
                "predicts": "claim_distance correlates negatively with the score",
            },
            "associations": [asdict(association) for association in self.associations],
            "shared_ratios": [asdict(group) for group in self.shared_ratios],
            "models": [
                {
                    **row.model_dump(),
                    "ratio": row.ratio,
                    "params": row.params_total,
                    "train_tokens": row.tokens,
                    "bin": row.size_bin,
                    "replicates": list(self.replicates[row.name]),
                    "at_chance": row.at_chance,
                    "in_interval": position(row.ratio, self.interval) == "inside",
                }
                for row in self.models
            ],
            "warnings": list(self.warnings),
        }


def compare_models(
    rows: Iterable[PublishedRow],
    *,
    protocol: str = HOMOGENEOUS_PROTOCOL,
    variant: Variant = "base",
    interval: tuple[float, float] = PAPER_INTERVAL,
) -> Comparison:
    """Associations of R with MMLU-Pro per size bin, with controls.

    Args:
        rows: Models and scores; of several scores of one model under the protocol the first counts.
        protocol: The one protocol whose scores are used.
        variant: `base` or `inst`; the two are never mixed.
        interval: The interval of R that the claim calls efficient; its geometric mean is the centre.

    Returns:
        The comparison; see `Association` for each figure's meaning.

    Raises:
        InterlawError: When the interval is no interval, the table contradicts itself, or nothing has the protocol.

    Source:
        The claim is that of arXiv 2605.27989: published small dense models whose R lies near the efficient interval do
        better on MMLU-Pro.
    """
    interval, rows = require_interval(interval), tuple(rows)
    check_consistent(rows)
    scores = scores_by_model(rows, protocol=protocol, variant=variant)
    models = tuple(ones[0] for ones in scores.values())
    associations = tuple(
        associate(one, name, models=models, interval=interval)
        for one in (*SIZE_BINS, ALL_SIZES)
        for name in predictors(interval)
        if any(one in (model.size_bin, ALL_SIZES) for model in models)
    )
    return Comparison(
        interval=interval,
        associations=associations,
        shared_ratios=shared_ratios(models),
        models=models,
        replicates={name: tuple(row.score for row in ones[1:]) for name, ones in scores.items()},
        warnings=tuple(_warnings(models, protocol=protocol)),
    )


def shared_ratios(models: Sequence[PublishedRow]) -> tuple[SharedRatio, ...]:
    """Groups of models of one size bin that share R exactly, the largest group first."""
    groups: dict[tuple[str, float], list[PublishedRow]] = {}
    for model in sorted(models, key=lambda model: model.score):
        if model.size_bin is not None:
            groups.setdefault((model.size_bin, model.ratio), []).append(model)
    shared = [
        SharedRatio(
            bin=name,
            ratio=ratio,
            num_models=len(group),
            lowest=group[0].score,
            highest=group[-1].score,
            names=tuple(model.name for model in group),
        )
        for (name, ratio), group in groups.items()
        if len(group) >= FEWEST_ALIKE
    ]
    return tuple(sorted(shared, key=lambda group: -group.num_models))


def _warnings(models: Sequence[PublishedRow], *, protocol: str) -> Iterator[str]:
    """What a reader of the correlations must know."""
    if protocol != HOMOGENEOUS_PROTOCOL:
        yield f"only {HOMOGENEOUS_PROTOCOL!r} is one procedure for all models; {protocol!r} differs between sources"
    guessing = sum(model.at_chance for model in models)
    if guessing:
        kind = f"{len(models)} {models[0].variant} models"
        yield f"{guessing} of {kind} score no better than guessing: their order is noise"
    silent = sum(model.tokens is None for model in models)
    if silent:
        yield f"{silent} of {len(models)} models state no training tokens: they drop out of figures that need them"
    families = Counter(model.family_key for model in models)
    yield (
        f"models of one family share data and recipe: {len(models)} models of {len(families)} families count as about "
        f"{effective_number(families.values()):.0f}"
    )


def _claim(bins: Sequence[Association], interval: tuple[float, float]) -> str:
    """The verdict of each size bin, those alike together."""
    said = []
    for verdict in dict.fromkeys(str(one.verdict) for one in bins):
        alike = [one for one in bins if one.verdict == verdict]
        inside = _and([f"{one.num_in_interval} of {one.num_models} models" for one in alike])
        said.append(f"{verdict} at {_and([one.bin for one in alike])} ({inside} lie inside)")
    return f"Claim that models near R = {interval[0]:g} to {interval[1]:g} score better: {'; '.join(said)}."


def _ratio(bins: Sequence[Association]) -> str:
    """R given size, and the effect that the families of each bin could have shown."""
    shown = [one for one in bins if one.given_params.differs]
    lead = "these models cannot tell whether R goes with the score"
    if shown:
        lead = f"R goes with the score: {_values(shown, 'given_params')}"
    families = _and([str(one.given_params.num_families) for one in bins])
    seen = _and(["?" if (r := one.given_params.detectable) is None else f"{r:.2f}" for one in bins])
    return (
        f"At equal size {lead}. The {families} families of {_and([one.bin for one in bins])} could have shown a "
        f"correlation of {seen} ({POWER:.0%} power): a weaker one stays unseen."
    )


def _tokens(bins: Sequence[Association]) -> str:
    """Training tokens, which differ between models far more than R."""
    shown = [one for one in bins if one.pearson.differs]
    if not shown:
        return "These models cannot tell whether training tokens go with the score."
    return f"Training tokens go with the score: {_values(shown, 'pearson')}."


def _values(bins: Sequence[Association], statistic: str) -> str:
    return ", ".join(f"{getattr(one, statistic).text()} at {one.bin}" for one in bins)


def _and(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
