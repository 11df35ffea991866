"""C6 of docs/claims.md: what a wrong R costs, and how large a cost the same reading shows at R* itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from claim_slopes import fit_of

from interlaw.laws import FittedTable, LawFit
from interlaw.published import find_sweep
from interlaw.recommendation import measured_pool
from interlaw_paper.push import interval

FACTORS = tuple(2.0 ** np.arange(-3, 3.01, 0.25))
RULES = ("width / depth = 64", "R = 0.036", "pooled R*(N)")
PUBLIC = ("gemstones-hot", "gemstones-cooldown", "gemstones-half-rate", "byte-level")
SHOWN = (0.25, 0.5, 1.0, 2.0, 4.0)  # factors of the table
AT_BEST = "1 R*"


def regrets(own: Mapping[str, Sequence[FittedTable]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What a wrong R costs, per cent of the curve's minimum, at each budget that has an optimum.

    Losses between two measured shapes are read off the straight line in log R. The compute that a loss is worth comes
    from the sweep's own lowest losses against its budgets: parameters and tokens grow together in the byte-level sweep,
    parameters alone in the Gemstones. `pooled R*(N)` is the rule behind `recommend`, in which public sweeps take part.

    Returns:
        Loss at R* times each of `FACTORS`, and at the R of each of `RULES`, one row each. Rows of one `unit` (a size of
        a public sweep, a target of our own) share more than chance: shapes, or what is learned.
    """
    pool = measured_pool()
    fits = [(find_sweep(name).dataset, None, fit_of(name)) for name in PUBLIC]
    fits += [(label, part.source, part.fit) for label, parts in own.items() for part in parts]
    curves, ruled = [], []
    for source, target, fit in fits:
        worth = None if source in own else compute_slope(fit, with_tokens=source == "Sun byte-level GPT")
        for budget in fit.budgets:
            if budget.r_star.status != "optimum" or budget.r_star.value is None or budget.curve is None:
                continue
            points = sorted((point.ratio, point.adjusted) for point in budget.points)
            ratios, losses = (np.array(each) for each in zip(*points, strict=True))
            best = min(budget.curve.loss)

            def cost(ratio: float, at: np.ndarray = ratios, loss: np.ndarray = losses, lowest: float = best) -> float:
                inside = at[0] <= ratio <= at[-1]
                return 100 * float(np.interp(np.log(ratio), np.log(at), loss) / lowest - 1) if inside else np.nan

            name = {"sweep": source, "unit": target or f"{budget.budget:g}", "params": budget.budget, "worth": worth}
            curves += [{**name, "factor": each, "cost": cost(budget.r_star.value * each)} for each in FACTORS]
            asked = (1 / 64, 0.036, pool.predict(budget.params_mean).ratio)
            ruled += [
                {**name, "rule": rule, "ratio": ratio, "cost": cost(ratio)}
                for rule, ratio in zip(RULES, asked, strict=True)
                if source not in own  # rules are made for language models
            ]
    return pd.DataFrame(curves), pd.DataFrame(ruled)


def compute_slope(fit: LawFit, *, with_tokens: bool) -> float:
    """D log L / d log C of a sweep's lowest losses, C the training compute."""
    budgets = [each for each in fit.budgets if each.curve is not None]
    size = np.log([each.params_mean for each in budgets])
    loss = np.log([min(each.curve.loss) for each in budgets if each.curve is not None])
    return float(np.polyfit(size, loss, 1)[0]) / (2.0 if with_tokens else 1.0)


def equivalent_compute(cost: pd.Series, worth: pd.Series) -> pd.Series:
    """Extra training compute, per cent, that the loss of `cost` per cent is worth."""
    return 100 * np.expm1(-np.log1p(cost / 100) / worth)


def means(curves: pd.DataFrame, ruled: pd.DataFrame) -> pd.DataFrame:
    """Loss and compute, per cent, of each factor and rule: the mean over units with its 90% t interval.

    The reading at R* itself, where nothing is lost, is the noise of this page: `floor` is the upper end of its
    interval, or its largest value where a sweep has one unit. `below` marks a mean no higher than that; what it can
    say is that the cost is less than the upper end of its own interval, `high`.
    """
    chosen = curves[curves["factor"].isin(SHOWN)].assign(rule=lambda rows: rows["factor"].map("{:g} R*".format))
    both = pd.concat([chosen, ruled]).dropna(subset="cost")
    worth = pd.to_numeric(both["worth"])
    both = both.assign(worth=worth, compute=equivalent_compute(both["cost"], worth))
    rows = [{"sweep": sweep, "rule": rule, **over_units(own)} for (sweep, rule), own in both.groupby(["sweep", "rule"])]
    table = pd.DataFrame(rows)
    floors = table[table["rule"] == AT_BEST].set_index("sweep")
    floor = table["sweep"].map(floors["high"].fillna(floors["most"]))
    return table.assign(floor=floor, below=table["cost"] <= floor)


def over_units(rows: pd.DataFrame) -> dict[str, float]:
    """Mean cost with its interval, where there are units enough, and the compute that the mean and `high` are worth."""
    units = rows.groupby("unit")[["cost", "compute"]].mean()
    cost, low, high = interval(units["cost"].to_numpy()) if len(units) > 1 else (units["cost"].mean(), np.nan, np.nan)
    most = equivalent_compute(pd.Series([high]), rows["worth"].iloc[:1].reset_index(drop=True))[0]
    return {
        "units": len(units),
        "contexts": len(rows),
        "cost": float(cost),
        "low": low,
        "high": high,
        "most": float(rows["cost"].max()),
        "compute": float(units["compute"].mean()),
        "compute_high": float(most),
    }


def said(row: pd.Series) -> str:
    """One cell: the loss, in brackets its interval and the compute; below the floor no more than "less than"."""
    if row["below"] and row["rule"] != AT_BEST and np.isfinite(row["high"]):
        return f"less than {percent(row['high'])}" + compute_text(row["compute_high"], start=" (", end=")")
    between = f"{percent(row['low'])[:-1]} to {percent(row['high'])[:-1]}" if np.isfinite(row["high"]) else ""
    compute = compute_text(row["compute"], start="; " if between else "")
    return percent(row["cost"]) + (f" ({between}{compute})" if between or compute else "")


def percent(value: float) -> str:
    """One decimal, without the zero before the point; a negative value keeps its sign."""
    text = f"{round(value, 1) + 0.0:.1f}%"
    return text.replace("0.", ".", 1) if abs(value) < 0.95 else text


def compute_text(compute: float, *, start: str, end: str = "") -> str:
    """Compute in words; none where it is not known."""
    return "" if np.isnan(compute) else f"{start}{compute:.0f}%{end}"


def tell(curves: pd.DataFrame, ruled: pd.DataFrame) -> pd.DataFrame:
    """The table, printed; a row a sweep and rule."""
    table = means(curves, ruled)
    table["said"] = table.apply(said, axis=1)
    print("C6  loss above the best, and the training compute that it is worth, per cent\n" + table.round(2).to_string())
    return table.set_index(["sweep", "rule"])
