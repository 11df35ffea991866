"""The intervention's effect: known elasticities, its power, its recipes, and one small run from end to end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from interlaw.runs import RunFolder, TrialSpec
from interlaw.sweep import parse_recipe, plan_trials, run_trials
from interlaw_paper import Driver
from interlaw_paper.push import (
    PUSH,
    PUSH_AGAIN,
    PUSH_DOWN,
    PUSH_GPT,
    PUSH_GPT_AGAIN,
    Push,
    changes,
    detectable,
    drives_loss,
    interval,
    judged,
    judged_lowered,
    measured_effects,
)
from interlaw_paper.shape_sweep import Part, recipe_text


def a_table(*, elasticity: float, curvature: float = 0.5, noise: float = 0.02, seed: int = 0) -> pd.DataFrame:
    """Two shapes and eight seeds; log loss is a parabola in the shift of log interaction, plus noise of each trial."""
    rng = np.random.default_rng(seed)
    rows = []
    for on, strength in [(None, 0.0), ("interaction", 0.1), ("interaction", -0.1), ("trace", 0.1), ("trace", -0.1)]:
        shift = -2.0 * strength
        for depth in (2, 4):
            for run in range(8):
                moved = shift if on == "interaction" else 0.0
                log_loss = -5 + 0.1 * depth + elasticity * moved + curvature * moved**2 + noise * rng.normal()
                rows.append(
                    {
                        "depth": depth,
                        "width": 10 * depth,
                        "seed": run,
                        "intervention": on,
                        "strength": strength or np.nan,
                        "loss": np.exp(log_loss),
                        "aofe_scale_free": 0.25 * np.exp(moved),
                        "trace": 1.4 * np.exp(shift if on == "trace" else 0.0),
                    }
                )
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("elasticity", "curvature", "verdict"),
    [
        (0.5, 0.0, "agrees"),
        (-0.5, 0.0, "does not agree"),
        (0.0, 0.0, "not comparable"),  # the noise of a pair is above one per cent
        (0.1, 5.0, "partly agrees"),  # an optimum: both directions cost
        (-2.0, 5.0, "does not agree"),
    ],
)
def test_a_known_elasticity_is_found(elasticity: float, curvature: float, verdict: str) -> None:
    effect, control = measured_effects(a_table(elasticity=elasticity, curvature=curvature, seed=3))
    assert (effect.on, effect.strength, effect.num_pairs) == ("interaction", 0.1, 16)
    assert effect.elasticity == pytest.approx(elasticity, abs=0.06)  # .02 sqrt 2 / .4 / sqrt 16 = .018, three times
    for arm, moved in ((effect.lowered, -0.2), (effect.raised, 0.2)):
        assert arm.moved == pytest.approx(moved)
        assert arm.change == pytest.approx(elasticity * moved + curvature * moved**2, abs=0.022)
        assert arm.low < arm.change < arm.high
    assert control.low < 0 < control.high
    line, other = judged([effect, control])
    assert line.verdict == verdict
    assert other.verdict == "not comparable"


def test_what_moves_nothing_is_told_where_the_noise_is_small() -> None:
    effect = measured_effects(a_table(elasticity=0.0, curvature=0.0, noise=0.002))[0]
    assert drives_loss(effect) is False


def test_the_interval_is_that_of_scipy() -> None:
    table = a_table(elasticity=0.2)
    by = {strength: rows.sort_values(["depth", "seed"]) for strength, rows in table.groupby("strength")}
    own = {key: rows[rows["intervention"] == "interaction"]["loss"].to_numpy() for key, rows in by.items()}
    found = stats.ttest_rel(np.log(own[0.1]) / -0.4, np.log(own[-0.1]) / -0.4).confidence_interval(0.9)
    effect = measured_effects(table)[0]
    assert (effect.low, effect.high) == pytest.approx(tuple(found), rel=1e-9)


def test_noise_is_called_a_cause_at_its_level_and_the_detectable_effect_at_its_power() -> None:
    """4000 draws of 16 pairs: three binomial standard errors are .010 around 5% and .019 around 80%."""
    pairs = np.random.default_rng(0).normal(size=(4000, 16))
    level = np.mean([interval(each)[1] > 0 for each in pairs])
    shift = np.mean([detectable(each) for each in pairs])
    power = np.mean([interval(each + shift)[1] > 0 for each in pairs])
    assert level == pytest.approx(0.05, abs=0.010)
    assert power == pytest.approx(0.8, abs=0.03)  # the sum of two t quantiles is near the noncentral t, not equal to it


def test_too_few_pairs_give_no_effect() -> None:
    table = a_table(elasticity=0.0)
    assert measured_effects(table[table["strength"] != 0.1]) == []


def seeds_of(part: Part, folder: Path) -> set[int]:
    recipe = parse_recipe(recipe_text(part, scale="decisive"), source="r")
    return {trial.training.seed for trial in plan_trials(recipe, folder=folder)}


def test_pushes_downwards_run_block_by_block_on_seeds_of_their_own(tmp_path: Path) -> None:
    parts = PUSH_DOWN.parts()
    assert [part.label for part in parts[:4]] == [
        "none-from-20",
        "interaction+0.03-from-20",
        "interaction+0.01-from-20",
        "none-from-45",
    ]
    assert len(parts) == 45
    used = {seed for push in (PUSH, PUSH_AGAIN) for seed in seeds_of(push.parts()[0], tmp_path)}
    blocks = [seeds_of(part, tmp_path) for part in parts[::3]]
    assert sum(map(len, blocks)) == len(set().union(*blocks)) == 375
    assert not used & set().union(*blocks)
    planned = plan_trials(parse_recipe(recipe_text(parts[1], scale="decisive"), source="r"), folder=tmp_path)
    assert {(trial.training.intervention, trial.training.strength) for trial in planned} == {("interaction", 0.03)}
    assert len(planned) == 50


@pytest.mark.parametrize(
    ("elasticity", "noise", "verdict"),
    [
        (0.5, 0.02, "agrees"),
        (-0.5, 0.02, "does not agree"),
        (0.0, 0.001, "does not agree"),  # it changes nothing
        (0.0, 0.1, "not comparable"),
    ],
)
def test_lowering_alone_is_judged_by_its_own_arm(elasticity: float, noise: float, verdict: str) -> None:
    table = a_table(elasticity=elasticity, curvature=0.0, noise=noise, seed=3)
    (line,) = judged_lowered(table[~(table["strength"] < 0) & (table["intervention"] != "trace")])
    assert line.verdict == verdict
    assert line.ours is not None
    assert "scale-free AOFE -18%: loss" in line.ours  # exp(-.2) - 1
    assert "16 pairs" in line.ours


def test_changes_are_those_of_pairs_with_both_trials() -> None:
    table = a_table(elasticity=0.2)
    table = table[~((table["seed"] == 3) & table["intervention"].isna())]
    pairs = changes(table, on="interaction", strength=0.1)
    assert len(pairs) == 14
    own = table[(table["depth"] == 4) & (table["seed"] == 5)]
    plain = own[own["intervention"].isna()]["loss"].item()
    arm = own[(own["intervention"] == "interaction") & (own["strength"] == 0.1)]["loss"].item()
    assert pairs.loc[(4, 40, 5), "loss"] == pytest.approx(np.log(arm / plain), rel=1e-12)


@pytest.mark.parametrize(
    ("push", "trials", "labels"),
    [
        (PUSH, 16, {"none", "interaction-0.1", "trace+0.03"}),
        (PUSH_GPT, 12, {"none", "interaction-0.03", "trace+0.0005"}),
        (PUSH_AGAIN, 24, {"none", "interaction-0.01", "trace+0.01"}),
        (PUSH_GPT_AGAIN, 28, {"none", "interaction-0.01", "trace-0.0005"}),
    ],
)
def test_every_part_can_be_planned_and_intervenes_as_named(
    push: Push, trials: int, labels: set[str], tmp_path: Path
) -> None:
    seen = {}
    first = {"push-again": PUSH, "push-gpt-again": PUSH_GPT}.get(push.name)
    used = seeds_of(first.parts()[0], tmp_path) if first else set()
    for part in push.parts():
        planned = plan_trials(parse_recipe(recipe_text(part, scale="decisive"), source="r"), folder=tmp_path)
        assert len(planned) == trials
        assert not {trial.training.seed for trial in planned} & used
        (seen[part.label],) = {(trial.training.intervention, trial.training.strength) for trial in planned}
    assert len(seen) == 1 + 2 * len(push.arms) == len(set(seen.values()))
    assert seen.keys() >= labels
    assert seen["none"] == ("none", 0.0)
    assert all(label == f"{on}{strength:+g}" for label, (on, strength) in seen.items() if label != "none")


def test_a_small_run_from_end_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def in_process(plan: Callable[[], tuple[RunFolder, list[TrialSpec]]]) -> None:
        run, trials = plan()
        run_trials(run, trials, executor="local", listen=lambda event: None)

    small = (
        ('"16k"', '"300"'),
        ("[0, 1, 2, 3, 4, 5, 6, 7]", "[0, 1]"),
        ("steps = 500 ", "steps = 5 "),
        ("batch_size = 256", "batch_size = 8"),
        ("gain = 0.8", "gain = 0.8\ntrain = 40\nvalidation = 64\ntest = 64"),
        ("samples = 4096\n\n[intervention]", "samples = 32\n\n[intervention]"),
    )
    reduced = tuple(replace(part, changes=(*small, *part.changes)) for part in PUSH.parts()[:5])
    monkeypatch.setattr(Push, "parts", lambda self: reduced)
    outcome = PUSH(scale="decisive", out=tmp_path, driver=Driver(sweep=in_process))
    assert len(outcome.table) == 20
    assert [line.figure for line in outcome.agreement] == ["interaction at strength 0.1", "trace at strength 0.1"]
    assert outcome.lost == ()
