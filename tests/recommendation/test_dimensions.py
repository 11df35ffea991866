from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlaw.errors import InterlawError
from interlaw.recommendation.dimensions import Dimensions, equal_budget_shapes, splits_over
from interlaw.shapes import DECODERS, Budget, GPTShape, LlamaShape, Shape, require_family


def dimensions(**changes: Any) -> Dimensions:
    return Dimensions(**{"family": "llama", "vocab_size": 32_000, "context": 2048, **changes})


def budget(amount: float, kind: str = "params") -> Budget:
    return Budget(kind=kind, amount=round(amount))  # type: ignore[arg-type]


def every(of: Dimensions, amount: Budget) -> list[Shape]:
    return list(equal_budget_shapes(of, amount))


@settings(max_examples=8, deadline=None)
@given(st.floats(5e7, 3e10), st.sampled_from(DECODERS), st.sampled_from([32_000, 151_936]))
def test_every_shape_suits_hardware(amount: float, family: str, vocab_size: int) -> None:
    for shape in every(dimensions(family=family, vocab_size=vocab_size), budget(amount)):
        row = shape.to_dict()
        assert shape.width % 64 == row["d_ff"] % 64 == 0
        assert row["head_dim"] in (64, 80, 96, 112, 128)
        assert row["num_heads"] * row["head_dim"] == shape.width
        if isinstance(shape, LlamaShape):
            most = {"llama": 4, "qwen2": 8}[family]
            assert shape.tied == (amount < 4e9)
            assert shape.num_heads % shape.num_kv_heads == 0
            if shape.num_heads < 16 * most:
                assert shape.num_kv_heads in (2, 4, 8)
                assert shape.num_heads / shape.num_kv_heads <= 2 * most


@settings(max_examples=6, deadline=None)
@given(st.floats(1e8, 3e10), st.sampled_from(DECODERS), st.sampled_from([2, 4, 8]))
def test_what_must_split_splits(amount: float, family: str, parallel: int) -> None:
    shapes = every(dimensions(family=family, parallel=parallel), budget(amount))
    assert shapes
    assert all(splits_over(shape) >= parallel for shape in shapes)


@pytest.mark.parametrize("kind", ["params", "train_flops"])
def test_the_depth_is_the_best_of_all(kind: str) -> None:
    amount = budget(3e18 if kind == "train_flops" else 2e8, kind)
    shapes = [shape for shape in every(dimensions(), amount) if shape.depth < 300]
    assert len(shapes) > 8
    for shape in shapes:
        misses = {
            depth: abs(amount.error(type(shape)(**{**shape.settings(), "depth": depth}))) for depth in range(1, 400)
        }
        assert shape.depth == min(misses, key=lambda depth: misses[depth])


def test_the_user_decides_where_asked() -> None:
    chosen = dimensions(head_dim=32, heads_per_kv=1, tied=False, multiple_of=96)
    for shape in every(chosen, budget(1e8)):
        assert isinstance(shape, LlamaShape)
        assert (shape.head_dim, shape.num_kv_heads, shape.tied) == (32, shape.num_heads, False)
        assert shape.width % 96 == shape.d_ff % 96 == 0


def test_heads_are_those_that_split_best() -> None:
    assert dimensions().heads(1024) == (64, 4)  # 16 heads in groups of four
    assert dimensions().heads(4096) == (128, 8)  # 32 heads of 128, as Llama 3 8B
    assert dimensions().heads(640) == (80, 2)  # 10 heads of 64 split over two, 8 of 80 over eight
    assert dimensions(family="qwen2").heads(1024) == (64, 2)
    assert dimensions(parallel=8).heads(1024) == (64, 8)
    assert dimensions(parallel=8).heads(1152) is None  # 18, 12 or 9 heads
    assert dimensions(heads_per_kv=4).heads(64 * 13) is None
    assert dimensions().heads(100) is None


def test_roughness_counts_odd_widths_and_heads() -> None:
    of = dimensions()
    smooth, odd = of.shape(1024, 4, tied=True), of.shape(18 * 64, 4, tied=True)
    assert smooth is not None
    assert odd is not None
    assert of.roughness(smooth) == 0.0
    assert of.roughness(odd) == pytest.approx(0.15 + 0.2 + 0.1)  # multiple of 128, 12 heads of 96
    assert of.roughness(GPTShape(depth=2, width=192, head_dim=64)) == pytest.approx(0.35 + 0.4 + 0.15)


def test_a_flops_budget_ties_small_models_only() -> None:
    small, large = (every(dimensions(), budget(amount, "train_flops")) for amount in (1e19, 1e22))
    assert all(shape.to_dict()["tied"] for shape in small)
    assert not any(shape.to_dict()["tied"] for shape in large)


def test_widths_end_where_one_layer_spends_half_as_much_again() -> None:
    widest = every(dimensions(), budget(3e7))[-1]
    assert budget(3e7).error(widest) <= 0.5
    assert every(dimensions(), budget(1e6)) == []


def test_a_family_has_its_own_vocabulary_and_context() -> None:
    assert (Dimensions(family="gpt").vocab_size, Dimensions(family="gpt").context) == (256, 256)
    assert (Dimensions(family="llama").vocab_size, Dimensions(family="llama").context) == (32_000, 4096)
    transformers = pytest.importorskip("transformers")
    of = Dimensions(family="hf:qwen3")
    assert (of.vocab_size, of.context) == (transformers.Qwen3Config().vocab_size, 4096)


def test_a_name_of_transformers_is_answered_with_its_prefix() -> None:
    pytest.importorskip("transformers")
    with pytest.raises(InterlawError, match="found 'qwen3'; choose one; did you mean 'hf:qwen3'"):
        Dimensions(family="qwen3")
    with pytest.raises(InterlawError, match="found 'gpt2'; choose one of them; did you mean 'hf:gpt2'"):
        require_family("gpt2")


def test_a_family_of_transformers_is_grouped_where_it_can_be() -> None:
    pytest.importorskip("transformers")
    qwen = dimensions(family="hf:qwen3").shape(1024, 2, tied=True)
    assert qwen is not None
    row = qwen.to_dict()
    assert (row["num_heads"], row["num_kv_heads"], row["d_ff"]) == (16, 4, 3072)
    neox = dimensions(family="hf:gpt_neox").shape(512, 2, tied=False)
    assert neox is not None
    assert neox.to_dict()["num_kv_heads"] == 8
    for name, experts in (("mixtral", 8), ("dbrx", 4), ("qwen3_moe", 128)):  # dbrx says so in settings within settings
        with pytest.raises(InterlawError, match=f"a dense family, found hf:{name} with {experts} experts"):
            dimensions(family=f"hf:{name}")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"family": "cnn"}, "expected a family of gpt, llama, qwen2 or hf:NAME, found 'cnn'"),
        ({"family": "lama"}, "did you mean 'llama'"),
        ({"vocab_size": 0}, "expected vocab_size= to be at least 1, found 0"),
        ({"context": -1}, "expected context= to be at least 1"),
        ({"head_dim": 0}, "expected head_dim= to be at least 1"),
        ({"heads_per_kv": 0}, "expected heads_per_kv= to be at least 1"),
        ({"multiple_of": 0}, "expected multiple_of= to be at least 1"),
        ({"parallel": 0}, "expected parallel= to be at least 1"),
    ],
)
def test_impossible_dimensions_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InterlawError, match=message):
        dimensions(**changes)
