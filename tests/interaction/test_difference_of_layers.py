"""Two networks layer by layer: the numbers against measuring again, and how often the interval holds the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from interlaw.errors import InterlawError
from interlaw.interaction import Layers, compare, compare_layers, measure_layers


def network(seed: int, width: int = 4) -> nn.Sequential:
    """A small network with layers "0" and "2"."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, width), nn.Tanh(), nn.Linear(width, 2)).double().eval()


def inputs(seed: int, count: int = 12) -> torch.Tensor:
    return torch.randn(count, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def mean_excess(model: nn.Module, x: torch.Tensor) -> float:
    found = measure_layers(model, x, probes="exact")
    return float(np.mean([row.interaction.excess_ratio for row in found]))


def test_the_mean_difference_equals_measuring_again_without_each_sample() -> None:
    a, b, x = network(0), network(1), inputs(2)
    found = compare_layers(measure_layers(a, x, probes="exact"), measure_layers(b, x, probes="exact"), level=0.9)
    left_out = np.array(
        [
            mean_excess(a, x[torch.arange(len(x)) != out]) - mean_excess(b, x[torch.arange(len(x)) != out])
            for out in range(len(x))
        ]
    )
    stderr = math.sqrt((len(x) - 1) / len(x) * ((left_out - left_out.mean()) ** 2).sum())
    spreads = [
        np.mean([row.interaction.basis_spread for row in measure_layers(one, x, probes="exact")]) for one in (a, b)
    ]
    reach = math.hypot(stats.t.ppf(0.95, len(x) - 1) * stderr, stats.norm.ppf(0.95) * math.hypot(*spreads))
    assert found.mean.value == pytest.approx(mean_excess(a, x) - mean_excess(b, x), rel=1e-9)
    assert found.mean.stderr == pytest.approx(stderr, rel=1e-9)
    assert (found.mean.low, found.mean.high) == pytest.approx(
        (found.mean.value - reach, found.mean.value + reach), rel=1e-9
    )


def test_layers_are_compared_at_a_level_that_holds_for_all_of_them() -> None:
    x = inputs(2)
    a, b = (measure_layers(network(seed), x, probes="exact") for seed in (0, 1))
    found = compare_layers(a, b, level=0.9)
    alone = compare(a[1].interaction, b[1].interaction, paired=True, across=True, level=0.95)
    assert list(found.layers) == ["0", "2"]
    assert found.layers["2"] == alone["excess"], "two at 95% hold together at 90%"
    assert sum(found.count()) == 2
    assert found.to_dict()["mean_excess"] == found.mean.to_dict()


def test_networks_with_other_layers_are_compared_on_average() -> None:
    deep = nn.Sequential(*network(0), nn.Tanh(), nn.Linear(2, 2).double())
    x = inputs(2)
    found = compare_layers(*(measure_layers(one, x, probes="exact") for one in (deep, network(1))))
    assert found.layers == {}
    assert found.mean.value == pytest.approx(mean_excess(deep, x) - mean_excess(network(1), x))


def test_other_samples_are_independent() -> None:
    a = measure_layers(network(0), inputs(2), probes="exact")
    b = measure_layers(network(0), inputs(3), probes="exact")
    own = [compare_layers(a, other).mean for other in (a, b)]
    assert own[0].stderr == 0, "the same network on the same samples"
    assert own[1].stderr > 0
    assert own[1].low < 0 < own[1].high


def test_two_views_and_no_layers_are_refused() -> None:
    found = measure_layers(network(0), inputs(2))
    with pytest.raises(InterlawError, match="expected two networks with layers, found one without"):
        compare_layers(found, Layers([], left_out={}))


def random_network() -> nn.Sequential:
    """Gaussian weights: every basis is as likely as any other."""
    found = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 6)).double().eval()
    for parameter in found.parameters():
        nn.init.normal_(parameter, std=0.4)
    return found


def test_networks_that_differ_by_chance_are_told_apart_as_rarely_as_the_level_says() -> None:
    torch.manual_seed(0)
    runs, level = 40, 0.9
    means = layers = 0
    for seed in range(runs):
        x = torch.randn(24, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        pair = (measure_layers(random_network(), x, probes="exact") for _ in range(2))
        found = compare_layers(*pair, level=level)
        means += not found.mean.low <= 0 <= found.mean.high
        layers += sum(found.count()[:2]) > 0
    most = stats.binom.ppf(0.999, runs, 1 - level)  # one run in a thousand lies above
    assert means <= most, f"{means} of {runs}"
    assert layers <= most, f"{layers} of {runs}"
