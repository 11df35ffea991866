from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest

from interlaw.errors import InterlawError
from interlaw.published import (
    PAPER_INTERVAL,
    Association,
    Comparison,
    PublishedRow,
    chance_ceiling,
    compare_models,
    published_rows,
    scores_by_model,
)


@cache
def built_in() -> Comparison:
    return compare_models(published_rows())


def found(comparison: Comparison, size: str, predictor: str = "ratio") -> Association:
    return next(one for one in comparison.associations if (one.bin, one.predictor) == (size, predictor))


# Expected: correlations of R with MMLU-Pro over the leaderboard's rows, computed once with numpy.corrcoef.
@pytest.mark.parametrize(
    ("size", "num_models", "pearson"),
    [("0.4-2.5B", 29, 0.10), ("2.5-5B", 16, 0.19), ("5-10B", 26, 0.52)],
)
def test_the_table_gives_its_known_correlations(size: str, num_models: int, pearson: float) -> None:
    one = found(built_in(), size)
    assert one.num_models == num_models
    assert one.pearson.value == pytest.approx(pearson, abs=0.005)
    assert (one.protocol, one.variant) == ("5-shot log-likelihood", "base")


def test_size_and_tokens_explain_more_than_the_ratio() -> None:
    assert len(built_in().models) == 81
    large = found(built_in(), "5-10B")
    assert large.given_params.value is not None
    assert large.given_params.value < 0.25
    assert large.given_params.low is not None
    assert large.given_params.low < 0 < (large.given_params.high or 0)
    for size in ("0.4-2.5B", "2.5-5B", "5-10B", "all"):
        tokens = found(built_in(), size, "log_tokens").pearson.value
        ratio = found(built_in(), size).pearson.value
        assert tokens is not None
        assert ratio is not None
        assert tokens > abs(ratio) + 0.25


def test_models_of_one_ratio_span_most_scores() -> None:
    largest = built_in().shared_ratios[0]
    assert (largest.bin, largest.ratio, largest.num_models) == ("5-10B", 1 / 128, 14)
    assert (largest.lowest, largest.highest) == (11.47, 43.65)
    scores = {model.name: model.score for model in built_in().models}
    upper = [scores[name] for name in largest.names if scores[name] > 29.5]
    assert len(upper) == 10
    assert (min(upper), max(upper)) == (29.53, 43.65)


def test_the_claims_distance_is_what_it_says() -> None:
    models = [model for model in built_in().models if model.size_bin == "0.4-2.5B"]
    centre = math.sqrt(PAPER_INTERVAL[0] * PAPER_INTERVAL[1])
    distance = [abs(math.log(model.depth / model.width / centre)) for model in models]
    naive = np.corrcoef(distance, [model.score for model in models])[0, 1]
    one = found(built_in(), "0.4-2.5B", "claim_distance")
    assert one.pearson.value == pytest.approx(naive, abs=1e-12)
    assert one.verdict == "cannot tell"
    assert found(built_in(), "0.4-2.5B").verdict is None


@pytest.mark.parametrize("size", ["2.5-5B", "5-10B"])
def test_where_no_model_lies_inside_the_claim_is_not_testable(size: str) -> None:
    one = found(built_in(), size, "claim_distance")
    assert (one.num_in_interval, one.verdict) == (0, "not testable")


def test_chance_ceiling_is_three_binomial_standard_errors() -> None:
    guesses = np.random.default_rng(0).binomial(12_032, 0.11, size=20_000) / 120.32
    assert np.mean(guesses > chance_ceiling()) == pytest.approx(0.00135, abs=0.001)
    marked = {model.name for model in built_in().models if model.at_chance}
    assert {"OLMo-7B", "Pythia-12b", "GPT-2 medium"} <= marked
    assert "Llama-2-7B" not in marked


def test_warnings_tell_what_weakens_the_figures() -> None:
    text = " / ".join(built_in().warnings)
    assert "31 of 81 base models score no better than guessing" in text
    assert "81 models of 22 families count as about 12" in text
    assert "39 of 81 models state no training tokens" in text


def row(name: str, *, ratio: float, score: float, params: int = 10**9, **fields: object) -> PublishedRow:
    cells = {
        "name": name,
        "family": name,
        "depth": round(1000 * ratio),
        "width": 1000,
        "params_total": params,
        "variant": "base",
        "protocol": "5-shot log-likelihood",
        "mmlu_pro": score,
        "train_tokens": "1T",
    }
    return PublishedRow.model_validate({**cells, **fields})


@pytest.mark.parametrize(("sign", "verdict"), [(-1, "supports"), (1, "contradicts")])
def test_a_plain_effect_gets_a_plain_verdict(sign: int, verdict: str) -> None:
    rng = np.random.default_rng(1)
    centre = 0.5 * math.log(0.01 * 0.1)
    rows = []
    for index in range(40):
        ratio = round(1000 * math.exp(rng.uniform(math.log(0.004), math.log(0.3)))) / 1000
        distance = abs(math.log(ratio) - centre)
        rows.append(
            row(
                f"m{index}",
                ratio=ratio,
                score=40 + sign * 5 * distance + rng.normal(),
                params=int(rng.uniform(0.5e9, 2.4e9)),
            )
        )
    comparison = compare_models(rows, interval=(0.01, 0.1))
    assert found(comparison, "0.4-2.5B", "claim_distance").verdict == verdict
    assert {one.bin for one in comparison.associations} == {"0.4-2.5B", "all"}


def test_the_first_score_of_a_model_counts_and_the_rest_are_replicates() -> None:
    rows = [row("a", ratio=0.02, score=20), row("a", ratio=0.02, score=22), row("b", ratio=0.02, score=30)]
    found = compare_models(rows)
    assert [(model.name, model.score) for model in found.models] == [("a", 20), ("b", 30)]
    assert found.replicates == {"a": (22,), "b": ()}
    base = [one for one in published_rows() if (one.protocol, one.variant) == ("5-shot log-likelihood", "base")]
    assert (len(base), sum(len(ones) - 1 for ones in scores_by_model(base).values())) == (103, 22)


def test_protocols_and_variants_are_never_mixed() -> None:
    for protocol, variant in (("5-shot log-likelihood", "inst"), ("vendor-reported", "base"), ("OLMES", "base")):
        assert variant in ("base", "inst")
        found = scores_by_model(published_rows(), protocol=protocol, variant="inst" if variant == "inst" else "base")
        assert {(row.protocol, row.variant) for ones in found.values() for row in ones} == {(protocol, variant)}


def test_another_protocol_says_that_it_is_no_single_procedure() -> None:
    comparison = compare_models(published_rows(), protocol="vendor-reported")
    assert "'vendor-reported' differs between sources" in comparison.warnings[0]


def test_a_protocol_without_scores_lists_what_there_is() -> None:
    with pytest.raises(InterlawError, match=r"'6-shot' and variant 'base', found none; .*'OLMES' base \(6\)"):
        scores_by_model(published_rows(), protocol="6-shot")


@pytest.mark.parametrize("interval", [(0.05, 0.02), (0.0, 0.1), (0.1, math.inf)])
def test_no_interval_is_refused(interval: tuple[float, float]) -> None:
    with pytest.raises(InterlawError, match="an interval 0 < low < high"):
        compare_models(published_rows(), interval=interval)


def test_a_table_that_contradicts_itself_is_refused() -> None:
    with pytest.raises(InterlawError, match="one shape a name"):
        compare_models([row("a", ratio=0.02, score=20), row("a", ratio=0.03, score=20)])


def test_the_answer_says_the_verdict_what_could_be_seen_and_what_goes_along() -> None:
    claim, ratio, tokens = built_in().answer()
    assert claim.startswith("Claim that models near R = 0.02 to 0.065 score better: cannot tell at 0.4-2.5B (9 of 29 ")
    assert "not testable at 2.5-5B and 5-10B (0 of 16 models and 0 of 26 models lie inside)" in claim
    bins = [found(built_in(), size) for size in ("0.4-2.5B", "2.5-5B", "5-10B")]
    could = [f"{one.given_params.detectable:.2f}" for one in bins]
    assert ratio.startswith(
        "At equal size these models cannot tell whether R goes with the score. The 14, 11 and 15 families"
    )
    assert f"{could[0]}, {could[1]} and {could[2]} (80% power)" in ratio
    assert f"{found(built_in(), '5-10B', 'log_tokens').pearson.text()} at 5-10B" in tokens
    assert "2.5" not in tokens  # intervals that hold 0


def test_the_answer_names_a_plain_effect() -> None:
    rng = np.random.default_rng(2)
    rows = [
        row(f"m{index}", ratio=depth / 1000, score=10 + depth / 5 + rng.normal(), params=int(rng.uniform(5e8, 2e9)))
        for index, depth in enumerate(range(5, 65, 2))
    ]
    claim, ratio, tokens = compare_models(rows, interval=(0.03, 0.065)).answer()
    assert "score better: supports at 0.4-2.5B" in claim
    assert ratio.startswith("At equal size R goes with the score: +0.9")
    assert tokens == "These models cannot tell whether training tokens go with the score."
