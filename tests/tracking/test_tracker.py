"""A loop of one's own: what is measured when, what is kept, and a training that is not disturbed."""

from __future__ import annotations

import math
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.report.specifications import all_rows
from torch import nn

import interlaw as il
from interlaw.errors import InterlawError
from interlaw.interaction import measure
from interlaw.models import build_model
from interlaw.report.tracking_figure import draw_tracking
from interlaw.tracking import TrackedPoint, Tracker

X = torch.randn(16, 4, generator=torch.Generator().manual_seed(0))


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.Dropout(0.5), nn.Tanh(), nn.BatchNorm1d(6), nn.Linear(6, 2))


def train(steps: int, *, watched: bool) -> tuple[nn.Sequential, Tracker | None, float]:
    """Dropout, batch statistics, and one draw of each global generator a step."""
    model, drawn = network(), 0.0
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    tracker = il.track(model, X, views=("input", "projected"), every=3) if watched else None
    random.seed(0)  # after that: beartype, which checks types in tests alone, draws from it
    np.random.seed(0)
    torch.manual_seed(1)
    for step in range(steps):
        drawn += random.random() + np.random.random() + torch.rand(()).item()
        loss = model(X).square().mean()
        if tracker is not None:
            tracker(step, loss=loss)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return model, tracker, drawn


def test_training_ends_in_the_same_bits() -> None:
    (watched, tracker, drawn), (alone, _, other) = train(8, watched=True), train(8, watched=False)
    assert drawn == other
    assert all(module.training for module in watched.modules())
    for (name, tensor), expected in zip(watched.state_dict().items(), alone.state_dict().values(), strict=True):
        assert torch.equal(tensor, expected), name
    assert tracker is not None
    assert tracker.to_frame()["step"].tolist() == [0, 0, 3, 3, 6, 6]


def test_a_row_is_the_measurement() -> None:
    model = network()
    tracker = il.track(model, X, views=("input",), every=10, seed=5)
    (point,) = tracker(20, loss=torch.tensor(0.25))
    expected = measure(model.eval(), X, view="input", seed=5)
    row = tracker.to_frame().iloc[0]
    assert (point.interaction, point.low, point.high) == (
        expected.aofe_ratio.value,
        expected.aofe_ratio.low,
        expected.aofe_ratio.high,
    )
    assert (row["null"], row["excess"]) == (expected.null_ratio, expected.excess_ratio)
    assert (row["excess_low"], row["excess_high"]) == (expected.excess.low, expected.excess.high)
    assert row["loss"] == 0.25


def test_only_steps_that_are_due_and_each_once() -> None:
    tracker = il.track(network(), X, views=("input",), every=4)
    assert [len(tracker(step)) for step in (0, 0, 1, 4, 5, 8)] == [1, 0, 0, 1, 0, 1]


def test_a_stream_is_read_once_and_kept() -> None:
    tracker = il.track(network(), iter([X[:8], X[8:]]), views=("input",), every=1)
    first, second = tracker(1)[0], tracker(2)[0]
    assert first.interaction == second.interaction


def test_a_later_failure_is_a_row_with_its_reason() -> None:
    model = network()
    tracker = il.track(model, X, views=("input",), every=1)
    tracker(0)
    with torch.no_grad():
        model[0].weight.fill_(math.nan)
    (point,) = tracker(1)
    assert math.isnan(point.interaction)
    assert point.reason.startswith("InterlawError: 16 of 16 clusters of a batch have a Jacobian with NaN")
    assert "reason" in repr(tracker)


def test_a_first_failure_is_raised() -> None:
    tracker = il.track(network(), X[:, :3], views=("input",), every=1)
    with pytest.raises(InterlawError, match="expected inputs of the shape that the model takes"):
        tracker(0)


def test_it_prints_in_a_few_lines() -> None:
    tracker = il.track(network(), X, views=("input",), every=1)
    assert repr(tracker) == "0 measurements, one every 1 steps"
    for step in range(20):
        tracker(step, loss=1.0)
    assert "20 measurements" in repr(tracker)
    assert len(repr(tracker).splitlines()) <= 15
    assert "<table" in tracker._repr_html_()
    assert repr(tracker).splitlines()[1].split()[4:7] == ["excess", "excess_low", "excess_high"]
    assert max(map(len, repr(tracker).splitlines())) <= 80


@pytest.mark.parametrize("every", [0, -1, 2.5, True, "a"])
def test_every_is_a_positive_number(every: object) -> None:
    with pytest.raises(InterlawError, match="expected every as a positive whole number of steps, found"):
        il.track(network(), X, every=every)  # type: ignore[arg-type]


def test_views_and_options_are_checked_at_once() -> None:
    with pytest.raises(InterlawError, match="expected at least one view, found none"):
        il.track(network(), X, views=())
    with pytest.raises(InterlawError, match="expected a view"):
        il.track(network(), X, views=("lost",))
    with pytest.raises(InterlawError, match="expected a level between 0 and 1"):
        il.track(network(), X, views=("input",), level=2.0)


def test_its_chart_holds_the_table(tmp_path: Path) -> None:
    tracker = il.track(network(), X, views=("input",), every=2)
    with pytest.raises(ValueError, match="expected a tracker with measurements, found none"):
        tracker.plot()
    for step in range(5):
        tracker(step, loss=1.0 / (step + 1))
    chart = tracker.plot()
    panels = chart.to_dict()
    drawn = [row for panel in panels["concat"] for row in all_rows(panels | panel)]
    frame = tracker.to_frame()
    for what, column in (("AOFE-ratio", "interaction"), ("by chance", "null")):
        values = {row["step"]: row["value"] for row in drawn if row.get("what") == what}
        assert values == dict(zip(frame["step"], frame[column], strict=True))
    chance = [row for row in drawn if row.get("what") == "by chance" and "low" in row]
    assert chance
    for row in chance:
        (point,) = (each for each in tracker.points if each.step == row["step"])
        inside = row["low"] <= point.interaction <= row["high"]
        assert inside == (point.excess_low <= 0 <= point.excess_high)
    assert {row["step"]: row["loss"] for row in drawn if "loss" in row} == tracker.losses
    chart.save(str(tmp_path / "x.pdf"))
    assert (tmp_path / "x.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (-0.1, 0.3, "0.400 at step 5 (cannot be told from chance, 0.300)"),
        (0.05, 0.15, "0.400 at step 5 (above chance, 0.300)"),
        (-0.3, -0.1, "0.400 at step 5 (below chance, 0.300)"),
    ],
)
def test_its_title_says_what_can_be_told_from_chance(low: float, high: float, said: str) -> None:
    tracker = il.track(network(), X, views=("input",))
    ends = {"low": 0.39, "high": 0.41, "excess_low": low, "excess_high": high}
    tracker.points.append(TrackedPoint(step=5, view="input", interaction=0.4, null=0.3, excess=0.1, **ends))
    assert said in draw_tracking(tracker).message


def test_the_view_fits_the_network_unless_it_is_named() -> None:
    def views_of(model: nn.Module, inputs: object, **options: object) -> list[str]:
        return [point.view for point in il.track(model, inputs, **options)(0)]  # type: ignore[arg-type]

    assert views_of(network(), X) == views_of(network(), [X[:8], X[8:]]) == ["input"]
    assert views_of(network(), X, views="projected") == ["projected"]
    gpt = build_model(il.match_shapes(family="gpt", params=10_000, depths=[1], vocab_size=16, context=8)[0], seed=0)
    assert views_of(gpt, torch.randint(16, (6, 9))) == ["loss"]
