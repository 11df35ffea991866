"""C4 of docs/claims.md on language models: d log R* / d log N of each public data set, over data sets, and of our own.

Legend: g gamma of a data set; s its standard error; tau spread of gamma between data sets; w = 1 / (s^2 + tau^2).
"""

from __future__ import annotations

from functools import cache

import claim_numbers as numbers
import numpy as np
import pandas as pd
from scipy import stats

from interlaw.laws import LawFit, fit_law, surface_optima
from interlaw.published import find_sweep
from interlaw.recommendation import measured_optima

TOGETHER = ("gemstones-half-rate", "mlfoundations-grid", "byte-level")  # one fit a data set
# The same Gemstones shapes before the rate is cooled down and after: no votes of their own.
BESIDE = ("gemstones-hot", "gemstones-cooldown")
OWN = "gpt-sizes"  # our GPTs whose grid was chosen for C4 (docs/design.md)
LEVEL = 0.9
UPPER = (1 + LEVEL) / 2
SURFACE_LEVEL = 0.8  # what a surface's 90% interval holds R* in (docs/law.md)
POWER = 0.8


@cache
def fit_of(name: str) -> LawFit:
    """The fit of a packaged sweep, without its tests of interaction."""
    table = find_sweep(name).table()
    return fit_law(table.drop(columns=["aofe", "aofe_ratio"], errors="ignore"))


def bound(name: str) -> tuple[float, float, float]:
    """Gamma with its interval by a fit that binds sizes together: the joint law, or surfaces where there is none.

    The surfaces of the table asked lie a factor of two about their size, and those that have an optimum share no shape.
    """
    law = fit_of(name).law
    if law is not None and law.status == "optimum":
        gamma = law.parameters["gamma"]
        return gamma.value, gamma.low, gamma.high
    places = [each for each in surface_optima(find_sweep(name).table()) if each.status == "optimum"]
    if len(places) != 2 or places[0].params * places[0].window >= places[1].params / places[1].window:
        raise ValueError(f"expected two surfaces without a shape in common in {name}, found others; weigh them")
    size, ratio, error = (
        np.array(each)
        for each in zip(*((np.log(e.params), np.log(e.ratio), e.log_stderr) for e in places), strict=True)
    )
    slope = float(np.diff(ratio)[0] / np.diff(size)[0])
    wider = stats.norm.ppf(UPPER) / stats.norm.ppf((1 + SURFACE_LEVEL) / 2)
    reach = float(stats.norm.ppf(UPPER) * wider * np.hypot(*error) / np.diff(size)[0])
    return slope, slope - reach, slope + reach


def slopes() -> pd.DataFrame:
    """Gamma of each data set by one fit of its own, and over data sets."""
    table = pd.DataFrame([(name, *bound(name)) for name in TOGETHER], columns=["dataset", "gamma", "low", "high"])
    stderr = (table["high"] - table["low"]) / (2 * stats.norm.ppf(UPPER))
    every = {
        "all data sets": pooled(table["gamma"], stderr),
        "all, with byte-level by its budgets": pooled(*by_its_budgets(table["gamma"], stderr)),
    }
    return pd.concat([table, pd.DataFrame([{"dataset": name, **mean} for name, mean in every.items()])])


def by_its_budgets(gammas: pd.Series, stderrs: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Gammas and errors with the last data set's, the byte-level sweep's, over the optima of its budgets."""
    alone = fit_of(TOGETHER[-1]).stability
    if alone.gamma is None or alone.low is None or alone.high is None:
        raise ValueError(
            "expected a slope over the budgets of the byte-level sweep, found none; leave this reading out"
        )
    stderr = (alone.high - alone.low) / (2 * stats.t.ppf(UPPER, alone.num_budgets - 2))
    return np.append(gammas[:-1], alone.gamma), np.append(stderrs[:-1], stderr)


def pooled(gammas: pd.Series | np.ndarray, stderrs: pd.Series | np.ndarray) -> dict[str, float]:
    """Random effects over data sets with Knapp and Hartung's interval, and what it would have seen with 80% power.

    tau^2 by moments (DerSimonian and Laird 1986), m = sum w g / sum w,

        stderr^2 = max(1, sum w (g - m)^2 / (K - 1)) / sum w,   m +- t_{K-1} stderr.

    Normal quantiles in place of Student's would hold the truth of three data sets in 93% to 78%, the less the more
    they differ. Never narrower than the plain interval (Röver, Knapp and Friede 2015), as `interlaw.laws` has it.
    """
    g, variance = np.asarray(gammas, dtype=float), np.asarray(stderrs, dtype=float) ** 2
    dof, weight = len(g) - 1, 1 / variance
    scatter = float(weight @ (g - np.average(g, weights=weight)) ** 2)
    tau = max(0.0, (scatter - dof) / float(weight.sum() - (weight**2).sum() / weight.sum()))
    weight = 1 / (variance + tau)
    mean = float(np.average(g, weights=weight))
    stderr = np.sqrt(max(1.0, float(weight @ (g - mean) ** 2) / dof) / weight.sum())
    reach, seen = (float(stderr * each) for each in stats.t.ppf([UPPER, POWER], dof))
    return {"gamma": mean, "low": mean - reach, "high": mean + reach, "seen": reach + seen, "tau": tau**0.5}


@cache
def own_fit() -> LawFit:
    """The fit of our GPTs, all budgets as one table."""
    return numbers.as_one(OWN)[0].fit


def seen_by(low: float, high: float) -> float:
    """The slope that an interval like this one excludes 0 for in 80% of such sweeps, by a normal law."""
    return (high - low) / 2 * (1 + stats.norm.ppf(POWER) / stats.norm.ppf(UPPER))


def own_optima() -> pd.DataFrame:
    """R* of our GPTs at each budget that bounds it."""
    bounded = [each for each in own_fit().budgets if each.r_star.status == "optimum"]
    return pd.DataFrame(
        {
            "dataset": "GPTs of this project",
            "params": [each.params_mean for each in bounded],
            "ratio": [each.r_star.value for each in bounded],
            "stderr": [each.r_star.log_stderr for each in bounded],
        }
    )


def public_optima() -> pd.DataFrame:
    """R* of the sweeps asked, size by size, with its standard error in log R; for the picture alone."""
    optima = [each for each in measured_optima() if each.counts and each.sweep in (*TOGETHER, *BESIDE)]
    return pd.DataFrame(
        {
            "dataset": [each.dataset for each in optima],
            "params": [each.params for each in optima],
            "ratio": [each.ratio for each in optima],
            "stderr": [each.log_stderr for each in optima],
        }
    )


def tell() -> None:
    """C4 on language models, printed: by fits that bind sizes together, and one budget at a time."""
    for line in slopes().itertuples():
        print(
            f"C4  {line.dataset}, sizes bound together: gamma = {line.gamma:+.2f} ({line.low:+.2f} to {line.high:+.2f})"
        )
        if np.isfinite(line.seen):
            print(f"C4  {line.dataset}: {line.seen:.2f} could be seen; tau = {line.tau:.2f}")
    for name in BESIDE:
        print("C4  {}, without a vote: gamma = {:+.2f} ({:+.2f} to {:+.2f})".format(name, *bound(name)))
    for name in (*TOGETHER, *BESIDE):
        print(f"C4  {name}, one budget at a time: {fit_of(name).stability.reason}")


def tell_own() -> None:
    """C4 on our GPTs as designed, printed, and one budget at a time beside it."""
    fit = own_fit()
    if fit.law is None or fit.law.status != "optimum":
        print(f"C4  {OWN}, sizes bound together: no joint law")
    else:
        gamma = fit.law.parameters["gamma"]
        print(
            f"C4  {OWN}, sizes bound together: gamma = {gamma.value:+.2f} ({gamma.low:+.2f} to {gamma.high:+.2f}), "
            f"{seen_by(gamma.low, gamma.high):.2f} could be seen"
        )
    print(f"C4  {OWN}, one budget at a time: {fit.stability.reason}")
    print(numbers.contexts_of(numbers.as_one(OWN)).round(4).to_string())
