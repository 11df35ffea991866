"""The spread over bases, intervals that hold it, and a cluster that carries too much."""

from __future__ import annotations

import pytest
import torch
from benchmarks.chance_interaction import bias_of_ratio, called_special, covered_by_few, covered_with_documents, warned
from benchmarks.coverage_interaction import grams_of_few
from tests.cases import build
from torch import Tensor, nn

from interlaw.interaction import haar_null, jackknife, measure, with_intervals
from interlaw.interaction.grams import fourth_moment, heavy_shift, spread_over_bases, unbiased

SPECTRA = {
    "one": torch.eye(12, dtype=torch.float64)[0],
    "half": torch.tensor([1.0] * 6 + [0.0] * 6, dtype=torch.float64),
    "decaying": torch.arange(1.0, 13.0, dtype=torch.float64) ** -1,
}


def random_basis(dim: int, generator: torch.Generator) -> Tensor:
    Q, R = torch.linalg.qr(torch.randn(dim, dim, generator=generator, dtype=torch.float64))
    return Q * R.diagonal().sign()


@pytest.mark.parametrize("name", SPECTRA)
def test_the_spread_is_that_of_random_bases(name: str) -> None:
    """2,000 bases tell a standard deviation to some percent: its error is near sd * sqrt((kurtosis - 1) / 8000)."""
    spectrum, generator = SPECTRA[name], torch.Generator().manual_seed(0)
    bases = torch.stack([random_basis(12, generator).square() @ spectrum for _ in range(2000)])
    ratios = 1 - bases.square().sum(1) / spectrum.square().sum()
    centred = (ratios - ratios.mean()) / ratios.std()
    error = float(ratios.std()) * (float((centred**4).mean() - 1) / 8000) ** 0.5
    M = spectrum - spectrum.mean()
    spread = spread_over_bases(
        energy=float(spectrum.square().sum()), m2=float(M.square().sum()), m4=float((M**4).sum()), dim=12
    )
    assert abs(spread - float(ratios.std())) < 3 * error


def test_two_coordinates_by_hand() -> None:
    """G = diag(1, 0) in a basis at angle t: the ratio is sin^2(2 t) / 2, of variance 1/32."""
    assert spread_over_bases(energy=1.0, m2=0.5, m4=0.125, dim=2) == pytest.approx(32**-0.5)
    assert spread_over_bases(energy=1.0, m2=0.0, m4=0.0, dim=2) == 0
    assert spread_over_bases(energy=1.0, m2=0.0, m4=0.0, dim=1) == 0


def test_the_fourth_moment_has_no_bias() -> None:
    L = torch.randn(5, 5, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    G = L @ L.T
    M = G - G.trace() / 5 * torch.eye(5)
    generator = torch.Generator().manual_seed(0)
    V = L @ torch.randn(4000, 4, 5, 8, generator=generator, dtype=torch.float64)
    found = torch.tensor([fourth_moment([v @ v.T / 8 for v in one]) for one in V])
    assert (
        abs(float(found.mean()) - float(torch.linalg.matrix_power(M, 4).trace())) < 3 * float(found.std()) / 4000**0.5
    )


def test_excess_has_an_interval_that_holds_the_spread_of_its_own_error() -> None:
    model, x = build("mlp", 60)
    found = measure(model, x)
    assert found.basis_spread is not None
    assert found.excess.high - found.excess.value > 1.95 * found.basis_spread
    assert found.excess.high - found.excess.value > 1.95 * found.excess.stderr
    assert with_intervals(found, "bootstrap-t").excess.high - found.excess.value > 1.95 * found.basis_spread


def test_a_wide_place_has_an_upper_bound_of_the_spread() -> None:
    wide = measure(nn.Linear(300, 2), torch.randn(20, 300))
    assert wide.basis_spread is not None
    assert 0 < wide.basis_spread < 0.01


def test_random_bases_are_seldom_called_special() -> None:
    """By clusters alone 24 to 90% are; the bound is 5% and two Monte Carlo errors."""
    found = called_special(16, 0.5, samples=64, trials=100)
    assert found["clusters"] > 0.1
    assert found["with bases"] <= 0.05 + 2 * (0.05 * 0.95 / 100) ** 0.5


@pytest.mark.slow
def test_random_bases_are_seldom_called_special_at_length() -> None:
    for dim, decay, samples in ((16, 0.5, 64), (64, 1.0, 128)):
        found = called_special(dim, decay, samples=samples, trials=400)
        assert found["with bases"] <= 0.05 + 2 * (0.05 * 0.95 / 400) ** 0.5


def test_intervals_hold_when_documents_are_the_clusters() -> None:
    found = covered_with_documents(documents=16, trials=100)
    assert found["windows"] < 0.8
    assert found["documents"] >= 0.93 - 2 * (0.93 * 0.07 / 100) ** 0.5


def test_the_ratio_of_few_clusters_reads_too_low() -> None:
    """The documented bias: -.46 standard errors at N = 8, -.18 at 64; within three Monte Carlo errors."""
    for samples, bias in ((8, -0.461), (64, -0.184)):
        found, error = bias_of_ratio("normal, slow decay", samples=samples, trials=2000, seed=1)
        assert abs(found - bias) < 3 * error


def test_intervals_of_few_clusters_hold() -> None:
    """The documented coverage: 98.6% at N = 4, 92.2% at the least of ordinary populations; no warning is needed."""
    for population, samples in (("normal, slow decay", 4), ("normal, fast decay", 8), ("normal, fast decay", 16)):
        assert covered_by_few(population, samples=samples, trials=500) >= 0.922 - 3 * (0.922 * 0.078 / 500) ** 0.5


def test_the_warning_is_seldom_given_of_normal_clusters_and_tells_intervals_that_miss() -> None:
    for samples in (16, 64):
        alarms, held, quietly = warned("normal, slow decay", samples=samples, trials=200)
        assert alarms <= 0.05 * 200 + 3 * (0.05 * 0.95 * 200) ** 0.5
        assert held <= alarms
        assert quietly <= 200 - alarms
    alarms, held, quietly = warned("3% with a direction of their own", samples=64, trials=200)
    assert alarms >= 0.3 * 200
    assert held / alarms < quietly / (200 - alarms) - 0.1


def test_a_twin_is_a_second_cluster_like_one() -> None:
    V = torch.randn(9, 5, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    V[3] *= 4

    def ratio(factors: Tensor) -> float:
        return float(unbiased(grams_of_few(factors), null=haar_null)["aofe_ratio"])

    shifts = [abs(ratio(torch.cat([V, V[one : one + 1]])) - ratio(V)) for one in range(9)]
    stderr = jackknife(grams_of_few(V), null=haar_null)["aofe_ratio"].stderr
    assert heavy_shift(grams_of_few(V)) == pytest.approx(max(shifts) / stderr)


def test_no_cluster_of_a_linear_network_carries_too_much() -> None:
    x = torch.randn(32, 50, generator=torch.Generator().manual_seed(0))
    for outputs in (1, 300):
        assert measure(nn.Linear(50, outputs), x, view="input", probes="exact").warnings == ()


def test_a_cluster_that_carries_too_much_is_told() -> None:
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))
    x = torch.randn(64, 6, generator=torch.Generator().manual_seed(0))

    class Spiked(nn.Module):
        """One sample depends on a direction of its own, far more than all others together."""

        def __init__(self) -> None:
            super().__init__()
            self.inner = model

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x) + 30 * torch.relu(x[:, :1] - 5)

    y = x.clone()
    y[3, 0] = 6.0
    assert measure(model, x).warnings == ()
    (warning,) = measure(Spiked(), y).warnings
    assert warning.startswith("one cluster more or less like one of the 64 would move the ratio by ")
    assert measure(Spiked(), y).to_dict()["warnings"] == [warning]
