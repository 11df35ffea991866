"""The layers as roles and depths: the numbers, the picture, the mistakes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from interlaw.errors import InterlawError
from interlaw.interaction import LayerInteraction, measure_layers
from interlaw.models import GPT
from interlaw.report.layers_figure import draw_layers, grid_rows, layer_grid, short_names, write_layers_figure
from interlaw.shapes import GPTShape


@pytest.fixture(scope="module")
def rows() -> tuple[LayerInteraction, ...]:
    model = GPT(GPTShape(depth=2, width=8, context=8, vocab_size=11, head_dim=4), generator=torch.Generator())
    return measure_layers(model, torch.randint(0, 11, (6, 9)), view="loss")


def test_every_layer_has_one_place(rows: tuple[LayerInteraction, ...]) -> None:
    grid = layer_grid(rows)
    assert grid.roles == ("tokens", "attention.qkv", "attention.out", "up", "down", "head")
    assert grid.depths == ("in", "0", "1", "out")
    by_name = {row.name: row for row in rows}
    up = by_name["blocks.1.up"]
    assert grid.values["aofe_ratio"][3, 2] == up.interaction.aofe_ratio.value
    assert grid.values["low"][3, 2] == up.interaction.aofe_ratio.low
    assert grid.values["excess"][3, 2] == up.interaction.excess_ratio
    assert grid.values["weights_excess"][3, 2] == up.superposition.excess_ratio
    assert grid.values["nfa"][0, 0] == by_name["tokens"].nfa
    assert grid.values["nfa_centered"][5, 3] == by_name["head"].nfa_centered
    for values in grid.values.values():
        assert np.isfinite(values).sum() == len(rows) == 10


def test_layers_without_blocks_and_names_that_would_be_the_same() -> None:
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))
    grid = layer_grid(measure_layers(model, torch.randn(6, 4)))
    assert (grid.roles, grid.depths) == (("layer",), ("0", "2"))
    assert short_names(["encoder.*.fc", "decoder.*.fc", "up"]) == ("encoder.*.fc", "decoder.*.fc", "up")


def marks(chart: Any, kind: str) -> list[Any]:
    return [layer for layer in chart.to_dict()["layer"] if layer["mark"]["type"] == kind]


def test_the_picture_holds_every_layer(rows: tuple[LayerInteraction, ...]) -> None:
    drawing = draw_layers(layer_grid(rows), whose="a GPT")
    heats, lines = drawing.panels[:3], drawing.panels[3:]
    for panel in heats:
        assert len(marks(panel.chart, "rect")) == 1
        assert len(marks(panel.chart, "text")) == 1
    grid = layer_grid(rows)
    assert len(grid_rows(grid, "excess")) == len(rows)
    for panel in lines:
        assert marks(panel.chart, "point")[0]["encoding"]["color"]["scale"]["domain"] == list(grid.roles)
    row = max(rows, key=lambda each: each.interaction.excess_ratio)
    assert drawing.message.endswith(f"({row.interaction.excess_ratio:+.2f})")


def test_many_blocks_are_drawn_without_numbers(rows: tuple[LayerInteraction, ...]) -> None:
    many = [replace(row, name=f"blocks.{depth}.up") for depth in range(30) for row in rows[:1]]
    drawing = draw_layers(layer_grid(many), whose="deep")
    assert not any(marks(panel.chart, "text") for panel in drawing.panels[:3])


@pytest.mark.parametrize("form", ["png", "svg", "pdf"])
def test_files_of_every_form(rows: tuple[LayerInteraction, ...], form: str, tmp_path: Path) -> None:
    path = write_layers_figure(tmp_path / f"layers.{form}", rows, title="a GPT")
    assert path.read_bytes()[:5] in (b"\x89PNG\r", b"<svg ", b"%PDF-")


def test_mistakes_are_said(rows: tuple[LayerInteraction, ...], tmp_path: Path) -> None:
    with pytest.raises(InterlawError, match=r"a figure named \*\.png"):
        write_layers_figure(tmp_path / "layers.doc", rows, title="a GPT")
    with pytest.raises(InterlawError, match="expected layers to draw"):
        write_layers_figure(tmp_path / "layers.png", (), title="a GPT")
