from __future__ import annotations

import math
from dataclasses import replace

import pytest

from interlaw.recommendation import Recommendation, recommend, timing

pytest.importorskip("transformers")
torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def timed() -> tuple[Recommendation, list[str]]:
    said: list[str] = []
    result = recommend(params="2M", family="llama", vocab_size=512, context=160)
    return timing.timed(result, say=said.append), said


def test_every_candidate_is_timed_and_told(timed: tuple[Recommendation, list[str]]) -> None:
    result, said = timed
    for one in result.candidates:
        assert one.measured is not None
        assert one.measured.train_tokens_per_second > 0
        assert one.measured.prefill_ms_per_token > 0
        assert one.measured.decode_ms_per_token > one.measured.prefill_ms_per_token  # one token at a time is slower
        assert one.to_dict()["measured"]["dtype"] == "float32"
        assert any(one.name in words and "training" in words for words in said)
    heads = next(line for line in result.answer() if "decode ms" in line)
    assert "train tok/s" in heads
    assert max(map(len, result.answer())) <= 80


def test_the_network_timed_is_the_shape(timed: tuple[Recommendation, list[str]]) -> None:
    from interlaw.recommendation.timing import build

    shape = timed[0].pick.shape
    network, vocab, context = build(shape, device=torch.device("cpu"), dtype=torch.float32)
    assert sum(parameter.numel() for parameter in network.parameters()) == shape.params
    assert (vocab, context) == (512, 160)


def test_depth_costs_latency(timed: tuple[Recommendation, list[str]]) -> None:
    """Two shapes of one size, one six times as deep: it decodes slower by much more than noise."""
    from interlaw.recommendation.timing import time_shape
    from interlaw.shapes import LlamaShape

    shapes = (
        LlamaShape(depth=depth, width=width, head_dim=32, vocab_size=256, context=160)
        for depth, width in ((2, 256), (24, 64))
    )
    shallow, deep = (time_shape(shape) for shape in shapes)
    assert deep.decode_ms_per_token > 2 * shallow.decode_ms_per_token


def test_a_faster_shape_says_how_much_and_one_too_large_says_why(
    timed: tuple[Recommendation, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    pick = timed[0].pick
    assert pick.measured is not None
    other = replace(
        pick,
        reasons=("30% fewer layers to run one after another: lower latency", "9% less"),
        measured=replace(pick.measured, decode_ms_per_token=pick.measured.decode_ms_per_token / 2),
    )
    assert timing._with_reason(other, pick).reasons == ("decodes in 50% less time here", "9% less")
    monkeypatch.setattr(timing, "free_bytes", lambda device: 1000)
    assert "is not timed: training takes" in timing._timed(pick, say=lambda words: None, place="1 of 1").unmeasured


def test_the_frontier_joins_what_no_other_beats(timed: tuple[Recommendation, list[str]]) -> None:
    from interlaw.errors import InterlawError
    from interlaw.report import draw_frontier
    from interlaw.report.recommendation_figure import frontier_rows

    result = recommend(params="350M", parallel=2)
    times = timed[0].pick.measured
    assert times is not None
    with pytest.raises(InterlawError, match="at least two timed shapes for the frontier, found 0"):
        draw_frontier(result)
    speeds = [2.5, *(2.0 + place for place in range(len(result.candidates) - 1))]
    candidates = tuple(
        replace(one, measured=replace(times, decode_ms_per_token=speed))
        for one, speed in zip(result.candidates, speeds, strict=True)
    )
    found = frontier_rows(replace(result, candidates=candidates))
    assert [row["latency"] for row in found] == sorted(speeds)
    for row in found:
        better = [one for one in found if one["latency"] < row["latency"] and one["penalty"] <= row["penalty"]]
        assert row["frontier"] == (not better)
    drawn = draw_frontier(replace(result, candidates=candidates))
    assert "less time than" in drawn.message
    assert not math.isnan(found[0]["penalty"])
