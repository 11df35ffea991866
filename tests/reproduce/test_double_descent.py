"""Double descent end to end on a small toy: files, going on, comparison, pictures; energies against autograd."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from interlaw.errors import InterlawError
from interlaw.interaction import agop, energies, measure
from interlaw.models import build_model
from interlaw.reproduce import EXPERIMENTS, Driver, reproduce
from interlaw.reproduce.bottleneck_energies import bottleneck_agop, bottleneck_energies
from interlaw.reproduce.bottleneck_training import BottleneckSettings
from interlaw.reproduce.double_descent import PROGRAMS, Dataset, Program, agreement, train_size
from interlaw.reproduce.double_descent_figure import loss_and_interaction
from interlaw.shapes import BottleneckShape
from interlaw.tasks import draw_sparse_rows

SMALL = Program(
    sizes=(3, 4, 5, 6, 8, 10),
    seeds=(0, 1),
    settings=BottleneckSettings(steps=20),
    data=Dataset(dim=40, density=0.1, test_points=100),
)


def no_sweep(plan: object) -> None:
    raise AssertionError("this experiment has no sweep")


def a_toy() -> tuple[torch.nn.Module, torch.Tensor]:
    model = build_model(BottleneckShape(depth=1, width=2, input_size=30), seed=1).double()
    with torch.no_grad():
        model.weight.mul_(3)
        model.bias.copy_(0.1 * torch.randn(30, generator=torch.Generator().manual_seed(2)))
    return model, torch.cat([model.weight.detach(), model.bias.detach()[None]])


def test_agop_is_the_mean_of_autograds_jacobians() -> None:
    model, P = a_toy()
    rows = draw_sparse_rows(25, dim=30, density=0.2, seed=0)
    X = rows.dense().double()
    J = torch.stack([torch.autograd.functional.jacobian(lambda x: model(x[None])[0], x) for x in X])
    expected = (J @ J.transpose(1, 2)).mean(0)
    torch.testing.assert_close(bottleneck_agop(P, rows), expected, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(agop(model, X, view="bottleneck"), expected, rtol=1e-8, atol=1e-10)


def test_energies_without_bias_are_the_mean_over_pairs() -> None:
    model, P = a_toy()
    rows = draw_sparse_rows(20, dim=30, density=0.2, seed=0)
    active = (rows.dense().double() @ P[:-1].T @ P[:-1] + P[-1] > 0).double()
    G_w = P[:-1].T @ P[:-1]
    A = (G_w @ G_w) * active[:, :, None] * active[:, None, :]
    off = A * (1 - torch.eye(30))
    pairs = [(n, m) for n in range(20) for m in range(20) if n != m]
    aofe = sum(float((off[n] * off[m]).sum()) for n, m in pairs) / len(pairs)
    energy = sum(float((A[n] * A[m]).sum()) for n, m in pairs) / len(pairs)
    found = bottleneck_energies(P, rows)
    assert found.aofe == pytest.approx(aofe, rel=1e-10)
    assert found.aofe_ratio == pytest.approx(aofe / energy, rel=1e-10)
    assert found.agop.to_dict() == pytest.approx(energies(A.mean(0)).to_dict(), rel=1e-10)
    assert found.weights.aofe == pytest.approx(energies(G_w).aofe, rel=1e-12)
    measured = measure(model, rows.dense().double(), view="bottleneck")
    assert found.aofe == pytest.approx(measured.aofe.value, rel=1e-8)


def test_correlation_of_both_matrices_is_numpys() -> None:
    import numpy as np

    _, P = a_toy()
    rows = draw_sparse_rows(20, dim=30, density=0.2, seed=0)
    off = ~np.eye(30, dtype=bool)
    gram = (P[:-1].T @ P[:-1]).numpy()[off]
    expected = np.corrcoef(gram, bottleneck_agop(P, rows).numpy()[off])[0, 1]
    assert bottleneck_energies(P, rows).nfa_correlation == pytest.approx(expected, rel=1e-10)


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
    ("damaged", "content", "message"),
    [
        (
            "sizes/3.json",
            '{"stamp": {',
            r"expected figures of this experiment in .*3\.json, found: .*; delete the file",
        ),
        ("sizes/3.json", '{"stamp": {}}', "found: rows: field required"),
        ("weights/10.safetensors", None, r"trained weights in .*No such file.*delete .*sizes/10\.json too"),
        ("weights/10.safetensors", "?", "expected trained weights in .*found: something else"),
    ],
)
def test_damaged_parts_are_refused_in_one_line(
    damaged: str, content: str | None, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PROGRAMS, "tiny", replace(SMALL, settings=BottleneckSettings(steps=2)))
    driver = Driver(sweep=no_sweep)
    reproduce("double-descent", out=tmp_path, driver=driver)
    (tmp_path / damaged).unlink()
    if content is not None:
        (tmp_path / damaged).write_text(content)
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
    assert found["train_points"] == [5, 10]
    assert found["loss"] == [2.0, 2.0]
    assert found["loss_low"] == [1.0, 2.0]
    assert found["loss_high"] == [3.0, 2.0]
    assert found["weights_aofe"] == [20.0, 20.0]
    assert found["weights_aofe_low"] == [10.0, 20.0]
    assert found["weights_aofe_ratio"] == [0.25, 0.25]


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
    for picture in ("loss-and-interaction.png", "agop-snapshots.png"):
        assert (tmp_path / picture).read_bytes().startswith(b"\x89PNG")


def test_unknown_names_and_scales_are_refused(tmp_path: Path) -> None:
    driver = Driver(sweep=no_sweep)
    with pytest.raises(InterlawError, match=f"expected an experiment of {next(iter(EXPERIMENTS))}.*found 'no'"):
        reproduce("no", out=tmp_path, driver=driver)
    with pytest.raises(InterlawError, match="expected --scale tiny or paper for double-descent, found 'huge'"):
        reproduce("double-descent", scale="huge", out=tmp_path, driver=driver)
    for option, value in (("text", "book.txt"), ("models", ("gpt2",))):
        with pytest.raises(InterlawError, match=f"expected no --{option} for mlp, which has no use for it"):
            reproduce("mlp", out=tmp_path, driver=driver, **{option: value})
