"""C1 of docs/claims.md: what pushes on interaction do to the loss of MLPs and GPTs, and to the double descent."""

from __future__ import annotations

import altair as alt
import claim_numbers as numbers
import numpy as np
import pandas as pd
from claim_look import finished
from scipy import stats

from interlaw.report.look import BEST, FIT, INTERACTION, MUTED
from interlaw_paper.peak import ARMS, PEAK, compared, heights
from interlaw_paper.push import Arm, Effect, interval, measured_effects


def draw_push() -> alt.TopLevelMixin:
    """C1: loss against what was moved, beside the control, and the peak of the double descent under the same."""
    panels = [
        push_panel(all_seeds(name, title), title, ticks)
        for name, title, ticks in (
            ("push", "MLPs", [0.8, 0.9, 1, 1.1, 1.2]),
            ("push-gpt", "GPTs", [0.5, 0.7, 1, 1.5, 2]),
        )
    ]
    return finished(
        alt.hconcat(alt.hconcat(*panels), peak_panel(), spacing=24).resolve_scale(color="independent"),
        "Less interaction lowers the loss of small GPTs, not of MLPs; the peak follows the size of the gradients",
        "pairs of networks that differ in the term alone, 90% intervals; the control's destroyed networks are left out",
    )


NAMES = {"interaction": "scale-free AOFE", "trace": "trace (control)"}
COLOURS = alt.Color("on", title=None, scale=alt.Scale(domain=list(NAMES.values()), range=[INTERACTION, MUTED]))
DESTROYED = 0.5  # in log loss: the control's strong arms end the network


def all_seeds(name: str, title: str) -> list[Effect]:
    """Effects over all seeds; those of the first seeds, of the replication and of each shape are printed beside."""
    first, again = numbers.final(name), numbers.final(f"{name}-again")
    told(first, f"{title}, first seeds")
    told(again, f"{title}, replication alone")
    both = pd.concat([first, again], ignore_index=True)
    for depth, rows in both.groupby("depth"):
        told(rows, f"{title}, all seeds, depth {depth}")
    return told(both, f"{title}, all seeds")


def told(table: pd.DataFrame, title: str) -> list[Effect]:
    """The effects of a table, printed."""
    effects = measured_effects(table)
    for effect in effects:
        seen = ", ".join(f"{seen_by(arm, pairs=effect.num_pairs):.1%}" for arm in (effect.lowered, effect.raised))
        print(f"C1  {title}: {effect.on} at {effect.strength:g}: {effect}; changes of {seen} could be seen")
    return effects


def push_panel(effects: list[Effect], title: str, ticks: list[float]) -> alt.LayerChart:
    """Every arm of one family."""
    rows = [{"moved": 0.0, "change": 0.0, "low": 0.0, "high": 0.0, "on": on} for on in NAMES.values()]
    rows += [{"on": NAMES[effect.on], **arm} for effect in effects for arm in arms(effect)]
    table = pd.DataFrame(rows).sort_values("moved")
    table = table[~((table["on"] == NAMES["trace"]) & (table["change"] > DESTROYED))]
    table["moved"] = np.exp(table["moved"])
    table[["change", "low", "high"]] = np.expm1(table[["change", "low", "high"]])
    x = alt.X(
        "moved",
        title="moved, times the plain twin's",
        scale=alt.Scale(type="log", nice=False, padding=12),
        axis=alt.Axis(values=ticks, format="~f"),
    )
    base = alt.Chart(table).encode(x=x, color=COLOURS)
    y = alt.Y("change", title="test loss against the plain twin", axis=alt.Axis(format="+%"))
    line = base.mark_line(strokeWidth=2).encode(y=y)
    marks = base.mark_rule(strokeWidth=2).encode(y="low", y2="high") + line
    points = base.mark_circle(size=70, opacity=1).encode(y="change")
    return (marks + points).properties(width=240, height=270, title=f"{title}, {pairs_of(effects)} pairs")


def pairs_of(effects: list[Effect]) -> str:
    """How many pairs the arms have."""
    counts = sorted({effect.num_pairs for effect in effects})
    return f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def peak_panel() -> alt.LayerChart:
    """Test loss of the bottlenecks against training points, under every arm."""
    table = pd.read_csv(numbers.RESULTS / "peak.csv")
    for line in compared(table):
        print(f"C1  {line.figure} {line.at}: {line.ours}")
    changes = peak_changes(table)
    moved = changes.groupby(level="arm", sort=False).mean().assign(each=lambda rows: rows["height"] / rows["trace"])
    print("C1  changes of log height, and for each unit of log trace\n" + moved.round(2).to_string())
    for world, held in interval_coverage(changes["height"]).items():
        print(f"C1  90% intervals over draws hold the truth in {held:.0%} of simulated experiments ({world})")
    means = pd.DataFrame(
        [
            (LABELS[arm], f"{size} training points", *np.exp(interval(np.log(own))).clip(*SHOWN_LOSSES))
            for (arm, size), own in table.groupby(["arm", "train_points"])["loss"]
        ],
        columns=["arm", "size", "mean", "low", "high"],
    )
    order = [f"{size} training points" for size in sorted(table["train_points"].unique())]
    colour = alt.Color("size", title=None, scale=alt.Scale(domain=order, range=[MUTED, BEST, FIT]))
    y = alt.Y("arm", title=None, sort=list(LABELS.values()), axis=alt.Axis(labelLimit=260))
    base = alt.Chart(means).encode(y=y, yOffset=alt.YOffset("size", sort=order), color=colour)
    rules = base.mark_rule(strokeWidth=2).encode(
        x=alt.X("low", title="test loss", scale=alt.Scale(type="log", nice=False, padding=12)), x2="high"
    )
    return (rules + base.mark_circle(size=70, opacity=1).encode(x="mean")).properties(
        width=240, height=270, title=f"Double descent, {table['draw'].nunique()} draws of data"
    )


SHOWN_LOSSES = [0.6, 5]  # one interval of a network that half collapses reaches beyond
PUSHED = sorted(
    ((on, sign * strength) for on, strength in ARMS for sign in (1, -1)), key=lambda each: (each[0], -each[1])
)
LABELS = {
    "none": "plain",
    **{f"{on}{at:+g}": f"{on} pushed {'down' if at > 0 else 'up'} ({abs(at):g})" for on, at in PUSHED},
}


def arms(effect: Effect) -> list[dict[str, float]]:
    """Both directions of an effect."""
    return [
        {"moved": arm.moved, "change": arm.change, "low": arm.low, "high": arm.high}
        for arm in (effect.lowered, effect.raised)
    ]


def seen_by(arm: Arm, *, pairs: int) -> float:
    """The relative change of the loss that an arm's pairs show with 80% power in a one-sided test at 5%."""
    quantiles = stats.t.ppf([0.95, 0.8], pairs - 1)
    return float(np.expm1((arm.high - arm.low) / 2 / quantiles[0] * quantiles.sum()))


def peak_changes(table: pd.DataFrame) -> pd.DataFrame:
    """Of each arm, over draws: the change of the peak's log height, and of log trace and interaction at the peak."""
    at_peak = table[table["train_points"] == PEAK].sort_values(["arm", "draw"]).set_index(["arm", "draw"])
    logs = np.log(at_peak[["trace", "aofe_scale_free"]]).rename(columns={"aofe_scale_free": "interaction"})
    logs["height"] = np.concatenate([heights(rows) for _, rows in table.groupby("arm")])
    return (logs - logs.loc["none"]).drop(index="none", level="arm")


def interval_coverage(changes: pd.Series, *, num_experiments: int = 100_000) -> dict[str, float]:
    """How often `interval` holds the true mean, for spreads as those of the arms and for skewed ones."""
    own = changes.groupby(level="arm")
    spread = ((changes - own.transform("mean")) / own.transform("std")).to_numpy()
    rng = np.random.default_rng(0)
    size = (num_experiments, changes.index.get_level_values("draw").nunique())
    worlds = {
        "spreads as seen": rng.choice(spread, size),
        "lognormal, spread .5": np.exp(0.5 * rng.standard_normal(size)) - np.exp(0.5**2 / 2),
    }
    held = {}
    for name, values in worlds.items():
        low, high = stats.t.interval(0.9, size[1] - 1, values.mean(axis=1), stats.sem(values, axis=1))
        held[name] = float(np.mean((low <= 0) & (high >= 0)))
    return held
