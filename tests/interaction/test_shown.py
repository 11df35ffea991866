"""What a result prints, and the table that it is."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tests.cases import build
from torch import nn

from interlaw.errors import InterlawError
from interlaw.interaction import QUANTITIES, list_layers, measure, measure_layers


def test_a_measurement_prints_in_few_lines_and_is_a_table() -> None:
    model, x = build("mlp", 20)
    found = measure(model, x, name="<mine>")
    lines = repr(found).splitlines()
    assert len(lines) <= 15
    assert lines[0] == "Interaction of <mine>: input view at input, 6 coordinates, 20 samples, 95% intervals"
    table = found.to_frame()
    assert list(table.index) == [*QUANTITIES, "null_ratio", "excess_ratio"]
    assert table.loc["aofe", "low"] == found.aofe.low
    assert table.loc["excess_ratio", "plugin"] == found.plugin.excess_ratio
    assert "&lt;mine&gt;" in found._repr_html_()
    assert "20 samples in 10 groups" in repr(measure(model, x, groups=[n // 2 for n in range(20)]))


@pytest.mark.parametrize(("count", "shown", "last"), [(4, 4, "note: 3"), (9, 3, "6 more notes in .warnings")])
def test_many_notes_print_in_few_lines(count: int, shown: int, last: str) -> None:
    model, x = build("mlp", 20)
    noted = replace(measure(model, x), warnings=tuple(map(str, range(count))))
    lines = repr(noted).splitlines()
    assert len(lines) == 15
    assert sum(line.startswith("  note: ") for line in lines) == shown
    assert lines[-1].strip() == last


def test_layers_print_in_few_lines_and_are_a_table() -> None:
    deep = nn.Sequential(*(module for _ in range(30) for module in (nn.Linear(4, 4), nn.Tanh())))
    found = measure_layers(deep, torch.randn(8, 4))
    lines = repr(found).splitlines()
    assert len(lines) <= 15
    assert lines[0] == "30 layers, input view"
    table = found.to_frame()
    assert list(table["layer"]) == [row.name for row in found]
    assert table["aofe_ratio"][3] == found[3].interaction.aofe_ratio.value
    assert found._repr_html_().count("<tr") == 31


def test_layers_are_listed_with_their_width_and_calls() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.spare = nn.Linear(3, 3), nn.Linear(5, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.first(self.first(x))

    rows = list_layers(Twice(), torch.randn(1, 3))
    assert [(row["name"], row["width"], row["calls"]) for row in rows] == [("first", 3, 2), ("spare", 5, 0)]
    assert [row["calls"] for row in list_layers(Twice())] == [None, None]


@pytest.mark.parametrize("wrong", ["haed", "tokns"])
def test_a_layer_that_there_is_not_names_the_nearest(wrong: str) -> None:
    model, ids = build("gpt", 4)
    for work in (lambda: measure(model, ids, layer=wrong), lambda: measure_layers(model, ids, layers=[wrong])):
        with pytest.raises(InterlawError, match=r"did you mean '(head|tokens)'"):
            work()
