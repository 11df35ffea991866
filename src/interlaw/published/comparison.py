"""The whole comparison of a table: every predictor in every size bin, models of equal R, what to beware of."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from interlaw.errors import InterlawError
from interlaw.published.association import Association, associate, predictors
from interlaw.published.row import PublishedRow, Variant
from interlaw.published.selection import HOMOGENEOUS_PROTOCOL, PAPER_INTERVAL, SIZE_BINS, ScoredModel, select_models
from interlaw.published.table import check_consistent


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
        shared_ratios: Groups of at least three models of equal R, largest first.
        models: The models compared, one each.
        warnings: What a reader must know, in words.
    """

    interval: tuple[float, float]
    associations: tuple[Association, ...]
    shared_ratios: tuple[SharedRatio, ...]
    models: tuple[ScoredModel, ...]
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The keys of the command's JSON."""
        return {
            "claim": {
                "interval": list(self.interval),
                "centre": math.sqrt(self.interval[0] * self.interval[1]),
                "predicts": "claim_distance correlates negatively with the score",
            },
            "associations": [asdict(association) for association in self.associations],
            "shared_ratios": [asdict(group) for group in self.shared_ratios],
            "models": [model_dict(model, self.interval) for model in self.models],
            "warnings": list(self.warnings),
        }


def compare_models(
    rows: Iterable[PublishedRow],
    *,
    protocol: str = HOMOGENEOUS_PROTOCOL,
    variant: Variant = "base",
    interval: tuple[float, float] = PAPER_INTERVAL,
    resamples: int = 2000,
    seed: int = 0,
) -> Comparison:
    """Associations of R with MMLU-Pro per size bin, with controls.

    Args:
        rows: Models and scores; of several scores of one model under the protocol, the first counts (`select_models`).
        protocol: The one protocol whose scores are used.
        variant: `base` or `inst`; the two are never mixed.
        interval: The interval of R that the claim calls efficient; its geometric mean is the centre.
        resamples: Bootstrap resamples and sign flips, each.
        seed: Of both.

    Returns:
        The comparison; see `Association` for each figure's meaning.

    Raises:
        InterlawError: When the interval is no interval, the table contradicts itself, or nothing has the protocol.

    Source:
        The claim is that of arXiv 2605.27989: published small dense models whose R lies near the efficient interval do
        better on MMLU-Pro.
    """
    if not 0 < interval[0] < interval[1] < math.inf:
        raise InterlawError(f"expected an interval 0 < low < high, found {interval[0]} to {interval[1]}; fix it")
    if resamples < 100:
        raise InterlawError(f"expected at least 100 resamples, found {resamples}; choose 2000 for a report")
    rows = tuple(rows)
    check_consistent(rows)
    models = select_models(rows, protocol=protocol, variant=variant)
    associations = tuple(
        associate(one, name, models, interval=interval, resamples=resamples, seed=seed)
        for one in SIZE_BINS
        for name in predictors(interval)
        if any(model.row.params_total in one for model in models)
    )
    return Comparison(
        interval=interval,
        associations=associations,
        shared_ratios=shared_ratios(models),
        models=models,
        warnings=_warnings(models, protocol=protocol, variant=variant, interval=interval),
    )


def shared_ratios(models: Sequence[ScoredModel], *, at_least: int = 3) -> tuple[SharedRatio, ...]:
    """Groups of models of one narrow size bin that share R exactly, the largest group first."""
    groups: dict[tuple[str, int, int], list[ScoredModel]] = {}
    for model in models:
        if model.size_bin is not None:
            divisor = math.gcd(model.row.depth, model.row.width)
            key = (model.size_bin, model.row.depth // divisor, model.row.width // divisor)
            groups.setdefault(key, []).append(model)
    shared = [
        SharedRatio(
            bin=name,
            ratio=depth / width,
            num_models=len(group),
            lowest=min(model.score for model in group),
            highest=max(model.score for model in group),
            names=tuple(model.row.name for model in sorted(group, key=lambda model: model.score)),
        )
        for (name, depth, width), group in groups.items()
        if len(group) >= at_least
    ]
    return tuple(sorted(shared, key=lambda group: -group.num_models))


def _warnings(
    models: Sequence[ScoredModel], *, protocol: str, variant: str, interval: tuple[float, float]
) -> tuple[str, ...]:
    """What a reader of the correlations must know."""
    notes = []
    if protocol != HOMOGENEOUS_PROTOCOL:
        notes.append(
            f"only {HOMOGENEOUS_PROTOCOL!r} is one procedure for all models; {protocol!r} differs between sources"
        )
    guessing = sum(model.at_chance for model in models)
    if guessing:
        notes.append(
            f"{guessing} of {len(models)} {variant} models score no better than guessing: their order is noise"
        )
    silent = sum(model.row.tokens is None for model in models)
    if silent:
        notes.append(
            f"{silent} of {len(models)} models state no training tokens: they drop out of figures that need them"
        )
    families = len({model.row.family_key for model in models})
    notes.append(
        f"models of one family share data and recipe: {len(models)} models count as about {families}, one a family"
    )
    for one in SIZE_BINS[:-1]:
        ratios = [model.row.ratio for model in models if model.row.params_total in one]
        if ratios and max(ratios) < interval[0]:
            notes.append(
                f"no model of {one.name} lies inside the claimed interval: nearer its centre only means larger R"
            )
    return tuple(notes)


def model_dict(model: ScoredModel, interval: tuple[float, float]) -> dict[str, Any]:
    """One model of the comparison as plain values."""
    row = model.row
    return {
        "name": row.name,
        "hf_id": row.hf_id,
        "family": row.family,
        "depth": row.depth,
        "width": row.width,
        "ratio": row.ratio,
        "params": row.params_total,
        "train_tokens": row.tokens,
        "bin": model.size_bin,
        "variant": row.variant,
        "protocol": row.protocol,
        "mmlu_pro": model.score,
        "replicates": list(model.replicates),
        "at_chance": model.at_chance,
        "in_interval": interval[0] <= row.ratio <= interval[1],
        "setting": row.setting,
        "score_source": row.score_source,
        "shape_source": row.shape_source,
    }
