"""Two networks by layer: the numbers drawn, the sentence, the picture."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from interlaw.interaction import Estimate, Layers, LayersDifference, measure_layers
from interlaw.models import GPT
from interlaw.report import difference_in_words, draw_layers_pair, write_chart
from interlaw.report.layers_pair_figure import pair_rows
from interlaw.shapes import GPTShape


def layers(depth: int) -> Layers:
    shape = GPTShape(depth=depth, width=8, context=8, vocab_size=11, head_dim=4)
    model = GPT(shape, generator=torch.Generator().manual_seed(depth))
    ids = torch.randint(0, 11, (6, 9), generator=torch.Generator().manual_seed(0))
    return measure_layers(model, ids, view="loss")


@pytest.fixture(scope="module")
def sides() -> dict[str, Layers]:
    return {"A": layers(2), "B": layers(3)}


def test_every_layer_of_both_is_drawn_at_its_part_of_the_depth(sides: dict[str, Layers]) -> None:
    values = pair_rows(sides)
    assert len(values) == sum(map(len, sides.values()))
    place = {(row["network"], row["layer"]): row["place"] for row in values}
    assert [place["A", f"blocks.{n}.up"] for n in (0, 1)] == [0, 1]
    assert [place["B", f"blocks.{n}.up"] for n in (0, 1, 2)] == [0, 0.5, 1]
    assert place["A", "tokens"] == 0
    assert place["B", "head"] == 1
    excess = {row.name: row.interaction.excess_ratio for row in sides["B"]}
    assert all(row["excess"] == excess[row["layer"]] for row in values if row["network"] == "B")


def test_networks_of_one_depth_are_drawn_by_block() -> None:
    values = pair_rows({"A": layers(3), "B": layers(3)})
    assert {row["place"] for row in values if row["role"] == "up"} == {0, 1, 2}


def test_networks_without_a_role_in_common_share_one_panel(sides: dict[str, Layers]) -> None:
    plain = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.Tanh(), torch.nn.Linear(5, 3))
    values = pair_rows({"A": sides["A"], "B": measure_layers(plain, torch.randn(6, 4))})
    assert {row["role"] for row in values} == {"all layers"}
    assert {row["place"] for row in values if row["network"] == "B"} == {0, 1}


def estimate(value: float, reach: float) -> Estimate:
    return Estimate(value=value, stderr=reach / 2, low=value - reach, high=value + reach)


def test_the_sentence_says_what_the_intervals_say() -> None:
    rows = {
        "up": estimate(0.2, 0.1),
        "down": estimate(-0.2, 0.1),
        "head": estimate(0.0, 0.1),
        "out": estimate(0.3, 0.1),
    }
    names = ("small", "large")
    said = difference_in_words(LayersDifference(mean=estimate(0.1, 0.05), layers=rows, level=0.95), names)
    assert said.startswith("On average over the layers, A (small) has more interaction above chance (A - B: +0.100")
    assert "of 4 layers A is larger in 2, B in 1, and 1 cannot be told apart" in said
    said = difference_in_words(LayersDifference(mean=estimate(-0.1, 0.05), layers={}, level=0.95), names)
    assert "B (large) has more" in said
    assert said.endswith("they do not have the same layers, so these are not compared one by one")
    said = difference_in_words(LayersDifference(mean=estimate(0.01, 0.05), layers={}, level=0.95), names)
    assert "A (small) and B (large) cannot be told apart" in said


def test_the_picture_is_written(sides: dict[str, Layers], tmp_path: Path) -> None:
    drawing = draw_layers_pair(sides, message="what was found")
    assert "with its 95% interval" in drawing.caption
    assert [panel.title for panel in drawing.panels] == [
        "tokens",
        "attention.qkv",
        "attention.out",
        "up",
        "down",
        "head",
    ]
    for name, start in (("pair.png", b"\x89PNG"), ("pair.svg", b"<svg"), ("pair.pdf", b"%PDF")):
        written = write_chart(tmp_path / name, drawing)
        assert written.read_bytes().startswith(start)
