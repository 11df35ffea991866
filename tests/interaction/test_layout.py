"""Samples are found wherever an activation holds them, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from interlaw.errors import InterlawError
from interlaw.interaction import agop, measure
from interlaw.interaction.batches import LONE, Batch
from interlaw.interaction.layout import Place
from interlaw.interaction.place import Places

NUM, TIME = 6, 5

ARRANGEMENTS = {
    "plain": (lambda h: h, lambda h, n: h),
    "tokens first": (lambda h: h.transpose(0, 1), lambda h, n: h.transpose(0, 1)),
    "flat by sample": (lambda h: h.flatten(0, 1), lambda h, n: h.unflatten(0, (n, -1))),
    "flat by token": (
        lambda h: h.transpose(0, 1).flatten(0, 1),
        lambda h, n: h.unflatten(0, (-1, n)).transpose(0, 1),
    ),
    "windows": (
        lambda h: h[:, : TIME - 1].unflatten(1, (2, -1)).flatten(0, 1),
        lambda h, n: h.unflatten(0, (n, 2)).flatten(1, 2),
    ),
    "windows by token": (
        lambda h: h[:, : TIME - 1].unflatten(1, (2, -1)).transpose(0, 1).flatten(0, 1),
        lambda h, n: h.unflatten(0, (2, n)).transpose(0, 1).flatten(1, 2),
    ),
}


class Arranged(nn.Module):
    """A language model whose middle layer sees its tokens in another arrangement."""

    def __init__(self, name: str, *, reads: Callable[[Tensor], Tensor] = lambda h: h.cumsum(1)) -> None:
        super().__init__()
        self.there, self.back = ARRANGEMENTS[name]
        self.reads = reads
        generator = torch.Generator().manual_seed(0)
        self.tokens = nn.Embedding(11, 4)
        self.middle = nn.Linear(4, 3)
        self.head = nn.Linear(3, 11)
        for parameter in self.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)

    def get_input_embeddings(self) -> nn.Module:
        return self.tokens

    def forward(self, ids: Tensor) -> Tensor:
        h = self.tokens(ids).cumsum(1)
        return self.head(self.reads(self.back(torch.tanh(self.middle(self.there(h))), len(ids))))


def ids_of(num: int = NUM) -> Tensor:
    return torch.randint(0, 11, (num, TIME), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", ["tokens first", "flat by sample", "flat by token"])
@pytest.mark.parametrize("num", [NUM, TIME, 3])  # as many samples as tokens look like tokens
@pytest.mark.parametrize("view", ["input", "loss"])
def test_the_arrangement_of_tokens_changes_nothing(name: str, num: int, view: str) -> None:
    expected = measure(Arranged("plain"), ids_of(num), view=view, layer="middle")
    found = measure(Arranged(name), ids_of(num), view=view, layer="middle")
    assert found.num_clusters == num
    for quantity in ("energy", "aofe", "aofe_ratio"):
        one, other = getattr(found, quantity), getattr(expected, quantity)
        assert one.value == pytest.approx(other.value)
        assert one.stderr == pytest.approx(other.stderr)


@pytest.mark.parametrize("name", ["tokens first", "flat by sample", "flat by token"])
@pytest.mark.parametrize("view", ["output", "projected"])
@pytest.mark.parametrize("probes", ["exact", None])
def test_the_output_side_sees_the_same_samples(name: str, view: str, probes: str | None) -> None:
    expected = measure(Arranged("plain"), ids_of(40), view=view, layer="middle", probes=probes)
    found = measure(Arranged(name), ids_of(40), view=view, layer="middle", probes=probes)
    assert found.energy.value == pytest.approx(expected.energy.value)
    assert found.aofe.stderr == pytest.approx(expected.aofe.stderr)


@pytest.mark.parametrize("name", ["windows", "windows by token"])
def test_windows_of_tokens_are_positions_of_their_sample(name: str) -> None:
    expected = agop(Arranged("plain"), ids_of()[:, : TIME - 1], layer="middle")
    assert torch.allclose(agop(Arranged(name), ids_of(), layer="middle"), expected)


def test_batches_of_one_sample_are_told_by_their_shape() -> None:
    expected = measure(Arranged("plain"), ids_of(), layer="middle").energy.value
    for name in ("tokens first", "flat by sample", "flat by token"):
        assert measure(Arranged(name), ids_of(), layer="middle", batch_size=1).energy.value == pytest.approx(expected)


def test_an_output_that_reads_one_token_still_tells_the_layout() -> None:
    for reads in (lambda h: h[:, :1], lambda h: h[:, -1:]):
        expected = agop(Arranged("plain", reads=reads), ids_of(), layer="middle")
        for name in ("tokens first", "flat by sample", "flat by token"):
            assert torch.allclose(agop(Arranged(name, reads=reads), ids_of(), layer="middle"), expected)


def test_samples_that_affect_each_other_are_refused() -> None:
    class Mixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(3, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.linear(x - x.mean(0))

    x = torch.randn(8, 3)
    with pytest.raises(InterlawError, match="samples that do not affect each other, found outputs of one that change"):
        measure(Mixed(), x)
    places = Places(Mixed(), [Place(name="input")])
    with pytest.raises(InterlawError, match=r"part of 'input' for each of 4 samples.*outputs of one that depend on an"):
        places.survey(Batch(inputs={LONE: x}), most=8)


def test_an_activation_without_samples_is_refused() -> None:
    class Shared(nn.Module):
        """All samples share a table, whose rows may be as many as the samples."""

        def __init__(self) -> None:
            super().__init__()
            self.shared = nn.Linear(3, 3)
            self.table = nn.Parameter(torch.randn(8, 3))

        def forward(self, x: Tensor) -> Tensor:
            return x @ self.shared(self.table).T

    with pytest.raises(InterlawError, match=r"part of 'shared'.*found shape \(8, 3\) and outputs of one that depend"):
        measure(Shared(), torch.randn(8, 3), layer="shared")
    with pytest.raises(InterlawError, match=r"part of 'shared' for each of 3 samples.*no row for each"):
        measure(Shared(), torch.randn(3, 3), layer="shared")


def test_without_a_derivative_samples_cannot_be_told_from_tokens() -> None:
    model = Arranged("flat by sample")
    nn.init.zeros_(model.head.weight)
    with pytest.raises(InterlawError, match="found no derivative in the first 4 samples"):
        measure(model, ids_of(), layer="middle")


def lone(module: nn.Module, h: Tensor) -> Tensor:
    place = Place(name="here", module=module)
    return Places(module, [place]).samples_first(place, h, n=1)


def test_shapes_of_a_lone_sample() -> None:
    flat, image = torch.zeros(5, 4), torch.zeros(2, 3, 4, 4)
    assert lone(nn.Linear(4, 4), flat).shape == (1, 5, 4)
    with pytest.raises(InterlawError, match="part of 'here' for each of 1 samples"):
        lone(nn.Conv2d(3, 2, 3), image)
    with pytest.raises(InterlawError, match="no row for each of them"):
        lone(nn.Embedding(7, 4), flat)


def test_inputs_of_one_number_a_sample() -> None:
    class Scalar(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.stack([x, 2 * x], 1)

    assert measure(Scalar(), torch.randn(6, dtype=torch.float64)).energy.value == pytest.approx(25)
