from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from interlaw.errors import InterlawError
from interlaw.laws import LawFit, fit_law
from interlaw.recommendation import Plan, Recommendation, measured_pool, recommend
from interlaw.recommendation.choice import ROUGHNESS_LOSS
from interlaw.recommendation.dimensions import Dimensions, equal_budget_shapes
from interlaw.shapes import GPTShape, LlamaShape, Shape, match_shapes

SIZES = [
    ("125M", "llama", 32_000),
    ("350M", "qwen2", 151_936),
    ("1.2B", "llama", 49_152),
    ("7B", "gpt", 50_304),
]


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


@pytest.mark.parametrize(("params", "family", "vocab_size"), SIZES)
def test_candidates_meet_the_budget_and_lose_little(params: str, family: str, vocab_size: int) -> None:
    result = recommend(params=params, family=family, vocab_size=vocab_size)
    for candidate in result.candidates:
        assert result.interval.low <= candidate.shape.ratio <= result.interval.high
        assert candidate.inside
        assert abs(candidate.shape.params / result.budget.amount - 1) <= 0.05
        assert candidate.budget_error == pytest.approx(candidate.shape.params / result.budget.amount - 1)
        assert candidate.cost.train_tokens == 20 * candidate.shape.params
        assert candidate.cost.train_flops == candidate.cost.train_tokens * candidate.shape.flops_per_token
        assert (candidate.shape.family, candidate.shape.to_dict()["vocab_size"]) == (family, vocab_size)
        assert candidate.penalty.value <= result.pick.penalty.value + result.delta
        assert candidate.penalty.low <= candidate.penalty.value <= candidate.penalty.high
    ratios = [candidate.shape.ratio for candidate in result.candidates]
    assert len(set(ratios)) == len(ratios) <= 5
    assert ratios[1:] == sorted(ratios[1:])


@pytest.mark.parametrize(("params", "family", "vocab_size"), SIZES)
def test_the_pick_has_the_least_loss_and_roughness_of_all(params: str, family: str, vocab_size: int) -> None:
    result = recommend(params=params, family=family, vocab_size=vocab_size)
    of = Dimensions(family=family, vocab_size=vocab_size)

    def price(shape: Shape) -> float:
        away = math.log(shape.ratio / result.belief.ratio)
        return result.belief.curvature * away**2 + ROUGHNESS_LOSS * of.roughness(shape)

    everything = [shape for shape in equal_budget_shapes(of, result.budget) if abs(result.budget.error(shape)) <= 0.05]
    inside = [shape for shape in everything if result.interval.position(shape.ratio) == "inside"]
    assert price(result.pick.shape) == pytest.approx(min(map(price, inside)))


def test_every_other_says_why_one_would_rather_take_it() -> None:
    result = recommend(params="350M")
    pick, *others = result.candidates
    assert pick.reasons == ()
    assert others
    for other in others:
        assert other.reasons
        for reason in other.reasons:
            if "fewer layers" in reason:
                assert reason.startswith(f"{1 - other.shape.depth / pick.shape.depth:.0%}")
            if "key-value cache" in reason:
                saved = 1 - other.cost.kv_bytes_per_token / pick.cost.kv_bytes_per_token
                assert reason == f"{saved:.0%} less key-value cache"


def test_the_text_begins_with_the_pick_and_fits_a_terminal() -> None:
    for params in ("60M", "350M", "7B"):
        result = recommend(params=params, parallel=4 if params == "7B" else 1)
        text = str(result)
        assert text.startswith(f"Take {result.pick.name}: 3 measured data sets and 2 published rules put")
        assert "Within 0.5% of its predicted loss:" in text
        assert len(text.splitlines()) <= 15
        assert max(map(len, [*text.splitlines(), *result.notes()])) <= 80
        assert repr(result) == text
    result = recommend(params="350M")
    html = result._repr_html_()
    assert html.count("<tr") == 1 + len(result.candidates)
    assert html.startswith(f"<p>Take {result.pick.name}: {result.why}.</p>")


def test_a_frame_has_a_row_a_candidate() -> None:
    result = recommend(params="350M")
    frame = result.to_frame()
    assert list(frame["depth"]) == [one.shape.depth for one in result.candidates]
    assert list(frame["loss_penalty"]) == [one.penalty.value for one in result.candidates]


def test_tokens_and_words_for_sizes() -> None:
    result = recommend(params="350M", vocab_size="32k", tokens="20B", plan=Plan(num_devices=8))
    assert result.dimensions.vocab_size == 32_000
    assert {one.cost.train_tokens for one in result.candidates} == {20 * 10**9}
    one = recommend(params="350M", vocab_size="32k", tokens="20B")
    assert one.pick.cost.train_days == pytest.approx(8 * result.pick.cost.train_days)


@pytest.mark.parametrize("parallel", [2, 3, 4, 8])
def test_what_must_split_splits(parallel: int) -> None:
    result = recommend(params="350M", parallel=parallel)
    for candidate in result.candidates:
        row = candidate.shape.to_dict()
        assert candidate.parallel >= parallel
        assert row["num_heads"] % parallel == row["num_kv_heads"] % parallel == row["d_ff"] % parallel == 0
    assert said(recommend(params="350M", vocab_size=50_257, parallel=parallel), "does not divide by")


def test_what_a_choice_of_heads_costs_is_told() -> None:
    result = recommend(params="350M", parallel=8)
    shape = result.pick.shape
    assert isinstance(shape, LlamaShape)
    costs = shape.params - replace(shape, num_kv_heads=2).params
    assert said(result, f"8 key-value heads instead of 2 cost {costs / 1e6:.3g}M parameters")
    assert said(recommend(params="350M", tied=False), "its own output head costs")
    assert said(recommend(params="60M", family="qwen2", vocab_size="152k"), "the token table takes")


def test_a_flops_budget_is_spent() -> None:
    result = recommend(flops=1e20, tokens_per_param=40)
    for candidate in result.candidates:
        assert candidate.cost.train_flops == pytest.approx(1e20, rel=0.05)
        assert candidate.cost.train_tokens == 40 * candidate.shape.params
    assert result.params == pytest.approx(result.pick.shape.params, rel=0.1)


def test_a_published_line_says_its_ratio_at_the_size() -> None:
    (levine,) = [one for one in recommend(params="98M").laws if one.law.key == "levine2020"]
    assert (levine.ratio, levine.law.standing) == (pytest.approx(0.0411, abs=0.00005), "measured")


def test_disagreement_is_said() -> None:
    assert said(recommend(params="7B"), "lie below the interval (shallower)")
    assert said(recommend(params="350M"), "with the recommended one, R = 0.0")
    assert said(recommend(params="350M"), "shares R = 0.0200 to")
    assert said(recommend(params="350M", interval=(0.1, 0.2)), "lies below yours (shallower)")
    assert said(recommend(params="350M", interval=(0.002, 0.01)), "lies above yours (deeper)")
    assert said(recommend(params="350M"), "the evidence leaves R* open by a factor of")
    assert said(recommend(params="10T"), "leaves R* open by a factor of more than 1000: a sweep")
    assert said(recommend(params="30B"), "30B lies a factor of 15 outside the sizes at which R* was measured")
    assert said(
        recommend(params="30B"), "above them it goes on along the data sets' mean slope, below them it stays level"
    )
    assert not said(recommend(params="1B"), "outside the sizes")
    assert "), 3.6 times beyond the sizes measured. Of the shapes" in recommend(params="7B").why
    assert "beyond" not in recommend(params="2B").why


def test_the_answer_without_assumed_errors_stands_beside() -> None:
    result = recommend(params="350M")
    assert result.belief.assumed == ("Levine", "CompleteP")
    assert result.measured_only is not None
    assert not result.measured_only.assumed
    assert set(result.measured_only.weights) == set(result.belief.weights) - {"Levine", "CompleteP"}
    assert result.to_dict()["measured_only"]["ratio"] == result.measured_only.ratio


def test_a_fit_of_ones_own_is_combined_with_the_pool() -> None:
    fit, pooled = small_fit(), measured_pool().predict(1e7).ratio
    here = recommend(params=1e7, vocab_size=256, fit=fit, tied=True)
    assert abs(math.log(here.belief.ratio / 0.03)) < 0.5 * abs(math.log(pooled / 0.03))
    assert said(here, "your fit weighs")
    assert said(here, "your fit: ")  # the fit's own warnings come along
    assert here.why.startswith("your fit, 3 measured data sets and 2 published rules put R* at")
    assert here.belief.high / here.belief.low < 4


def test_a_fit_without_an_optimum_changes_nothing_and_that_is_said() -> None:
    without, result = recommend(params="350M"), recommend(params="350M", fit=small_fit(best=3.0))
    assert result.candidates == without.candidates
    assert result.belief == without.belief
    assert said(result, "your fit has no optimum inside its grid")


def test_no_fitting_shape_gives_the_nearest_and_says_so() -> None:
    result = recommend(params="3M", family="gpt", vocab_size=256, context=256, interval=(0.024, 0.0241), head_dim=64)
    assert said(result, "no shape of these dimensions meets the budget within 5%")
    assert 1 <= len(result.candidates) <= 2
    assert not any(candidate.inside and abs(candidate.budget_error) <= 0.05 for candidate in result.candidates)


def test_small_models_get_finer_dimensions_unless_the_user_chose() -> None:
    result = recommend(params="500k", family="gpt", vocab_size=256, context=128)
    assert said(result, "no shape in multiples of 64 meets the budget inside the interval: these are in")
    for candidate in result.candidates:
        assert candidate.inside
        assert abs(candidate.budget_error) <= 0.05
        assert candidate.shape.width % candidate.shape.to_dict()["head_dim"] == 0
    fixed = recommend(params="500k", family="gpt", vocab_size=256, context=128, multiple_of=64)
    assert said(fixed, "no shape of these dimensions meets the budget within 5%")
    assert not said(recommend(params="125M"), "multiples of 64")


def test_a_given_interval_does_not_make_its_own_evidence() -> None:
    given, free = recommend(params="350M", interval=(0.3, 0.9)), recommend(params="350M")
    assert given.belief == free.belief
    assert given.pick.penalty.value > 0.02
    assert said(given, "you gave the interval; the evidence puts R* at")


def test_json_has_the_promised_keys() -> None:
    row = recommend(params="350M").to_dict()
    assert {"pick", "why", "predictive_interval", "candidates", "interval", "laws", "warnings"} <= set(row)
    promised = {"train_memory_bytes", "kv_bytes_per_token", "parallel", "measured"}
    assert all(promised <= set(one) for one in row["candidates"])
    assert row["pick"] == row["candidates"][0]
    assert row["predictive_interval"]["low"] < row["predictive_interval"]["ratio"] < row["predictive_interval"]["high"]
    assert all({"standing", "position"} <= set(one) for one in row["laws"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"params": None}, "exactly one budget"),
        ({"flops": 1e20}, "exactly one budget"),
        ({"tolerance": 0.0}, "expected tolerance= above 0 and at most 0.5, found 0.0"),
        ({"num_candidates": 0}, "expected num_candidates= above 0, found 0; 5 is usual"),
        ({"tokens_per_param": -1.0}, "expected tokens_per_param= above 0, found -1.0"),
        ({"interval": (0.3, 0.1)}, "an interval 0 < low < high"),
        ({"family": "cnn"}, "expected a family of gpt"),
        ({"delta": 0.0}, "expected delta= above 0 and at most 1, found 0.0"),
        ({"tokens": "20B", "tokens_per_param": 20.0}, "tokens= or tokens_per_param=, found both"),
        ({"tokens": "20B", "flops": 1e20, "params": None}, "tokens= or flops=, found both"),
        ({"parallel": 64}, "of these dimensions spends over 64 devices"),
        (
            {"params": "100k"},
            "expected a budget that some llama of these dimensions spends, found 100k parameters with a vocabulary",
        ),
        (
            {"params": None, "flops": 1e13},
            "found 10T training FLOPs with a vocabulary of 32,000; raise",
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
    config = shape.to_hf()
    model_type = config.pop("model_type")
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(transformers.AutoConfig.for_model(model_type, **config))
    assert type(model).__name__ == config["architectures"][0]
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(
    ("params", "family", "vocab_size"),
    [
        ("125M", "llama", 32_000),
        ("7B", "llama", 128_256),
        ("500M", "qwen2", 151_936),
        ("125M", "gpt", 50_304),
        ("200M", "hf:qwen3", 151_936),
        ("60M", "hf:mistral", 32_000),
        ("60M", "hf:gemma", 32_000),
        ("60M", "hf:olmo2", 50_304),
        ("60M", "hf:granite", 49_152),
    ],
)
def test_transformers_builds_every_candidate_to_the_parameter(params: str, family: str, vocab_size: int) -> None:
    for candidate in recommend(params=params, family=family, vocab_size=vocab_size).candidates:
        assert built(candidate.shape) == candidate.shape.params


def test_tied_gpt_is_built_too() -> None:
    shape = GPTShape(depth=2, width=64, head_dim=16, vocab_size=300, context=50, tied=True)
    assert built(shape) == shape.params


def test_what_cannot_be_exported_is_refused() -> None:
    with pytest.raises(InterlawError, match="a context above 2 to export, found 2"):
        GPTShape(depth=1, width=16, context=2).to_hf()
    other = next(shape for shape in match_shapes(family="mlp", params=10_000, depths=[2]))
    assert not isinstance(other, GPTShape | LlamaShape)
    with pytest.raises(
        InterlawError, match="a family that the Hugging Face library can build, found mlp; choose one such as"
    ):
        other.to_hf()
