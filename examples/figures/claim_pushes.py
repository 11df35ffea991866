"""C1 of docs/claims.md: what pushes on interaction do to the loss of MLPs and GPTs, and to the double descent."""

from __future__ import annotations

from dataclasses import asdict

import claim_numbers as numbers
import numpy as np
import pandas as pd
from scipy import stats

from interlaw.report import Drawing, Panel
from interlaw.report.look import INTERACTION, MUTED, padded, ramp
from interlaw.report.marks import (
    Spec,
    interval_bars,
    layered,
    legend,
    linear_axis,
    log_axis,
    marks,
    name_axis,
    told_apart,
)
from interlaw.size import counted
from interlaw_paper.peak import ARMS, PEAK, compared, heights
from interlaw_paper.push import Arm, arm_of, changes, interval, judged_lowered, measured_effects


def draw_push() -> Drawing:
    """C1: loss against what was moved, beside the control, and the peak of the double descent under the same."""
    panels = (
        push_panel(table, title, ticks)
        for table, title, ticks in (
            (with_lowered(all_seeds("push", "MLPs")), "MLPs", [0.8, 0.9, 1, 1.1, 1.2]),
            (all_seeds("push-gpt", "GPTs"), "GPTs", [0.5, 0.7, 1, 1.5, 2]),
        )
    )
    return Drawing(
        message="Less interaction lowers the loss of small GPTs, not of MLPs; the peak follows the gradients' size",
        caption="Pairs of networks that differ in the term alone, with 90% intervals. The control's strong arms "
        "destroy the network and are left out.",
        panels=(*panels, peak_panel()),
        shared=False,
    )


NAMES = {"interaction": "scale-free AOFE", "trace": "trace (control)"}
COLOURS = told_apart("on", NAMES.values(), looks=(INTERACTION, MUTED), key=legend())
DESTROYED = 0.5  # in log loss: the control's strong arms end the network


def all_seeds(name: str, title: str) -> pd.DataFrame:
    """Trials of all seeds; the effects of the first, of the replication, of each shape and of all are printed."""
    first, again = numbers.final(name), numbers.final(f"{name}-again")
    tell(first, f"{title}, first seeds")
    tell(again, f"{title}, replication alone")
    both = pd.concat([first, again], ignore_index=True)
    for depth, rows in both.groupby("depth"):
        tell(rows, f"{title}, all seeds, depth {depth}")
    tell(both, f"{title}, all seeds")
    return both


def with_lowered(table: pd.DataFrame) -> pd.DataFrame:
    """The trials of all seeds and those of push-down, whose arms are printed alone, by shape, and with the others."""
    down = numbers.final("push-down")
    both = pd.concat([table, down], ignore_index=True)
    own = {f"depth {depth}": rows for depth, rows in down.groupby("depth")}
    lowered = both[~(both["strength"] < 0) & (both["intervention"] != "trace")]
    for title, rows in {"alone": down, **own, "with all seeds": lowered}.items():
        for line in judged_lowered(rows):
            print(f"C1  MLPs, push-down, {title}: {line.figure}: {line.ours}")
    return both


def tell(table: pd.DataFrame, title: str) -> None:
    """Prints the effects of a table."""
    for effect in measured_effects(table):
        seen = ", ".join(f"{seen_by(arm, pairs=effect.num_pairs):.1%}" for arm in (effect.lowered, effect.raised))
        print(f"C1  {title}: {effect.on} at {effect.strength:g}: {effect}; changes of {seen} could be seen")


def push_panel(trials: pd.DataFrame, title: str, ticks: list[float]) -> Panel:
    """Every arm of one family, over all pairs that it has."""
    rows = [{"moved": 0.0, "change": 0.0, "low": 0.0, "high": 0.0, "on": on} for on in NAMES.values()]
    pushed = trials[["intervention", "strength"]].dropna().drop_duplicates().itertuples(index=False)
    pairs = {(on, strength): changes(trials, on=on, strength=strength) for on, strength in pushed}
    rows += [{"on": NAMES[on], **asdict(arm_of(own))} for (on, _), own in pairs.items()]
    table = pd.DataFrame(rows).sort_values("moved")
    table = table[~((table["on"] == NAMES["trace"]) & (table["change"] > DESTROYED))]
    table["moved"] = np.exp(table["moved"])
    table[["change", "low", "high"]] = np.expm1(table[["change", "low", "high"]])
    rows, place = table.to_dict("records"), {"x": "moved", "y": "change", "color": COLOURS}
    chart = layered(
        log_axis("moved", "moved, times the plain twin's", limits=padded(table["moved"], log=True), ticks=ticks),
        linear_axis(
            "change",
            f"{title}: test loss against the plain twin",
            limits=padded([*table["low"], *table["high"]]),
            format="+%",
        ),
        *interval_bars(rows, along="y", across="moved", color=COLOURS),
        marks(rows, "line", **place, strokeWidth=2),
        marks(rows, "circle", **place, size=70, opacity=1),
    )
    counts = sorted({len(own) for own in pairs.values()})
    shown = " to ".join(str(each) for each in dict.fromkeys((counts[0], counts[-1])))
    return Panel(chart=chart, title=f"{title}, {shown} pairs an arm", width=260, height=270)


def peak_panel() -> Panel:
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
            (LABELS[arm], size, *np.exp(interval(np.log(own))).clip(*SHOWN_LOSSES))
            for (arm, size), own in table.groupby(["arm", "train_points"])["loss"]
        ],
        columns=["arm", "size", "mean", "low", "high"],
    )
    order, rows = sorted(means["size"].unique()), means.to_dict("records")
    arm = {**name_axis("arm", list(LABELS.values()), labelLimit=260), "scale": {"paddingInner": 0.4}}
    place: Spec = {"y": arm, "yOffset": {"field": "size", "type": "nominal", "sort": order}}
    place["color"] = told_apart("size", order, looks=ramp(len(order)), key=legend("training points"))
    chart = layered(
        log_axis("mean", "test loss", limits=padded([*means["low"], *means["high"]], log=True)),
        arm,
        marks(rows, "rule", **place, x="low", x2="high", strokeWidth=2),
        marks(rows, "circle", **place, x="mean", size=70, opacity=1),
    )
    title = f"Double descent, {counted(table['draw'].nunique(), 'draw')} of data"
    return Panel(chart=chart, title=title, width=260, height=270)


SHOWN_LOSSES = [0.6, 5]  # one interval of a network that half collapses reaches beyond
PUSHED = sorted(
    ((on, sign * strength) for on, strength in ARMS for sign in (1, -1)), key=lambda each: (each[0], -each[1])
)
LABELS = {
    "none": "plain",
    **{f"{on}{at:+g}": f"{on} pushed {'down' if at > 0 else 'up'} ({abs(at):g})" for on, at in PUSHED},
}


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
