"""Experiment `hundredfold` of docs/design.md: R* of MLPs from 5k to 500k, for C3 and C4."""

from __future__ import annotations

from functools import cache

import claim_numbers as numbers
import numpy as np
import pandas as pd

from interlaw.laws import FittedTable
from interlaw.laws.stability import MIN_BUDGETS, MIN_DECADES, meta_slope
from interlaw.reproduce.push import interval

NAME = "hundredfold"
WINDOW = 0.35  # losses are level within 10% over a tenfold in R; fixed in the design from the pilot's curves
LEAST_TARGETS = 5


def is_there() -> bool:
    """Whether the experiment has been run."""
    return (numbers.RESULTS / f"{NAME}.csv").exists()


@cache
def table() -> pd.DataFrame:
    """Its trials; the budgets of a target are one part."""
    runs = numbers.final(NAME)
    return runs.assign(part=runs["part"].str.rpartition("-")[0])


@cache
def targets(window: float = WINDOW) -> tuple[FittedTable, ...]:
    """One fit a target."""
    return tuple(numbers.fitted(table(), by="part", window=window))


@cache
def contexts(window: float = WINDOW) -> pd.DataFrame:
    """R* of the loss, and R of the most efficient interaction, of each target and budget."""
    found = numbers.contexts_of(targets(window))
    found["stderr"] = [each.r_star.log_stderr for part in targets(window) for each in part.fit.budgets]
    turn = turns()
    return found.assign(turn=[turn[context] for context in zip(found["source"], found["budget"], strict=True)])


def turns() -> pd.Series:
    """The turn of a parabola in log R through all shapes of a context, set to the grid's end where it lies beyond."""
    found = {}
    for context, runs in table().assign(loss=np.log(table()["loss"])).groupby(["part", "budget"], sort=False):
        shapes = runs.groupby("ratio")["loss"].mean()
        x = np.log(shapes.index.to_numpy())
        bend, slope, _ = np.polyfit(x, shapes.to_numpy(), 2)
        lowest = x[np.argmin(shapes.to_numpy())]
        found[context] = np.exp(np.clip(-slope / (2 * bend), x[0], x[-1]) if bend > 0 else lowest)
    return pd.Series(found)


def gammas(found: pd.DataFrame) -> pd.DataFrame:
    """Slopes d log R / d log N of each target: of R*, of the turns that need no bounds, and of the interaction."""
    rows = []
    for target, own in found.groupby("source", sort=False):
        bounded = own[own["status"] == "optimum"]
        size = np.log(bounded["params"].to_numpy())
        enough = len(bounded) >= MIN_BUDGETS and np.ptp(size) >= (MIN_DECADES - 0.05) * np.log(10)
        r_star = np.nan
        if enough:
            errors = bounded["stderr"].to_numpy(dtype=float)
            r_star = meta_slope(size, np.log(bounded["loss"].to_numpy()), errors=errors)[0]
        every = np.log(own["params"].to_numpy())
        straight = {name: np.polyfit(every, np.log(own[name]), 1)[0] for name in ("turn", "interaction")}
        rows.append({"target": target, "optima": len(bounded), "R*": r_star, **straight})
    return pd.DataFrame(rows)


def tell() -> None:
    """C3 and C4 as designed, printed."""
    for window in (WINDOW, 0.1):
        found = contexts(window)
        slopes = gammas(found)
        print(f"C4  hundredfold, window {window:g}\n{found.round(4).to_string()}\n{slopes.round(3).to_string()}")
        for name in ("R*", "turn", "interaction"):
            known = slopes[name].dropna().to_numpy()
            if len(known) < LEAST_TARGETS:
                print(f"C4  {name}: {len(known)} targets have a gamma, {LEAST_TARGETS} are needed")
                continue
            mean, low, high = interval(known)
            print(f"C4  {name}: gamma = {mean:+.3f} ({low:+.3f} to {high:+.3f}) over {len(known)} targets")
    gained = numbers.gains(table())
    for name in ("efficient", "lowest"):
        mean, low, high = numbers.mean_over_targets(gained, name)
        print(f"C3  hundredfold, gain over the mean shape, chosen by {name}: {mean:+.3f} ({low:+.3f} to {high:+.3f})")
