from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlaw.errors import InterlawError
from interlaw.recommendation.dimensions import Dimensions, equal_budget_shapes, kv_cache_bytes_per_token
from interlaw.shapes import Budget, GPTShape, LlamaShape, Shape


def dimensions(**changes: Any) -> Dimensions:
    return Dimensions(**{"family": "llama", "vocab_size": 32_000, "context": 2048, **changes})


def budget(amount: float, kind: str = "params") -> Budget:
    tokens = 20.0 if kind == "train_flops" else None
    return Budget(kind=kind, amount=round(amount), tokens_per_param=tokens)  # type: ignore[arg-type]


def every(of: Dimensions, amount: Budget) -> list[Shape]:
    return list(equal_budget_shapes(of, amount))


@settings(max_examples=8, deadline=None)
@given(st.floats(5e7, 3e10), st.sampled_from(["llama", "qwen2", "gpt"]), st.sampled_from([32_000, 151_936]))
def test_every_shape_suits_hardware(amount: float, family: str, vocab_size: int) -> None:
    for shape in every(dimensions(family=family, vocab_size=vocab_size), budget(amount)):
        row = shape.to_dict()
        assert shape.width % 64 == row["d_ff"] % 64 == 0
        assert row["head_dim"] in (64, 128)
        assert row["num_heads"] * row["head_dim"] == shape.width
        if isinstance(shape, LlamaShape):
            group = shape.num_heads / shape.num_kv_heads
            most = min({"llama": 4, "qwen2": 8}[family], shape.num_heads)
            assert group == int(group)
            assert most / 2 <= group <= most
            assert shape.tied == (amount < 4e9)


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


def test_heads_that_group_better_are_preferred() -> None:
    # 14 heads of 128 only pair up; 28 heads of 64 form groups of four.
    shape = dimensions().shape(1792, 10, tied=True)
    assert isinstance(shape, LlamaShape)
    assert (shape.head_dim, shape.num_kv_heads) == (64, 7)
    wide = dimensions().shape(4096, 10, tied=True)
    assert isinstance(wide, LlamaShape)
    assert (wide.head_dim, wide.num_kv_heads) == (128, 8)
    assert dimensions().shape(64 * 13, 10, tied=True) is None
    assert dimensions().shape(100, 10, tied=True) is None


def test_roughness_counts_odd_multiples_and_small_groups() -> None:
    of = dimensions()
    smooth, odd = of.shape(1024, 4, tied=True), of.shape(15 * 64, 4, tied=True)
    assert smooth is not None
    assert odd is not None
    assert of.roughness(smooth) == 0.0
    assert of.roughness(odd) == pytest.approx(0.5 + 1 - 3 / 4)
    assert of.roughness(GPTShape(depth=2, width=192)) == 0.5


def test_kv_cache_counts_keys_and_values_of_all_layers() -> None:
    grouped = LlamaShape(depth=3, width=512, head_dim=64, num_kv_heads=2)
    assert kv_cache_bytes_per_token(grouped) == 3 * 2 * 2 * 64 * 2
    assert kv_cache_bytes_per_token(GPTShape(depth=3, width=512)) == 3 * 2 * 512 * 2


def test_a_flops_budget_ties_small_models_only() -> None:
    small, large = (every(dimensions(), budget(amount, "train_flops")) for amount in (1e19, 1e22))
    assert all(shape.to_dict()["tied"] for shape in small)
    assert not any(shape.to_dict()["tied"] for shape in large)


def test_widths_end_where_one_layer_spends_half_as_much_again() -> None:
    widest = every(dimensions(), budget(3e7))[-1]
    assert widest.depth == 1
    assert budget(3e7).error(widest) <= 0.5
    assert every(dimensions(), budget(1e6)) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"family": "cnn"}, "expected a family of gpt, llama, qwen2, found 'cnn'"),
        ({"vocab_size": 0}, "expected vocab_size to be at least 1, found 0"),
        ({"context": -1}, "expected context to be at least 1"),
        ({"head_dim": 0}, "expected head_dim to be at least 1"),
        ({"heads_per_kv": 0}, "expected heads_per_kv to be at least 1"),
        ({"multiple_of": 0}, "expected multiple_of to be at least 1"),
    ],
)
def test_impossible_dimensions_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InterlawError, match=message):
        dimensions(**changes)
