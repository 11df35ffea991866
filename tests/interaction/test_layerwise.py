import numpy as np
import pytest
import torch
from tests.cases import TinyAttention, build
from tests.interaction.test_layout import Arranged, ids_of
from torch import nn

from interlaw.errors import InterlawError
from interlaw.interaction import agop, energies, measure, measure_layers
from interlaw.interaction.network import agreement, superposition


def cosine(A: torch.Tensor, B: torch.Tensor) -> float:
    a, b = A.detach().numpy().ravel(), B.detach().numpy().ravel()
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def correlation(A: torch.Tensor, B: torch.Tensor) -> float:
    return float(np.corrcoef(A.detach().numpy().ravel(), B.detach().numpy().ravel())[0, 1])


@pytest.mark.parametrize("view", ["input", "loss"])
def test_every_layer_equals_its_own_measurement(view: str) -> None:
    model, ids = build("gpt", 6)
    rows = {layer.name: layer for layer in measure_layers(model, ids, view=view, probes="exact")}
    assert {"tokens", "qkv", "up", "down", "head"} <= set(rows)
    for name in ("qkv", "up", "down", "head"):
        W = model.get_submodule(name).weight.detach()
        alone = measure(model, ids, view=view, layer=name, probes="exact")
        G = agop(model, ids, view=view, layer=name)
        assert rows[name].interaction.aofe.value == pytest.approx(alone.aofe.value)
        assert rows[name].interaction.aofe_ratio.stderr == pytest.approx(alone.aofe_ratio.stderr, abs=1e-12)
        assert rows[name].superposition == energies(W.T @ W)
        assert rows[name].nfa == pytest.approx(cosine(W.T @ W, G))
        assert rows[name].nfa_centered == pytest.approx(correlation(W.T @ W, G))
        assert rows[name].kind == "Linear"
        assert (rows[name].interaction.inputs, rows[name].interaction.dtype) == (alone.inputs, alone.dtype)
        assert rows[name].interaction.route in ("gram", "dense")
    embedded = measure(model, ids, view=view, probes="exact")
    assert rows["tokens"].interaction.aofe.value == pytest.approx(embedded.aofe.value)


def test_embedding_superposition_and_agreement_without_the_large_matrix() -> None:
    table = nn.Embedding(13, 4).double()
    E = table.weight.detach()
    found, expected = superposition(table), energies(E @ E.T)
    for name, value in expected.to_dict().items():
        assert found[name] == pytest.approx(value)
    root = torch.randn(4, 4, dtype=torch.float64)
    G = root @ root.T
    plain, centered = agreement(table, G)
    assert plain == pytest.approx(cosine(E @ E.T, E @ G @ E.T))
    assert centered == pytest.approx(correlation(E @ E.T, E @ G @ E.T))


def test_convolutions_by_patches() -> None:
    model, x = build("cnn", 5)
    rows = {layer.name: layer for layer in measure_layers(model, x, probes="exact")}
    assert set(rows) == {"0", "3", "5"}
    for name in ("0", "3"):
        alone = measure(model, x, view="convolution", layer=name)
        assert rows[name].interaction.aofe.value == pytest.approx(alone.aofe.value)
        W = model.get_submodule(name).weight.detach().flatten(1)
        assert rows[name].nfa == pytest.approx(cosine(W.T @ W, agop(model, x, view="convolution", layer=name)))


def test_linear_network_agrees_perfectly() -> None:
    model = nn.Sequential(nn.Linear(5, 4, bias=False)).double()
    (row,) = measure_layers(model, torch.randn(6, 5).double())
    assert row.nfa == pytest.approx(1)
    assert row.nfa_centered == pytest.approx(1)
    written = row.to_dict()
    assert set(written) == {"layer", "kind", "interaction", "superposition", "nfa", "nfa_centered"}
    assert written["interaction"]["aofe_ratio"]["value"] == pytest.approx(written["superposition"]["aofe_ratio"])


def test_one_coordinate_has_no_correlation() -> None:
    assert agreement(nn.Linear(1, 3), torch.ones(1, 1)) == (pytest.approx(1), 0.0)


def test_probes_are_unbiased_at_every_layer() -> None:
    model, x = build("mlp", 600)
    exact = measure_layers(model, x, probes="exact")
    probed = measure_layers(model, x, probes=1, seed=1)
    for a, b in zip(exact, probed, strict=True):
        assert b.interaction.num_probes == 1
        spread = np.hypot(a.interaction.energy.stderr, b.interaction.energy.stderr)
        assert abs(a.interaction.energy.value - b.interaction.energy.value) < 3 * spread


def test_unused_and_repeated_layers_are_left_out() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used = nn.Linear(3, 3)
            self.unused = nn.Linear(3, 3)
            self.twice = nn.Linear(3, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.unused(x)
            return self.twice(self.twice(self.used(x)))

    found = measure_layers(Odd(), torch.randn(5, 3))
    assert [layer.name for layer in found] == ["used"]
    assert found.left_out == {
        "twice": "it runs 2 times in a forward pass",
        "unused": "the outputs do not depend on it",
    }
    with pytest.raises(InterlawError, match="measured, found 'twice': it runs 2 times"):
        measure_layers(Odd(), torch.randn(5, 3), layers=["used", "twice"])


@pytest.mark.parametrize("num", [8, 5, 16])  # with 8 and 16 the table has as many rows per sample
@pytest.mark.parametrize("batch_size", [None, 1])
def test_a_table_of_positions_is_no_layer(num: int, batch_size: int | None) -> None:
    class Positions(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tokens = nn.Embedding(11, 4)
            self.positions = nn.Embedding(16, 4)
            self.head = nn.Linear(4, 3)

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            return self.head((self.tokens(ids) + self.positions(torch.arange(16))).tanh())

    found = measure_layers(Positions(), torch.randint(0, 11, (num, 16)), batch_size=batch_size)
    assert [layer.name for layer in found] == ["tokens", "head"]
    assert list(found.left_out) == ["positions"]
    assert "those of a table of positions" in found.left_out["positions"]


@pytest.mark.parametrize("batch_size", [None, 1])
@pytest.mark.parametrize("name", ["tokens first", "flat by sample", "flat by token"])
def test_the_arrangement_of_tokens_changes_no_layer(name: str, batch_size: int | None) -> None:
    expected = measure_layers(Arranged("plain"), ids_of(), view="loss")
    found = measure_layers(Arranged(name), ids_of(), view="loss", batch_size=batch_size)
    assert found.left_out == {}
    for one, other in zip(found, expected, strict=True):
        assert one.interaction.num_clusters == 6
        assert one.interaction.aofe.value == pytest.approx(other.interaction.aofe.value)
        assert one.interaction.aofe.stderr == pytest.approx(other.interaction.aofe.stderr)
        assert one.nfa == pytest.approx(other.nfa)


def test_layers_called_by_keyword_are_measured() -> None:
    class ByName(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(3, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.inner(input=x)

    (layer,) = measure_layers(ByName(), torch.randn(5, 3))
    assert layer.nfa == pytest.approx(1)


def test_a_network_whose_layers_all_drop_out_is_refused() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(3, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.linear(self.linear(x))

    with pytest.raises(InterlawError, match="a place that can be measured, found 'linear': it runs 2 times"):
        measure_layers(Twice(), torch.randn(5, 3))


def test_choice_of_layers_progress_and_refusals() -> None:
    model, ids = build("gpt", 6)
    seen: list[int] = []
    rows = measure_layers(model, ids, layers=["up"], progress=seen.append, batch_size=4, max_clusters=5)
    assert [row.name for row in rows] == ["up"]
    assert seen == [4, 5]
    with pytest.raises(InterlawError, match=r"found \['nowhere'\]"):
        measure_layers(model, ids, layers=["nowhere"])
    with pytest.raises(InterlawError, match="'input' or 'loss', found 'token'"):
        measure_layers(model, ids, view="token")
    with pytest.raises(InterlawError, match="found none"):
        measure_layers(nn.Sequential(nn.ReLU()), torch.randn(4, 3))

    class Cut(TinyAttention):
        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            return super().forward(ids).detach()

    with pytest.raises(InterlawError, match="the outputs do not depend on 'tokens', 'qkv'"):
        measure_layers(Cut(), ids)


def test_layers_without_derivative_or_weights_are_left_out() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 4, bias=False), nn.Tanh(), nn.Linear(4, 2))
    nn.init.zeros_(model[2].weight)
    found = measure_layers(model, torch.randn(6, 3))
    assert [layer.name for layer in found] == ["4"]
    assert found.left_out == {"0": "its derivative is all zeros", "2": "its weights are all zeros"}
    nn.init.zeros_(model[4].weight)
    with pytest.raises(InterlawError, match="a place that can be measured, found '0': its derivative is all zeros"):
        measure_layers(model, torch.randn(6, 3))


def test_a_layer_of_zero_weights_is_left_out() -> None:
    table = nn.Embedding(5, 3)
    nn.init.zeros_(table.weight)
    model = nn.Sequential(table, nn.Flatten(), nn.Linear(6, 2))
    found = measure_layers(model, torch.randint(0, 5, (6, 2)))
    assert [layer.name for layer in found] == ["2"]
    assert found.left_out == {"0": "its weights are all zeros"}
