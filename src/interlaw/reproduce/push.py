"""Does interaction cause loss? MLPs trained with a term that moves it, each beside its twin without the term.

A pair is one shape and one seed at the strengths +s and -s. Its elasticity is the difference of log loss over that of
log scale-free AOFE: a derivative at zero, whatever the curvature. The curvature is told beside it: what moving costs
in either direction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from interlaw.reproduce.agreement import Agreement, claim
from interlaw.reproduce.outcome import Driver, Outcome, Scale
from interlaw.reproduce.shape_sweep import Part, run_part

STRENGTHS = (0.1, 0.03)
MARGIN = 0.1  # ten times as much interaction for a quarter more loss: less is no cause that one would design for
CONFIDENCE = 0.9
_WRITTEN = '[intervention]\non = "interaction"\nstrength = 0.1\n'
_MOVED = {"interaction": "aofe_scale_free", "trace": "trace"}


@dataclass(frozen=True, kw_only=True)
class Effect:
    """What an intervention of one strength did, over pairs.

    Attributes:
        on: What was moved.
        strength: How strongly, both ways.
        num_pairs: Pairs of shape and seed.
        moved: Mean of log(quantity at +s / quantity at -s).
        elasticity: Mean of d log loss / d log quantity.
        low: Lower end of its t interval.
        high: Upper end.
        cost: Mean of log loss at +s and -s less that at 0.
        cost_low: Lower end of its t interval.
        cost_high: Upper end.
        detectable: Elasticity that 80% power at one-sided 5% would show.
    """

    on: str
    strength: float
    num_pairs: int
    moved: float
    elasticity: float
    low: float
    high: float
    cost: float
    cost_low: float
    cost_high: float
    detectable: float

    def __str__(self) -> str:
        """The effect in words."""
        return (
            f"{self.on} moved by {np.expm1(self.moved):+.0%} between the two: elasticity {self.elasticity:+.2f} "
            f"({self.low:+.2f} to {self.high:+.2f}), {self.detectable:.2f} could be seen; moving costs "
            f"{np.expm1(self.cost):+.1%} of the loss ({np.expm1(self.cost_low):+.1%} to "
            f"{np.expm1(self.cost_high):+.1%}), {self.num_pairs} pairs"
        )


def parts() -> tuple[Part, ...]:
    """The plain runs, then both interventions, the strong ones first."""
    moved = [(on, sign * strength) for strength in STRENGTHS for on in _MOVED for sign in (1, -1)]
    return (
        Part(label="none", recipe="push", changes=((_WRITTEN, ""), ("interaction at 0.1", "no intervention"))),
        *(
            Part(
                label=f"{on}{strength:+g}",
                recipe="push",
                changes=(
                    ("interaction at 0.1", f"{on} at {strength:g}"),
                    (_WRITTEN, f'[intervention]\non = "{on}"\nstrength = {strength:g}\n'),
                ),
            )
            for on, strength in moved
        ),
    )


def run_push(*, scale: Scale, out: Path, driver: Driver) -> Outcome:
    """Runs what is missing and tests claim C1.

    Args:
        scale: Which recipe.
        out: The experiment's folder, a sweep a strength.
        driver: How sweeps are run.

    Raises:
        WorkFailedError: No trial of a strength ended well.
    """
    results = {
        part.label: run_part(part, name=f"push: {part.label}", scale=scale, out=out / part.label, driver=driver)
        for part in parts()
    }
    table = pd.concat([result.table for result in results.values()], ignore_index=True)
    effects = measured_effects(table)
    columns = ["depth", "width", "seed", "intervention", "strength", "loss", "aofe_scale_free", "aofe_ratio", "trace"]
    return Outcome(
        experiment="push",
        scale=scale,
        setting=(
            f"MLPs trained beside a term that moves interaction at the input, or the gradients' size for control; "
            f"{len(table)} trials, {table['seconds'].sum():.0f} s of training."
        ),
        agreement=tuple(judged(effects)),
        table=tuple(
            {str(name): value for name, value in row.items()} for row in table[columns].to_dict(orient="records")
        ),
        lost=tuple(f"{label}: {line}" for label, result in results.items() for line in result.lost),
    )


def measured_effects(table: pd.DataFrame) -> list[Effect]:
    """The effect of each strength of each intervention, strongest first.

    Args:
        table: One row a trial: depth, width, seed, loss, aofe_scale_free, trace, and intervention and strength, both
            missing in the plain runs.
    """
    pairs = ["depth", "width", "seed"]
    plain = table[table["intervention"].isna()].set_index(pairs)
    effects = []
    for on, quantity in _MOVED.items():
        own = table[table["intervention"] == on]
        for strength in sorted(set(own["strength"].abs()), reverse=True):
            up, down = (own[own["strength"] == sign * strength].set_index(pairs) for sign in (1, -1))
            common = up.index.intersection(down.index).intersection(plain.index)
            if len(common) < 2:
                continue
            log = {name: (np.log(up.loc[common, name]), np.log(down.loc[common, name])) for name in ("loss", quantity)}
            moved = (log[quantity][0] - log[quantity][1]).to_numpy()
            loss_moved = (log["loss"][0] - log["loss"][1]).to_numpy()
            cost = ((log["loss"][0] + log["loss"][1]) / 2 - np.log(plain.loc[common, "loss"])).to_numpy()
            elasticity, low, high = interval(loss_moved / moved.mean())
            effects.append(
                Effect(
                    on=on,
                    strength=strength,
                    num_pairs=len(common),
                    moved=float(moved.mean()),
                    elasticity=elasticity,
                    low=low,
                    high=high,
                    **dict(zip(("cost", "cost_low", "cost_high"), interval(cost), strict=True)),
                    detectable=detectable(loss_moved / moved.mean()),
                )
            )
    return effects


def judged(effects: Sequence[Effect]) -> list[Agreement]:
    """Claim C1 from the strongest push of interaction, and the others beside it for what they are."""
    lines = []
    for place, effect in enumerate(effects):
        holds = None
        if place == 0 and effect.on == "interaction":
            is_negligible = effect.low > -MARGIN and effect.high < MARGIN
            holds = False if is_negligible or effect.high < 0 else True if effect.low > 0 else None
        lines.append(
            claim(
                f"{effect.on} at strength {effect.strength:g}",
                published="interaction drives loss" if effect.on == "interaction" else "(control)",
                ours=str(effect),
                holds=holds,
                rule=(
                    f"the {CONFIDENCE:.0%} interval of the strongest push's elasticity lies above 0; it does not hold "
                    f"where the interval lies below 0 or within {MARGIN} of it"
                ),
            )
        )
    return lines


def interval(values: np.ndarray) -> tuple[float, float, float]:
    """Mean and its t interval."""
    mean, stderr = float(np.mean(values)), float(stats.sem(values))
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1)) * stderr
    return mean, mean - reach, mean + reach


def detectable(values: np.ndarray) -> float:
    """The mean that a one-sided t test at 5% shows with 80% power (normal approximation of the noncentral t)."""
    dof = len(values) - 1
    return float(stats.t.ppf(0.95, dof) + stats.t.ppf(0.8, dof)) * float(stats.sem(values))
