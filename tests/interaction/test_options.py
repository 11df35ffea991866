"""Options that a view has no use for, and values that none has, are refused before anything is measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest
import torch
from tests.cases import build
from torch import nn

from interlaw.errors import InterlawError
from interlaw.interaction import VIEWS, InputSide, Options, View, agop, energies, measure, measure_layers

NOT_FOR = {
    "loss": {"probes": 2, "positions": "last", "outputs": [0], "center": True, "scale": "rms"},
    "bottleneck": {"layer": "head", "probes": 2, "positions": "all", "outputs": [0], "center": True, "scale": "rms"},
    "token": {"layer": "head"},
}


def test_measure_documents_every_view_and_option() -> None:
    text = measure.__doc__ or ""
    assert [view for view in VIEWS if f'"{view}"' not in text] == []
    assert [one.name for one in fields(Options) if f"\n            {one.name}: " not in text] == []


@pytest.mark.parametrize(
    ("view", "name", "value"), [(view, name, value) for view, no in NOT_FOR.items() for name, value in no.items()]
)
def test_options_without_a_use_are_refused_and_not_recorded(view: str, name: str, value: object) -> None:
    model, ids = build("gpt", 6)
    with pytest.raises(InterlawError, match=f"the {view} view has no use for {name}, found .*; leave it out, or use"):
        measure(model, ids, view=view, **{name: value})


def test_options_that_say_what_a_view_does_anyway_are_fine() -> None:
    model, ids = build("gpt", 6)
    assert measure(model, ids, view="token", layer="embeddings").layer == "embeddings"
    assert measure(model, ids, view="loss", probes="exact").num_probes == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"level": 95.0}, "a level between 0 and 1, found 95.0; 0.95 stands for 95%"),
        ({"level": 0.0}, "a level between 0 and 1, found 0.0"),
        ({"max_clusters": 0}, "max_clusters, at least 3, found 0"),
        ({"max_clusters": 2}, "max_clusters, at least 3, found 2"),
        ({"batch_size": 0}, "batch_size, at least 1, found 0"),
        ({"dtype": torch.int32}, r"a dtype of real numbers, found torch\.int32"),
        ({"probes": True}, "probes to be a positive number, 'exact' or None, found True"),
        ({"outputs": [0, 5]}, r"outputs from 0 to 3, found \[5\]"),
        ({"outputs": [-5]}, r"outputs from 0 to 3, found \[-5\]"),
    ],
)
def test_values_that_no_option_has(options: dict[str, Any], message: str) -> None:
    model, x = build("mlp", 6)
    with pytest.raises(InterlawError, match=message):
        measure(model, x, **options)
    if "outputs" not in options:
        with pytest.raises(InterlawError, match=message):
            measure_layers(model, x, **options)


def test_the_matrix_itself_checks_its_options_too() -> None:
    model, x = build("mlp", 6)
    with pytest.raises(InterlawError, match="a dtype of real numbers"):
        agop(model, x, dtype=torch.int32)
    with pytest.raises(InterlawError, match="the loss view has no use for center"):
        agop(model, x, view="loss", center=True)


def test_weights_and_inputs_of_different_precision_name_the_cure() -> None:
    single, x = nn.Linear(3, 2), torch.randn(8, 3)
    for model, inputs in ((single, x.double()), (nn.Linear(3, 2).bfloat16(), x)):
        with pytest.raises(InterlawError, match=r"weights and inputs of one precision.*dtype=torch\.float32"):
            measure(model, inputs)
        assert measure(model, inputs, dtype=torch.float32).num_clusters == 8


def test_an_option_that_there_is_not_names_the_nearest() -> None:
    model, x = build("mlp", 6)
    with pytest.raises(TypeError, match=r"expected options among view, .*, found 'probe'; did you mean 'probes'"):
        measure(model, x, probe=2)
    with pytest.raises(TypeError, match="found 'level'"):
        agop(model, x, level=0.9)
    with pytest.raises(TypeError, match="found 'layer'"):
        measure_layers(model, x, layer="0")


def test_a_view_is_added_from_outside_by_one_line() -> None:
    """The gradient of the summed outputs, one vector a sample."""

    def summed(options: Options, _: Any) -> Callable[[Any, Any], dict[str, Any]]:
        return InputSide(options, lambda output, batch: output.sum(1), draw=lambda y: ([torch.ones_like(y)], 1, 0))

    VIEWS["summed"] = View(start=summed, useless=("probes",), layers=True)
    try:
        model, x = build("mlp", 20)
        h = x.clone().requires_grad_(True)
        (g,) = torch.autograd.grad(model(h).sum(), h)
        found = measure(model, x, view="summed")
        assert (found.view, found.layer, found.num_probes) == ("summed", "input", 0)
        assert found.plugin.aofe == pytest.approx(energies(g.T @ g / len(g)).aofe)
        assert [row.name for row in measure_layers(model, x, view="summed")] == ["0", "2", "4"]
        with pytest.raises(InterlawError, match="the summed view has no use for probes, found 3"):
            measure(model, x, view="summed", probes=3)
    finally:
        del VIEWS["summed"]
