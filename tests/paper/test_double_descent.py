"""Double descent end to end on a small toy: files, going on, comparison, pictures; energies against autograd."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from interlaw.errors import InterlawError
from interlaw.interaction import agop
from interlaw.tasks import draw_sparse_rows
from interlaw_paper import EXPERIMENTS, Driver, reproduce
from interlaw_paper.bottleneck_training import BottleneckSettings, as_model
from interlaw_paper.double_descent import PROGRAMS, Dataset, Program, agreement, train_size
from interlaw_paper.double_descent_figure import loss_and_interaction

SMALL = Program(
    sizes=(3, 4, 5, 6, 8, 10),
    seeds=(0, 1),
    settings=BottleneckSettings(steps=20),
    data=Dataset(dim=40, density=0.1, test_points=100),
)


def no_sweep(plan: object) -> None:
    raise AssertionError("this experiment has no sweep")


def test_the_trained_models_are_measured_as_modules() -> None:
    """The module of a row of P computes y = relu(x W^T W + b), and its AGOP is the mean of autograd's Jacobians."""
    P = torch.randn(3, 30, generator=torch.Generator().manual_seed(2))
    model, X = as_model(P), draw_sparse_rows(25, dim=30, density=0.2, seed=0).dense().double()
    W, b = P[:-1].double(), P[-1].double()
    torch.testing.assert_close(model(X), (X @ W.T @ W + b).relu(), rtol=1e-12, atol=1e-12)
    J = torch.stack([torch.autograd.functional.jacobian(lambda x: model(x[None])[0], x) for x in X])
    expected = (J @ J.transpose(1, 2)).mean(0)
    torch.testing.assert_close(agop(model, X, view="bottleneck"), expected, rtol=1e-8, atol=1e-10)


def test_a_size_is_trained_once(tmp_path: Path) -> None:
    notes: list[str] = []
    driver = Driver(sweep=no_sweep, note=notes.append)
    first = train_size(20, program=SMALL, out=tmp_path, driver=driver)
    again = train_size(20, program=SMALL, out=tmp_path, driver=driver)
    assert first == again
    assert [row["seed"] for row in first] == [0, 1]
    assert len(notes) == 1
    assert notes[0].startswith("20 training points: test loss")


def test_results_of_other_settings_are_refused(tmp_path: Path) -> None:
    driver = Driver(sweep=no_sweep)
    train_size(5, program=replace(SMALL, seeds=(0,)), out=tmp_path, driver=driver)
    with pytest.raises(InterlawError, match=r"results of these settings in .*found others \(of another seeds\)"):
        train_size(5, program=SMALL, out=tmp_path, driver=driver)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"stamp": {', r"expected figures of this experiment in .*3\.json, found: .*; delete the file"),
        ('{"stamp": {}}', "found: rows: field required"),
    ],
)
def test_damaged_parts_are_refused_in_one_line(
    content: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PROGRAMS, "tiny", replace(SMALL, settings=BottleneckSettings(steps=2)))
    driver = Driver(sweep=no_sweep)
    reproduce("double-descent", out=tmp_path, driver=driver)
    (tmp_path / "sizes" / "3.json").write_text(content)
    with pytest.raises(InterlawError, match=message):
        reproduce("double-descent", out=tmp_path, driver=driver)


def rows_at(sizes: dict[int, tuple[float, float]]) -> list[dict[str, float]]:
    return [
        {"train_points": size, "loss": loss, "plugin_aofe": aofe, "plugin_aofe_ratio": 0.5}
        for size, (loss, aofe) in sizes.items()
        for _ in range(2)
    ]


def test_agreement_compares_what_was_run_and_where_it_peaks() -> None:
    lines = agreement(rows_at({100: (1.03, 400.0), 500: (1.5, 1e5), 1000: (3.0, 700.0)}))
    verdicts = {(line.figure, line.at): line.verdict for line in lines}
    assert verdicts["test loss", "100"] == "agrees"
    assert verdicts["test loss", "1000"] == "does not agree"
    assert ("test loss", "3") not in verdicts
    assert lines[-1].verdict == "does not agree"
    assert lines[-1].ours == "loss at 1000, AOFE at 500"
    assert agreement(rows_at({100: (1.03, 400.0), 500: (1.5, 1e5)}))[-1].verdict == "agrees"


def test_numbers_of_the_picture() -> None:
    rows = [
        {
            "train_points": size,
            "loss": loss,
            "aofe": 1.0,
            "aofe_ratio": 0.5,
            "weights_aofe": 10 * loss,
            "weights_aofe_ratio": 0.25,
        }
        for size, loss in ((10, 2.0), (5, 1.0), (5, 3.0))
    ]
    found = loss_and_interaction(rows)
    assert [point["size"] for point in found["loss"]] == [5, 10]
    assert [point["value"] for point in found["loss"]] == [2.0, 2.0]
    assert [point["low"] for point in found["loss"]] == [1.0, 2.0]
    assert [point["high"] for point in found["loss"]] == [3.0, 2.0]
    assert [point["value"] for point in found["weights_aofe"]] == [20.0, 20.0]
    assert [point["low"] for point in found["weights_aofe"]] == [10.0, 20.0]
    assert [point["value"] for point in found["weights_aofe_ratio"]] == [0.25, 0.25]


def test_the_experiment_from_end_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PROGRAMS, "tiny", SMALL)
    outcome = reproduce("double-descent", scale="tiny", out=tmp_path, driver=Driver(sweep=no_sweep))
    written = json.loads((tmp_path / "outcome.json").read_text())
    assert written["experiment"] == outcome.experiment == "double-descent"
    assert len(written["table"]) == 12
    assert {line["figure"] for line in written["agreement"]} >= {"test loss", "AOFE", "AOFE-ratio"}
    assert "| test loss | 10 |" in (tmp_path / "outcome.md").read_text()
    page = (tmp_path / "index.html").read_text()
    assert '<a href="loss-and-interaction.png">' in page
    assert "What differs from the published setting: other random data" in page
    assert (tmp_path / "loss-and-interaction.png").read_bytes().startswith(b"\x89PNG")


def test_unknown_names_and_scales_are_refused(tmp_path: Path) -> None:
    driver = Driver(sweep=no_sweep)
    with pytest.raises(InterlawError, match=f"expected an experiment of {next(iter(EXPERIMENTS))}.*found 'no'"):
        reproduce("no", out=tmp_path, driver=driver)
    with pytest.raises(InterlawError, match="expected --scale tiny or paper for double-descent, found 'huge'"):
        reproduce("double-descent", scale="huge", out=tmp_path, driver=driver)
    for option, value in (("text", "book.txt"), ("models", ("gpt2",))):
        with pytest.raises(InterlawError, match=f"expected no --{option} for mlp, which has no use for it"):
            reproduce("mlp", out=tmp_path, driver=driver, **{option: value})
