"""The figures in the table of docs/claims.md are those of the committed tables and the packaged sweeps.

Left to `python examples/figures/claims.py C2 C3 C4 C6`, minutes: what needs fits of `hundredfold` (C2 of MLPs, T3,
gamma of our MLPs, C6 of MLPs), and T2, which speaks across shapes.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from tests.docs.pages import ROOT

from interlaw.laws import judge_together
from interlaw_paper.push import Arm, arm_of, changes, detectable, interval, measured_effects


class Scripts:
    """The modules behind the page, which lie outside the package."""

    def __getattr__(self, name: str) -> ModuleType:
        return importlib.import_module(f"claim_{name}")


@pytest.fixture(scope="module")
def scripts() -> Iterator[Scripts]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "examples" / "figures")
        yield Scripts()


def row(claim: str, *, has: str) -> str:
    """The one row of the table of a claim whose second cell has these words."""
    lines = (ROOT / "docs" / "claims.md").read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith(f"| {claim} |") and has in line.split(" | ")[1]]
    assert len(rows) == 1
    return rows[0]


def short(value: float, digits: int, *, sign: bool = True) -> str:
    """As the page prints a number: without the zero before the point."""
    text = f"{value:{'+' if sign else ''}.{digits}f}"
    return re.sub(r"^([+-]?)0\.", r"\1.", text)


def with_interval(values: tuple[float, ...], digits: int = 2) -> str:
    value, low, high = (short(each, digits) for each in values)
    return f"{value} ({low} to {high})"


def percent(change: float) -> str:
    """A change of the loss in whole per cent, with one digit where it is less than one."""
    value = 100 * np.expm1(change)
    return short(value, 0 if abs(value) >= 0.95 else 1)


def loss_of(arm: Arm, *, digits: int | None = None) -> str:
    change, low, high = (
        percent(each) if digits is None else short(100 * np.expm1(each), digits)
        for each in (arm.change, arm.low, arm.high)
    )
    return f"{np.expm1(arm.moved):+.0%}: {change}% ({low} to {high})"


def test_pushes_of_gpts(scripts: Scripts) -> None:
    found = row("C1", has="small GPTs").replace("loss ", "")
    effects = [each for each in measured_effects(scripts.numbers.final("push-gpt-again")) if each.on == "interaction"]
    arms = [arm for effect in effects for arm in (effect.lowered, effect.raised)]
    for arm in arms:
        assert loss_of(arm, digits=1) in found
    seen = [100 * scripts.pushes.seen_by(arm, pairs=effects[0].num_pairs) for arm in arms]
    assert f"| {short(min(seen), 1, sign=False)}% to {max(seen):.1f}% |" in found


def test_pushes_of_mlps(scripts: Scripts) -> None:
    found = row("C1", has="MLPs").replace("loss ", "")
    table = pd.concat([scripts.numbers.final(name) for name in ("push", "push-again")], ignore_index=True)
    effects = [each for each in measured_effects(table) if each.on == "interaction"]
    assert len(effects) == 3
    strongest = max(effects, key=lambda each: each.strength)
    for arm in (strongest.lowered, *(effect.raised for effect in effects)):
        assert loss_of(arm) in found
    down = scripts.numbers.final("push-down")
    for strength in (0.03, 0.01):
        pairs = changes(down, on="interaction", strength=strength)
        assert f"{len(pairs)} pairs" in found
        assert loss_of(arm_of(pairs), digits=1) in found
        assert f"{100 * np.expm1(detectable(pairs['loss'].to_numpy())):.1f}%" in found
    assert f"p = {short(stats.ttest_1samp(pairs['loss'], 0, alternative='less').pvalue, 3, sign=False)}" in found


def test_the_peak(scripts: Scripts) -> None:
    found = row("C1", has="double descent")
    changes = scripts.pushes.peak_changes(pd.read_csv(scripts.numbers.RESULTS / "peak.csv"))["height"]
    # the strongest push upwards ends in a network of nearly zero
    for arm in ("interaction+0.1", "interaction-0.01", "trace+0.0003", "trace-0.0003"):
        assert with_interval(interval(changes[arm].to_numpy())) in found


@pytest.mark.parametrize(("runs", "words"), [("small-gpts", "GPTs"), ("students", "MLPs, GRU students")])
def test_what_goes_with_the_loss(scripts: Scripts, runs: str, words: str) -> None:
    parts = scripts.numbers.as_one(runs) if runs == "small-gpts" else scripts.numbers.fits_of(runs)
    effects = scripts.numbers.effects(judge_together(parts), runs=runs).set_index("quantity")
    for quantity, place in (("aofe", words), ("aofe_scale_free", words), ("aofe_ratio", "high AOFE-ratio")):
        for values in effects.loc[[quantity], ["effect", "low", "high"]].to_numpy():
            assert with_interval(tuple(values)) in row("C2", has=place)


def test_what_a_second_set_of_gpts_repeats(scripts: Scripts) -> None:
    page = (ROOT / "docs" / "claims.md").read_text("utf-8")
    effects = scripts.numbers.effects(judge_together(scripts.numbers.as_one(scripts.slopes.OWN)), runs="GPTs")
    effects = effects.set_index(["quantity", "view"])
    ratios = [with_interval(tuple(each)) for each in effects.loc["aofe_ratio", ["effect", "low", "high"]].to_numpy()]
    assert f"second set {', '.join(ratios)}" in row("C2", has="high AOFE-ratio")
    raw = (short(effects.loc[("aofe", view), "effect"], 2) for view in ("projected", "loss"))
    assert f"raw AOFE ({', '.join(raw)})" in page
    assert f"`loss` ({short(effects.loc[('aofe_scale_free', 'loss'), 'effect'], 2)})" in page
    verdicts = effects["verdict"].to_dict()
    assert {verdicts["aofe_ratio", view] for view in ("projected", "loss")} == {"cannot tell"}
    opposite = (("aofe", "projected"), ("aofe", "loss"), ("aofe_scale_free", "loss"))
    assert {verdicts[each] for each in opposite} == {"opposite"}


def test_what_the_most_efficient_shape_is_worth(scripts: Scripts) -> None:
    found = row("C3", has="R moves a network")
    numbers, experiments = scripts.numbers, scripts.hundredfold
    for table, rules in (
        (experiments.table(), ("efficient", "lowest")),
        (experiments.table(experiments.SEARCHED), ("efficient",)),
        (numbers.final("targets"), ("efficient",)),
        (numbers.inside(experiments.table()), ("efficient",)),
    ):
        gained = numbers.gains(table)
        for rule in rules:
            assert with_interval(numbers.mean_over_targets(gained, rule)) in found
    targets = numbers.gains(experiments.table()).groupby("part")["efficient"].mean()
    p_value = stats.binomtest(int((targets < 0).sum()), len(targets)).pvalue
    assert f"median {short(targets.median(), 2)} (sign test p = {short(p_value, 2, sign=False)})" in found
    ends, count = numbers.at_ends(experiments.table())
    assert f"an end of the grid in {ends} of {count} contexts" in (ROOT / "docs" / "claims.md").read_text("utf-8")


def test_slopes_of_language_models(scripts: Scripts) -> None:
    found = row("C4", has="language models")
    slopes = scripts.slopes.slopes().set_index("dataset")
    mean = slopes.loc["all data sets"]
    assert f"= {with_interval(tuple(mean[['gamma', 'low', 'high']]))} over three public data sets" in found
    assert found.endswith(f"| {short(mean['seen'], 2, sign=False)} |")
    page = (ROOT / "docs" / "claims.md").read_text("utf-8")
    for name in scripts.slopes.TOGETHER:
        assert with_interval(scripts.slopes.bound(name)) in page
    alone = {name: scripts.slopes.fit_of(name).stability for name in scripts.slopes.TOGETHER}
    only = alone.pop("byte-level")
    assert with_interval((only.gamma, only.low, only.high)) in found
    assert [each.gamma for each in alone.values()] == [None, None]  # one budget at a time, no other has a slope


def test_the_slope_of_our_gpts(scripts: Scripts) -> None:
    slopes, found = scripts.slopes, row("C4", has="our GPTs")
    gamma = slopes.own_fit().law.parameters["gamma"]
    assert f"= {with_interval((gamma.value, gamma.low, gamma.high))}" in found
    assert found.endswith(f"| {slopes.seen_by(gamma.low, gamma.high):.2f} |")
    (bounded,) = [each.r_star for each in slopes.own_fit().budgets if each.r_star.status == "optimum"]
    low, high = (short(each, 3, sign=False) for each in (bounded.low, bounded.high))
    assert f"{short(bounded.value, 3, sign=False)} ({low} to {high}) at 123k" in found
    runs = scripts.numbers.final(slopes.OWN)
    shapes = runs[runs["ratio"].between(0.02, 0.2)].groupby(["budget", "depth"])["loss"].mean().groupby("budget")
    apart = 100 * (shapes.max() / shapes.min() - 1)
    assert f"within {apart.min():.0f} to {apart.max():.0f}% of each other" in found


@pytest.mark.parametrize("tau", [0.0, 0.05, 0.1, 0.15])
def test_the_interval_over_data_sets_holds_the_truth(scripts: Scripts, tau: float) -> None:
    """1,000 draws: a coverage of .90 has a Monte Carlo error of .01; normal quantiles hold it in .93 to .78."""
    stderr = np.array([0.06, 0.08, 0.125])  # those of the three data sets
    gammas = np.random.default_rng(0).normal(scale=np.hypot(tau, stderr), size=(1000, 3))
    found = [scripts.slopes.pooled(each, stderr) for each in gammas]
    assert np.mean([each["low"] <= 0 <= each["high"] for each in found]) >= 0.9


def test_the_interval_over_data_sets_is_never_narrower_than_the_plain_one(scripts: Scripts) -> None:
    stderr = np.array([0.06, 0.08, 0.125])
    same = scripts.slopes.pooled(np.full(3, -0.4), stderr)  # no scatter at all
    plain = stats.t.ppf(0.95, 2) * (stderr**-2.0).sum() ** -0.5
    assert (same["gamma"], same["high"] - same["gamma"]) == pytest.approx((-0.4, plain))


def test_scores_of_published_models(scripts: Scripts) -> None:
    _, words = scripts.numbers.scored_models()
    value, low, high, seen = (
        short(float(each), 2, sign=kind)
        for each, kind in zip(
            re.findall(r"r = ([+-][\d.]+) \(([+-][\d.]+) to ([+-][\d.]+)\).*?\|r\| = ([\d.]+)", words)[0],
            (True, True, True, False),
            strict=True,
        )
    )
    found = row("C5", has="published models")
    assert f"given size {value} ({low} to {high})" in found
    assert f"| {seen} |" in found


def test_what_a_wrong_ratio_costs_language_models(scripts: Scripts) -> None:
    table = scripts.regret.means(*scripts.regret.regrets({}))
    said = table.assign(said=table.apply(scripts.regret.said, axis=1)).set_index(["sweep", "rule"])
    evidence = (ROOT / "docs" / "results" / "evidence.md").read_text("utf-8")
    lines = [line for line in evidence.splitlines() if line.startswith(("| Gemstones, 100M", "| byte-level GPTs"))]
    for line, sweep in zip(lines, ("Gemstones", "Sun byte-level GPT"), strict=True):
        rules = ("0.25 R*", "0.5 R*", "1 R*", "2 R*", "4 R*", *scripts.regret.RULES)
        cells = [said["said"].get((sweep, rule), "off the grid") for rule in rules]
        assert [cell.strip() for cell in line.split("|")[2:-1]] == cells
    found = row("C6", has="choose R")
    for factors in (("0.5 R*", "2 R*"), ("0.25 R*", "4 R*")):
        own = said[said.index.get_level_values("rule").isin(factors)]
        ends = [own[column].agg(end) for column in ("cost", "compute") for end in ("min", "max")]
        low, high = (short(each, 0 if factors[0] == "0.25 R*" else 1, sign=False) for each in ends[:2])
        assert f"{low} to {high}% " in found
        assert f"({ends[2]:.0f} to {ends[3]:.0f}%" in found
    floor = said.loc[("Sun byte-level GPT", "1 R*"), "floor"]
    assert f"| {short(floor, 1, sign=False)}%; MLPs " in found
