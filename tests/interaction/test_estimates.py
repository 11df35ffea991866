import math

import numpy as np
import pytest
import torch
from scipy import stats

from interlaw.errors import InterlawError
from interlaw.interaction import energies, grams_of
from interlaw.interaction.grams import haar_null, jackknife, unbiased
from interlaw.interaction.matrix import plugin
from interlaw.interaction.scales import student_quantile


def population(dim: int = 6, seed: int = 0) -> torch.Tensor:
    """A square root L of a G that is far from diagonal."""
    generator = torch.Generator().manual_seed(seed)
    L = torch.randn(dim, dim, generator=generator, dtype=torch.float64)
    return L * torch.linspace(0.2, 1.5, dim, dtype=torch.float64)


def draw(L: torch.Tensor, n: int, rank: int, seed: int) -> torch.Tensor:
    """Factors with E[V V^T] = L L^T, every cluster with a gain of its own, E[gain^2] = 1."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(n, L.shape[1], rank, generator=generator, dtype=torch.float64)
    gain = torch.rand(n, 1, 1, generator=generator, dtype=torch.float64).mul(2).sqrt()
    return gain * (L @ noise) / rank**0.5


def naive(V: np.ndarray, weights: np.ndarray) -> dict[str, float]:
    """The U-statistics by their definition: loops over pairs of different clusters."""
    n = len(V)
    A = np.einsum("ndr,ner->nde", V, V)
    pairs = [(a, b) for a in range(n) for b in range(n) if a != b]
    mean_weight = weights.mean()
    energy = np.mean([(A[a] * A[b]).sum() for a, b in pairs]) / mean_weight**2
    diagonal = np.mean([np.diag(A[a]) @ np.diag(A[b]) for a, b in pairs]) / mean_weight**2
    squared = np.mean([np.trace(A[a]) * np.trace(A[b]) for a, b in pairs]) / mean_weight**2
    trace = np.mean([np.trace(a) for a in A]) / mean_weight
    dim = V.shape[1]
    null = (dim - squared / energy) / (dim + 2)
    return {
        "energy": energy,
        "diagonal_energy": diagonal,
        "aofe": energy - diagonal,
        "aofe_ratio": (energy - diagonal) / energy,
        "aofe_scale_free": (energy - diagonal) / squared,
        "trace": trace,
        "participation_ratio": squared / energy,
        "mean_cos2": (energy - diagonal) / (squared - diagonal),
        "null_ratio": null,
        "excess_ratio": (energy - diagonal) / energy - null,
    }


@pytest.mark.parametrize("route", ["gram", "dense"])
def test_values_and_standard_errors_equal_a_naive_transcription(route: str) -> None:
    V = draw(population(), 9, 2, seed=1)
    weights = torch.arange(1.0, 10.0, dtype=torch.float64)
    found = jackknife(grams_of(V, route=route, weights=weights), null=haar_null)
    expected = naive(V.numpy(), weights.numpy())
    left_out = [naive(np.delete(V.numpy(), k, 0), np.delete(weights.numpy(), k)) for k in range(9)]
    for name, value in expected.items():
        assert found[name].value == pytest.approx(value, rel=1e-10)
        replicates = np.array([one[name] for one in left_out])
        stderr = math.sqrt(8 / 9 * ((replicates - replicates.mean()) ** 2).sum())
        assert found[name].stderr == pytest.approx(stderr, rel=1e-8)


def test_plugin_is_the_energies_of_the_mean() -> None:
    V = draw(population(), 9, 2, seed=2)
    found = plugin(grams_of(V), null=haar_null)
    expected = energies((V @ V.mT).mean(0))
    for name, value in expected.to_dict().items():
        assert found[name] == pytest.approx(value, rel=1e-9)


def test_unbiased_over_seeds_where_the_plugin_is_not() -> None:
    L = population()
    truth = energies(L @ L.T)
    trials = [grams_of(draw(L, 8, 1, seed), route="gram") for seed in range(600)]
    for name in ("energy", "diagonal_energy", "aofe", "trace"):
        values = np.array([float(unbiased(one, null=haar_null)[name]) for one in trials])
        assert values.mean() == pytest.approx(truth[name], abs=3 * values.std() / math.sqrt(len(values)))
    biased = np.array([plugin(one, null=haar_null).energy for one in trials])
    assert biased.mean() > truth.energy + 5 * biased.std() / math.sqrt(len(biased))


def test_isotropic_population_reads_no_interaction() -> None:
    V = torch.randn(128, 512, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    grams = grams_of(V)
    found = jackknife(grams, null=haar_null)["aofe_ratio"]
    assert plugin(grams, null=haar_null).aofe_ratio == pytest.approx(0.80, abs=0.01)
    assert abs(found.value) < 3 * found.stderr
    assert found.low < 0 < found.high


def test_intervals_stay_inside_their_range() -> None:
    V = draw(population(), 40, 1, seed=3)
    found = jackknife(grams_of(V), null=haar_null, level=0.99)
    assert 0 < found["aofe_ratio"].low < found["aofe_ratio"].value < found["aofe_ratio"].high < 1
    assert 0 < found["energy"].low < found["energy"].value < found["energy"].high


def test_identical_clusters_have_no_spread() -> None:
    V = population()[None].expand(4, -1, -1).contiguous()
    found = jackknife(grams_of(V), null=haar_null)
    expected = energies(population() @ population().T)
    assert found["aofe_ratio"].value == pytest.approx(expected.aofe_ratio)
    assert found["aofe_ratio"].stderr == pytest.approx(0, abs=1e-8)


def test_too_few_clusters() -> None:
    with pytest.raises(InterlawError, match="at least 3 clusters"):
        jackknife(grams_of(torch.ones(2, 3, 1)), null=haar_null)


@pytest.mark.parametrize("probability", [0.9, 0.975, 0.995])
def test_student_quantile(probability: float) -> None:
    for degrees in (2, 5.5, 127):
        assert student_quantile(probability, degrees=degrees) == pytest.approx(stats.t.ppf(probability, degrees))


def test_three_clusters_have_the_wide_quantile_of_two_degrees() -> None:
    """By its closed form: with 2 degrees t = (2 p - 1) / sqrt(2 p (1 - p)), 31.6 at p = .9995."""
    found = jackknife(grams_of(draw(population(), 3, 2, seed=1)), null=haar_null, level=0.999)["excess_ratio"]
    t = (found.high - found.value) / found.stderr
    assert t == pytest.approx(0.999 / (2 * 0.9995 * 0.0005) ** 0.5)
    assert round(t, 1) == 31.6
