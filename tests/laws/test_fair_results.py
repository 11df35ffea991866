"""The page on treatments says what its table says."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from interlaw.laws import Claim, compare_treatments, status_text

RESULTS = Path(__file__).parents[2] / "docs" / "results"
SIGNS = {"aofe": "+", "aofe_scale_free": "+", "aofe_ratio": "-", "excess_ratio": "-"}


def row(claim: Claim) -> str:
    effect = f"{claim.effect:+.2f} ({claim.low:+.2f} to {claim.high:+.2f})"
    cells = [claim.view, claim.quantity, SIGNS[claim.quantity], effect, f"{claim.corrected:+.2f}"]
    return f"| {' | '.join(cells)} | {claim.p_adjusted:.2g} | {claim.p_opposite:.2g} | {claim.verdict} |"


def test_the_page_is_current() -> None:
    page = (RESULTS / "fair.md").read_text(encoding="utf-8").splitlines()
    found = compare_treatments(pd.read_csv(RESULTS / "fair.csv"))
    within = [claim for claim in found.claims if claim.test == "within-shapes"]
    assert len(within) == 8
    assert [row(claim) for claim in within if row(claim) not in page] == []
    assert {claim.verdict for claim in found.claims if claim.test == "off-the-curve"} == {"cannot tell"}
    for each in found.budgets:
        cells = f"| {each.budget / 1000:.0f}k | {each.treatment} | {each.best.depth} x {each.best.width} |"
        (line,) = [line for line in page if line.startswith(cells)]
        assert line.endswith(f"| {status_text(each.r_star)} |")
