"""Samples that share a document, a subject or an image are one cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pytest
import torch
from tests.cases import TinyAttention, build
from torch import Tensor, nn

from interlaw.errors import InterlawError
from interlaw.interaction import QUANTITIES, agop, measure, measure_layers
from interlaw.interaction.batches import group_codes

GROUPS = [0, 0, 1, 2, 2, 2, 3, 3, 4, 4, 5, 5]


@pytest.mark.parametrize("route", ["gram", "dense"])
@pytest.mark.parametrize("batch_size", [1, 5, 12])
def test_pairs_within_a_group_do_not_count(route: str, batch_size: int) -> None:
    """By definition: sums over pairs of different groups, in NumPy."""
    model, x = build("mlp", 12)
    found = measure(model, x, groups=GROUPS, route=route, batch_size=batch_size)
    J = [torch.autograd.functional.jacobian(model, row).numpy() for row in x]
    S = [sum(J[n].T @ J[n] for n in range(12) if GROUPS[n] == g) for g in range(6)]
    pairs = [(S[g] * S[h]).sum() for g in range(6) for h in range(6) if g != h]
    diagonals = [(np.diag(S[g]) * np.diag(S[h])).sum() for g in range(6) for h in range(6) if g != h]
    assert found.energy.value == pytest.approx(np.sum(pairs) / (6 * 5 * (12 / 6) ** 2))
    assert found.aofe_ratio.value == pytest.approx(1 - np.sum(diagonals) / np.sum(pairs))
    assert (found.num_clusters, found.num_groups, found.num_samples) == (6, 6, 12)


@pytest.mark.parametrize("view", ["input", "loss", "projected", "token"])
def test_every_view_and_order_of_samples(view: str) -> None:
    model, ids = build("gpt", 12)
    expected = measure(model, ids, view=view, groups=GROUPS, probes=None if view == "loss" else "exact")
    order = torch.randperm(12, generator=torch.Generator().manual_seed(1))
    labels = [f"document {GROUPS[index]}" for index in order]
    for inputs in (ids[order], list(ids[order].split(5))):
        found = measure(model, inputs, view=view, groups=labels, probes=None if view == "loss" else "exact")
        for name in QUANTITIES:
            assert getattr(found, name).value == pytest.approx(getattr(expected, name).value)
            assert getattr(found, name).stderr == pytest.approx(getattr(expected, name).stderr)


def test_a_group_a_sample_changes_nothing() -> None:
    model, x = build("mlp", 12)
    plain, each = measure(model, x), measure(model, x, groups=np.arange(12))
    assert [getattr(plain, name) for name in QUANTITIES] == [getattr(each, name) for name in QUANTITIES]


def test_layers_and_dicts_take_groups() -> None:
    class FromBatch(TinyAttention):
        def forward(self, input_ids: Tensor) -> Tensor:
            return super().forward(input_ids)

    model = FromBatch().double()
    _, ids = build("gpt", 12)
    shuffled = list(reversed(range(12)))
    batches = [{"input_ids": ids[shuffled][:7]}, {"input_ids": ids[shuffled][7:]}]
    rows = measure_layers(model, batches, view="loss", groups=[GROUPS[index] for index in shuffled])
    expected = measure_layers(model, [{"input_ids": ids}], view="loss", groups=GROUPS)
    for row, other in zip(rows, expected, strict=True):
        assert row.interaction.num_clusters == 6
        assert row.interaction.aofe.value == pytest.approx(other.interaction.aofe.value)


def test_streams_need_the_samples_of_a_group_after_each_other() -> None:
    model, x = build("mlp", 12)

    def stream() -> Iterable[Tensor]:
        yield from x.split(5)

    assert measure(model, stream(), groups=GROUPS).num_clusters == 6
    with pytest.raises(InterlawError, match="a group that comes back after another; sort inputs and groups"):
        measure(model, stream(), groups=[0, 1, 2] * 4)


@pytest.mark.parametrize(
    ("unfit", "error", "found"),
    [
        (lambda x: "inputs.npy", TypeError, "inputs must be .*; found str"),
        (lambda x: {"input": x}, TypeError, "inputs must be .*; found dict"),
        (lambda x: [{}], TypeError, "found a batch of type dict"),
        (lambda x: [{"input": x, "other": x[:3]}], InterlawError, "a dict of tensors with one first axis"),
        (lambda x: x.to_sparse(), InterlawError, "expected dense inputs"),
        (lambda x: x[0, 0], InterlawError, "a group that comes back after another"),
    ],
)
def test_unfit_inputs_are_told_before_they_are_put_in_order(
    unfit: Callable[[Tensor], object], error: type[Exception], found: str
) -> None:
    model, x = build("mlp", 12)
    with pytest.raises(error, match=found):
        measure(model, unfit(x), groups=[0, 1, 2] * 4)


@pytest.mark.parametrize("groups", [[0] * 11, [0, 1] * 5])
def test_one_label_a_sample(groups: list[int]) -> None:
    model, x = build("mlp", 12)
    with pytest.raises(InterlawError, match=f"one group a sample, found {len(groups)} groups for 12 samples"):
        measure(model, x, groups=groups)


@pytest.mark.parametrize("groups", ["ab", 3, []])
def test_labels_are_a_list(groups: object) -> None:
    with pytest.raises(InterlawError, match="expected groups as one label a sample, found"):
        group_codes(groups)
    with pytest.raises(TypeError, match="found 'groups'"):
        agop(nn.Linear(2, 2), torch.randn(3, 2), groups=groups)
    model, x = build("mlp", 4)
    with pytest.raises(InterlawError, match="at least 3 clusters"):
        measure(model, x, groups=[0, 0, 1, 1])
