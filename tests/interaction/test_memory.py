"""The matrix-free claims, in bytes."""

import pytest
import torch
from benchmarks import peak_interaction
from tests.processes import loaded
from torch import nn
from torch.overrides import TorchFunctionMode

from interlaw.interaction import grams, measure, routes
from interlaw.interaction.routes import DenseAccumulator, accumulator, max_groups


def test_token_view_never_holds_its_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    context = loaded()
    monkeypatch.setattr(peak_interaction.multiprocessing, "get_context", lambda method: context)
    _, extra = peak_interaction.peak("token", 64, timed=False)
    matrix = (64 * 256) ** 2 * 4 / 2**20
    assert matrix == 1024
    assert extra < 0.4 * matrix


def test_dense_route_keeps_a_bounded_number_of_matrices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "DENSE_BYTES", 2**20)
    into = accumulator("dense", dim=64)
    assert isinstance(into, DenseAccumulator)
    for _ in range(40):
        into.add(torch.randn(16, 64, 1), torch.ones(16))
    assert len(into.grams().counts) <= 2 * max_groups(64) == 64


def test_no_tensor_grows_with_the_square_of_the_number_of_clusters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grams, "BLOCK_COLUMNS", 256)
    n, dim, sizes = 1280, 700, []

    class Watch(TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            found = func(*args, **(kwargs or {}))
            if isinstance(found, torch.Tensor):
                sizes.append(found.numel())
            return found

    with Watch():
        found = measure(nn.Linear(dim, 1), [torch.randn(64, dim) for _ in range(n // 64)])
    assert found.num_clusters == n
    assert max(sizes) == n * dim < n**2


def test_a_stream_ends_on_the_route_of_a_tensor() -> None:
    x = torch.randn(4096, 16)
    model = nn.Sequential(nn.Linear(16, 8), nn.Tanh(), nn.Linear(8, 1))
    whole, stream = (measure(model, inputs) for inputs in (x, (b for b in x.split(64))))
    assert (whole.route, stream.route) == ("dense", "dense")
    assert stream.energy.value == pytest.approx(whole.energy.value, rel=1e-6)
    assert stream.num_clusters == 4096


def test_wide_inputs_are_measured_by_pairs_of_factors() -> None:
    # G would be 100,000 x 100,000: 40 GB
    model = nn.Sequential(nn.Linear(100_000, 4), nn.Tanh(), nn.Linear(4, 2))
    found = measure(model, torch.randn(8, 100_000))
    assert found.dim == 100_000
    assert 0 < found.aofe_ratio.value <= 1


def test_a_limit_makes_the_pieces_smaller_and_changes_no_estimate() -> None:
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(64, 256), nn.Tanh(), nn.Linear(256, 1)), torch.randn(128, 64)
    found, largest = [], []
    for limit in (None, 2**40, 2_000_000, 1):
        sizes: list[int] = []
        hook = model.register_forward_pre_hook(lambda _, inputs, seen=sizes: seen.append(len(inputs[0])))
        found.append(measure(model, x, memory_limit=limit).aofe.value)
        hook.remove()
        largest.append(max(sizes))
    assert largest[0] == largest[1] == 128
    assert 1 < largest[2] < 64
    assert largest[3] == 1
    assert found == pytest.approx([found[0]] * 4, rel=1e-5)
