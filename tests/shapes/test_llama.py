from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlaw.errors import InterlawError
from interlaw.shapes import LlamaShape, Qwen2Shape, make_shape, match_shapes

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")


def count_on_meta(shape: LlamaShape) -> int:
    config_class, model_class = {
        "llama": (transformers.LlamaConfig, transformers.LlamaForCausalLM),
        "qwen2": (transformers.Qwen2Config, transformers.Qwen2ForCausalLM),
    }[shape.family]
    config = config_class(
        vocab_size=shape.vocab_size,
        hidden_size=shape.width,
        intermediate_size=shape.d_ff,
        num_hidden_layers=shape.depth,
        num_attention_heads=shape.num_heads,
        num_key_value_heads=shape.num_kv_heads,
        max_position_embeddings=shape.context,
        tie_word_embeddings=shape.tied,
    )
    with torch.device("meta"):
        model = model_class(config)
    model.tie_weights()
    return sum(parameter.numel() for parameter in model.parameters())


@st.composite
def any_shape(draw: st.DrawFn) -> LlamaShape:
    groups, group_size = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    head_dim = draw(st.sampled_from([2, 8, 64]))
    kwargs: dict[str, Any] = {
        "depth": draw(st.integers(1, 4)),
        "width": groups * group_size * head_dim,
        "head_dim": head_dim,
        "num_kv_heads": groups,
        "vocab_size": draw(st.integers(1, 300)),
        "context": draw(st.integers(1, 64)),
        "tied": draw(st.booleans()),
    }
    if draw(st.booleans()):
        kwargs["d_ff"] = draw(st.integers(1, 300))
    else:
        kwargs["d_ff_multiple_of"] = draw(st.sampled_from([1, 16, 128]))
    return draw(st.sampled_from([LlamaShape, Qwen2Shape]))(**kwargs)


@settings(max_examples=40, deadline=None)
@given(any_shape())
def test_params_equal_the_count_of_transformers(shape: LlamaShape) -> None:
    assert shape.params == count_on_meta(shape)


# Published totals: the models' own safetensors headers (tied heads counted once).
@pytest.mark.parametrize(
    ("shape", "params"),
    [
        (LlamaShape(depth=32, width=4096, head_dim=128, d_ff=11008, vocab_size=32000), 6_738_415_616),  # Llama-2-7B
        (LlamaShape(depth=16, width=2048, num_kv_heads=8, d_ff=8192, vocab_size=128256, tied=True), 1_235_814_400),
        (LlamaShape(depth=30, width=576, num_kv_heads=3, vocab_size=49152, tied=True), 134_515_008),  # SmolLM2-135M
        (Qwen2Shape(depth=24, width=896, num_kv_heads=2, vocab_size=151936, tied=True), 494_032_768),  # Qwen2.5-0.5B
        (
            Qwen2Shape(depth=28, width=3584, head_dim=128, num_kv_heads=4, d_ff=18944, vocab_size=152064),
            7_615_616_512,  # Qwen2.5-7B
        ),
    ],
)
def test_params_equal_published_totals(shape: LlamaShape, params: int) -> None:
    assert shape.params == params


def test_d_ff_follows_ratio_and_rounding() -> None:
    assert LlamaShape(depth=1, width=576).d_ff == 1536  # exactly 8/3 x width: not rounded further up
    assert LlamaShape(depth=1, width=4096, d_ff_multiple_of=256).d_ff == 11008
    assert Qwen2Shape(depth=1, width=896).d_ff == 4864


def test_flops_count_six_per_weight_and_causal_attention() -> None:
    shape = LlamaShape(depth=3, width=128, vocab_size=50, context=7, num_kv_heads=1)
    weights = shape.depth * (2 * 128 * 128 + 2 * 128 * 64 + 3 * 128 * shape.d_ff) + 50 * 128
    scores_and_values = sum(2 * 2 * 128 * visible for visible in range(1, 8)) / 7
    assert shape.flops_per_token == 6 * weights + 3 * shape.depth * scores_and_values


def test_settings_rebuild_the_shape() -> None:
    for shape in (
        LlamaShape(depth=2, width=192, num_kv_heads=1, d_ff=100),
        LlamaShape(depth=2, width=192),
        Qwen2Shape(depth=2, width=256, num_kv_heads=2, tied=True),
    ):
        fields = shape.settings()
        assert make_shape(shape.family, **fields) == shape
    assert "d_ff" not in LlamaShape(depth=2, width=192).settings()
    assert "num_kv_heads" not in LlamaShape(depth=2, width=192).settings()


def test_matching_keeps_whole_groups() -> None:
    shapes = match_shapes(family="llama", params="20M", depths=[4, 8], num_kv_heads=3, tied=True)
    assert [shape.num_heads % 3 for shape in shapes] == [0, 0]
    for shape in shapes:
        wider = make_shape("llama", **{**shape.settings(), "width": shape.width + 192})
        assert shape.params <= 20_000_000 < wider.params


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"width": 100}, "multiple of head_dim, found width 100 with head_dim 64; choose width 64"),
        ({"width": 256, "num_kv_heads": 3}, "num_kv_heads to divide num_heads, found 3 for 4 heads; choose 1"),
        ({"width": 256, "num_kv_heads": -1}, "num_kv_heads to be at least 1"),
        ({"width": 256, "head_dim": 0}, "head_dim to be at least 1"),
        ({"width": 256, "d_ff_multiple_of": 0}, "d_ff to be at least 1|d_ff_multiple_of to be at least 1"),
        ({"width": 256, "d_ff_ratio": -1.0}, "positive d_ff_ratio"),
        ({"width": 256, "d_ff": -3}, "d_ff to be at least 1"),
        ({"width": 0}, "width to be at least 1"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(InterlawError, match=message):
        LlamaShape(depth=2, **kwargs)


@pytest.mark.parametrize("name", ["head_dim", "num_kv_heads"])
def test_width_step_refuses_sizes_below_one(name: str) -> None:
    with pytest.raises(InterlawError, match=f"{name} to be at least 1"):
        match_shapes(family="llama", params="20M", depths=[2], **{name: -2})
