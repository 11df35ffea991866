"""Every family with a network: its closed-form count is the module's own, for any sizes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlaw.errors import InterlawError
from interlaw.models import build_model
from interlaw.shapes import BottleneckShape, CNNShape, GRUShape, MLPShape, Shape, match_shapes

SIZES = st.integers(1, 9)
MLPS = st.builds(MLPShape, depth=SIZES, width=st.integers(1, 40), input_size=SIZES, output_size=SIZES)

BOTTLENECKS = st.builds(BottleneckShape, depth=st.just(1), width=SIZES, input_size=SIZES)
GRUS = st.builds(GRUShape, depth=SIZES, width=SIZES, input_size=SIZES, output_size=SIZES)
CNNS = st.builds(CNNShape, depth=SIZES, width=st.integers(1, 40), channels=SIZES)


@settings(max_examples=120, deadline=None)
@given(shape=st.one_of(MLPS, BOTTLENECKS, GRUS, CNNS))
def test_count_is_the_modules_own(shape: Shape) -> None:
    model = build_model(shape, device="meta")
    assert shape.params == sum(parameter.numel() for parameter in model.parameters())


def test_mlp_blocks_alone() -> None:
    shape = MLPShape(depth=3, width=5, input_size=2, output_size=4)
    model = build_model(shape, device="meta")
    blocks = sum(parameter.numel() for name, parameter in model.named_parameters() if name.startswith("blocks"))
    assert shape.params_non_embedding == blocks == 3 * 2 * 30


def test_mlp_flops_follow_its_matrices() -> None:
    shape = MLPShape(depth=3, width=5, input_size=2, output_size=4)
    model = build_model(shape, device="meta")
    assert shape.flops_per_token == 6 * sum(p.numel() for p in model.parameters() if p.dim() == 2)


@pytest.mark.parametrize(
    ("family", "params", "depths", "widths"),
    [("mlp", "300k", [2, 13, 16], [264, 104, 96])],
)
def test_published_scans_match_to_multiples_of_eight(
    family: str, params: str, depths: list[int], widths: list[int]
) -> None:
    shapes = match_shapes(family=family, params=params, depths=depths, rule="nearest", multiple_of=8)
    assert [shape.width for shape in shapes] == widths


def test_there_is_one_bottleneck() -> None:
    with pytest.raises(InterlawError, match="expected depth 1 for a bottleneck, found 2"):
        BottleneckShape(depth=2, width=2)
