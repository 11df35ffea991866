"""Experiments `hundredfold` and `searched` of docs/design.md: R* of MLPs from 5k to 500k, for C3 and C4.

python examples/figures/claim_hundredfold.py 100   # levels of gamma and its verdict in made experiments
"""

from __future__ import annotations

import sys
from functools import cache

import claim_numbers as numbers
import numpy as np
import pandas as pd
from scipy import stats

from interlaw.laws import FittedTable, LawFit, fit_law
from interlaw.laws.stability import MARGIN, MIN_BUDGETS, MIN_DECADES, meta_slope
from interlaw.report import Panel
from interlaw.report.law_figure import size_axis
from interlaw.report.look import FAINT, padded, ramp
from interlaw.report.marks import Spec, layered, legend, log_axis, marks, told_apart
from interlaw.size import counted, format_size
from interlaw_paper.push import interval

NAME, SEARCHED = "hundredfold", "searched"  # one rate carried over, and each shape's own
WINDOW = 0.35  # losses are level within 10% over a tenfold in R; fixed in the design from the pilot's curves
LEAST_TARGETS = 5
DECADES = MIN_DECADES - 0.049  # the fitted sizes of 5k and 50k differ by a factor of 9.91


@cache
def table(name: str = NAME) -> pd.DataFrame:
    """An experiment's trials; the budgets of a target are one part."""
    runs = numbers.final(name)
    return runs.assign(part=runs["target"])


@cache
def targets(name: str = NAME, *, window: float = WINDOW) -> tuple[FittedTable, ...]:
    """One fit a target."""
    return tuple(numbers.fitted(table(name), by="part", window=window))


@cache
def contexts(name: str = NAME, *, window: float = WINDOW) -> pd.DataFrame:
    """R* of the loss, and R of the most efficient interaction, of each target and budget."""
    optima = numbers.contexts_of(targets(name, window=window))
    turn = turns(table(name))
    return optima.assign(turn=[turn[context] for context in zip(optima["source"], optima["budget"], strict=True)])


def turns(runs: pd.DataFrame) -> pd.Series:
    """The turn of a parabola in log R through all shapes of a context, set to the grid's end where it lies beyond."""
    turned = {}
    for context, own in runs.assign(loss=np.log(runs["loss"])).groupby(["part", "budget"], sort=False):
        shapes = own.groupby("ratio")["loss"].mean()
        x = np.log(shapes.index.to_numpy())
        bend, slope, _ = np.polyfit(x, shapes.to_numpy(), 2)
        turned[context] = np.exp(np.clip(-slope / (2 * bend), x[0], x[-1]))
    return pd.Series(turned)


def gammas(window: float = WINDOW) -> pd.DataFrame:
    """Slopes d log R / d log N of each target: of R*, of the turns that need no bounds, and of the interaction."""
    rows = []
    for part, (target, own) in zip(
        targets(window=window), contexts(window=window).groupby("source", sort=False), strict=True
    ):
        size = np.log(own["params"].to_numpy())
        straight = {name: np.polyfit(size, np.log(own[name]), 1)[0] for name in ("turn", "interaction")}
        optima = optima_of(part.fit)
        rows.append({"target": target, "optima": len(optima), "R*": gamma(optima), **straight})
    return pd.DataFrame(rows)


def gamma(optima: pd.DataFrame) -> float:
    """The weighted slope of log R* on log N over a target's optima; NaN with too few, or too near in size."""
    size = np.log(optima["params"].to_numpy())
    if len(optima) < MIN_BUDGETS or np.ptp(size) < DECADES * np.log(10):
        return np.nan
    return meta_slope(size, np.log(optima["loss"].to_numpy()), errors=optima["stderr"].to_numpy(dtype=float))[0]


def optima_of(fit: LawFit) -> pd.DataFrame:
    """The budgets of a fit that bound an optimum, as `gamma` reads them."""
    return pd.DataFrame(
        [
            {"params": each.params_mean, "loss": each.r_star.value, "stderr": each.r_star.log_stderr}
            for each in fit.budgets
            if each.r_star.status == "optimum"
        ],
        columns=["params", "loss", "stderr"],
    )


def tell() -> None:
    """C3 and C4 as designed, printed."""
    for window in (WINDOW, 0.1):
        slopes = gammas(window)
        print(f"C4  hundredfold, window {window:g}")
        for shown in (contexts(window=window).round(4), slopes.round(3)):
            print(shown.to_string())
        for name in ("R*", "turn", "interaction"):
            known = slopes[name].dropna().to_numpy()
            if len(known) < LEAST_TARGETS:
                print(f"C4  {name}: {len(known)} targets have a gamma, {LEAST_TARGETS} are needed")
                continue
            mean, low, high = interval(known)
            print(f"C4  {name}: gamma = {mean:+.3f} ({low:+.3f} to {high:+.3f}) over {len(known)} targets")
    tell_gains(NAME)


def tell_gains(name: str, runs: pd.DataFrame | None = None) -> None:
    """What the most efficient shape is worth, printed as designed, and what that hangs on.

    Args:
        name: The experiment.
        runs: Its trials, where they are not those of `table`.
    """
    runs = table(name) if runs is None else runs
    gained = numbers.gains(runs)
    readings = {
        "over the mean shape, chosen by efficiency": (gained, "efficient"),
        "over the mean shape, chosen by loss": (gained, "lowest"),
        "without each grid's first and last shape": (numbers.gains(numbers.inside(runs)), "efficient"),
        "by the excess over chance alone": (numbers.gains(runs, quantities=["excess_ratio"]), "efficient"),
    }
    for words, (each, rule) in readings.items():
        mean, low, high = numbers.mean_over_targets(each, rule)
        print(f"C3  {name}, gain {words}: {mean:+.3f} ({low:+.3f} to {high:+.3f})")
    targets = gained.groupby("part")["efficient"].mean().sort_values()
    p_value = stats.binomtest(int((targets < 0).sum()), len(targets)).pvalue
    print(f"C3  {name}, a target: {' '.join(f'{each:+.3f}' for each in targets)}; median {targets.median():+.3f}")
    ends, count = numbers.at_ends(runs)
    print(f"C3  {name}, mean gain where an end is chosen: {numbers.gain_at_ends(runs, gained):+.3f}")
    print(
        f"C3  {name}: sign test p = {p_value:.2g}; the most efficient shape is at an end in {ends} of {count} contexts"
    )


def tell_searched() -> None:
    """C3 with each shape's own rate, and R* beside that of the carried rate."""
    own, carried = (contexts(name).set_index(["source", "budget"]) for name in (SEARCHED, NAME))
    print(own.round(4).to_string())
    tell_gains(SEARCHED)
    for column, which in (("loss", "R*, where both rates bound it"), ("turn", "turn of the parabola")):
        both = np.log(own[column] / carried[column])
        if column == "loss":
            both = both[(own["status"] == "optimum") & (carried["status"] == "optimum")]
        both = both.dropna()
        mean, low, high = interval(both.groupby("source").mean().to_numpy())
        print(f"C3  log {which}, own rates over carried: {mean:+.3f} ({low:+.3f} to {high:+.3f}), {len(both)} contexts")
    index = ["part", "budget", "depth", "seed"]
    losses = [np.log(table(name).set_index(index)["loss"]) for name in (SEARCHED, NAME)]
    gained = (losses[1] - losses[0]).dropna().groupby(["budget", "depth"]).mean()
    print(
        "C3  log loss with the carried rate less that with the own rate\n"
        + gained.unstack("budget").round(3).to_string()
    )


def label(name: str = NAME) -> str:
    """The experiment in a few words."""
    sizes = [format_size(table(name)["budget"].agg(end)) for end in ("min", "max")]
    rates = ", own rates" if name == SEARCHED else ""
    return f"MLPs, {counted(len(targets(name)), 'target')}, {' to '.join(sizes)}{rates}"


def seeds() -> str:
    """How many seeds a shape has."""
    counts = table().groupby(["part", "budget", "depth"])["seed"].nunique()
    return " to ".join(str(each) for each in dict.fromkeys((counts.min(), counts.max())))


def bounded() -> pd.DataFrame:
    """Contexts whose optimum is bounded on both sides, with the layers of their target."""
    optima = contexts()
    return optima.assign(layers=optima["source"].str.extract(r"layers-(\d)")[0])[optima["status"] == "optimum"]


def by_layers(optima: pd.DataFrame) -> Spec:
    """A shade for each number of layers of the targets."""
    names = sorted(optima["layers"].unique())
    return told_apart("layers", names, looks=ramp(len(names)), key=legend("layers of sines"))


def optima_panel(optima: pd.DataFrame, y: Spec) -> Panel:
    """R* of every target against parameters, a line a target where optima are bounded."""
    rows = optima.assign(params=optima["budget"], ratio=optima["loss"]).to_dict("records")
    place: Spec = {"x": "params", "y": "ratio", "color": by_layers(optima)}
    chart = layered(
        size_axis(
            padded(optima["budget"], log=True), {size: format_size(size) for size in sorted(optima["budget"].unique())}
        ),
        y,
        marks(rows, "rule", x="params", y="low", y2="high", color=FAINT),
        marks(rows, "line", **place, detail="source", strokeWidth=1.5, opacity=0.7),
        marks(rows, "circle", **place, size=60, opacity=0.9),
    )
    return Panel(chart=chart, title=f"MLPs, {counted(optima['source'].nunique(), 'target')}", width=330, height=300)


def tracking_panel(limits: tuple[float, float]) -> Panel:
    """R of the most efficient interaction against R* of the loss, a point a context with an optimum."""
    optima = bounded()
    place: Spec = {"x": "loss", "y": "interaction"}
    chart = layered(
        log_axis("loss", "R* of the lowest loss", limits=limits),
        log_axis("interaction", "R of the most efficient interaction", limits=limits),
        marks(
            [dict.fromkeys(place.values(), end) for end in limits],
            "line",
            **place,
            clip=True,
            color=FAINT,
            strokeDash=[4, 3],
        ),
        marks(optima.to_dict("records"), "circle", **place, color=by_layers(optima), size=70, opacity=0.9),
    )
    return Panel(chart=chart, title=f"{counted(len(optima), 'context')} with an optimum")


def made(rng: np.random.Generator, slope_of_all: float = 0.0) -> pd.DataFrame:
    """The budgets that every target has, with a known gamma: curves like those seen, turned on one line a target.

    Each context keeps the bend and height of its own parabola in log R; each run has the noise of its seed and its own.
    """
    runs = table()
    shared = runs.groupby("budget")["part"].transform("nunique") == runs["part"].nunique()
    runs = runs[shared].copy()
    logs = np.log(runs["loss"])
    of_seed = logs.groupby([runs["part"], runs["budget"], runs["seed"]]).transform("mean")
    own = logs - logs.groupby([runs["part"], runs["budget"], runs["depth"]]).transform("mean")
    of_seed = of_seed - logs.groupby([runs["part"], runs["budget"]]).transform("mean")
    spreads = of_seed.std(), (own - of_seed).std()
    for _, target in runs.groupby("part"):
        turned = []
        for budget, context in target.groupby("budget"):
            x = np.log(context["ratio"])
            bend, slope, height = np.polyfit(x, logs[context.index], 2)
            turn, size = -slope / (2 * bend), np.log(budget)
            turned.append((context.index, x, bend, turn, height - slope**2 / (4 * bend), size))
        middle, middle_size = np.mean([each[3] for each in turned]), np.mean([each[5] for each in turned])
        for index, x, bend, _, lowest, size in turned:
            at = middle + slope_of_all * (size - middle_size)
            noise = rng.normal(scale=spreads[0], size=runs["seed"].max() + 1)[runs.loc[index, "seed"]]
            noise += rng.normal(scale=spreads[1], size=len(index))
            runs.loc[index, "loss"] = np.exp(lowest + bend * (x - at) ** 2 + noise)
    return runs[["part", "budget", "params", "depth", "width", "seed", "loss"]]


def level(draws: int) -> None:
    """How often gamma's interval holds the true one, and how often "stays put" is said, of 0 and of the margin."""
    for true in (0.0, -MARGIN, MARGIN):
        rng = np.random.default_rng(0)
        told, counts = [], []
        for _ in range(draws):
            parts = made(rng, true).groupby("part")
            slopes = np.array([gamma(optima_of(fit_law(own, window=WINDOW, num_bootstrap=200))) for _, own in parts])
            known = slopes[np.isfinite(slopes)]
            counts.append(len(known))
            if len(known) >= LEAST_TARGETS:
                told.append(interval(known))
        mean, low, high = np.array(told).T
        print(
            f"C4  {len(told)} made experiments with gamma = {true:+.1f}: {np.mean(counts):.1f} targets have one, mean "
            f"{mean.mean():+.3f}, spread {mean.std():.3f}; the 90% interval holds it in "
            f"{np.mean((low <= true) & (true <= high)):.0%}, lies inside the margin in "
            f"{np.mean((low > -MARGIN) & (high < MARGIN)):.0%}"
        )


if __name__ == "__main__":
    level(int(sys.argv[1]))
