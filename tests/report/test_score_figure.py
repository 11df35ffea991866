"""The panel of published scores: its numbers, its picture, its mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.report.specifications import layers, rows_of

from interlaw.cli import run
from interlaw.errors import InterlawError
from interlaw.published import PAPER_INTERVAL, published_models
from interlaw.report import draw_scores, write_chart
from interlaw.report.score_figure import scored_by_size


def test_panels_hold_the_models_of_each_size() -> None:
    bins = scored_by_size(published_models())
    assert {name: len(models) for name, models in bins.items()} == {"0.4-2.5B": 29, "2.5-5B": 16, "5-10B": 26}
    for models in bins.values():
        guesses = [model.score for model in models if model.at_chance]
        assert max(guesses, default=0.0) < 12  # ten options: guessing gives about 11%


def test_every_model_is_a_point_in_the_picture() -> None:
    points = published_models()
    drawing = draw_scores(points, interval=PAPER_INTERVAL)
    for models, drawn in zip(scored_by_size(points).values(), drawing.panels, strict=True):
        chart = drawn.chart
        dots = rows_of(chart, layers(chart)[-1])
        assert [(row["ratio"], row["score"]) for row in dots] == [(each.ratio, each.score) for each in models]


def test_the_command_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "scores.png"
    assert run(["compare", "--figure", str(path), "--json"]) == 0
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("name", "points", "message"),
    [("scores.doc", None, r"expected a figure named \*\.png"), ("scores.png", (), "expected scored models to draw")],
)
def test_mistakes_are_said(tmp_path: Path, name: str, points: tuple[()] | None, message: str) -> None:
    found = published_models() if points is None else points
    with pytest.raises(InterlawError, match=message):
        write_chart(tmp_path / name, draw_scores(found, interval=PAPER_INTERVAL))
    assert not list(tmp_path.iterdir())
