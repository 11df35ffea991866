"""The ansatz during training: stops, files, comparison, and a network for which it holds from the start."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from interlaw.errors import InterlawError, WorkFailedError
from interlaw.shapes import GPTShape, MLPShape
from interlaw.tasks import TextTaskPart, VectorTaskSpec
from interlaw.training import TrainSettings
from interlaw_paper import Driver, reproduce
from interlaw_paper.layers_figure import draw_layer_lines
from interlaw_paper.nfa import SUBJECTS, Subject, agreement, watch


def no_sweep(plan: object) -> None:
    raise AssertionError("this experiment has no sweep")


DRIVER = Driver(sweep=no_sweep)
SMALL = Subject(
    label="mlp",
    shape=MLPShape(depth=1, width=8, input_size=4),
    task=VectorTaskSpec(dim=4, train=64, validation=32, test=16),
    settings=TrainSettings(steps=8, batch_size=16, learning_rate=1e-2, blow_up=1e6),
    view="input",
    samples=16,
    num_stops=3,
)


@pytest.mark.parametrize(("steps", "num", "stops"), [(8, 3, [0, 2, 4, 8]), (100, 1, [0, 100]), (3, 5, [0, 1, 3])])
def test_stops_halve_towards_the_start(steps: int, num: int, stops: list[int]) -> None:
    assert replace(SMALL, settings=SMALL.settings.model_copy(update={"steps": steps}), num_stops=num).stops() == stops


def test_every_layer_is_measured_at_every_stop_and_once(tmp_path: Path) -> None:
    notes: list[str] = []
    rows = watch(SMALL, out=tmp_path, driver=replace(DRIVER, note=notes.append))
    assert {row["layer"] for row in rows} == {"enter", "blocks.0.fc1", "blocks.0.fc2", "leave"}
    assert {row["step"] for row in rows} == {0, 2, 4, 8}
    assert len(rows) == 16
    assert all(-1 <= row["nfa"] <= 1 for row in rows)
    (last, *_) = [row for row in rows if row["layer"] == "leave"]
    assert last["nfa"] == pytest.approx(1.0, abs=1e-5)  # above it is nothing: G is W^T W
    assert watch(SMALL, out=tmp_path, driver=replace(DRIVER, note=notes.append)) == rows
    assert notes == [f"mlp: step {step} of 8" for step in (2, 4, 8)]


def test_other_settings_are_refused(tmp_path: Path) -> None:
    watch(SMALL, out=tmp_path, driver=DRIVER)
    with pytest.raises(InterlawError, match="results of these settings"):
        watch(replace(SMALL, samples=17), out=tmp_path, driver=DRIVER)
    (tmp_path / "mlp.json").write_text("{")
    with pytest.raises(InterlawError, match="delete the file and run again"):
        watch(SMALL, out=tmp_path, driver=DRIVER)


def test_a_training_that_diverges_fails(tmp_path: Path) -> None:
    wild = replace(SMALL, settings=SMALL.settings.model_copy(update={"blow_up": 1.0000001, "learning_rate": 10.0}))
    with pytest.raises(WorkFailedError, match="the training of mlp diverged"):
        watch(wild, out=tmp_path, driver=DRIVER)


def test_agreement_compares_the_ends() -> None:
    rows = [
        {"model": model, "step": step, "layer": layer, "nfa": value}
        for model, values in (("mlp", (0.1, 0.95)), ("gpt", (0.6, 0.2)), ("other", (0.55, 0.7)))
        for step, value in zip((0, 9), values, strict=True)
        for layer in ("a", "b")
    ]
    mlp, gpt, other = agreement(rows)
    assert (mlp.verdict, gpt.verdict, other.verdict) == ("agrees", "does not agree", "partly agrees")
    assert mlp.ours == "mean cosine over layers 0.10 at the start, 0.95 at the end"
    drawing = draw_layer_lines(rows)
    lines = drawing.panels[1].chart["layer"][1]["data"]["values"]
    assert [(row["step"], row["nfa"]) for row in lines if row["layer"] == "b"] == [(0, 0.6), (9, 0.2)]
    assert "goes from 0.42 to 0.62 in training" in drawing.message


def test_the_experiment_from_end_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = tmp_path / "text.txt"
    text.write_text("the quick brown fox jumps over the lazy dog\n" * 300)
    gpt = Subject(
        label="gpt",
        shape=GPTShape(depth=1, width=8, context=8, head_dim=4),
        task=TextTaskPart(),
        settings=TrainSettings(steps=4, batch_size=4, learning_rate=1e-3),
        view="loss",
        samples=8,
        num_stops=1,
    )
    monkeypatch.setitem(SUBJECTS, "tiny", (SMALL, gpt))
    outcome = reproduce("nfa", out=tmp_path / "out", driver=DRIVER, text=str(text))
    assert {row["model"] for row in outcome.table} == {"mlp", "gpt"}
    assert outcome.claims == {}
    assert (tmp_path / "out" / "layers.png").read_bytes().startswith(b"\x89PNG")
