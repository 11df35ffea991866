"""Experiment `hundredfold` of docs/design.md: R* of MLPs from 5k to 500k, for C3 and C4."""

from __future__ import annotations

from functools import cache

import altair as alt
import claim_numbers as numbers
import numpy as np
import pandas as pd

from interlaw.laws import FittedTable
from interlaw.laws.stability import MIN_BUDGETS, MIN_DECADES, meta_slope
from interlaw.report.look import FAINT, SERIES
from interlaw.reproduce.push import interval

NAME = "hundredfold"
WINDOW = 0.35  # losses are level within 10% over a tenfold in R; fixed in the design from the pilot's curves
LEAST_TARGETS = 5


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


def panel() -> alt.LayerChart:
    """R* of every target against parameters, a line a target where optima are bounded, and their means."""
    found = bounded()
    x = alt.X(
        "budget",
        title="parameters",
        scale=alt.Scale(type="log", nice=False, padding=16),
        axis=alt.Axis(values=sorted(found["budget"].unique()), format="~s"),
    )
    scale = alt.Scale(type="log", domain=[0.013, 2])
    y = alt.Y("loss", title="R* = depth / width of the lowest loss", scale=scale, axis=alt.Axis(values=TICKS))
    colour = alt.Color("layers", title=None, scale=alt.Scale(range=list(SERIES)))
    base = alt.Chart(found).encode(x=x)
    lines = base.mark_line(strokeWidth=1.5, opacity=0.6).encode(y=y, color=colour, detail="source")
    reach = base.mark_rule(strokeWidth=1, color=FAINT).encode(y=alt.Y("low", scale=scale), y2="high")
    points = base.mark_circle(size=60, opacity=0.9).encode(y=y, color=colour)
    return (reach + lines + points).properties(width=330, height=300, title="MLPs, nine targets")


def tracking_panel() -> alt.LayerChart:
    """R of the most efficient interaction against R* of the loss, a point a context with an optimum."""
    found = bounded()
    scale = alt.Scale(type="log", domain=[0.005, 3])
    axis = alt.Axis(values=[0.01, 0.03, 0.1, 0.3, 1])
    x = alt.X("loss", title="R* of the lowest loss", scale=scale, axis=axis)
    y = alt.Y("interaction", title="R of the most efficient interaction", scale=scale, axis=axis)
    same = pd.DataFrame({"loss": [0.005, 3], "interaction": [0.005, 3]})
    line = alt.Chart(same).mark_line(color=FAINT, strokeDash=[4, 3]).encode(x=x, y=y)
    colour = alt.Color("layers", title=None, scale=alt.Scale(range=list(SERIES)))
    points = alt.Chart(found).mark_circle(size=70, opacity=0.9).encode(x=x, y=y, color=colour)
    return (line + points).properties(width=300, height=300, title="contexts with an optimum, 9 targets")


def bounded() -> pd.DataFrame:
    """Contexts whose optimum is bounded on both sides, with the layers of their target."""
    found = contexts()
    layers = found["source"].str.extract(r"layers-(\d)")[0] + " layers of sines"
    return found.assign(layers=layers)[found["status"] == "optimum"]


TICKS = [0.02, 0.05, 0.1, 0.2, 0.5, 1]
