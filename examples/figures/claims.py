"""The verdicts of docs/claims.md and their figures, from the committed tables and the packaged sweeps.

    python examples/figures/claims.py            # draws docs/images/claim-*.png and prints the verdicts
    python examples/figures/claims.py C4 C6      # of these claims alone
    python examples/figures/claims.py --runs DIR # exports DIR/waves, DIR/push and so on to docs/results first

DIR/waves and the others are what `interlaw reproduce waves --scale decisive --out DIR/waves` left.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import altair as alt
import claim_hundredfold as hundredfold
import claim_numbers as numbers
import numpy as np
import pandas as pd
from claim_look import finished
from claim_pushes import draw_push
from scipy import stats

from interlaw.laws import judge_together
from interlaw.report.look import BEST, CONFIG, FAINT, FIT, GOOD, INTERACTION, MUTED, SERIES
from interlaw.report.saving import rendered, save
from interlaw.runs import view_table
from interlaw.size import counted

IMAGES = Path(__file__).parents[2] / "docs" / "images"
EXPERIMENTS = (
    *("waves", "push", "push-again", "push-gpt", "push-gpt-again", "peak", "growth", "small-gpts", "students"),
    *("targets", "hundredfold", "rates"),
)
CLAIMED = {"aofe_scale_free": "scale-free AOFE", "aofe": "AOFE", "aofe_ratio": "AOFE-ratio", "excess_ratio": "excess"}


def main() -> None:
    """Exports when asked to, then draws and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("claims", nargs="*", choices=[*CLAIMS, []], help="all when none is given")
    parser.add_argument("--runs", type=Path, help="folder with one folder an experiment")
    arguments = parser.parse_args()
    if arguments.runs:
        for name in EXPERIMENTS:
            if (arguments.runs / name).is_dir():
                numbers.export(arguments.runs / name, numbers.RESULTS / f"{name}.csv")
    for claim in arguments.claims or CLAIMS:
        stem, draw = CLAIMS[claim]
        save(IMAGES / f"{stem}.png", rendered({**draw().to_dict(), "config": CONFIG}, form="png"))


def draw_forest() -> alt.TopLevelMixin:
    """C2: the correlation of each quantity with the loss over seeds of one shape, in every set of runs."""
    found = []
    for name, label in (("waves", "MLPs, 3 targets, searched rates"), ("targets", "MLPs, 6 targets, CompleteP")):
        if parts := numbers.fits_of(name):
            found.append(numbers.effects(say("C2", judge_together(parts), runs=label), runs=label))
    students = numbers.fits_of("students")
    for label, parts in (
        (f"MLPs, {len(hundredfold.targets())} targets, 5k to 500k", hundredfold.targets()),
        (f"GRU students, {counted(len(students), 'teacher')}", students),
    ):
        found.append(numbers.effects(say("C2", judge_together(parts), runs=label), runs=label))
    if numbers.fits_of("targets"):
        print_targets(numbers.towards_targets(numbers.final("targets")))
    if (numbers.RESULTS / "growth.csv").exists():
        for label, parts in numbers.lengths(numbers.final("growth")).items():
            effects = numbers.effects(say("C2", judge_together(parts), runs=label), runs=f"GPTs, {label}")
            found += [effects] if label == "all lengths" else []  # one length alone is too small to decide
    if (numbers.RESULTS / "small-gpts.csv").exists():
        label = "GPTs, 9 shapes, 3 budgets"
        found.append(numbers.effects(say("C2", judge_together(numbers.as_one("small-gpts")), runs=label), runs=label))
    parts = numbers.fitted(numbers.final("fair"), by="treatment")
    label = "GPTs, 3 treatments"
    found.append(numbers.effects(say("C2", judge_together(parts), runs=label), runs=label))
    table = pd.concat(found, ignore_index=True)
    table["runs"] = table["runs"] + ", " + table["view"]
    order = list(dict.fromkeys(table["runs"]))
    panels = [
        forest_panel(table[table["quantity"] == name], name, order, is_first=name == "aofe_scale_free")
        for name in CLAIMED
    ]
    return finished(
        alt.hconcat(*panels, spacing=14).resolve_scale(color="shared"),
        "Seeds of one shape: what goes with a high loss differs from network to network",
        "partial correlation with log loss and 90% interval; shaded: the side that the paper claims",
    )


def print_targets(found: pd.DataFrame) -> None:
    """Whether the loss falls towards the target's own interaction, and the sign test over targets."""
    print(found.round(3).to_string())
    for name, rows in found.groupby("quantity"):
        agree = int((np.sign(rows["side"]) == np.sign(rows["r"])).sum())
        p_value = stats.binomtest(agree, len(rows), alternative="greater").pvalue
        print(f"C2  {name}: the loss falls towards the target in {agree} of {len(rows)} targets, p = {p_value:.3g}")


VERDICTS = {"holds": FIT, "opposite": BEST, "negligible": MUTED, "cannot tell": FAINT}


def forest_panel(table: pd.DataFrame, quantity: str, order: list[str], *, is_first: bool) -> alt.LayerChart:
    """One quantity: a row a set of runs."""
    claimed = -1 if quantity in ("aofe_ratio", "excess_ratio") else 1
    x = alt.X(
        "effect",
        title=f"{CLAIMED[quantity]} and loss",
        scale=alt.Scale(domain=[-1, 1]),
        axis=alt.Axis(values=[-1, -0.5, 0, 0.5, 1]),
    )
    y = alt.Y("runs", title=None, sort=order, axis=alt.Axis(labels=is_first, labelLimit=300, ticks=False, domain=False))
    shade = (
        alt.Chart(pd.DataFrame({"low": [min(0, claimed)], "high": [max(0, claimed)]}))
        .mark_rect(color=GOOD, opacity=0.12)
        .encode(x=alt.X("low", scale=alt.Scale(domain=[-1, 1])), x2="high")
    )
    colour = alt.Color("verdict", title=None, scale=alt.Scale(domain=list(VERDICTS), range=list(VERDICTS.values())))
    base = alt.Chart(table).encode(y=y, color=colour)
    reach = base.mark_rule(strokeWidth=2).encode(x=alt.X("low", scale=alt.Scale(domain=[-1, 1])), x2="high")
    return (shade + reach + base.mark_circle(size=70, opacity=1).encode(x=x)).properties(
        width=150, height=22 * len(order)
    )


def draw_tracking() -> alt.TopLevelMixin:
    """C3: loss against R in each context, with the best shape and the one of most efficient interaction."""
    parts = numbers.fits_of("targets")
    say("C3", judge_together(parts), runs="MLPs")
    gains = numbers.gains(numbers.final("targets"))
    for name in ("efficient", "lowest"):
        mean, low, high = numbers.mean_over_targets(gains, name)
        print(f"C3  gain over the mean shape, chosen by {name}: {mean:+.3f} ({low:+.3f} to {high:+.3f}) in log loss")
    print(numbers.contexts_of(parts).round(4).to_string())
    hundredfold.tell()
    say("C3", judge_together(hundredfold.targets()), runs="MLPs, 5k to 500k")
    print_gpts("small-gpts")
    shapes = numbers.shapes_of(hundredfold.table())
    scale = alt.Scale(type="log", domain=[0.005, 3])
    x = alt.X("ratio", title="R = depth / width", scale=scale, axis=alt.Axis(values=[0.01, 0.03, 0.1, 0.3, 1]))
    y = alt.Y("above", title="loss against the mean over shapes", axis=alt.Axis(format="+%"))
    lines = alt.Chart(shapes).mark_line(color=FAINT, strokeWidth=1.5).encode(x=x, y=y, detail="context")
    colour = alt.Color("chosen", title=None, scale=alt.Scale(domain=list(CHOSEN), range=[BEST, INTERACTION]))
    points = (
        alt.Chart(shapes[shapes["chosen"].isin(CHOSEN)])
        .mark_circle(size=80, opacity=0.9)
        .encode(x=x, y=y, color=colour)
    )
    left = (lines + points).properties(
        width=400, height=300, title=f"a line a context, {len(hundredfold.targets())} targets"
    )
    return finished(
        alt.hconcat(left, hundredfold.tracking_panel(), spacing=24).resolve_scale(color="independent"),
        "The shape of most efficient interaction is not the shape of lowest loss",
        f"MLPs, means of {hundredfold.SEEDS} seeds; a context is a target and a budget",
    )


def print_gpts(name: str) -> None:
    """C3 and C4 as far as a few budgets of GPTs can be asked."""
    parts = numbers.as_one(name)
    say("C3", judge_together(parts), runs="GPTs")
    for view in ("projected", "loss"):
        gains = numbers.gains(view_table(numbers.final(name).assign(part=view), view=view))
        print(f"C3  GPTs, {view}: gain over the mean shape in log loss\n" + gains.round(3).to_string())
        print(numbers.contexts_of(parts, view).round(4).to_string())


CHOSEN = ("lowest loss", "most efficient interaction")


def draw_optima() -> alt.TopLevelMixin:
    """C4: R* against parameters; the claim would be a flat line."""
    optima = numbers.public_optima()
    for line in numbers.slopes(optima).itertuples():
        print(f"C4  {line.dataset}: gamma = {line.gamma:+.2f} ({line.low:+.2f} to {line.high:+.2f})")
    table = optima.assign(
        low=optima["ratio"] * np.exp(-numbers.NINETY * optima["stderr"]),
        high=optima["ratio"] * np.exp(numbers.NINETY * optima["stderr"]),
    )
    axis = alt.Axis(values=[1e6, 1e7, 1e8, 1e9], labelExpr="datum.value < 1e9 ? datum.value / 1e6 + 'M' : '1B'")
    scale = alt.Scale(type="log", domain=[0.013, 0.2])
    base = alt.Chart(table).encode(
        x=alt.X("params", title="parameters", scale=alt.Scale(type="log", nice=False, padding=12), axis=axis),
        color=alt.Color("dataset", title=None, scale=alt.Scale(range=list(SERIES))),
    )
    ticks = alt.Axis(values=[0.02, 0.05, 0.1, 0.2])
    y = alt.Y("ratio", title="R* = depth / width of the lowest loss", scale=scale, axis=ticks)
    low = alt.Y("low", scale=scale)
    marks = base.mark_rule(strokeWidth=2).encode(y=low, y2="high") + base.mark_circle(size=70, opacity=1).encode(y=y)
    ends = pd.DataFrame({"low": [0.020], "high": [0.065]})
    band = alt.Chart(ends).mark_rect(color=MUTED, opacity=0.12).encode(y=low, y2="high")
    public = (band + marks).properties(width=430, height=300, title="public sweeps of language models")
    return finished(
        alt.hconcat(public, hundredfold.panel(), spacing=24).resolve_scale(color="independent"),
        "R* falls as language models grow; on MLPs it moves by much less, if at all",
        "90% intervals; grey: the range that the paper's budgets share, .020 to .065",
    )


def draw_models() -> alt.TopLevelMixin:
    """C5: what published models score beyond their size against R, a line from each model to its family."""
    models, words = numbers.scored_models()
    print(f"C5  {words}")
    models["log"] = np.log(models["ratio"])
    families = models.groupby("family").agg(log=("log", "mean"), beyond=("beyond", "mean"), count=("log", "size"))
    families["ratio"] = np.exp(families["log"])
    joined = models.merge(families[["ratio", "beyond"]], left_on="family", right_index=True, suffixes=("", "_mean"))
    scale = alt.Scale(type="log", domain=[0.005, 0.07])
    x = alt.X("ratio", title="R = depth / width", scale=scale, axis=alt.Axis(values=[0.005, 0.01, 0.02, 0.05]))
    y = alt.Y("beyond", title="MMLU-Pro beyond what size predicts, points")
    shade = (
        alt.Chart(pd.DataFrame({"low": [0.020], "high": [0.065]}))
        .mark_rect(color=GOOD, opacity=0.16)
        .encode(x=alt.X("low", scale=scale), x2="high")
    )
    spokes = alt.Chart(joined).mark_rule(color=FAINT).encode(x=x, y=y, x2="ratio_mean", y2="beyond_mean")
    dots = alt.Chart(joined).mark_circle(color=MUTED, size=28, opacity=0.8).encode(x=x, y=y)
    means = (
        alt.Chart(families.reset_index())
        .mark_circle(color=FIT, opacity=0.9, stroke="white")
        .encode(
            x=x,
            y=y,
            size=alt.Size(
                "count",
                title="models of a family",
                scale=alt.Scale(range=[40, 420]),
                legend=alt.Legend(values=[1, 4, 8, 12]),
            ),
        )
    )
    return finished(
        (shade + spokes + dots + means).properties(width=480, height=300),
        "Over all sizes, models near the claimed interval score worse; given size, it cannot be told",
        [f"{words.partition(';')[0]}", "grey: models; blue: their families; gold: the claimed interval"],
    )


def draw_regret() -> alt.TopLevelMixin:
    """C6: loss above the best against the factor off R*, and what three rules cost."""
    own = {"MLPs, 6 targets": numbers.fits_of("targets"), "MLPs, 9 targets": hundredfold.targets()}
    curves, ruled = numbers.regrets(own)
    print_regrets(curves, ruled)
    curves = curves[~curves["sweep"].isin(own)]  # theirs are ten times as steep
    means = (
        curves.dropna().groupby(["sweep", "factor"]).agg(cost=("cost", "mean"), count=("cost", "size")).reset_index()
    )
    full = means.groupby("sweep")["count"].transform("max")
    colour = alt.Color("sweep", title=None, scale=alt.Scale(range=list(SERIES)))
    left = (
        alt.Chart(means[means["count"] == full])
        .mark_line(strokeWidth=2.5)
        .encode(
            x=alt.X(
                "factor",
                title="R / R*",
                scale=alt.Scale(type="log", base=2),
                axis=alt.Axis(values=[0.125, 0.25, 0.5, 1, 2, 4, 8]),
            ),
            y=alt.Y("cost", title="loss above the best, %"),
            color=colour,
        )
        .properties(width=300, height=270, title="off by a factor")
    )
    right = (
        alt.Chart(ruled.dropna())
        .mark_circle(size=60, opacity=0.85)
        .encode(
            x=alt.X("cost", title="loss above the best, %"),
            y=alt.Y("rule", title=None, sort=list(numbers.RULES)),
            color=colour,
            yOffset=alt.YOffset("sweep"),
        )
        .properties(width=260, height=270, title="by a rule, a dot a budget")
    )
    return finished(
        alt.hconcat(left, right),
        "A factor of two off R* costs about 1% of the loss, a factor of four up to 5%",
        "mean over the budgets that have an optimum; 0 is the fitted minimum, which a measured shape may undercut",
    )


def print_regrets(curves: pd.DataFrame, ruled: pd.DataFrame) -> None:
    """Loss and equivalent compute, mean over budgets, of each factor and rule."""
    chosen = curves[curves["factor"].isin([0.25, 0.5, 1.0, 2.0, 4.0])].assign(rule=lambda rows: rows["factor"])
    both = pd.concat([chosen, ruled]).assign(
        compute=lambda rows: numbers.equivalent_compute(rows["cost"], rows["worth"])
    )
    means = both.groupby(["sweep", "rule"])[["cost", "compute"]].agg(["mean", "count"])
    print("C6  loss above the best, and the training compute that it is worth, per cent\n" + means.round(2).to_string())


def say(claim: str, found: tuple, *, runs: str) -> tuple:
    """Prints the sentences of some claims and hands them on."""
    for each in found:
        if each.claim == claim or (claim == "C3" and each.claim == "C4"):
            print(f"{each.claim}  {runs}: {each.sentence}")
    return found


CLAIMS: dict[str, tuple[str, Callable[[], alt.TopLevelMixin]]] = {
    "C1": ("claim-1-push", draw_push),
    "C2": ("claim-2-within", draw_forest),
    "C3": ("claim-3-tracking", draw_tracking),
    "C4": ("claim-4-optima", draw_optima),
    "C5": ("claim-5-models", draw_models),
    "C6": ("claim-6-regret", draw_regret),
}

if __name__ == "__main__":
    main()
