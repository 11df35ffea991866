"""The verdicts of docs/claims.md and their figures, from the committed tables and the packaged sweeps.

    python examples/figures/claims.py            # draws docs/images/claim-*.png and prints the verdicts
    python examples/figures/claims.py --runs DIR # exports DIR/waves and DIR/push to docs/results first

DIR/waves and DIR/push are what `interlaw reproduce waves|push --scale decisive --out` left.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import altair as alt
import numpy as np
import pandas as pd
import torch
from scipy import stats
from torch import Tensor, nn

from interlaw.interaction import measure
from interlaw.laws import FittedTable, fit_law, judge_together
from interlaw.published import find_sweep
from interlaw.recommendation import measured_optima, measured_pool
from interlaw.report.look import BEST, CONFIG, FIT, INTERACTION, MUTED, SERIES
from interlaw.report.saving import write_chart
from interlaw.reproduce.designed import GAINS
from interlaw.reproduce.push import Effect, measured_effects
from interlaw.runs import load_table, view_table
from interlaw.tasks import WaveTaskSpec
from interlaw.tasks.waves import draw_matrices, waves

DOCS = Path(__file__).parents[2] / "docs"
DIGITS = 7  # of an exported figure: beyond the last bits that machines share


def main() -> None:
    """Exports when asked to, then draws and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, help="folder with waves and push")
    arguments = parser.parse_args()
    if arguments.runs:
        for name in ("waves", "push"):
            export(arguments.runs / name, DOCS / "results" / f"{name}.csv")
    swept, push = (final(pd.read_csv(DOCS / "results" / f"{name}.csv")) for name in ("waves", "push"))
    for layers, (ratio, scale_free) in targets().items():
        print(f"the target of {layers} layers itself: AOFE-ratio {ratio:.4f}, scale-free AOFE {scale_free:.4f}")
    effects = measured_effects(push)
    for effect in effects:
        print(f"C1  {effect.on} at {effect.strength:g}: {effect}")
    write_chart(DOCS / "images" / "claim-1-push.png", draw_push(effects))
    parts = fitted(swept)
    for claim in judge_together(parts):
        print(f"{claim.claim}  {claim.sentence}")
    for part in parts:
        for budget in part.fit.budgets:
            print(f"C3  {part.source}, {budget.budget:.0f}: {budget.r_star.status} {budget.r_star.value or ''}")
    write_chart(DOCS / "images" / "claim-2-within.png", draw_within(swept))
    for claim in judge_together(treated()):
        if claim.p_value is not None:
            print(f"{claim.claim}  GPTs of 25k and 50k: {claim.sentence}")
    optima = public_optima()
    for line in slopes(optima).itertuples():
        print(f"C4  {line.dataset}: gamma = {line.gamma:+.2f} ({line.low:+.2f} to {line.high:+.2f})")
    write_chart(DOCS / "images" / "claim-4-optima.png", draw_optima(optima))
    print("C6  loss above the best of its budget, per cent\n" + regrets().round(2).to_string())


def export(folder: Path, place: Path) -> None:
    """All trials of every part of an experiment in one table."""
    tables = [
        load_table(part).assign(part=part.name) for part in sorted(folder.iterdir()) if (part / "trials").is_dir()
    ]
    table = pd.concat(tables, ignore_index=True)
    table = table.drop(columns=[name for name in table if name.endswith(("_low", "_high"))]).dropna(axis=1, how="all")
    table.to_csv(place, index=False, float_format=f"%.{DIGITS}g")


def final(table: pd.DataFrame) -> pd.DataFrame:
    """Trials that ended well and count, the view's columns under plain names."""
    return view_table(table[table["status"] == "done"].reset_index(drop=True))


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
        return waves(x, self.matrices, self.last)[:, None]


def targets() -> dict[int, tuple[float, float]]:
    """AOFE-ratio and scale-free AOFE of each target, at the points where the networks were measured."""
    found = {}
    for layers, gain in GAINS.items():
        spec = WaveTaskSpec(layers=layers, gain=float(gain))
        points = spec.open().probes(num_samples=spec.validation, with_targets=False)
        result = measure(Target(spec), points, view="input")
        found[layers] = (result.aofe_ratio.value, result.aofe_scale_free.value)
    return found


def fitted(waves: pd.DataFrame) -> list[FittedTable]:
    """One fit a target."""
    return [
        FittedTable(source=str(part), treatment=None, table=rows, fit=fit_law(rows))
        for part, rows in ((part, rows.reset_index(drop=True)) for part, rows in waves.groupby("part"))
    ]


def treated() -> list[FittedTable]:
    """One fit a treatment of the sweep of small GPTs in docs/results/fair.csv."""
    table = pd.read_csv(DOCS / "results" / "fair.csv")
    table = table[(table["status"] == "done") & (table["stage"] == "final")].reset_index(drop=True)
    return [
        FittedTable(source="fair", treatment=name, table=table, fit=fit_law(table, treatment=name))
        for name in sorted(table["treatment"].unique())
    ]


def within(waves: pd.DataFrame, column: str) -> pd.Series:
    """A column's log (logit of a ratio) without the means of its shape and of its seed in that budget."""
    value = np.log(waves[column])
    if column == "aofe_ratio":
        value = value - np.log1p(-waves[column])
    context = [waves["part"], waves["budget"]]
    shape = value.groupby([*context, waves["depth"]]).transform("mean")
    return value - shape - (value - shape).groupby([*context, waves["seed"]]).transform("mean")


def draw_within(waves: pd.DataFrame) -> alt.HConcatChart:
    """What is left of loss and interaction when shape, seed and budget are taken out."""
    panels = []
    y = within(waves, "loss")
    for column, title, colour in (
        ("aofe_scale_free", "log scale-free AOFE", FIT),
        ("aofe_ratio", "logit AOFE-ratio", BEST),
    ):
        points = pd.DataFrame({"x": within(waves, column), "y": y})
        points = points[points["x"].abs() < points["x"].abs().quantile(0.98)]  # a few outliers would hide the rest
        base = alt.Chart(points).encode(
            x=alt.X("x", title=f"{title}, deviation within the shape", axis=alt.Axis(tickCount=5)),
            y=alt.Y("y", title="log loss, deviation within the shape", scale=alt.Scale(domain=[-0.5, 0.5], clamp=True)),
        )
        line = base.transform_regression("x", "y").mark_line(color=colour, strokeWidth=2)
        panels.append((base.mark_circle(size=28, opacity=0.55, color=colour) + line).properties(width=300, height=260))
    return (
        alt.hconcat(*panels)
        .properties(title="Seeds with more interaction end with a higher loss, and with a higher ratio too")
        .configure(**CONFIG)
    )


def draw_push(effects: list[Effect]) -> alt.LayerChart:
    """Loss against moved interaction, both relative to the plain twin."""
    rows = [{"moved": 0.0, "change": 0.0, "low": 0.0, "high": 0.0}]
    for effect in effects:
        if effect.on == "interaction":
            rows += [
                {"moved": arm.moved, "change": arm.change, "low": arm.low, "high": arm.high}
                for arm in (effect.lowered, effect.raised)
            ]
    table = np.expm1(pd.DataFrame(rows).sort_values("moved"))
    base = alt.Chart(table).encode(
        x=alt.X("moved", title="scale-free AOFE against the plain twin", axis=alt.Axis(format="+%", tickCount=6))
    )
    line = base.mark_line(color=INTERACTION, strokeWidth=2).encode(
        y=alt.Y("change", title="test loss against the plain twin", axis=alt.Axis(format="+%"))
    )
    points = base.mark_circle(size=70, color=INTERACTION, opacity=1).encode(y="change")
    bars = base.mark_rule(color=INTERACTION, strokeWidth=2).encode(y="low", y2="high")
    return (
        (bars + line + points)
        .properties(
            width=440, height=280, title="More interaction costs; a little less changes nothing, much less costs too"
        )
        .configure(**CONFIG)
    )


def public_optima() -> pd.DataFrame:
    """R* of every packaged sweep, with its standard error in log R."""
    found = [each for each in measured_optima() if each.status == "optimum" and each.route != "published"]
    return pd.DataFrame(
        {
            "dataset": [each.dataset for each in found],
            "params": [each.params for each in found],
            "ratio": [each.ratio for each in found],
            "stderr": [each.log_stderr for each in found],
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
    reach = stats.norm.ppf(0.95)
    return table.assign(low=table["gamma"] - reach * table["stderr"], high=table["gamma"] + reach * table["stderr"])


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


def draw_optima(optima: pd.DataFrame) -> alt.LayerChart:
    """R* against parameters; the claim would be a flat line."""
    table = optima.assign(
        low=optima["ratio"] * np.exp(-1.645 * optima["stderr"]), high=optima["ratio"] * np.exp(1.645 * optima["stderr"])
    )
    colour = alt.Color("dataset", title=None, scale=alt.Scale(range=list(SERIES)))
    base = alt.Chart(table).encode(
        x=alt.X(
            "params",
            title="parameters",
            scale=alt.Scale(type="log"),
            axis=alt.Axis(values=[1e6, 1e7, 1e8, 1e9], labelExpr="datum.value < 1e9 ? datum.value / 1e6 + 'M' : '1B'"),
        ),
        color=colour,
    )
    scale = alt.Scale(type="log", domain=[0.013, 0.15])
    y = alt.Y(
        "ratio",
        title="R* = depth / width of the lowest loss",
        scale=scale,
        axis=alt.Axis(values=[0.02, 0.05, 0.1]),
    )
    low = alt.Y("low", scale=scale)
    marks = base.mark_rule(strokeWidth=2).encode(y=low, y2="high") + base.mark_circle(size=70, opacity=1).encode(y=y)
    band = (
        alt.Chart(pd.DataFrame({"low": [0.020], "high": [0.065]}))
        .mark_rect(color=MUTED, opacity=0.12)
        .encode(y=low, y2="high")
    )
    return (
        (band + marks)
        .properties(
            width=480,
            height=300,
            title=alt.Title(
                "The best depth / width falls as language models grow",
                subtitle="90% intervals; grey: the range that the paper's budgets share, .020 to .065",
            ),
        )
        .configure(**CONFIG)
    )


def regrets() -> pd.DataFrame:
    """What a wrong R costs, per cent of the curve's minimum, at each budget of the packaged sweeps that has an optimum.

    Losses between two measured shapes are read off the straight line in log R; `pool` is the pooled R*(N) behind
    `recommend`, in which the sweep itself takes part.
    """
    found = measured_pool()
    rows = []
    for name in ("gemstones-hot", "gemstones-cooldown", "gemstones-half-rate", "byte-level"):
        for budget in fit_law(find_sweep(name).table()).budgets:
            if budget.r_star.value is None or budget.curve is None or budget.r_star.status != "optimum":
                continue
            points = sorted((point.ratio, point.adjusted) for point in budget.points)
            ratios, losses = (np.array(each) for each in zip(*points, strict=True))
            asked = {f"R* x {factor:g}": budget.r_star.value * factor for factor in (0.25, 0.5, 1, 2, 4)}
            asked |= {"width/depth 64": 1 / 64, "R .036": 0.036, "pool": found.predict(budget.params_mean).ratio}
            cost = {
                rule: 100 * (np.interp(np.log(ratio), np.log(ratios), losses) / min(budget.curve.loss) - 1)
                if ratios[0] <= ratio <= ratios[-1]
                else np.nan
                for rule, ratio in asked.items()
            }
            rows.append({"sweep": name, "params": budget.budget, **cost})
    table = pd.DataFrame(rows).set_index(["sweep", "params"])
    means = table.groupby(table.index.get_level_values(0).str.split("-").str[0]).mean()
    means.index = pd.MultiIndex.from_tuples([(name, "mean") for name in means.index], names=table.index.names)
    return pd.concat([table, means])


if __name__ == "__main__":
    main()
