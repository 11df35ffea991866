"""`interlaw sweep`, `status` and `export` on a small recipe."""

from __future__ import annotations

import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.recipes import write_book, write_recipe

from interlaw.cli import run
from interlaw.cli.live import LiveSweep
from interlaw.cli.quickstart import recipe_on
from interlaw.runs import RunFolder, load_table
from interlaw.sweep import LOGGERS, Event, parse_recipe, prepare_run, read_recipe
from interlaw.sweep.logs import TrialLog


def answer(capsys: pytest.CaptureFixture[str], arguments: list[Any], *, code: int = 0) -> dict[str, Any]:
    assert run([str(argument) for argument in arguments]) == code
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_sweep_runs_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe, out = write_recipe(tmp_path), tmp_path / "run"
    command = ["sweep", recipe, "--out", out, "--executor", "local", "--json"]
    told = {"planned": 4, "unmeasured": 0, "run_dir": str(out)}
    assert answer(capsys, command) == {"done": 4, "failed": 0, "skipped": 0, **told}
    assert (out / "recipe.toml").read_text() == recipe.read_text()
    (RunFolder(out).trials()[0].path / "record.json").unlink()
    assert answer(capsys, command) == {"done": 4, "failed": 0, "skipped": 3, **told}
    assert answer(capsys, command) == {"done": 4, "failed": 0, "skipped": 4, **told}
    state = answer(capsys, ["status", out, "--json"])
    assert {name: state[name] for name in ("done", "failed", "running", "pending")} == {
        "done": 4,
        "failed": 0,
        "running": 0,
        "pending": 0,
    }


class Notebook:
    """A tracker that notes the trials it is told of."""

    def __init__(self, folder: Path) -> None:
        self.notes = folder.parent / f"{folder.name}.keys"

    def write(self, trial: TrialLog) -> None:
        self.notes.parent.mkdir(parents=True, exist_ok=True)
        with self.notes.open("a") as file:
            file.write(f"{trial.key}\n")

    def close(self) -> None:
        pass


def test_trackers_are_told_of_every_trial_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LOGGERS, "notebook", Notebook)
    recipe, out = write_recipe(tmp_path, measure={"views": []}), tmp_path / "run"
    command = ["sweep", recipe, "--out", out, "--executor", "local", "--json"]
    answer(capsys, command)
    trials = [trial.key for trial in RunFolder(out).trials()]
    RunFolder(out).trial(trials[0]).forget_record()
    for _ in range(2):
        answer(capsys, [*command, "--log", "notebook"])
        assert sorted((out / "logs" / "notebook.keys").read_text().split()) == trials
    assert (out / "logs" / "notebook.keys").read_text().split()[0] == trials[0]


def test_people_see_one_line_a_trial(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = write_recipe(tmp_path, measure={"views": []})
    assert run(["sweep", str(recipe), "--out", str(tmp_path / "run"), "--executor", "local"]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    note, first, *lines, last = captured.err.splitlines()
    assert note.startswith("note: budget 3k: its shapes have 2,504 to 3,588 parameters")
    assert first == "starting: 0 of 4 trials done"
    assert last == f"4 of 4 done; next: interlaw fit {tmp_path / 'run'}"
    assert len(lines) == 4
    assert all("loss" in line and "seed" in line and "3k" in line for line in lines)


def test_trials_that_fail_end_in_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = write_recipe(tmp_path, top={"depths": [1]}, training={"steps": 60, "learning_rate": 1e6, "clip": 0.0})
    out = tmp_path / "run"
    assert run(["sweep", str(recipe), "--out", str(out), "--executor", "local", "--json"]) == 1
    captured = capsys.readouterr()
    told = {"planned": 2, "done": 0, "failed": 2, "skipped": 0, "unmeasured": 0, "run_dir": str(out)}
    assert json.loads(captured.out) == told
    lines = captured.err.splitlines()
    assert "diverged" in lines[2]
    assert lines[-1] == f"interlaw: 2 of 2 trials failed or diverged; `interlaw status {out}` says why"
    state = answer(capsys, ["status", out, "--json"])
    assert (state["failed"], state["diverged"], len(state["reasons"])) == (2, 2, 2)
    assert run(["status", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "0 done, 2 failed (2 diverged), 0 running, 0 pending; finished"
    assert all("at the start" in line for line in lines[1:])


def test_a_dry_run_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = write_recipe(tmp_path)
    command = ["sweep", recipe, "--out", tmp_path / "run", "--dry-run"]
    plan = answer(capsys, [*command, "--json"])
    assert [row["depth"] for row in plan["trials"]] == [1, 1, 2, 2]
    assert plan["train_flops"] == sum(row["flops"] for row in plan["trials"])
    assert run([str(part) for part in command]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    assert lines[0].startswith(plan["trials"][0]["key"])
    assert lines[-1].startswith("4 trials, ")
    assert not (tmp_path / "run").exists()


def test_a_plan_of_unequal_sizes_is_told_before_it_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = write_recipe(
        tmp_path, shape={"context": 16, "head_dim": 16}, budget={"kind": "params", "amounts": ["15k"]}
    )
    answer(capsys, ["sweep", recipe, "--out", tmp_path / "run", "--dry-run", "--json"])
    run(["sweep", str(recipe), "--out", str(tmp_path / "run"), "--dry-run"])
    told = capsys.readouterr().err
    assert "note: budget 15k: its shapes have " in told
    assert "a smaller head_dim or multiple_of" in told


def test_a_finished_run_is_told_and_a_changed_recipe_is_refused_dry_and_real(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe, out = write_recipe(tmp_path, measure={"views": []}), tmp_path / "run"
    command = ["sweep", str(recipe), "--out", str(out), "--executor", "local"]
    answer(capsys, [*command, "--json"])
    assert run(command) == 0
    assert capsys.readouterr().err == f"4 of 4 done; next: interlaw fit {out}\n"
    (RunFolder(out).trials()[0].path / "record.json").unlink()
    assert [row["ended"] for row in answer(capsys, [*command, "--dry-run", "--json"])["trials"]].count(True) == 3
    assert run([*command, "--dry-run"]) == 0
    *rows, last = capsys.readouterr().out.splitlines()
    assert sum(row.endswith("  ended") for row in rows) == 3
    assert "; 3 ended, " in last
    write_recipe(tmp_path, top={"depths": [1]}, measure={"views": []})
    kept = sorted(out.rglob("*"))
    for more in ([], ["--dry-run"]):
        assert run([*command, *more]) == 2
        assert "expected a new folder or one of this recipe, found 2 trials" in capsys.readouterr().err
    assert sorted(out.rglob("*")) == kept


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--executor", "cluster"], "'cluster' is not one of 'local', 'processes', 'ray'"),
        (["--workers", "0"], "'--workers': Input should be greater than or equal to 1, found '0'"),
        (["--device", "warp"], "expected a device that torch can use, found 'warp'"),
        (["--memory-limit", "1"], "the smallest shape, 2x4, does not fit: expected room for"),
        (["--device", "cuda:99"], "expected a device that torch can use, found 'cuda:99'"),
    ],
)
def test_wrong_options_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    recipe = write_recipe(tmp_path)
    assert run(["sweep", str(recipe), "--out", str(tmp_path / "run"), *options]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_wrong_recipe_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = write_recipe(tmp_path, training={"lr": 0.1})
    assert run(["sweep", str(recipe), "--out", str(tmp_path / "run")]) == 2
    assert capsys.readouterr().err == f"interlaw: {recipe}: unknown key 'training.lr', remove it or fix its spelling\n"
    assert run(["sweep", str(tmp_path / "no.toml"), "--out", str(tmp_path / "run")]) == 2
    assert "expected a recipe file, found" in capsys.readouterr().err


def test_status_for_people(finished_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["status", str(finished_run)]) == 0
    first, costs = capsys.readouterr().out.splitlines()
    assert first == "4 done, 0 failed (0 diverged), 0 running, 0 pending; finished"
    assert re.fullmatch(r"beside training: evaluating [\d.]+%, measuring [\d.]+%", costs)


def test_status_names_running_trials_as_people_do(
    finished_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(finished_run, tmp_path / "run")
    trial = next(iter(RunFolder(tmp_path / "run").trials()))
    (trial.path / "record.json").unlink()
    with trial.lock():
        trial.write_progress({"step": 9, "steps": 12})
        assert run(["status", str(tmp_path / "run")]) == 0
    spec = trial.spec()
    shape = rf"{spec.shape['depth']}x{spec.shape['width']} +seed {spec.training.seed}"
    assert re.search(rf"^ *\S+k  {shape}  step 9 of 12  {trial.key}$", capsys.readouterr().out, re.MULTILINE)


@pytest.mark.parametrize("command", ["status", "export"])
def test_a_folder_without_a_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert run([command, str(tmp_path)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("interlaw: expected a run folder with recipe.toml, found none in")


def test_exports_are_the_table(finished_run: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    table = load_table(finished_run)
    readers = {
        "csv": lambda content: pd.read_csv(io.BytesIO(content), keep_default_na=False),
        "parquet": lambda content: pd.read_parquet(io.BytesIO(content)),
        "jsonl": lambda content: pd.DataFrame([json.loads(line) for line in content.splitlines()]),
    }
    for form, read in readers.items():
        assert run(["export", str(finished_run), "--format", form]) == 0
        printed = capfdbinary.readouterr().out
        pd.testing.assert_frame_equal(read(printed), table, check_dtype=False, rtol=1e-9)
        assert run(["export", str(finished_run), "--out", str(tmp_path / f"new/table.{form}")]) == 0  # by the ending
        assert (tmp_path / f"new/table.{form}").read_bytes() == printed
        first = capfdbinary.readouterr()
        assert (first.out, first.err) == (b"", f"wrote {tmp_path}/new/table.{form}\n".encode())
    assert run(["export", str(finished_run), "--format", "jsonl", "--out", str(tmp_path / "new/table.csv")]) == 0
    assert json.loads((tmp_path / "new/table.csv").read_text().splitlines()[0])  # what is asked for by name counts
    assert capfdbinary.readouterr().err.endswith(b"table.csv, in place of the one that was there\n")


def test_exports_that_cannot_be_are_refused(
    finished_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["export", str(finished_run), "--format", "xlsx"]) == 2
    assert "'xlsx' is not one of 'csv', 'parquet', 'jsonl'" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert run(["export", str(finished_run), "--out", str(tmp_path / "file" / "table.csv")]) == 2
    assert "expected to write" in capsys.readouterr().err


def test_the_live_picture_survives_a_dead_worker(
    finished_run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trial that starts twice has one line, and ends once."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "160")
    trials = [trial.spec() for trial in RunFolder(finished_run).trials()]
    key = trials[0].key
    values = {"step": 6, "steps": 12, "train_loss": 2.5, "seconds": 2.0}
    with LiveSweep(trials, already_done=1) as live:
        for _ in range(2):
            live.listen(Event(kind="started", key=key))
            live.listen(Event(kind="progress", key=key, values=values))
        assert len(live._progress.tasks) == 2  # the trial and the whole
        (line,) = [task for task in live._progress.tasks if task.id == live._lines[key]]
        assert (line.completed, line.total) == (6, 12)
        assert line.fields["note"] == "loss 2.500  48 tokens/s"
        record = RunFolder(finished_run).trials()[0].record()
        assert record is not None
        graph = {"graph": "no CUDA graph of the step (a number was read); it runs as it is"}
        changes = {"loss": 2.25, "seconds": 4.0, "unmeasured": {"loss": "out of memory"}, "provenance": graph}
        live.listen(Event(kind="ended", key=key, record=record.model_copy(update=changes)))
        live.listen(Event(kind="started", key=trials[1].key))
        live.listen(Event(kind="ended", key=trials[1].key, record=None))
        (whole,) = live._progress.tasks
        assert (whole.completed, whole.total) == (3, 4)
    printed = capsys.readouterr().err
    assert "loss 2.2500  4.0 s  loss not measured: out of memory" in printed
    assert "elsewhere: another process runs it" in printed
    assert printed.count("on this device: no CUDA graph of the step (a number was read); it runs as it is") == 1


def test_a_log_hears_of_running_trials_every_half_minute(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, text = read_recipe(write_recipe(tmp_path))
    _, trials = prepare_run(recipe, text, out=tmp_path / "run", folder=tmp_path)
    clock = iter([0.0, 29.0, 31.0, 32.0])
    monkeypatch.setattr("interlaw.cli.live.time.monotonic", lambda: next(clock))
    key = trials[0].key
    values = {"step": 6, "steps": 12, "train_loss": 2.5, "seconds": 2.0}
    with LiveSweep(trials, already_done=1) as live:
        live.listen(Event(kind="started", key=key))
        printed = []
        for _ in range(3):
            live.listen(Event(kind="progress", key=key, values=values))
            printed.append(capsys.readouterr().err)
    assert (printed[0], printed[2]) == ("starting: 1 of 4 trials done\n", "")
    assert printed[1].startswith("1 of 4 trials done; running: 3k ")
    assert printed[1].endswith("seed 0 step 6 of 12, loss 2.500  48 tokens/s\n")


def test_stopping_says_how_to_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("interlaw.sweep.run_trials", interrupted)
    recipe = write_recipe(tmp_path)
    assert run(["sweep", str(recipe), "--out", str(tmp_path / "run")]) == 130
    assert capsys.readouterr().err.splitlines()[2:] == ["stopped; run the same command again to resume"]
    shutil.rmtree(tmp_path / "run")


def test_quickstart_refuses_no_workers_before_it_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["quickstart", "--workers", "0", "--out", str(tmp_path / "run")]) == 2
    assert "'--workers': Input should be greater than or equal to 1, found '0'" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_quickstart_reads_ones_own_text(tmp_path: Path) -> None:
    book = write_book(tmp_path, lines=2000)
    recipe = parse_recipe(recipe_on(book), source="quickstart.toml")
    assert recipe.task.corpus == str(book.resolve())  # type: ignore[union-attr]
    embedded = parse_recipe(recipe_on(None), source="quickstart.toml")
    assert recipe.model_copy(update={"task": embedded.task}) == embedded


@pytest.mark.parametrize(
    ("text", "message"),
    [("nowhere", "found nothing at 'nowhere'"), ("short.txt", "expected at least")],
)
def test_quickstart_refuses_a_text_that_it_cannot_learn(
    text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("short.txt").write_text("too short")
    assert run(["quickstart", "--text", text]) == 2
    assert message in capsys.readouterr().err
    assert not Path("runs").exists()


def test_failed_trials_run_again_when_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe, out = write_recipe(tmp_path), tmp_path / "run"
    command = ["sweep", recipe, "--out", out, "--executor", "local", "--json"]
    answer(capsys, command)
    trial = RunFolder(out).trials()[0]
    record = trial.record()
    assert record is not None
    trial.write_record(record.model_copy(update={"status": "failed", "reason": "the disk was full"}))
    assert answer(capsys, command, code=1)["failed"] == 1
    again = answer(capsys, [*command, "--retry", "failed"])
    assert (again["done"], again["skipped"]) == (4, 3)
    assert trial.record().loss == record.loss  # type: ignore[union-attr]
    assert run(["sweep", str(recipe), "--out", str(out), "--retry", "diverged"]) == 2
    assert "'diverged' is not one of 'failed'" in capsys.readouterr().err


def test_trials_that_could_not_be_measured_are_measured_when_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any, **options: Any) -> None:
        raise MemoryError

    recipe, out = write_recipe(tmp_path, top={"depths": [1], "seeds": [0]}), tmp_path / "my run"
    command = ["sweep", recipe, "--out", out, "--executor", "local", "--json"]
    with monkeypatch.context() as patch:
        patch.setattr("interlaw.sweep.measuring.measure", fail)
        assert run([str(part) for part in command]) == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out)["unmeasured"] == 1
    assert "1 of 1 trials have a loss but could not be measured; `interlaw status '" in captured.err
    state = answer(capsys, ["status", out, "--json"])
    assert (state["done"], state["failed"], state["unmeasured"]) == (1, 0, 1)
    (reason,) = state["reasons"].values()
    assert reason.startswith("projected not measured: out of memory (MemoryError: )")
    assert run(["status", str(out)]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == f"to try these again: interlaw sweep RECIPE --out '{out}' --retry failed"
    (before,) = load_table(out).to_dict(orient="records")
    assert answer(capsys, [*command, "--retry", "failed"])["unmeasured"] == 0
    (after,) = load_table(out).to_dict(orient="records")
    assert (after["loss"], after["seconds"]) == (before["loss"], before["seconds"])
    assert after["loss_aofe"] > 0


def test_a_search_says_that_its_plan_is_the_first_round_and_what_it_cost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    training = {"treatment": "search", "learning_rate": None, "learning_rates": [1e-6, 2e-6, 4e-6], "steps": 4}
    recipe = write_recipe(tmp_path, top={"depths": [1], "seeds": [0]}, training=training)
    command = ["sweep", str(recipe), "--out", str(tmp_path / "run"), "--executor", "local"]
    assert answer(capsys, [*command, "--dry-run", "--json"])["first_round_only"] is True
    assert run([*command, "--dry-run"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("the search's first round alone: further rates")
    assert run(command) == 0
    capsys.readouterr()
    final = next(trial for trial in RunFolder(tmp_path / "run").trials() if trial.spec().stage == "final")
    (final.path / "record.json").unlink()
    assert run([*command, "--dry-run"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("the search's rounds so far: further rates")
    assert run(command) == 0
    capsys.readouterr()
    assert run(["status", str(tmp_path / "run")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "search: 7 trials tried a rate, 88% of the training FLOPs"
    # rates far too small: the highest was the best each time, and stayed so
    table = load_table(tmp_path / "run")
    assert table["rate_at_edge"].tolist() == (table["stage"] == "final").tolist()
