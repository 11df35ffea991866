"""The forest plot of the claims: its rows are the tested claims, and an undecided one is hollow."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.report.specifications import layers, rows_of

from interlaw.laws import Claim
from interlaw.report.claims_figure import claim_rows, claims_message, draw_claims


def claim(**given: Any) -> Claim:
    values: dict[str, Any] = {
        "claim": "C2", "test": "within-shapes", "quantity": "aofe_ratio", "view": "loss", "effect": -0.4, "low": -0.6,
        "high": -0.1, "p_value": 0.01, "p_adjusted": 0.02, "dof": 30, "detectable": 0.45, "verdict": "holds",
        "sentence": "Said.",
    }  # fmt: skip
    return Claim(**values | given)


CLAIMS = [
    claim(),
    claim(quantity="aofe", verdict="cannot tell", effect=0.1, low=-0.2, high=0.4),
    claim(claim="C3", test="tracking", quantity="efficiency", effect=None, low=None, high=None, verdict="not testable"),
]


def test_rows_are_the_tested_claims() -> None:
    found = claim_rows(CLAIMS)
    assert [row["test"] for row in found] == ["C2 within-shapes: AOFE-ratio", "C2 within-shapes: AOFE"]
    views = claim_rows([*CLAIMS[:1], replace(CLAIMS[1], view="input")])
    assert [row["test"][-7:] for row in views] == [" (loss)", "(input)"]  # named where there are several
    assert (found[0]["effect"], found[0]["low"], found[0]["high"]) == (-0.4, -0.6, -0.1)
    assert (found[0]["unseen_low"], found[0]["unseen_high"]) == (-0.45, 0.45)
    assert claims_message(CLAIMS) == "1 of 2 tests of the claims is decided: 1 for the claim"
    more = [*CLAIMS, claim(verdict="opposite")]
    assert claims_message(more) == "2 of 3 tests of the claims are decided: 1 for the claim, 1 against the claim"


def test_undecided_claims_are_hollow_and_nothing_tested_is_no_figure() -> None:
    drawing = draw_claims(CLAIMS, confidence=0.9)
    assert drawing is not None
    chart = drawing.panels[0].chart
    marks = layers(chart)[-1]
    assert [row["said"] for row in rows_of(chart, marks)] == ["Said.", "Said."]
    assert marks["encoding"]["fillOpacity"]["condition"]["value"] == 0
    assert "cannot tell" in marks["encoding"]["fillOpacity"]["condition"]["test"]
    assert draw_claims(CLAIMS[2:], confidence=0.9) is None
