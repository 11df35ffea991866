"""The numbers behind docs/claims.md, from committed tables and packaged sweeps; claims.py prints and draws them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy import special, stats
from torch import Tensor, nn

from interlaw.interaction import measure
from interlaw.laws import Claim, FittedTable, fit_law
from interlaw.laws.claim import CLAIMED
from interlaw.laws.parts import read_together
from interlaw.laws.scales import to_scale
from interlaw.laws.tracking import efficient_ratio
from interlaw.published import compare_models, published_rows
from interlaw.runs import load_table, view_table
from interlaw.tasks import WaveTaskSpec
from interlaw.tasks.waves import draw_matrices, waves
from interlaw_paper.designed import GAINS
from interlaw_paper.push import interval

RESULTS = Path(__file__).parents[2] / "docs" / "results"
BY_TARGET = ("hundredfold", "searched")  # a part is one budget of a target, and a target is one unit
DIGITS = 7  # of an exported figure: beyond the last bits that machines share
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
    if place.stem in BY_TARGET:
        table["target"] = table["part"].str.rpartition("-")[0]
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


def efficiency(shapes: pd.DataFrame, quantities: Sequence[str] = tuple(CLAIMED)) -> pd.Series:
    """The score of T3: the mean of the quantities on their scales, standardised over shapes and turned as claimed."""
    return shapes[list(quantities)].apply(lambda each: (each - each.mean()) / each.std(ddof=0)).mean(axis=1)


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


def gains(table: pd.DataFrame, *, quantities: Sequence[str] = tuple(CLAIMED)) -> pd.DataFrame:
    """What the most efficient shape is worth in each context: mean log loss over shapes less that of the chosen shape.

    The shape is chosen on one half of the seeds and its loss read on the other, and the same the other way round;
    `efficient` chooses by the efficiency score of T3, of all quantities or of those given, `lowest` by the loss itself.
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
            picked = {"efficient": efficiency(shapes, quantities).idxmax()[2], "lowest": shapes["loss"].idxmin()[2]}
            gained = {name: loss.mean() - loss[depth] for name, depth in picked.items()}
            rows.append({"part": context[0], "budget": context[1], "depth": picked["efficient"], **gained})
    return pd.DataFrame(rows)


def inside(table: pd.DataFrame) -> pd.DataFrame:
    """The trials without the first and the last shape of each grid."""
    depth = table.groupby(["part", "budget"])["depth"]
    return table[(table["depth"] > depth.transform("min")) & (table["depth"] < depth.transform("max"))]


def at_ends(table: pd.DataFrame) -> tuple[int, int]:
    """In how many contexts the most efficient shape is the first or the last of its grid, and how many there are."""
    found = []
    for _, runs in turned(table).groupby(["part", "budget"]):
        score = efficiency(runs.groupby("depth").mean(numeric_only=True))
        found.append(score.idxmax() in (score.index.min(), score.index.max()))
    return sum(found), len(found)


def gain_at_ends(table: pd.DataFrame, gained: pd.DataFrame) -> float:
    """Mean of `gains` over the halves of the seeds that chose an end of their grid."""
    grid = table.groupby(["part", "budget"])["depth"].agg(["min", "max"])
    chosen = gained.join(grid, on=["part", "budget"])
    return float(
        chosen.loc[(chosen["depth"] == chosen["min"]) | (chosen["depth"] == chosen["max"]), "efficient"].mean()
    )


def mean_over_targets(gained: pd.DataFrame, name: str) -> tuple[float, float, float]:
    """Mean gain, a target one unit, with its 90% t interval."""
    return interval(gained.groupby("part")[name].mean().to_numpy())


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
