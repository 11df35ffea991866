"""Two measurements: how often the interval of their difference misses, where networks differ by chance alone."""

from __future__ import annotations

import math

import pytest
import torch
from scipy import stats
from torch import nn

from interlaw.interaction import compare, measure

LEVEL = 0.9


def random_network() -> nn.Sequential:
    """Gaussian weights: every basis is as likely as any other."""
    found = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 6)).double().eval()
    for parameter in found.parameters():
        nn.init.normal_(parameter, std=0.4)
    return found


def coordinates_alone() -> nn.Sequential:
    """No two inputs act together."""
    found = nn.Sequential(nn.Linear(6, 6), nn.Tanh()).double().eval()
    with torch.no_grad():
        found[0].weight.copy_(torch.diag(torch.linspace(0.2, 1.0, 6)))
    return found


def inputs(seed: int) -> torch.Tensor:
    return torch.randn(24, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_the_excess_of_random_networks_differs_as_rarely_as_the_level_says() -> None:
    torch.manual_seed(0)
    runs, missed, over_samples = 60, {True: 0, False: 0}, {True: 0, False: 0}
    # two networks on each set of inputs; of two neighbouring sets, the networks and inputs are independent
    found = [[measure(random_network(), inputs(seed), probes="exact") for _ in range(2)] for seed in range(runs)]
    apart = [(found[seed ^ 1][0], found[seed][1]) for seed in range(runs)]
    for paired, pairs in ((True, found), (False, apart)):
        for a, b in pairs:
            one = compare(a, b, paired=paired, level=LEVEL)["excess"]
            missed[paired] += not one.low <= 0 <= one.high
            over_samples[paired] += abs(one.value) > stats.norm.ppf(0.5 + LEVEL / 2) * one.stderr
    most = stats.binom.ppf(0.999, runs, 1 - LEVEL)  # one run in a thousand lies above
    assert max(missed.values()) <= most, f"{missed} of {runs}"
    assert min(over_samples.values()) > most, "the spread over samples alone would tell most pairs apart"


@pytest.mark.parametrize("paired", [True, False])
def test_the_interval_adds_the_spread_of_both_bases(*, paired: bool) -> None:
    torch.manual_seed(1)
    a, b = (measure(random_network(), inputs(0), probes="exact") for _ in range(2))
    one = compare(a, b, paired=paired, level=LEVEL)["excess"]
    if paired:
        degrees = len(inputs(0)) - 1.0
    else:
        squares = [each.excess.stderr**2 for each in (a, b)]
        degrees = (len(inputs(0)) - 1) * sum(squares) ** 2 / sum(square**2 for square in squares)
    assert a.basis_spread is not None
    assert b.basis_spread is not None
    over_bases = math.hypot(a.basis_spread, b.basis_spread)
    reach = math.hypot(stats.t.ppf(0.5 + LEVEL / 2, degrees) * one.stderr, stats.norm.ppf(0.5 + LEVEL / 2) * over_bases)
    assert (one.low, one.high) == pytest.approx((one.value - reach, one.value + reach), rel=1e-9)


def test_networks_that_truly_differ_are_told_apart() -> None:
    torch.manual_seed(2)
    a, b = (measure(one, inputs(0), probes="exact") for one in (random_network(), coordinates_alone()))
    assert compare(a, b, paired=True, across=True, level=LEVEL)["excess"].low > 0
