"""The whole comparison of a table: every predictor in every size bin, models of equal R, what to beware of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass

from interlaw.plain import Json
from interlaw.published.answer import answer
from interlaw.published.association import ALL_SIZES, Association, associate, predictors
from interlaw.published.correlation import effective_number
from interlaw.published.placement import PAPER_INTERVAL, centre_of, position, require_interval
from interlaw.published.row import SIZE_BINS, PublishedRow, Variant
from interlaw.published.selection import HOMOGENEOUS_PROTOCOL, scores_by_model
from interlaw.published.table import check_consistent

FEWEST_ALIKE = 3  # models of equal R: two may be one recipe at two sizes


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
        """What R has to do with the score, in three sentences: the claim, R at equal size, training tokens."""
        return answer(self.associations, self.interval)

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


def shared_ratios(models: Sequence[PublishedRow], *, at_least: int = FEWEST_ALIKE) -> tuple[SharedRatio, ...]:
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
        if len(group) >= at_least
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
