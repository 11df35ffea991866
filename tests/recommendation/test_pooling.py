from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import optimize, stats

from interlaw.errors import InterlawError
from interlaw.recommendation import Optimum, gather_evidence, measured_optima, pool
from interlaw.recommendation.optima import by_dataset, fit_optima, write_optima
from interlaw.recommendation.pooling import Pool


def optimum(name: str, ratio: float, *, params: float = 1e8, stderr: float = 0.1) -> Optimum:
    return Optimum(
        sweep=name, dataset=name, route="budget", params=params, status="optimum", ratio=ratio, log_stderr=stderr
    )


def pooled(*optima: Optimum) -> Pool:
    return pool(by_dataset(optima))


def test_at_one_size_it_is_a_random_effects_meta_analysis() -> None:
    y, s = np.log([0.01, 0.02, 0.05, 0.03]), np.array([0.1, 0.2, 0.15, 0.3])
    found = pooled(*(optimum(str(i), math.exp(a), stderr=b) for i, (a, b) in enumerate(zip(y, s, strict=True))))

    def generalised_q(squared: float) -> float:
        w = 1 / (s**2 + squared)
        return float(sum(w * (y - np.average(y, weights=w)) ** 2)) - 3

    tau2 = optimize.bisect(generalised_q, 0, 10, xtol=1e-12)
    w = 1 / (s**2 + tau2)
    prediction = found.predict(1e8)
    assert found.tau == pytest.approx(math.sqrt(tau2), rel=1e-6)
    assert math.log(prediction.ratio) == pytest.approx(np.average(y, weights=w))
    reach = stats.t.ppf(0.95, 2) * math.sqrt(tau2 + 1 / w.sum())
    assert math.log(prediction.high / prediction.ratio) == pytest.approx(reach)
    assert math.log(prediction.ratio / prediction.low) == pytest.approx(reach)
    assert sum(prediction.weights.values()) == pytest.approx(1)


def test_a_data_set_has_one_vote_however_many_optima_it_holds() -> None:
    others = [optimum("a", 0.02), optimum("b", 0.02)]
    once = pooled(*others, optimum("c", 0.08))
    often = pooled(*others, *[optimum("c", 0.08)] * 10)
    assert once.predict(1e8).ratio == pytest.approx(often.predict(1e8).ratio)
    assert once.predict(1e8).low == pytest.approx(often.predict(1e8).low)


def test_only_optima_count() -> None:
    edge = Optimum(sweep="d", dataset="d", route="budget", params=1e8, status="edge")
    assert set(by_dataset([optimum("a", 0.02), edge])) == {"a"}
    with pytest.raises(InterlawError, match="at least 3 data sets with an optimum to pool, found 2"):
        pooled(optimum("a", 0.02), optimum("b", 0.02), edge)


def test_other_networks_than_language_models_have_no_vote() -> None:
    assert set(by_dataset([optimum("a", 0.02), optimum("interlaw waves", 0.2)])) == {"a"}


def test_the_interval_is_wide_where_little_is_known() -> None:
    found = pooled(
        optimum("a", 0.05, params=1e7),
        optimum("a", 0.03, params=1e9),
        optimum("b", 0.04, params=1e8),
        *(optimum(name, 0.02, params=1e8) for name in "cde"),
    )
    assert found.carry == pytest.approx(math.log(5 / 3) / math.log(100))
    widths = [math.log(found.predict(size).high / found.predict(size).low) for size in (1e8, 1e10, 1e12)]
    assert widths == sorted(widths)
    assert widths[2] > 1.3 * widths[0]


def test_it_covers_a_data_set_that_it_has_not_seen() -> None:
    """Five data sets about a mean, their spread and errors as in the packaged ones; 90% asked for."""
    rng = np.random.default_rng(0)
    inside = []
    for _ in range(400):
        truth = math.log(0.03) + 0.5 * rng.normal(size=6)
        seen = [optimum(str(i), math.exp(one + 0.2 * rng.normal()), stderr=0.2) for i, one in enumerate(truth[:5])]
        prediction = pooled(*seen).predict(1e8)
        inside.append(prediction.low < math.exp(truth[5]) < prediction.high)
    assert abs(np.mean(inside) - 0.9) < 0.05  # Monte Carlo error .015; few data sets leave tau uncertain


def test_leaving_one_out_foretells_it_from_the_others() -> None:
    found = pooled(*(optimum(name, ratio) for name, ratio in (("a", 0.02), ("b", 0.022), ("c", 0.025), ("d", 0.9))))
    shares = {one.dataset: one.inside for one in found.leave_one_out()}
    assert shares["b"] == 1.0
    assert shares["d"] == 0.0


def test_few_data_sets_tell_little_of_the_coverage() -> None:
    found = gather_evidence(sizes=[1e9])
    assert all(one.inside == 1 for one in found.coverage)
    # all of K inside has probability p^K: 5% at p = .05^(1 / K)
    assert found.sure_coverage == pytest.approx(0.05 ** (1 / len(found.coverage)))
    one_out = replace(found, coverage=(replace(found.coverage[0], inside=0.5), *found.coverage[1:]))
    number = len(found.coverage)
    assert stats.binom.sf(number - 2, number, one_out.sure_coverage) == pytest.approx(0.05)


@pytest.mark.slow
def test_the_packaged_optima_are_what_the_packaged_sweeps_give() -> None:
    from importlib.resources import files

    packaged = files("interlaw.recommendation").joinpath("optima.csv").read_text(encoding="utf-8")
    assert write_optima(fit_optima()) == packaged


def test_one_sweep_fitted_again_gives_the_packaged_optima() -> None:
    from interlaw.published import find_sweep

    again = fit_optima([find_sweep("mlfoundations-grid")])
    packaged = [one for one in measured_optima() if one.sweep == "mlfoundations-grid"]
    assert [one.status for one in again] == [one.status for one in packaged]
    for new, old in zip(again, packaged, strict=True):
        assert new.ratio == (None if old.ratio is None else pytest.approx(old.ratio, rel=1e-3))


def test_the_evidence_keeps_conventions_choices_and_claims_apart() -> None:
    found = gather_evidence(sizes=[3.5e8])
    standing = {source.name: source.standing for source in found.sources if not source.counts}
    assert standing["nanochat"] == standing["Marin"] == "convention"
    assert standing["MobileLLM"] == standing["Chinchilla shapes"] == "chosen"
    assert standing["Sun byte-level GPT"] == "claim"
    voting = {source.name for source in found.sources if source.counts}
    assert voting == set(found.pool.datasets) == set(found.pooled[0].weights)
    assert {"Gemstones", "mlfoundations grid", "Sun byte-level GPT"} <= voting
    assert not voting & {"nanochat", "Marin", "MobileLLM", "Chinchilla shapes"}
    assert not voting & {"interlaw waves"}  # MLPs, whatever they show
    row = found.to_dict()
    assert {"sources", "pooled", "spread", "drift", "coverage", "sure_coverage"} == set(row)
    assert 0.005 < row["pooled"][0]["low"] < 0.02 < row["pooled"][0]["ratio"] < 0.05 < row["pooled"][0]["high"]
