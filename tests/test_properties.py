"""What holds for every input: sizes, recipes, tables and estimators."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.recipes import recipe_text, write_book
from torch import nn

from interlaw.interaction import QUANTITIES, energies, measure
from interlaw.laws import fit_law
from interlaw.size import parse_depths, parse_size
from interlaw.sweep import parse_recipe, plan_trials

UNITS = {"": 1, "k": 10**3, "M": 10**6, "b": 10**9, "G": 10**9, "T": 10**12}
# how a quantity of c G relates to that of G: as c to this power
POWERS = {"energy": 2, "diagonal_energy": 2, "aofe": 2, "trace": 1}
steady = settings(derandomize=True, deadline=None)


@given(st.integers(1, 10**6), st.sampled_from(sorted(UNITS)), st.sampled_from(["", " ", "  "]))
def test_a_unit_multiplies(number: int, unit: str, space: str) -> None:
    assert parse_size(f"{number}{space}{unit}") == number * UNITS[unit]
    assert parse_size(f" {number:,}{unit.upper()}\n") == number * UNITS[unit]


@given(st.integers(0, 999_999), st.integers(0, 999), st.sampled_from(["k", "M", "B"]))
def test_decimals_are_exact(whole: int, thousandths: int, unit: str) -> None:
    if whole or thousandths:
        expected = whole * UNITS[unit.replace("B", "b")] + thousandths * UNITS[unit.replace("B", "b")] // 1000
        assert parse_size(f"{whole}.{thousandths:03}{unit}") == expected


@given(st.lists(st.integers(1, 10**5), min_size=1, max_size=30))
def test_depths_come_sorted_and_once_however_they_are_listed(depths: list[int]) -> None:
    assert parse_depths(",".join(map(str, depths))) == sorted(set(depths))
    first, last = min(depths), min(max(depths), min(depths) + 500)
    assert parse_depths(f"{first}-{last}") == list(range(first, last + 1))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_book(tmp_path_factory.mktemp("book")).parent


@settings(steady, max_examples=25)
@given(
    depths=st.lists(st.integers(1, 6), min_size=1, max_size=4, unique=True),
    seeds=st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=3, unique=True),
    amounts=st.lists(st.integers(20_000, 90_000), min_size=1, max_size=2, unique=True),
    rate=st.floats(1e-5, 1.0),
    steps=st.integers(1, 10**6),
)
def test_a_plan_is_every_combination_once_in_any_order(
    folder: Path, depths: list[int], seeds: list[int], amounts: list[int], rate: float, steps: int
) -> None:
    def keys(*orders: int) -> list[str]:
        text = recipe_text(
            top={"depths": depths[:: orders[0]], "seeds": seeds[:: orders[1]]},
            budget={"amounts": amounts[:: orders[2]]},
            training={"learning_rate": rate, "steps": steps},
        )
        return [trial.key for trial in plan_trials(parse_recipe(text, source="r"), folder=folder)]

    planned = keys(1, 1, 1)
    assert len(planned) == len(set(planned)) == len(depths) * len(seeds) * len(amounts)
    assert sorted(keys(-1, -1, -1)) == sorted(planned)
    assert keys(1, 1, 1) == planned


def sweep_table(seed: int) -> dict[str, np.ndarray]:
    """A parabola in log R with noise: two budgets, six shapes, two seeds."""
    rng = np.random.default_rng(seed)
    rows = []
    for budget in (1e5, 4e5):
        for depth, width in ((1, 96), (2, 70), (3, 56), (4, 48), (6, 40), (8, 34)):
            for run in (0, 1):
                loss = (
                    2 + 0.1 * math.log(20 * depth / width) ** 2 + 0.003 * rng.standard_normal() + 0.1 * (budget < 2e5)
                )
                rows.append((budget, budget * (1 + 0.01 * rng.random()), depth, width, loss, run))
    names = ("budget", "params", "depth", "width", "loss", "seed")
    return dict(zip(names, map(np.array, zip(*rows, strict=True)), strict=True))


@settings(steady, max_examples=3)
@given(seed=st.integers(0, 10**6), factor=st.floats(1e-3, 1e3), order=st.integers(0, 10**6))
def test_a_fit_knows_neither_the_order_of_rows_nor_the_unit_of_loss(seed: int, factor: float, order: int) -> None:
    table = sweep_table(seed)
    shuffle = np.random.default_rng(order).permutation(len(table["loss"]))
    changed = {name: values[shuffle] for name, values in table.items()}
    changed["loss"] = changed["loss"] * factor
    one, other = (fit_law(each, num_bootstrap=100, num_permutations=100) for each in (table, changed))
    for mine, its in zip(one.budgets, other.budgets, strict=True):
        assert mine.r_star.status == its.r_star.status
        if mine.r_star.value is not None:
            assert its.r_star.value == pytest.approx(mine.r_star.value, rel=1e-6)
        assert (its.best.depth, its.best.width) == (mine.best.depth, mine.best.width)
        assert its.best.loss == pytest.approx(mine.best.loss * factor)
        assert its.loss_interval.low == pytest.approx(mine.loss_interval.low, rel=1e-6)


def random_matrix(seed: int, size: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    factor = torch.randn(size, size + 1, generator=generator, dtype=torch.float64)
    return factor @ factor.T / size


@settings(steady, max_examples=30)
@given(seed=st.integers(0, 10**6), size=st.integers(2, 8), factor=st.floats(1e-4, 1e4))
def test_energies_scale_as_they_should_and_know_no_order(seed: int, size: int, factor: float) -> None:
    matrix = random_matrix(seed, size)
    order = torch.randperm(size, generator=torch.Generator().manual_seed(seed))
    mine, scaled, shuffled = (energies(each).to_dict() for each in (matrix, factor * matrix, matrix[order][:, order]))
    for name in QUANTITIES:
        assert scaled[name] == pytest.approx(mine[name] * factor ** POWERS.get(name, 0), rel=1e-9)
        assert shuffled[name] == pytest.approx(mine[name], rel=1e-9)


def network(seed: int, *, factor: float = 1.0, order: torch.Tensor | None = None) -> nn.Module:
    """Five inputs to three outputs; outputs scaled, inputs reordered."""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 3)).double()
    with torch.no_grad():
        model[2].weight.mul_(factor)  # type: ignore[operator]
        if order is not None:
            model[0].weight.copy_(model[0].weight[:, order])  # type: ignore[index, arg-type]
    return model


@settings(steady, max_examples=10)
@given(seed=st.integers(0, 10**6), factor=st.floats(0.01, 100.0))
def test_a_measurement_scales_with_the_outputs_and_knows_no_order(seed: int, factor: float) -> None:
    inputs = torch.randn(12, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    rows, columns = (torch.randperm(n, generator=torch.Generator().manual_seed(seed)) for n in (12, 5))
    mine = measure(network(seed), inputs, view="input", probes="exact")
    scaled = measure(network(seed, factor=factor), inputs, view="input", probes="exact")
    shuffled = measure(network(seed), inputs[rows], view="input", probes="exact")
    renamed = measure(network(seed, order=columns), inputs[:, columns], view="input", probes="exact")
    for name in QUANTITIES:
        value = getattr(mine, name).value
        power = 2 * POWERS.get(name, 0)  # G is quadratic in the outputs
        assert getattr(scaled, name).value == pytest.approx(value * factor**power, rel=1e-6)
        assert getattr(shuffled, name).value == pytest.approx(value, rel=1e-9)
        assert getattr(renamed, name).value == pytest.approx(value, rel=1e-9)
        assert getattr(shuffled, name).stderr == pytest.approx(getattr(mine, name).stderr, rel=1e-6)
