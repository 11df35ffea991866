"""Published figures, verdicts by rule."""

from __future__ import annotations

import math
from typing import Literal

import pytest

from interlaw_paper.agreement import Published, claim, compare, published_figures, remarks

FIGURE = Published(experiment="toy", figure="loss", at="3", value=1.0, spread=0.1, source="here")


@pytest.mark.parametrize(
    ("ours", "verdict"),
    [(1.0999, "agrees"), (0.9001, "agrees"), (1.11, "does not agree"), (None, "not comparable")],
)
def test_a_figure_agrees_within_the_published_spread(ours: float | None, verdict: str) -> None:
    assert compare(FIGURE, ours).verdict == verdict


def test_without_a_published_spread_a_tolerance_of_ours_decides_and_is_called_so() -> None:
    alone = Published(experiment="toy", figure="loss", at="3", value=2.0, tolerance=0.01, source="one seed")
    assert compare(alone, 2.019).verdict == "agrees"
    assert compare(alone, 1.979).verdict == "does not agree"
    line = compare(alone, 2.0)
    assert line.spread is None
    assert line.rule == "within 1% of the published figure, a tolerance of ours: no spread was published"
    assert line.cells()[:4] == ("loss", "3", "2", "2")
    assert compare(FIGURE, 1.0).rule == "within the published standard deviation over seeds"


def test_no_spread_is_made_up() -> None:
    """The byte-level sweep was published with one seed, the toy with five."""
    assert {(p.spread, p.tolerance) for p in published_figures("gpt-budgets")} == {(None, 0.01)}
    toy = published_figures("double-descent")
    assert all(p.spread is not None and p.tolerance is None for p in toy)


def test_a_loss_that_is_not_finite_is_not_compared() -> None:
    assert compare(FIGURE, math.nan).verdict == "not comparable"


@pytest.mark.parametrize(
    ("holds", "verdict"),
    [(True, "agrees"), (False, "does not agree"), ("partly", "partly agrees"), (None, "not comparable")],
)
def test_a_claim_holds_or_not(holds: bool | Literal["partly"] | None, verdict: str) -> None:
    assert claim("peak", published="at 500", ours="at 500", holds=holds, rule="same").verdict == verdict


def test_the_table_for_a_page() -> None:
    lines = [
        compare(FIGURE, 1.05, our_spread=0.02, differs="data"),
        claim("x", published="p", ours=None, holds=None, rule="r"),
    ]
    assert [line.cells() for line in lines] == [
        ("loss", "3", "1 ± 0.1", "1.05 ± 0.02", "agrees"),
        ("x", "", "p", "-", "not comparable"),
    ]


def test_what_differs_is_said_once_for_all_that_share_it() -> None:
    lines = [
        *(claim(name, published="p", ours="o", holds=True, rule="r", differs="data; seed") for name in "aba"),
        claim("c", published="p", ours="o", holds=True, rule="other", differs="seed"),
    ]
    assert remarks(lines) == [
        "What differs from the published setting (a; b): data.",
        "What differs from the published setting: seed.",
        "Agreement means (a; b): r.",
        "Agreement means (c): other.",
    ]


def test_figures_of_different_things_get_no_verdict() -> None:
    line = compare(FIGURE, 1.0, comparable=False, differs="text")
    assert (line.verdict, line.ours, line.differs) == ("not comparable", 1.0, "text")


def test_published_double_descent_is_as_stated() -> None:
    losses = {p.at: p for p in published_figures("double-descent") if p.figure == "test loss"}
    stated = {"3": 1.103, "100": 1.032, "500": 1.534, "1000": 1.058, "5282": 0.9927}
    for size, loss in stated.items():
        assert losses[size].value == pytest.approx(loss, abs=5e-4)
    assert losses["500"].spread == pytest.approx(0.16, abs=0.005)
    assert published_figures("nothing") == ()
