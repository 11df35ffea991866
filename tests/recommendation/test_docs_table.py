"""The tables in the documentation are what the code says today."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from interlaw.published import Correlation, compare_models, published_rows

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.slow  # it counts a network of each depth that the search meets
def test_the_tables_of_choosing_a_shape_are_current() -> None:
    pytest.importorskip("transformers")
    spec = importlib.util.spec_from_file_location("shape_tables", DOCS / "shape_tables.py")
    assert spec is not None
    assert spec.loader is not None
    tables = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tables)
    page = (DOCS / "choosing-a-shape.md").read_text(encoding="utf-8")
    assert tables.rewritten(page) == page


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
