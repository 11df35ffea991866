"""The tables in the documentation are what the code says today."""

from __future__ import annotations

from pathlib import Path

import pytest

from interlaw.published import Correlation, compare_models, published_rows
from interlaw.recommendation import recommend

DOCS = Path(__file__).parents[2] / "docs"
NAMED = {
    "125M": ["MobileLLM-125M", "SmolLM2-135M"],
    "350M": ["MobileLLM-350M", "SmolLM2-360M", "Qwen2.5-0.5B"],
    "1.2B": ["Llama-3.2-1B", "SmolLM2-1.7B", "Qwen2.5-1.5B", "MobileLLM-1B"],
    "7B": ["Llama-3.1-8B", "Qwen2.5-7B", "Qwen3-8B"],
}


@pytest.mark.parametrize("size", list(NAMED))
def test_the_table_of_recommendations_is_current(size: str) -> None:
    result = recommend(params=size)
    interval, first = result.interval, result.candidates[0]
    points = {point.name: point for point in result.models}
    where = [interval.position(point.ratio) for point in result.models]
    real = [
        f"{point.name} {point.depth} x {point.width} ({point.ratio:.4f}, {interval.position(point.ratio)})"
        for point in (points[name] for name in NAMED[size])
    ]
    cells = [
        size,
        f"{interval.low:.4f} to {interval.high:.4f}",
        ", ".join(f"{one.shape.depth} x {one.shape.width}" for one in result.candidates),
        f"{len(first.laws('supports'))} / {len(first.laws('prefers deeper'))} / {len(first.laws('prefers shallower'))}",
        f"{where.count('below')} / {where.count('inside')} / {where.count('above')}",
        ", ".join(real),
    ]
    assert f"| {' | '.join(cells)} |" in (DOCS / "choosing-a-shape.md").read_text(encoding="utf-8").splitlines()


def test_the_table_of_correlations_is_current() -> None:
    def cell(one: Correlation) -> str:
        if one.low is None:
            return f"{one.value:+.2f} (n {one.num_models})"
        return f"{one.value:+.2f} ({one.low:+.2f}, {one.high:+.2f})"

    comparison = compare_models(published_rows())
    lines = (DOCS / "published-models.md").read_text(encoding="utf-8").splitlines()
    for name in ("0.4-2.5B", "2.5-5B", "5-10B", "all"):
        of = {one.predictor: one for one in comparison.associations if one.bin == name}
        ratio = of["ratio"]
        cells = [
            name,
            f"{ratio.num_models} of {ratio.num_families}",
            str(ratio.num_in_interval),
            cell(ratio.pearson),
            cell(ratio.given_params),
            cell(ratio.given_params_and_tokens),
            cell(of["log_tokens"].pearson),
            str(of["claim_distance"].verdict),
        ]
        assert f"| {' | '.join(cells)} |" in lines
