"""Closed-form counts against the module itself, published totals, and operations counted one by one."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from interlaw.errors import InterlawError
from interlaw.models import build_model
from interlaw.shapes import GPTShape, make_shape


@st.composite
def any_shape(draw: st.DrawFn) -> GPTShape:
    head_dim = draw(st.integers(1, 16))
    return GPTShape(
        depth=draw(st.integers(1, 6)),
        width=head_dim * draw(st.integers(1, 12)),
        head_dim=head_dim,
        vocab_size=draw(st.integers(1, 400)),
        context=draw(st.integers(1, 300)),
        d_ff=draw(st.one_of(st.just(0), st.integers(1, 300))),
        tied=draw(st.booleans()),
    )


@settings(max_examples=30, deadline=None)
@given(any_shape())
def test_counts_equal_the_module(shape: GPTShape) -> None:
    module = build_model(shape, device="meta")
    sizes = {name: parameter.numel() for name, parameter in module.named_parameters()}
    outside = sum(size for name, size in sizes.items() if name.startswith(("tokens.", "positions.", "head.")))
    assert shape.params == sum(sizes.values())
    assert shape.params_non_embedding == sum(sizes.values()) - outside


@pytest.mark.parametrize(("depth", "width"), [(1, 128), (6, 84), (5, 216), (10, 284)])
def test_formula_of_the_paper(depth: int, width: int) -> None:
    """arXiv 2605.27989: vocabulary and context 256, d_ff = 4 d, untied: 12 L d^2 + 4 L d + 770 d."""
    assert (
        GPTShape(depth=depth, width=width, head_dim=4).params == 12 * depth * width**2 + 4 * depth * width + 770 * width
    )


def test_gpt2_small_without_its_linear_biases() -> None:
    """GPT-2 small has 124,439,808 parameters (Radford et al. 2019; Hugging Face `gpt2`); its linear layers' biases,
    3 d + d + 4 d + d a layer, are the only ones this family lacks."""
    shape = GPTShape(depth=12, width=768, head_dim=64, vocab_size=50257, context=1024, tied=True)
    assert shape.params == 124_439_808 - 12 * 9 * 768


def counted_flops(shape: GPTShape, batch: int) -> int:
    """Forward and backward operations as torch counts them, with a full square of attention."""
    model = build_model(shape)
    ids = torch.zeros(batch, shape.context, dtype=torch.long)
    counter = FlopCounterMode(display=False)
    with sdpa_kernel(SDPBackend.MATH), counter:
        model(ids).sum().backward()
    return counter.get_total_flops()


@pytest.mark.parametrize(
    "shape",
    [
        GPTShape(depth=2, width=16, head_dim=4, vocab_size=11, context=8),
        GPTShape(depth=3, width=24, head_dim=8, vocab_size=50, context=5, d_ff=40),
        GPTShape(depth=1, width=8, head_dim=8, vocab_size=7, context=16, tied=True),
    ],
)
def test_flops_equal_those_torch_counts(shape: GPTShape) -> None:
    """Torch counts T^2 scores a sequence; a causal model needs T (T + 1) / 2: T (T - 1) / 2 less."""
    batch, context = 3, shape.context
    unseen = 3 * shape.depth * batch * context * (context - 1) // 2 * 4 * shape.width
    assert shape.flops_per_token * batch * context == counted_flops(shape, batch) - unseen


def test_settings_rebuild_the_shape() -> None:
    for shape in (GPTShape(depth=2, width=32), GPTShape(depth=3, width=12, head_dim=4, d_ff=5, tied=True, context=7)):
        assert make_shape("gpt", **shape.settings()) == shape
    assert "d_ff" not in GPTShape(depth=2, width=32).settings()
    assert GPTShape(depth=2, width=32, d_ff=100).settings()["d_ff"] == 100


def test_row_holds_sizes_and_counts() -> None:
    shape = GPTShape(depth=5, width=120, head_dim=4)
    assert shape.to_dict() == {
        "family": "gpt",
        "depth": 5,
        "width": 120,
        "vocab_size": 256,
        "context": 256,
        "head_dim": 4,
        "d_ff": 480,
        "tied": False,
        "num_heads": 30,
        "params": 958800,
        "params_non_embedding": 958800 - 3 * 256 * 120,
        "flops_per_token": shape.flops_per_token,
        "ratio": 5 / 120,
    }


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        (
            {"width": 30},
            "expected width to be a multiple of head_dim, found width 30 with head_dim 16; choose width 16",
        ),
        ({"width": 3}, "choose width 16 or another head_dim"),
        ({"width": 0}, "expected width to be at least 1, found 0"),
        ({"width": 16, "depth": 0}, "expected depth to be at least 1, found 0"),
        ({"width": 16, "depth": -3}, "expected depth to be at least 1, found -3"),
        ({"width": 16, "vocab_size": 0}, "expected vocab_size to be at least 1"),
        ({"width": 16, "context": 0}, "expected context to be at least 1"),
        ({"width": 16, "head_dim": 0}, "expected head_dim to be at least 1"),
        ({"width": 16, "d_ff": -1}, "expected d_ff to be at least 1"),
        ({"width": 16.5}, "expected width to be a whole number, found 16.5"),
        ({"width": 16, "context": True}, "expected context to be a whole number, found True"),
        ({"width": 16, "tied": 3}, "expected tied to be true or false, found 3"),
    ],
)
def test_sizes_that_no_network_has_are_refused(sizes: dict[str, Any], message: str) -> None:
    with pytest.raises(InterlawError, match=message):
        GPTShape(**{"depth": 2, **sizes})


def test_unknown_names_are_refused() -> None:
    with pytest.raises(InterlawError, match=r"expected a family of gpt, .*found 'gtp'; choose one"):
        make_shape("gtp", depth=1, width=16)
    with pytest.raises(InterlawError, match=r"expected settings of gpt among vocab_size, .*found 'heads'; remove"):
        make_shape("gpt", depth=1, width=16, heads=4)
