"""The kinds of interval by name: which statistic of the same K and H says how far the truth may lie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from interlaw.errors import InterlawError, did_you_mean
from interlaw.interaction.bootstrap import bootstrap
from interlaw.interaction.estimates import Estimate, jackknife
from interlaw.interaction.grams import Grams
from interlaw.interaction.null import NULLS, Null
from interlaw.interaction.result import Interaction

Intervals = Callable[..., dict[str, Estimate]]


def _jackknife(grams: Grams, *, null: Null, level: float, seed: int) -> dict[str, Estimate]:
    """Student's interval; nothing is drawn."""
    return jackknife(grams, null=null, level=level)


INTERVALS: dict[str, Intervals] = {
    "jackknife": _jackknife,
    "bootstrap-t": bootstrap,
    "percentile": partial(bootstrap, studentized=False),
}


def require_interval(kind: str) -> None:
    """Checks the name of a kind of interval."""
    if kind not in INTERVALS:
        near = did_you_mean(kind, INTERVALS)
        raise InterlawError(f"expected an interval among {', '.join(INTERVALS)}, found '{kind}'{near}")


def with_intervals(found: Interaction, kind: str, *, level: float | None = None, seed: int = 0) -> Interaction:
    """The measurement with other intervals; values and standard errors stay.

    Args:
        found: A measurement with its Gram matrices.
        kind: "jackknife", "bootstrap-t" or "percentile".
        level: Coverage; the measurement's own when None.
        seed: Seed of the resampling.

    Raises:
        InterlawError: No such kind, or the measurement came from JSON alone.

    Example:
        >>> import torch
        >>> from interlaw.interaction import measure
        >>> found = measure(torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh()), torch.randn(32, 3))
        >>> with_intervals(found, "bootstrap-t").aofe.value == found.aofe.value
        True
    """
    require_interval(kind)
    if found.grams is None:
        raise InterlawError("expected a measurement with its Gram matrices, found none; keep its .npz beside its .json")
    level = found.settings["level"] if level is None else level
    null = NULLS[found.settings["null"]]
    estimates: dict[str, Any] = INTERVALS[kind](found.grams, null=null, level=level, seed=seed)
    chance, excess = estimates.pop("null_ratio"), estimates.pop("excess_ratio")
    settings = {**found.settings, "level": level, "interval": kind}
    return replace(found, settings=settings, null=chance, excess=excess, **estimates)
