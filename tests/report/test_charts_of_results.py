"""Every result has its chart: the numbers in it are the result's, and it is written as a file."""

from __future__ import annotations

import base64
import re
import struct
from pathlib import Path
from typing import Any

import altair as alt
import pytest
import torch
from tests.report.specifications import all_rows, layers, rows_of
from tests.report.synthetic import write_run
from torch import nn

import interlaw as il
from interlaw.report import chart_of, look
from interlaw.report.figure import specification
from interlaw.report.interaction_figure import draw_interaction, interaction_rows
from interlaw.report.saving import PIXELS, rendered
from interlaw.runs import view_table


@pytest.fixture(scope="module")
def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 2))


@pytest.fixture(scope="module")
def fit(tmp_path_factory: pytest.TempPathFactory) -> il.LawFit:
    run = write_run(tmp_path_factory.mktemp("charts") / "run", budgets=(50_000, 100_000), views=())
    table = view_table(il.load_table(run), view=None)
    return il.fit_law({str(name): table[name].to_numpy() for name in table.columns}, num_bootstrap=100)


def test_a_measurement(model: nn.Module, tmp_path: Path) -> None:
    result = il.measure(model, torch.randn(32, 6), view="input")
    chart = result.plot()
    drawn = {row["what"]: row for row in all_rows(chart.to_dict()) if "what" in row}
    assert drawn["AOFE-ratio"]["value"] == result.aofe_ratio.value
    assert (drawn["AOFE-ratio"]["low"], drawn["AOFE-ratio"]["high"]) == (result.aofe_ratio.low, result.aofe_ratio.high)
    assert drawn["by chance"]["value"] == result.null_ratio
    assert drawn["plain average"]["value"] == result.plugin.aofe_ratio
    assert len(interaction_rows(result)) == 3
    named = il.measure(model, torch.randn(32, 6), view="input", name="/tmp/models/mine")
    assert draw_interaction(named).message.startswith("mine: interaction is ")
    chart.save(str(tmp_path / "x.pdf"))
    assert (tmp_path / "x.pdf").read_bytes().startswith(b"%PDF")
    chart.save(str(tmp_path / "x.png"))
    chart.save(str(tmp_path / "half.png"), scale_factor=1)
    whole, half = (struct.unpack(">II", (tmp_path / name).read_bytes()[16:24]) for name in ("x.png", "half.png"))
    assert [a / b for a, b in zip(whole, half, strict=True)] == pytest.approx([PIXELS, PIXELS], rel=0.01)


def test_labels_at_the_ends_of_an_axis_stay_at_their_ticks(model: nn.Module) -> None:
    drawing = draw_interaction(il.measure(model, torch.randn(32, 6), view="input"))
    svg = rendered(specification(drawing), form="svg").decode()
    words = {label: anchor for anchor, label in re.findall(r'<text text-anchor="(\w+)"[^>]*>([\d.]+)</text>', svg)}
    assert {words["0.0"], words["1.0"]} == {"middle"}


def test_a_notebook_shows_a_chart_without_a_network(model: nn.Module) -> None:
    chart = il.measure(model, torch.randn(32, 6), view="input").plot()
    shown, beside = chart.properties(height=50)._repr_mimebundle_()  # a changed copy is shown likewise
    assert set(shown) == {"application/vnd.vegalite.v6+json", "image/png", "text/plain"}
    picture = base64.b64decode(shown["image/png"])
    assert picture.startswith(b"\x89PNG")
    assert 300 < beside["image/png"]["width"] < 1200, "pixels of the page, not of the doubled picture"
    assert all_rows(shown["application/vnd.vegalite.v6+json"])
    with alt.renderers.enable("svg"):  # a renderer that the reader chose stays
        assert set(chart._repr_mimebundle_()) == {"image/svg+xml"}


def test_layers(model: nn.Module) -> None:
    found = il.measure_layers(model, torch.randn(16, 6))
    heat = found.plot().to_dict()["concat"][0]
    assert len(layers(heat)) == 2
    assert {panel["height"] for panel in found.plot().to_dict()["concat"][::2]} == {24.0}


def test_a_fit(fit: il.LawFit) -> None:
    chart = fit.plot().to_dict()
    assert len(chart["concat"]) == len(fit.budgets) + 1
    for budget, panel in zip(fit.budgets, chart["concat"], strict=False):
        dots = [
            layer
            for layer in panel["layer"]
            if layer["mark"]["type"] == "point" and layer["mark"].get("size") == look.DOT
        ]
        losses = [row["loss"] for row in rows_of(chart, dots[0])]
        assert losses == [point.adjusted for point in budget.points]


def test_a_recommendation() -> None:
    result = il.recommend(params="350M", num_candidates=3)
    cost = result.plot().to_dict()
    drawn = rows_of(cost, layers(cost["concat"][0] if "concat" in cost else cost["vconcat"][0])[-1])
    assert [row["ratio"] for row in drawn] == [each.shape.ratio for each in result.candidates]


class Mine:
    """A result of another package."""


def test_another_type_registers_its_own() -> None:
    with pytest.raises(TypeError, match="expected a result that has a chart, found Mine"):
        chart_of(Mine())

    @chart_of.register
    def mine_chart(result: Mine) -> Any:
        return "a chart"

    assert il.chart_of(Mine()) == "a chart"
