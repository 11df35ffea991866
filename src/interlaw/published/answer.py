"""What a comparison says first: the claim, R at equal size and what could have been seen, training tokens."""

from __future__ import annotations

from collections.abc import Sequence

from interlaw.laws import POWER
from interlaw.published.association import ALL_SIZES, Association


def answer(associations: Sequence[Association], interval: tuple[float, float]) -> list[str]:
    """Three sentences; a size bin speaks for itself, for across all sizes R and the score both go with size."""
    bins = {one.bin for one in associations} - {ALL_SIZES} or {ALL_SIZES}
    of = {
        name: [one for one in associations if one.predictor == name and one.bin in bins]
        for name in ("claim_distance", "ratio", "log_tokens")
    }
    return [_claim(of["claim_distance"], interval), _ratio(of["ratio"]), _tokens(of["log_tokens"])]


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
