"""The layers as roles and depths: the numbers, the picture, the mistakes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from interlaw.errors import InterlawError
from interlaw.interaction import LayerInteraction, measure_layers
from interlaw.models import GPT
from interlaw.report import look, write_chart
from interlaw.report.layers_figure import draw_layers, layer_rows, layers_message, short_names
from interlaw.shapes import GPTShape


@pytest.fixture(scope="module")
def rows() -> tuple[LayerInteraction, ...]:
    model = GPT(GPTShape(depth=2, width=8, context=8, vocab_size=11, head_dim=4), generator=torch.Generator())
    return measure_layers(model, torch.randint(0, 11, (6, 9)), view="loss")


def test_every_layer_has_one_place(rows: tuple[LayerInteraction, ...]) -> None:
    found = layer_rows(rows)
    assert list(dict.fromkeys(row["role"] for row in found)) == [
        "tokens", "attention.qkv", "attention.out", "up", "down", "head",
    ]  # fmt: skip
    assert list(dict.fromkeys(row["depth"] for row in found)) == ["in", "0", "1", "out"]
    by_place, by_name = {(row["role"], row["depth"]): row for row in found}, {row.name: row for row in rows}
    assert len(by_place) == len(rows) == 10
    up, drawn = by_name["blocks.1.up"], by_place["up", "1"]
    assert (drawn["aofe_ratio"], drawn["low"]) == (up.interaction.aofe_ratio.value, up.interaction.aofe_ratio.low)
    assert (drawn["excess"], drawn["weights_excess"]) == (up.interaction.excess_ratio, up.superposition.excess_ratio)
    assert by_place["tokens", "in"]["nfa"] == by_name["tokens"].nfa
    assert by_place["head", "out"]["null"] == by_name["head"].interaction.null_ratio


def test_layers_without_blocks_and_names_that_would_be_the_same() -> None:
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))
    found = layer_rows(measure_layers(model, torch.randn(6, 4)))
    assert [(row["role"], row["depth"]) for row in found] == [("layer", "0"), ("layer", "2")]
    drawing = draw_layers(measure_layers(model, torch.randn(6, 4)), whose="a Sequential")
    assert "block" not in f"{drawing.message} {drawing.caption} {[panel.chart for panel in drawing.panels]}"
    sure = [{**row, "excess": 0.1, "excess_low": 0.05, "excess_high": 0.2} for row in found[1:]]
    assert "most at layer 2 (" in layers_message(sure, whose="a Sequential")
    assert short_names(["encoder.*.fc", "decoder.*.fc", "up"]) == ("encoder.*.fc", "decoder.*.fc", "up")


def test_the_title_claims_an_excess_only_where_there_is_one(rows: tuple[LayerInteraction, ...]) -> None:
    found = layer_rows(rows)
    none = [{**row, "excess": 0.3, "excess_low": -0.1, "excess_high": 0.7} for row in found]
    unsure = "a GPT: no layer shows interaction above chance"
    assert layers_message(none, whose="a GPT") == unsure, "large, but its interval holds 0"
    one = [*none[:3], {**none[3], "excess": 0.12, "excess_low": 0.05, "excess_high": 0.19}, *none[4:]]
    said = layers_message(one, whose="a GPT")
    assert f"above chance in 1 of {len(found)} layers" in said
    assert said.endswith(f"most at {found[3]['role']} in block 0 (+0.12, +0.05 to +0.19)")


def marks(chart: Any, kind: str) -> list[Any]:
    return [layer for layer in chart["layer"] if layer["mark"]["type"] == kind]


def test_the_picture_holds_every_layer(rows: tuple[LayerInteraction, ...]) -> None:
    drawing = draw_layers(rows, whose="a GPT")
    heats, lines = drawing.panels[::2], drawing.panels[1::2]
    for panel in heats:
        assert len(marks(panel.chart, "rect")) == 1
        assert len(marks(panel.chart, "text")) == 1
    reaches = [marks(panel.chart, "rect")[0]["encoding"]["color"]["scale"]["domain"][1] for panel in heats]
    largest = max(abs(row[name]) for row in layer_rows(rows) for name in ("excess", "weights_excess"))
    assert reaches[0] == reaches[1]
    assert largest <= reaches[0] < largest + 0.11
    assert reaches[2] == 1.0
    roles = list(dict.fromkeys(row["role"] for row in layer_rows(rows)))
    for panel in lines:
        dots = marks(panel.chart, "point")[-1]
        assert dots["encoding"]["color"]["scale"]["domain"] == roles
        assert len(dots["data"]["values"]) == len(rows)


def test_the_caption_says_the_level_of_the_intervals(rows: tuple[LayerInteraction, ...]) -> None:
    at_80 = [
        replace(row, interaction=replace(row.interaction, settings={**row.interaction.settings, "level": 0.8}))
        for row in rows
    ]
    assert "with the 80% interval of the AOFE-ratio" in draw_layers(at_80, whose="a GPT").caption
    assert "with the 95% interval of the AOFE-ratio" in draw_layers(rows, whose="a GPT").caption


def test_the_numbers_of_a_scale_of_colours_do_not_meet(rows: tuple[LayerInteraction, ...]) -> None:
    chart = draw_layers(rows[:1], whose="one layer").panels[0].chart
    assert (
        marks(chart, "rect")[0]["encoding"]["color"]["legend"]["gradientLength"]
        >= 4 * look.CONFIG["axis"]["labelFontSize"]
    )


def test_many_blocks_are_drawn_without_numbers(rows: tuple[LayerInteraction, ...]) -> None:
    many = [replace(row, name=f"blocks.{depth}.up") for depth in range(30) for row in rows[:1]]
    drawing = draw_layers(many, whose="deep")
    assert not any(marks(panel.chart, "text") for panel in drawing.panels[:3])


@pytest.mark.parametrize("form", ["png", "svg", "pdf"])
def test_files_of_every_form(rows: tuple[LayerInteraction, ...], form: str, tmp_path: Path) -> None:
    path = write_chart(tmp_path / f"layers.{form}", draw_layers(rows, whose="a GPT"))
    assert path.read_bytes()[:5] in (b"\x89PNG\r", b"<svg ", b"%PDF-")


def test_mistakes_are_said(rows: tuple[LayerInteraction, ...], tmp_path: Path) -> None:
    with pytest.raises(InterlawError, match=r"a figure named \*\.png"):
        write_chart(tmp_path / "layers.doc", draw_layers(rows, whose="a GPT"))
    with pytest.raises(InterlawError, match="expected layers to draw"):
        draw_layers((), whose="a GPT")
