import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from interlaw.interaction import grams as grams_module
from interlaw.interaction import routes as module
from interlaw.interaction.grams import Grams, haar_null, unbiased
from interlaw.interaction.matrix import plugin
from interlaw.interaction.routes import accumulator, choose_route, grams_of

VECTORS = ("trace", "self_energy", "self_diagonal", "self_trace", "counts", "weights")


def factors(n: int, dim: int, rank: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, dim, rank, generator=generator, dtype=torch.float64) * torch.arange(1.0, dim + 1)[:, None]


@given(n=st.integers(1, 9), dim=st.integers(1, 7), rank=st.integers(1, 5))
@settings(max_examples=25, deadline=None)
def test_both_routes_equal_a_loop_over_pairs(n: int, dim: int, rank: int) -> None:
    V = factors(n, dim, rank)
    A = [v @ v.T for v in V.numpy()]
    for route in ("gram", "dense"):
        found = grams_of(V, route=route)
        for a in range(n):
            assert found.trace[a] == pytest.approx(np.trace(A[a]))
            assert found.self_energy[a] == pytest.approx((A[a] ** 2).sum())
            assert found.self_diagonal[a] == pytest.approx((np.diag(A[a]) ** 2).sum())
            for b in range(n):
                assert found.energy[a, b] == pytest.approx((A[a] * A[b]).sum())
                assert found.diagonal[a, b] == pytest.approx((np.diag(A[a]) * np.diag(A[b])).sum())


def test_batches_of_different_rank_add_up() -> None:
    V = factors(6, 4, 5)
    V[3:, :, 3:] = 0
    for route in ("gram", "dense"):
        whole = grams_of(V, route=route)
        into = accumulator(route, dim=4)
        into.add(V[:3], torch.ones(3))
        into.add(V[3:, :, :3], torch.ones(3))
        assert torch.allclose(into.grams().energy, whole.energy)


@pytest.mark.parametrize("columns", [2, 16, 4096])
def test_pooling_changes_no_estimate(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    V, weights = factors(37, 5, 2), torch.arange(1.0, 38.0)
    whole = grams_of(V, route="gram", weights=weights)
    monkeypatch.setattr(grams_module, "MAX_GROUPS", 8)
    monkeypatch.setattr(grams_module, "BLOCK_COLUMNS", columns)
    pooled = grams_of(V, route="gram", weights=weights)
    assert len(pooled.counts) == 8
    assert_same_estimates(whole, pooled)


def test_merging_groups_on_the_way_changes_no_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    V, weights = factors(75, 5, 2), torch.arange(1.0, 76.0)
    whole = grams_of(V, route="dense", weights=weights)
    monkeypatch.setattr(module, "DENSE_GROUPS", 4)
    merged = grams_of(V, route="dense", weights=weights)
    assert len(merged.counts) <= 8
    assert merged.counts.max() == 16
    assert_same_estimates(whole, merged)


def assert_same_estimates(a: Grams, b: Grams) -> None:
    first, second = unbiased(a, null=haar_null), unbiased(b, null=haar_null)
    for name in first:
        assert float(first[name]) == pytest.approx(float(second[name]), rel=1e-9)
    assert plugin(a, null=haar_null).energy == pytest.approx(plugin(b, null=haar_null).energy)
    assert a.num_clusters == b.num_clusters


def test_slices_of_coordinates_give_the_same_as_the_whole() -> None:
    V = factors(5, 6, 2)
    whole = grams_of(V, route="gram")
    for route in ("gram", "dense"):
        into = accumulator(route, dim=6, slices=lambda stored: iter(stored.split(4, dim=1)))
        into.add(V, torch.ones(5))
        sliced = into.grams()
        for name in ("energy", "diagonal", *VECTORS):
            assert torch.allclose(getattr(sliced, name), getattr(whole, name))


def test_route_follows_cost_and_memory() -> None:
    assert choose_route(20_000, rank=1, dim=64) == "dense"
    assert choose_route(512, rank=64, dim=64) == "dense"
    assert choose_route(512, rank=1, dim=784) == "gram"
    assert choose_route(8, rank=100, dim=100_000) == "gram"  # one D x D matrix would take 80 GB
