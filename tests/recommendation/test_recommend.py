from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from interlaw.errors import InterlawError
from interlaw.laws import LawFit, fit_law
from interlaw.recommendation import Recommendation, hf_config, recommend
from interlaw.recommendation.caveats import caveats
from interlaw.recommendation.interval import given_interval
from interlaw.shapes import GPTShape, LlamaShape, Shape, match_shapes


def small_fit(best: float = 0.03) -> LawFit:
    rng = np.random.default_rng(0)
    rows: dict[str, list[float]] = {name: [] for name in ("params", "budget", "depth", "width", "loss")}
    for size in (1e6, 3e6, 1e7, 3e7):
        for depth in range(2, 15):
            width = round(math.sqrt(size / 12 / depth))
            loss = 1 + 20 * size**-0.25 + 0.05 * math.log(depth / width / best) ** 2 + 0.001 * rng.normal()
            for name, value in zip(rows, (size, size, depth, width, loss), strict=True):
                rows[name].append(value)
    return fit_law(rows, num_bootstrap=100, num_permutations=100)


def said(result: Recommendation, words: str) -> bool:
    return any(words in sentence for sentence in result.warnings)


@pytest.mark.parametrize(
    ("params", "family", "vocab_size"),
    [("125M", "llama", 32_000), ("350M", "qwen2", 151_936), ("1.2B", "llama", 49_152), ("7B", "gpt", 50_304)],
)
def test_candidates_lie_in_the_interval_and_meet_the_budget(params: str, family: str, vocab_size: int) -> None:
    result = recommend(params=params, family=family, vocab_size=vocab_size)
    assert result.candidates
    for candidate in result.candidates:
        assert result.interval.low <= candidate.shape.ratio <= result.interval.high
        assert candidate.inside
        assert abs(candidate.shape.params / result.budget.amount - 1) <= 0.05
        assert candidate.budget_error == pytest.approx(candidate.shape.params / result.budget.amount - 1)
        assert candidate.train_tokens == 20 * candidate.shape.params
        assert candidate.train_flops == candidate.train_tokens * candidate.shape.flops_per_token
        assert (candidate.shape.family, candidate.shape.to_dict()["vocab_size"]) == (family, vocab_size)
    ratios = [candidate.shape.ratio for candidate in result.candidates]
    assert len(set(ratios)) == len(ratios) <= 5


def test_a_flops_budget_is_spent() -> None:
    result = recommend(flops=1e20, tokens_per_param=40)
    for candidate in result.candidates:
        assert candidate.train_flops == pytest.approx(1e20, rel=0.05)
        assert candidate.train_tokens == 40 * candidate.shape.params
    assert result.params == pytest.approx(result.candidates[0].shape.params, rel=0.1)


def test_every_law_takes_a_stance_on_every_candidate() -> None:
    result = recommend(params="1.2B")
    for candidate in result.candidates:
        row = candidate.to_dict()
        sides = [*row["supported_by"], *row["prefer_deeper"], *row["prefer_shallower"], "depthdelusion2026"]
        assert sorted(sides) == sorted(one.law.key for one in result.laws)
        assert len(row["nearest_models"]) == 3
    assert {"marin", "morph2025"} <= set(result.candidates[0].laws("prefers shallower"))


def test_disagreement_is_said() -> None:
    assert said(recommend(params="7B"), "are shallower than the interval")
    assert said(recommend(params="7B"), "lies above it (deeper)")
    assert said(recommend(params="350M"), "shares R = 0.020 to")
    assert said(recommend(params="350M", interval=(0.1, 0.2)), "lies below it (shallower)")
    assert said(recommend(params="350M"), "no fit of your own")
    assert said(recommend(params="100B"), "fewer than three published laws cover it")
    assert said(recommend(params="350M", interval=(0.001, 0.1)), "spans a factor of 100")


def test_a_fit_of_ones_own_places_the_interval_and_its_extrapolation_is_said() -> None:
    fit = small_fit()
    here = recommend(params=1e7, vocab_size=256, fit=fit, tied=True)
    there = recommend(params="350M", fit=fit)
    assert here.interval.source == there.interval.source == "fit"
    assert not said(here, "extrapolated")
    assert said(there, "350M is extrapolated: your fit covers 1M to 30M parameters")
    assert said(there, "your fit: ")  # the fit's own warnings come along
    assert there.candidates[0].penalty.source == "fit"
    assert not said(there, "no fit of your own")


def test_a_fit_without_an_optimum_is_not_used_and_that_is_said() -> None:
    result = recommend(params="350M", fit=small_fit(best=3.0))
    assert result.interval.source == "published laws"
    assert said(result, "your fit found no best ratio")


def test_one_budget_is_named_alone() -> None:
    fit = small_fit()
    rows = [
        {"params": 1e7, "depth": point.depth, "width": point.width, "loss": point.loss}
        for point in fit.budgets[2].points
    ]
    single = fit_law({name: [row[name] for row in rows] for name in rows[0]}, num_bootstrap=100, num_permutations=100)
    result = recommend(params="350M", fit=single)
    assert said(result, "your fit covers 10M parameters")
    assert said(result, "no law over several budgets")


def test_no_fitting_shape_gives_the_nearest_and_says_so() -> None:
    result = recommend(params="3M", family="gpt", vocab_size=256, context=256, interval=(0.024, 0.0241), head_dim=64)
    assert said(result, "no shape of these dimensions meets the budget within 5%")
    assert 1 <= len(result.candidates) <= 2
    assert not any(candidate.inside and abs(candidate.budget_error) <= 0.05 for candidate in result.candidates)


def test_small_models_get_finer_dimensions_unless_the_user_chose() -> None:
    result = recommend(params="200k", family="gpt", vocab_size=256, context=128)
    assert said(result, "no shape in multiples of 64 meets the budget inside the interval: these are in")
    for candidate in result.candidates:
        assert candidate.inside
        assert abs(candidate.budget_error) <= 0.05
        assert candidate.shape.width % candidate.shape.to_dict()["head_dim"] == 0
    fixed = recommend(params="200k", family="gpt", vocab_size=256, context=128, multiple_of=64)
    assert said(fixed, "no shape of these dimensions meets the budget within 5%")
    assert not said(recommend(params="125M"), "multiples of 64")


def test_a_given_interval_does_not_make_its_own_evidence() -> None:
    given = recommend(params="350M", interval=(0.3, 0.9))
    assert given.interval.source == "given"
    assert said(given, "you gave the interval; published laws say R = 0.0153 to 0.0337")
    by_laws = recommend(params="350M").candidates[0].penalty
    assert given.candidates[0].penalty.low > by_laws.high
    by_fit = recommend(params="350M", interval=(0.3, 0.9), fit=small_fit())
    assert said(by_fit, "you gave the interval; your fit says R = ")
    assert by_fit.candidates[0].penalty.source == "fit"


def test_json_has_its_keys() -> None:
    row = recommend(params="350M").to_dict()
    assert {"candidates", "interval", "laws", "warnings", "models", "budget", "params"} == set(row)
    assert {"low", "high", "centre", "source", "extrapolated", "statement", "paper"} <= set(row["interval"])
    assert {"family", "depth", "width", "ratio", "num_heads", "num_kv_heads", "head_dim", "d_ff", "params"} <= set(
        row["candidates"][0]
    )
    assert {one["position"] for one in row["laws"]} == {"below", "inside", "above", None}


def test_no_models_no_sentence_about_them() -> None:
    interval = given_interval(0.02, 0.03)
    sentences = list(caveats(interval, evidence=interval, params=1e12, models=(), fit=None))
    assert not any("published models" in sentence for sentence in sentences)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"params": None}, "exactly one budget"),
        ({"flops": 1e20}, "exactly one budget"),
        ({"tolerance": 0.0}, "a tolerance from 0 to 0.5, found 0.0"),
        ({"num_candidates": 0}, "at least one candidate, found 0"),
        ({"tokens_per_param": -1.0}, "positive tokens per parameter"),
        ({"interval": (0.3, 0.1)}, "an interval 0 < low < high"),
        ({"family": "cnn"}, "expected a family of gpt"),
        (
            {"params": "100k"},
            "expected a budget that some llama of these dimensions spends, found 100k params with a vocabulary",
        ),
        ({"params": "11T"}, "at most 10T parameters, found 11T"),
        ({"flops": 1e30, "params": None}, "expected a size between|at most 10T parameters"),
    ],
)
def test_impossible_wishes_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InterlawError, match=message):
        recommend(**{"params": "350M", **changes})


def built(shape: Shape) -> int:
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    config = hf_config(shape)
    model_type = config.pop("model_type")
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(transformers.AutoConfig.for_model(model_type, **config))
    assert type(model).__name__ == config["architectures"][0]
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(
    ("params", "family", "vocab_size"),
    [("125M", "llama", 32_000), ("7B", "llama", 128_256), ("500M", "qwen2", 151_936), ("125M", "gpt", 50_304)],
)
def test_transformers_builds_every_candidate_to_the_parameter(params: str, family: str, vocab_size: int) -> None:
    for candidate in recommend(params=params, family=family, vocab_size=vocab_size).candidates:
        assert built(candidate.shape) == candidate.shape.params


def test_tied_gpt_is_built_too() -> None:
    shape = GPTShape(depth=2, width=64, head_dim=16, vocab_size=300, context=50, tied=True)
    assert built(shape) == shape.params


def test_what_cannot_be_exported_is_refused() -> None:
    with pytest.raises(InterlawError, match="a context above 2 to export, found 2"):
        hf_config(GPTShape(depth=1, width=16, context=2))
    other = next(shape for shape in match_shapes(family="mlp", params=10_000, depths=[2]))
    assert not isinstance(other, GPTShape | LlamaShape)
    with pytest.raises(InterlawError, match="a gpt, llama or qwen2 to export, found mlp"):
        hf_config(other)
