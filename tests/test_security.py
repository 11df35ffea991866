"""Nothing hostile is run, obeyed, believed or told to anyone."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import pickle
import shutil
import socket
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.recipes import write_recipe
from tests.report.synthetic import write_run

from interlaw.cli import run as interlaw
from interlaw.cli.loading import busy
from interlaw.cli.output import make_console
from interlaw.cli.visible import visible
from interlaw.runs import RunFolder, load_table, load_trial, table_as
from interlaw.sweep import prepare_run, read_recipe, run_trials

EVIL = '=cmd|"/C calc"!A0 \x1b[31m<script>alert(1)</script>[bold]'


class Payload:
    """Unpickled, it writes a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return (os.mkdir, (str(self.target),))


@pytest.fixture
def trap(tmp_path: Path) -> tuple[bytes, Path]:
    """A pickle, and what would be there had it been run."""
    target = tmp_path / "run-by-a-pickle"
    content = pickle.dumps(Payload(target))
    pickle.loads(pickle.dumps(Payload(tmp_path / "proof")))
    assert (tmp_path / "proof").exists()  # it does work
    return content, target


def test_a_pickle_planted_in_a_trial_is_not_run(
    finished_run: Path, tmp_path: Path, trap: tuple[bytes, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    content, target = trap
    out = tmp_path / "run"
    shutil.copytree(finished_run, out)
    trial = RunFolder(out).trials()[0]
    for name in ("weights.pt", "model.bin", "pytorch_model.bin", "checkpoint/model.pt", "spec.pkl"):
        (trial.path / name).write_bytes(content)
    assert interlaw(["status", str(out)]) == 0
    load_trial(trial.path)
    trial.weights.write_bytes(content)
    for command in ("measure", "layers", "rerun"):
        assert interlaw([command, str(trial.path)]) == 2
        assert "damaged file" in capsys.readouterr().err
    for name in ("record.json", "spec.json"):
        whole = (trial.path / name).read_bytes()
        (trial.path / name).write_bytes(content)
        for command in ("status", "export", "fit", "report") if name == "record.json" else ("export", "fit", "report"):
            assert interlaw([command, str(out)]) == 2
        (trial.path / name).write_bytes(whole)
    assert not target.exists()


def test_a_pickle_planted_as_a_checkpoint_is_not_run(tmp_path: Path, trap: tuple[bytes, Path]) -> None:
    content, target = trap
    path = write_recipe(tmp_path, top={"depths": [1], "seeds": [0]}, measure={"views": []})
    recipe, text = read_recipe(path)
    run, trials = prepare_run(recipe, text, out=tmp_path / "run", folder=tmp_path)
    folder = run.trial(trials[0].key)
    folder.checkpoints.mkdir(parents=True)
    (folder.checkpoints / f"step-000000005-{hashlib.sha256(content).hexdigest()}.safetensors").write_bytes(content)
    run_trials(run, trials, executor="local", listen=lambda event: None)
    record = folder.record()
    assert record is not None
    assert record.status == "done"
    assert record.units == 12 * 2 * 8  # from the start
    assert not target.exists()


def test_a_pickled_array_is_not_run(
    tmp_path: Path, trap: tuple[bytes, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    content, target = trap
    (tmp_path / "model.py").write_text("import torch\ndef make():\n    return torch.nn.Linear(3, 2)\n")
    (tmp_path / "inputs.npy").write_bytes(content)
    assert interlaw(["measure", f"{tmp_path}/model.py:make", "--inputs", str(tmp_path / "inputs.npy")]) == 2
    assert "expected a NumPy array" in capsys.readouterr().err
    assert not target.exists()


def test_only_a_factory_runs_code_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "model.py").write_text(
        f"from pathlib import Path\nPath({str(tmp_path / 'ran')!r}).touch()\n"
        "import torch\ndef make():\n    return torch.nn.Linear(3, 2)\n"
    )
    for name in (f"{tmp_path}/model.py", f"{tmp_path}"):  # a file or folder is not run for being named
        assert interlaw(["measure", name]) == 2
    assert not (tmp_path / "ran").exists()
    assert interlaw(["measure", "--help"]) == 0
    assert "module.py:factory" in " ".join(capsys.readouterr().out.split())
    assert interlaw(["measure", f"{tmp_path}/model.py:make"]) == 2
    assert (tmp_path / "ran").exists()


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every attempt to reach or serve anybody, refused."""
    attempts: list[Any] = []

    def refuse(self: socket.socket, address: Any, *rest: Any) -> None:
        attempts.append(address)
        raise OSError("no network")

    for name in ("connect", "connect_ex", "bind", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *address, **options: refuse(None, address))  # type: ignore[arg-type]
    return attempts


def test_no_command_reaches_for_the_network(tmp_path: Path, no_network: list[Any]) -> None:
    recipe, out = write_recipe(tmp_path, top={"depths": [1, 2, 3], "seeds": [0]}), tmp_path / "run"
    assert interlaw(["sweep", str(recipe), "--out", str(out), "--executor", "local"]) == 0
    trial = RunFolder(out).trials()[0].path
    base = ["--treatment", "standard", "--base-width", "8", "--base-depth", "1"]
    commands = [
        ["status", str(out)],
        ["export", str(out)],
        ["report", str(out)],
        ["fit", str(out), "--resamples", "100"],
        ["measure", str(trial), "--samples", "4"],
        ["layers", str(trial), "--samples", "4"],
        ["rerun", str(trial)],
        ["shapes", "--params", "3M"],
        ["explore", "--out", str(tmp_path / "explore.html")],
        ["doctor"],
        ["recommend", "--params", "350M"],
        ["compare"],
        ["check-parametrization", str(recipe), *base, "--widths", "8,16", "--depths", "1,2"],
    ]
    for command in commands:
        assert interlaw(command) == 0, command
    assert no_network == []
    assert interlaw(["measure", "nobody/no-such-model"]) == 2  # a hub name does, once
    assert [host for host, *_ in no_network] == ["huggingface.co"]


def test_text_from_data_is_only_text_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    make_console(stderr=False).print(f"{EVIL} \u202e \udcff\x07")
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert "\x07" not in printed
    assert r"\x1b[31m<script>alert(1)</script>[bold] \u202e \udcff\x07" in printed
    assert visible("two\nlines\tand tabs") == "two\nlines\tand tabs"


def test_a_name_on_a_status_line_is_only_text(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich then takes it for a terminal
    monkeypatch.setenv("TERM", "xterm")
    with busy(f"loading [/x] {EVIL}"):
        pass
    said = capsys.readouterr().err
    assert "[/x]" in said
    assert "\\x1b[31m<script>" in said


def test_text_from_data_is_only_text_in_tables_pages_and_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = write_run(
        tmp_path / "run", name=EVIL.replace("\x1b", ""), status={(50_000, 1, 0): "failed"}, comment="</pre><script>"
    )
    failed = next(
        trial for trial in RunFolder(out).trials() if (record := trial.record()) and record.status == "failed"
    )
    record = failed.record()
    assert record is not None
    failed.write_record(record.model_copy(update={"reason": EVIL, "traceback": EVIL}))
    assert interlaw(["status", str(out)]) == 0
    assert interlaw(["report", str(out)]) == 0
    printed = capsys.readouterr()
    assert "\x1b" not in printed.out + printed.err
    page = (out / "report.html").read_text()
    assert "<script>alert(1)" not in page
    assert "</pre><script>" not in page
    rows = list(csv.DictReader(io.StringIO(table_as(load_table(out), form="csv").decode())))
    assert {row["name"] for row in rows} == {"'" + EVIL.replace("\x1b", "")}
    assert f"'{EVIL}" in {row["reason"] for row in rows}
    assert all(cell[0] not in "=+@\t\r" for row in rows for cell in row.values() if cell)
    assert json.loads(table_as(load_table(out), form="jsonl").splitlines()[0])["name"] == EVIL.replace("\x1b", "")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_of_text_starts_a_formula(start: str) -> None:
    table = pd.DataFrame({"reason": [f"{start}1+1", "plain"], "loss": [-1.5, 2.0], f"{start}view": [0, 1]})
    read = pd.read_csv(io.BytesIO(table_as(table, form="csv")))
    shown = start.replace("\r", " ")  # a bare carriage return would end the line
    assert read["reason"].tolist() == [f"'{shown}1+1", "plain"]
    assert read["loss"].tolist() == [-1.5, 2.0]  # a negative number is no formula
    assert list(read.columns)[2] == f"'{shown}view"


def test_a_sweep_names_the_text_that_it_reads_from_elsewhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "recipe"
    folder.mkdir()
    path = write_recipe(folder, top={"depths": [1], "seeds": [0]})
    plan = ["sweep", str(path), "--out", str(tmp_path / "run"), "--dry-run", "--json"]
    assert interlaw(plan) == 0
    assert "outside its folder" not in capsys.readouterr().err
    (folder / "book.txt").rename(tmp_path / "book.txt")
    (folder / "book.txt").symlink_to(tmp_path / "book.txt")
    assert interlaw(plan) == 0
    told = f"the recipe's text lies outside its folder: reading {(tmp_path / 'book.txt').resolve()}\n"
    assert capsys.readouterr().err == told


def test_a_recipe_cannot_name_where_trials_are_written(tmp_path: Path) -> None:
    """Folders are named by digests; no text of a recipe becomes a path that is written to."""
    recipe = write_recipe(
        tmp_path / "in", top={"name": "../../escape", "depths": [1], "seeds": [0]}, measure={"views": []}
    )
    parsed, text = read_recipe(recipe)
    before = set(tmp_path.rglob("*"))
    run, trials = prepare_run(parsed, text, out=tmp_path / "run", folder=recipe.parent)
    new = set(tmp_path.rglob("*")) - before
    assert all(path.is_relative_to(tmp_path / "run") for path in new)
    assert all(trial.key.isalnum() for trial in trials)
    assert {path.parent for path in run.path.glob("trials/*/spec.json")} == {run.trial(trials[0].key).path}
