"""The verdicts of docs/claims.md and their figures, from the committed tables and the packaged sweeps.

    python examples/figures/claims.py            # draws docs/images/claim-*.png and prints the verdicts
    python examples/figures/claims.py C4 C6      # of these claims alone
    python examples/figures/claims.py --runs DIR # exports DIR/waves, DIR/push and so on to docs/results first

DIR/waves and the others are what `interlaw reproduce waves --scale decisive --out DIR/waves` left.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import claim_hundredfold as hundredfold
import claim_numbers as numbers
import claim_regret as regret
import claim_slopes as slopes
import numpy as np
import pandas as pd
from claim_pushes import draw_push
from scipy import stats

from interlaw.laws import Claim, judge_together
from interlaw.published import PAPER_INTERVAL
from interlaw.report import Drawing, Panel, write_chart
from interlaw.report.claims_figure import effect_layers
from interlaw.report.evidence_figure import optima_layers
from interlaw.report.law_figure import size_axis
from interlaw.report.look import BEST, FAINT, FIT, GOOD, INTERACTION, MUTED, dataset_colours, padded
from interlaw.report.marks import Spec, layered, legend, linear_axis, log_axis, marks, name_axis, told_apart
from interlaw.runs import view_table
from interlaw.size import counted, format_range

IMAGES = Path(__file__).parents[2] / "docs" / "images"
EXPERIMENTS = (
    *(
        "waves",
        "push",
        "push-again",
        "push-down",
        "push-gpt",
        "push-gpt-again",
        "peak",
        "growth",
        "small-gpts",
        "students",
    ),
    *("targets", "hundredfold", "searched", "lengths", "rates", "mlp-again", "gpt-sizes"),
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
        write_chart(IMAGES / f"{stem}.png", draw())


def draw_forest() -> Drawing:
    """C2: the correlation of each quantity with the loss over seeds of one shape, in every set of runs."""
    forests = []
    for name, label in (("waves", "MLPs, 3 targets, searched rates"), ("targets", "MLPs, 6 targets, CompleteP")):
        if parts := numbers.fits_of(name):
            forests.append(numbers.effects(say("C2", judge_together(parts), runs=label), runs=label))
    students = numbers.fits_of("students")
    for label, parts in (
        (hundredfold.label(), hundredfold.targets()),
        (f"GRU students, {counted(len(students), 'teacher')}", students),
    ):
        forests.append(numbers.effects(say("C2", judge_together(parts), runs=label), runs=label))
    if numbers.fits_of("targets"):
        print_targets(numbers.towards_targets(numbers.final("targets")))
    for networks, table, names in over_lengths():
        at = {}
        for length, parts in numbers.lengths(table, names).items():
            label = f"{networks}, {length}"
            at[length] = numbers.effects(say("C2", judge_together(parts), runs=label), runs=label)
        forests.append(at.pop("all lengths"))
        print(
            f"C2  {networks}: the first length less the last\n"
            + numbers.change(pd.concat(at.values())).round(3).to_string()
        )
    label = "GPTs, 9 shapes, 3 budgets"
    forests.append(numbers.effects(say("C2", judge_together(numbers.as_one("small-gpts")), runs=label), runs=label))
    parts = numbers.fitted(numbers.final("fair"), by="treatment")
    label = "GPTs, 3 treatments"
    forests.append(numbers.effects(say("C2", judge_together(parts), runs=label), runs=label))
    table = pd.concat(forests, ignore_index=True)
    table["runs"] = table["runs"] + ", " + table["view"]
    kinds = ("MLPs", "GRU", "GPTs")
    order = sorted(dict.fromkeys(table["runs"]), key=lambda name: kinds.index(name.replace(",", " ").split()[0]))
    panels = tuple(
        forest_panel(table[table["quantity"] == name], name, order, is_first=name == "aofe_scale_free")
        for name in CLAIMED
    )
    return Drawing(
        message="Seeds of one shape: what goes with a high loss differs from network to network",
        caption="Partial correlation with log loss and its 90% interval. Shaded: the side that the paper claims. "
        "Hollow: cannot tell.",
        panels=panels,
        columns=len(panels),
    )


def over_lengths() -> Iterator[tuple[str, pd.DataFrame, pd.Series]]:
    """The networks trained for several lengths, the shortest first, and the length of each."""
    growth = numbers.final("growth").sort_values("budget", kind="stable")
    yield "GPTs", growth, growth["budget"].map("{:g} tokens a parameter".format)
    table = numbers.final("lengths").sort_values("train_tokens", kind="stable")  # the shortest first
    for networks, rows in table.groupby("family"):
        yield {"mlp": "MLPs", "gru": "GRU students"}[str(networks)], rows, rows["part"].str.rpartition("-")[2]


def print_targets(targets: pd.DataFrame) -> None:
    """Whether the loss falls towards the target's own interaction, and the sign test over targets."""
    print(targets.round(3).to_string())
    for name, rows in targets.groupby("quantity"):
        agree = int((np.sign(rows["side"]) == np.sign(rows["r"])).sum())
        p_value = stats.binomtest(agree, len(rows), alternative="greater").pvalue
        print(f"C2  {name}: the loss falls towards the target in {agree} of {len(rows)} targets, p = {p_value:.3g}")


def forest_panel(table: pd.DataFrame, quantity: str, order: list[str], *, is_first: bool) -> Panel:
    """One quantity: a row a set of runs."""
    claimed = -1 if quantity in ("aofe_ratio", "excess_ratio") else 1
    side = [{"low": min(0, claimed), "high": max(0, claimed)}]
    rows = name_axis("runs", order, labels=is_first, labelLimit=300, ticks=False, domain=False)
    rows["scale"] = {"domain": order}  # the same rows in every panel
    chart = layered(
        linear_axis("effect", "correlation with loss", limits=(-1, 1), values=[-1, -0.5, 0, 0.5, 1], format="~g"),
        rows,
        marks(side, "rect", x="low", x2="high", color=GOOD, opacity=0.12),
        *effect_layers(table.to_dict("records"), rows),
    )
    title = CLAIMED[quantity]
    return Panel(chart=chart, title=title[0].upper() + title[1:], width=150, height=22 * len(order))


def draw_tracking() -> Drawing:
    """C3: loss against R in each context, with the best shape and the one of most efficient interaction."""
    parts = numbers.fits_of("targets")
    say("C3", judge_together(parts), runs="MLPs")
    hundredfold.tell_gains("targets", numbers.final("targets"))
    print(numbers.contexts_of(parts).round(4).to_string())
    hundredfold.tell()
    say("C3", judge_together(hundredfold.targets()), runs=hundredfold.label())
    hundredfold.tell_searched()
    say(
        "C3",
        judge_together(hundredfold.targets(hundredfold.SEARCHED)),
        runs=hundredfold.label(hundredfold.SEARCHED),
    )
    print_gpts("small-gpts")
    shapes = numbers.shapes_of(hundredfold.table())
    rows, color = shapes.to_dict("records"), told_apart("chosen", CHOSEN, looks=(BEST, INTERACTION), key=legend())
    limits, place = padded(shapes["ratio"], log=True), {"x": "ratio", "y": "above"}
    chart = layered(
        log_axis("ratio", "R = depth / width", limits=limits),
        linear_axis("above", "loss against the mean over shapes", limits=padded(shapes["above"]), format="+%"),
        marks(rows, "line", **place, detail="context", color=FAINT, strokeWidth=1.2),
        marks([row for row in rows if row["chosen"]], "circle", **place, color=color, size=70, opacity=0.9),
    )
    left = Panel(chart=chart, title=f"A line a context, {counted(len(hundredfold.targets()), 'target')}", width=400)
    return Drawing(
        message="The shape of most efficient interaction gains nothing, and loses where it is an end of the grid",
        caption=f"MLPs, means of {hundredfold.seeds()} seeds; a context is a target and a budget.",
        panels=(left, hundredfold.tracking_panel(limits)),
        shared=False,
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


def draw_optima() -> Drawing:
    """C4: R* against parameters; the claim would be a flat line."""
    optima = pd.concat([slopes.public_optima(), slopes.own_optima()], ignore_index=True)
    slopes.tell()
    slopes.tell_own()
    reach = np.exp(numbers.NINETY * optima["stderr"])
    rows = optima.assign(low=optima["ratio"] / reach, high=optima["ratio"] * reach).to_dict("records")
    bounded = hundredfold.bounded()
    limits = padded(
        [*(row[end] for row in rows for end in ("low", "high")), *bounded["low"], *bounded["high"]], log=True
    )
    y = log_axis("ratio", "R* = depth / width of the lowest loss", limits=limits)
    chart = layered(
        size_axis(padded(optima["params"], log=True)),
        y,
        marks([PAPER_BAND], "rect", y="low", y2="high", color=MUTED, opacity=0.12),
        *optima_layers(rows),
    )
    return Drawing(
        message="R* of language models falls, by fits that bind sizes together; on MLPs it stays put",
        caption="90% intervals. Only the byte-level sweep has optima of several budgets, each read alone; Gemstones "
        "above 105M: one treatment; GPTs of this project: no slope. Grey, left: the range that the paper's budgets "
        f"share, {format_range(*PAPER_INTERVAL)}.",
        panels=(
            Panel(chart=chart, title="Language models", width=430, height=300),
            hundredfold.optima_panel(bounded, y),
        ),
        shared=False,
    )


PAPER_BAND = dict(zip(("low", "high"), PAPER_INTERVAL, strict=True))


def draw_models() -> Drawing:
    """C5: what published models score beyond their size against R, a line from each model to its family."""
    models, words = numbers.scored_models()
    print(f"C5  {words}")
    models["log"] = np.log(models["ratio"])
    families = models.groupby("family").agg(log=("log", "mean"), beyond=("beyond", "mean"), count=("log", "size"))
    families["ratio"] = np.exp(families["log"])
    joined = models.merge(families[["ratio", "beyond"]], left_on="family", right_index=True, suffixes=("", "_mean"))
    size: Spec = {"field": "count", "type": "quantitative", "scale": {"range": [40, 420]}}
    size["legend"] = legend("models of a family", values=[1, 4, 8, 12])
    ring: Spec = {"filled": False, "color": FIT, "strokeWidth": 2, "opacity": 1}
    chart = layered(
        log_axis("ratio", "R = depth / width", limits=padded([*models["ratio"], PAPER_INTERVAL[1]], log=True)),
        linear_axis("beyond", "MMLU-Pro beyond what size predicts, points", limits=padded(models["beyond"])),
        marks([PAPER_BAND], "rect", x="low", x2="high", color=GOOD, opacity=0.16),
        marks(joined.to_dict("records"), "rule", x="ratio", x2="ratio_mean", y="beyond", y2="beyond_mean", color=FAINT),
        marks(families.to_dict("records"), "point", x="ratio", y="beyond", size=size, **ring),
        marks(joined.to_dict("records"), "point", x="ratio", y="beyond", filled=True, color=MUTED, size=22, opacity=1),
    )
    return Drawing(
        message="Over all sizes, models near the claimed interval score worse; given size, these models cannot tell",
        caption="Grey: models; blue rings: means of their families; gold: the claimed interval. "
        f"{words.partition(';')[0].capitalize()}.",
        panels=(Panel(chart=chart, title="Published models", width=700, height=340),),
    )


def draw_regret() -> Drawing:
    """C6: loss above the best against the factor off R*, and what three rules cost."""
    own = {"MLPs, 6 targets": numbers.fits_of("targets"), hundredfold.label(): hundredfold.targets()}
    curves, ruled = regret.regrets(own)
    best = regret.tell(curves, ruled).loc[("Sun byte-level GPT", regret.AT_BEST)]
    curves = curves[~curves["sweep"].isin(own)]  # theirs are ten times as steep
    means = (
        curves.dropna().groupby(["sweep", "factor"]).agg(cost=("cost", "mean"), count=("cost", "size")).reset_index()
    )
    full = means.groupby("sweep")["count"].transform("max")
    means = means[means["count"] == full]
    names = list(dict.fromkeys(means["sweep"]))
    color = told_apart("sweep", names, looks=dataset_colours(names), key=legend())
    factors = [2.0**power for power in range(-3, 4)]
    curve = layered(
        log_axis("factor", "R / R*", limits=(factors[0], factors[-1]), ticks=factors),
        linear_axis("cost", "loss above the best, %", limits=padded([*means["cost"], 0.0])),
        marks(means.to_dict("records"), "line", x="factor", y="cost", color=color, strokeWidth=2.5),
    )
    ruled, rules = ruled.dropna(), {**name_axis("rule", regret.RULES), "scale": {"paddingInner": 0.4}}
    beside: Spec = {"field": "sweep", "type": "nominal", "sort": names}
    dots = layered(
        linear_axis("cost", "loss above the best, %", limits=padded([*ruled["cost"], 0.0])),
        rules,
        marks([{"cost": 0.0}], "rule", x="cost", color=FAINT, clip=True),
        marks(
            ruled.to_dict("records"), "circle", x="cost", y=rules, yOffset=beside, color=color, size=60, opacity=0.85
        ),
    )
    return Drawing(
        message="A factor of two off R* costs about 1% of the loss, a factor of four up to 5%",
        caption="Means over the budgets that have an optimum; 0 is the fitted minimum. At R* itself the byte-level "
        f"sweep reads {regret.percent(best['cost'])}: costs no higher than its noise ({regret.percent(best['floor'])}) "
        "are no costs.",
        panels=(
            Panel(chart=curve, title="Off by a factor"),
            Panel(chart=dots, title="By a rule, a dot a budget"),
        ),
    )


def say(claim: str, claims: tuple[Claim, ...], *, runs: str) -> tuple[Claim, ...]:
    """Prints the sentences of some claims and hands them on."""
    for each in claims:
        if each.claim == claim or (claim == "C3" and each.claim == "C4"):
            print(f"{each.claim}  {runs}: {each.sentence}")
    return claims


CLAIMS: dict[str, tuple[str, Callable[[], Drawing]]] = {
    "C1": ("claim-1-push", draw_push),
    "C2": ("claim-2-within", draw_forest),
    "C3": ("claim-3-tracking", draw_tracking),
    "C4": ("claim-4-optima", draw_optima),
    "C5": ("claim-5-models", draw_models),
    "C6": ("claim-6-regret", draw_regret),
}

if __name__ == "__main__":
    main()
