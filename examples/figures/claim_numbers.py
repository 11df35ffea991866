"""The numbers behind docs/claims.md, from committed tables and packaged sweeps; claims.py prints and draws them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy import special, stats
from torch import Tensor, nn

from interlaw.interaction import measure
from interlaw.laws import Claim, FittedTable, LawFit, fit_law
from interlaw.laws.claim import CLAIMED
from interlaw.laws.claims import read_together
from interlaw.laws.scales import to_scale
from interlaw.laws.tracking import efficient_ratio
from interlaw.published import compare_models, find_sweep, published_rows
from interlaw.recommendation import measured_optima, measured_pool
from interlaw.runs import load_table, view_table
from interlaw.tasks import WaveTaskSpec
from interlaw.tasks.waves import draw_matrices, waves
from interlaw_paper.designed import GAINS
from interlaw_paper.push import interval

RESULTS = Path(__file__).parents[2] / "docs" / "results"
DIGITS = 7  # of an exported figure: beyond the last bits that machines share
FACTORS = tuple(2.0 ** np.arange(-3, 3.01, 0.25))
RULES = ("width / depth = 64", "R = 0.036", "pooled R*(N)")
NINETY = float(stats.norm.ppf(0.95))


def export(folder: Path, place: Path) -> None:
    """All trials of every part of an experiment in one table."""
    if not any(folder.glob("*/trials")):  # no sweep: its outcome holds all
        rows = json.loads((folder / "outcome.json").read_text(encoding="utf-8"))["table"]
        pd.DataFrame(rows).to_csv(place, index=False, float_format=f"%.{DIGITS}g")
        return
    tables = [
        load_table(part).assign(part=part.name) for part in sorted(folder.iterdir()) if (part / "trials").is_dir()
    ]
    table = pd.concat(tables, ignore_index=True)
    # what a reader can compute again from the others
    dropped = [name for name in table if name.endswith(("_low", "_high")) or name in ("name", "tokens_per_second")]
    table.drop(columns=dropped).dropna(axis=1, how="all").to_csv(place, index=False, float_format=f"%.{DIGITS}g")


def final(name: str) -> pd.DataFrame:
    """Trials of a committed table that ended well and count, the view's columns under plain names."""
    table = pd.read_csv(RESULTS / f"{name}.csv")
    table = table[(table["status"] == "done") & (table["stage"] == "final")].reset_index(drop=True)
    return table if "projected_aofe" in table else view_table(table)


class Target(nn.Module):
    """What the networks learn, as a network; its scale does not count."""

    def __init__(self, spec: WaveTaskSpec) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(spec.data_seed)
        self.matrices = draw_matrices(
            spec.dim, hidden=spec.hidden, layers=spec.layers, gain=spec.gain, generator=generator
        )
        self.last = torch.randn(spec.hidden, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        """One value a point."""
        return waves(x, self.matrices, last=self.last)[:, None]


def target_of(layers: int, dim: int) -> dict[str, float]:
    """AOFE-ratio and scale-free AOFE of a target, at the points where the networks were measured."""
    spec = WaveTaskSpec(layers=layers, gain=GAINS[layers], dim=dim)
    result = measure(Target(spec), spec.open().probes(num_samples=2048, with_targets=False), view="input")
    return {"aofe_ratio": result.aofe_ratio.value, "aofe_scale_free": result.aofe_scale_free.value}


def within(table: pd.DataFrame, values: pd.Series) -> pd.Series:
    """Values without the means of their shape and of their seed in that budget."""
    context = [table["part"], table["budget"]]
    left = values - values.groupby([*context, table["depth"]]).transform("mean")
    return left - left.groupby([*context, table["seed"]]).transform("mean")


def towards_targets(table: pd.DataFrame) -> pd.DataFrame:
    """Where the networks lie beside their target, and whether the loss falls towards it within shapes.

    `side` is the mean of the networks less the target; `r` the correlation of the quantity with log loss over seeds of
    one shape, `distance_r` that of its distance from the target.
    """
    rows = []
    for part, own in table.groupby("part"):
        layers, dim = (int(each) for each in re.findall(r"\d+", str(part)))
        target = target_of(layers, dim)
        for name, scale in (("aofe_ratio", special.logit), ("aofe_scale_free", np.log)):
            off = pd.Series(scale(own[name]) - scale(target[name]), index=own.index)
            loss = within(own, np.log(own["loss"]))
            rows.append(
                {
                    "part": part,
                    "quantity": name,
                    "target": target[name],
                    "side": off.mean(),
                    "r": np.corrcoef(within(own, off), loss)[0, 1],
                    "distance_r": np.corrcoef(within(own, off.abs()), loss)[0, 1],
                }
            )
    return pd.DataFrame(rows)


def fitted(table: pd.DataFrame, *, by: str, window: float = 0.1) -> list[FittedTable]:
    """One fit a part, or a treatment; the window as in `fit_law`."""
    return [
        FittedTable(
            source=str(name) if by != "treatment" else "one",
            treatment=str(name) if by == "treatment" else None,
            table=rows,
            fit=fit_law(rows, treatment=str(name) if by == "treatment" else None, window=window),
        )
        for name, rows in ((name, rows.reset_index(drop=True)) for name, rows in table.groupby(by, sort=False))
    ]


@cache
def fits_of(name: str) -> tuple[FittedTable, ...]:
    """One fit a part of a committed table; none where the experiment has not been run."""
    return tuple(fitted(final(name), by="part")) if (RESULTS / f"{name}.csv").exists() else ()


def as_one(name: str) -> list[FittedTable]:
    """A committed table whose parts are budgets of one sweep, fitted together."""
    return fitted(final(name).assign(part=name), by="part")


def effects(claims: Sequence[Claim], *, runs: str) -> pd.DataFrame:
    """The effects of T1 as rows of a forest."""
    tests = [each for each in claims if each.test == "within-shapes" and each.effect is not None]
    names = ("quantity", "view", "effect", "low", "high", "verdict", "detectable", "dof", "p_adjusted", "p_opposite")
    return pd.DataFrame([{"runs": runs, **{name: getattr(each, name) for name in names}} for each in tests])


def lengths(table: pd.DataFrame, names: pd.Series) -> dict[str, list[FittedTable]]:
    """An experiment at each length of training, and whole; `names` has the length of each trial."""
    each = {
        str(name): fitted(rows.reset_index(drop=True), by="part") for name, rows in table.groupby(names, sort=False)
    }
    return {**each, "all lengths": fitted(table, by="part")}


def change(effects: pd.DataFrame) -> pd.DataFrame:
    """What an effect at the first length has above that at the last, in Fisher's z, with its 90% interval.

    Taken as if the lengths were independent; they share seeds and the first part of the data: its level is not known.
    """
    ends = effects[effects["runs"].isin([effects["runs"].iloc[0], effects["runs"].iloc[-1]])]
    z = ends.assign(z=np.arctanh(ends["effect"]), error=(np.arctanh(ends["high"]) - np.arctanh(ends["low"])) / 2)
    first, last = (z[z["runs"] == name].set_index(["view", "quantity"]) for name in ends["runs"].unique())
    moved, reach = first["z"] - last["z"], np.hypot(first["error"], last["error"])
    return pd.DataFrame({"change": moved, "low": moved - reach, "high": moved + reach})


def contexts_of(parts: Sequence[FittedTable], view: str | None = None) -> pd.DataFrame:
    """R* of the loss and of the most efficient interaction in each context (target and budget)."""
    contexts = read_together(parts)
    ratio, inside = efficient_ratio(contexts, view or next(iter(contexts.interaction)))
    return pd.DataFrame(
        {
            "source": [part.source for part in parts for _ in part.fit.budgets],
            "budget": contexts.contexts["budget"],
            "status": [each.r_star.status for part in parts for each in part.fit.budgets],
            "loss": np.exp(contexts.contexts["log_r_star"]),
            "low": [each.r_star.low for part in parts for each in part.fit.budgets],
            "high": [each.r_star.high for part in parts for each in part.fit.budgets],
            "params": np.exp(contexts.contexts["size"]),
            "interaction": np.exp(ratio),
            "inside": inside > 0,
        }
    )


def efficiency(shapes: pd.DataFrame) -> pd.Series:
    """The score of T3: the mean of the quantities on their scales, standardised over shapes and turned as claimed."""
    return shapes[list(CLAIMED)].apply(lambda each: (each - each.mean()) / each.std(ddof=0)).mean(axis=1)


def turned(table: pd.DataFrame) -> pd.DataFrame:
    """Log loss, and each quantity on its scale, turned so that the claim calls a higher value efficient."""
    scaled = {name: to_scale(name, table[name].to_numpy()) * -sign for name, (sign, _) in CLAIMED.items()}
    return table[["part", "budget", "depth", "ratio", "seed"]].assign(loss=np.log(table["loss"]), **scaled)


def shapes_of(table: pd.DataFrame) -> pd.DataFrame:
    """Each shape's loss above the mean of its context, and which one is best and which most efficient."""
    rows = []
    for (part, budget), runs in turned(table).groupby(["part", "budget"]):
        shapes = runs.groupby("depth").mean(numeric_only=True)
        chosen = pd.Series("", index=shapes.index)
        chosen[efficiency(shapes).idxmax()] = "most efficient interaction"
        chosen[shapes["loss"].idxmin()] = "lowest loss"  # where one shape is both, it is shown as this
        above = np.expm1(shapes["loss"] - shapes["loss"].mean())
        rows.append(shapes[["ratio"]].assign(context=f"{part} {budget:g}", above=above, chosen=chosen))
    return pd.concat(rows)


def gains(table: pd.DataFrame) -> pd.DataFrame:
    """What the most efficient shape is worth in each context: mean log loss over shapes less that of the chosen shape.

    The shape is chosen on one half of the seeds and its loss read on the other, and the same the other way round;
    `efficient` chooses by the efficiency score of T3, `lowest` by the loss itself.
    """
    runs = turned(table)
    own = runs.groupby(["part", "budget"])["seed"]
    first = own.rank("dense") <= own.transform("nunique") // 2
    rows = []
    for half in (first, ~first):
        chosen_on = runs[half].groupby(["part", "budget", "depth"]).mean(numeric_only=True)
        read_on = runs[~half].groupby(["part", "budget", "depth"])["loss"].mean()
        for context, shapes in chosen_on.groupby(["part", "budget"]):
            loss = read_on[context]
            picked = {"efficient": efficiency(shapes).idxmax()[2], "lowest": shapes["loss"].idxmin()[2]}
            gained = {name: loss.mean() - loss[depth] for name, depth in picked.items()}
            rows.append({"part": context[0], "budget": context[1], "depth": picked["efficient"], **gained})
    return pd.DataFrame(rows)


def mean_over_targets(gained: pd.DataFrame, name: str) -> tuple[float, float, float]:
    """Mean gain, a target one unit, with its 90% t interval."""
    return interval(gained.groupby("part")[name].mean().to_numpy())


def public_optima() -> pd.DataFrame:
    """R* of every packaged sweep, with its standard error in log R."""
    optima = [each for each in measured_optima() if each.status == "optimum" and each.route != "published"]
    return pd.DataFrame(
        {
            "dataset": [each.dataset for each in optima],
            "params": [each.params for each in optima],
            "ratio": [each.ratio for each in optima],
            "stderr": [each.log_stderr for each in optima],
        }
    )


def slopes(optima: pd.DataFrame) -> pd.DataFrame:
    """Slopes d log R* / d log N within each data set by weighted least squares, and over them by random effects.

    The scatter about a line counts where it exceeds the stated errors (a Birge ratio of at least 1).
    """
    lines = []
    for dataset, rows in optima.groupby("dataset"):
        x, y, weight = np.log(rows["params"]), np.log(rows["ratio"]), rows["stderr"] ** -2.0
        if np.ptp(x) < np.log(2):
            continue
        centred = x - np.average(x, weights=weight)
        spread = float((weight * centred**2).sum())
        gamma = float((weight * centred * y).sum() / spread)
        left = y - np.average(y, weights=weight) - gamma * centred
        excess = float((weight * left**2).sum()) / max(len(rows) - 2, 1)
        lines.append({"dataset": dataset, "gamma": gamma, "stderr": np.sqrt(max(excess, 1.0) / spread)})
    table = pd.DataFrame(lines)
    table = pd.concat([table, pooled(table)], ignore_index=True)
    return table.assign(low=table["gamma"] - NINETY * table["stderr"], high=table["gamma"] + NINETY * table["stderr"])


def pooled(table: pd.DataFrame) -> pd.DataFrame:
    """Random effects (DerSimonian and Laird 1986), one vote a data set."""
    weight = table["stderr"] ** -2.0
    mean = float(np.average(table["gamma"], weights=weight))
    heterogeneity = float((weight * (table["gamma"] - mean) ** 2).sum())
    scale = float(weight.sum() - (weight**2).sum() / weight.sum())
    between = max(0.0, (heterogeneity - (len(table) - 1)) / scale)
    weight = 1 / (table["stderr"] ** 2 + between)
    gamma = float(np.average(table["gamma"], weights=weight))
    return pd.DataFrame([{"dataset": "all data sets", "gamma": gamma, "stderr": float(weight.sum() ** -0.5)}])


def scored_models() -> tuple[pd.DataFrame, str]:
    """Base models under one protocol with R, family, and what their score is beyond what their size predicts."""
    comparison = compare_models(published_rows())
    models = pd.DataFrame(
        {
            "family": [each.family_key for each in comparison.models],
            "ratio": [each.ratio for each in comparison.models],
            "params": [float(each.params_total) for each in comparison.models],
            "score": [each.score for each in comparison.models],
        }
    )
    size = np.log(models["params"])
    slope, start = np.polyfit(size, models["score"], 1)
    beyond = models["score"] - start - slope * size
    association = next(
        each for each in comparison.associations if (each.bin, each.predictor) == ("all", "claim_distance")
    )
    known = association.given_params
    if known.value is None or known.detectable is None:
        raise ValueError("expected families enough for an interval, found too few; add models")
    needed = families_needed(known.value, detectable=known.detectable, now=known.num_families)
    words = (
        f"distance from the claimed interval and score, given size: r = {known.value:+.2f} ({known.low:+.2f} to "
        f"{known.high:+.2f}); {known.num_models} models of {known.num_families} families; {needed}"
    )
    return models.assign(beyond=beyond), words


def families_needed(value: float, *, detectable: float, now: int) -> str:
    """What these families could show with 80% power, and how many would show the value seen, and .2.

    The standard error of Fisher's z falls with the root of the number of families.
    """
    needed = [
        (abs(each), int(np.ceil(now * (np.arctanh(detectable) / np.arctanh(abs(each))) ** 2))) for each in (value, 0.2)
    ]
    could = ", ".join(f"|r| = {r:.2f} would take {n} families" for r, n in needed)
    return f"|r| = {detectable:.2f} could be seen; {could}"


def regrets(own: Mapping[str, Sequence[FittedTable]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What a wrong R costs, per cent of the curve's minimum, at each budget that has an optimum.

    Losses between two measured shapes are read off the straight line in log R. The compute that a loss is worth comes
    from the sweep's own lowest losses against its budgets: parameters and tokens grow together in the byte-level sweep,
    parameters alone in the Gemstones. `pooled R*(N)` is the rule behind `recommend`, in which public sweeps take part.

    Returns:
        Loss at R* times each of `FACTORS`, and at the R of each of `RULES`, one row each.
    """
    pool = measured_pool()
    names = ("gemstones-hot", "gemstones-cooldown", "gemstones-half-rate", "byte-level")
    fits = [(sweep.dataset, fit_law(sweep.table())) for sweep in map(find_sweep, names)]
    curves, ruled = [], []
    for source, fit in [*fits, *((label, part.fit) for label, parts in own.items() for part in parts)]:
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

            name = {"sweep": source, "params": budget.budget, "worth": worth}
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
