"""A run under a URL: the same records as in a folder, resumable from any machine, one holder a trial."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pandas as pd
import pytest
from fsspec.implementations.dirfs import DirFileSystem
from tests.recipes import write_recipe

from interlaw.cli import run as command
from interlaw.cli.fit import read_source
from interlaw.errors import InterlawError, MissingExtraError
from interlaw.runs import RunFolder, is_url, open_run, require_run, storage, stored
from interlaw.runs.storage import Lease, Storage
from interlaw.sweep import prepare_run, read_recipe, run_status, run_trials

URL = "memory://bucket/run"
QUICK = {"top": {"depths": [1], "seeds": [0, 1]}, "measure": {"views": ["loss"], "samples": 4}}


@pytest.fixture(autouse=True)
def empty_memory() -> Iterator[None]:
    yield
    fsspec.filesystem("memory").store.clear()
    stored.working_copy.cache_clear()


@pytest.fixture
def short_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "LEASE_SECONDS", 1.0)
    monkeypatch.setattr(stored, "BEAT_SECONDS", 0.05)


def sweep(recipe_path: Path, out: str | Path, **options: object) -> RunFolder:
    recipe, text = read_recipe(recipe_path)
    run, trials = prepare_run(recipe, text, out=out, folder=recipe_path.parent)
    run_trials(run, trials, executor="local", listen=lambda event: None, **options)  # type: ignore[arg-type]
    return require_run(out)


def contents(url: str) -> dict[str, bytes]:
    """All objects; records without clocks."""
    place = Storage(url)
    found = place.read_all(place.names())
    for name in found:
        if name.endswith("record.json"):
            record = json.loads(found[name])
            for clock in ("seconds", "evaluation_seconds", "measure_seconds", "provenance"):
                del record[clock]
            found[name] = json.dumps(record).encode()
    return found


def test_objects_are_written_read_and_removed() -> None:
    place = Storage("memory://box")
    assert (place.names(), place.read("a"), place.read_all([])) == ([], None, {})
    place.write({"a": b"1", "deep/b": b"2"})
    assert place.names() == ["a", "deep/b"]
    assert place.read_all(["a", "deep/b", "none"]) == {"a": b"1", "deep/b": b"2"}
    assert place.below("deep").read("b") == b"2"
    assert place.create("c", b"first")
    assert not place.create("c", b"second")
    assert place.read("c") == b"first"
    place.delete(["a", "none"])
    assert place.names() == ["c", "deep/b"]


def test_a_run_under_a_url_is_the_run_in_a_folder(path: Path, tmp_path: Path) -> None:
    folder = sweep(path, tmp_path / "run")
    run = sweep(path, URL)
    files = {p.relative_to(folder.path).as_posix() for p in folder.path.rglob("*") if p.is_file() and p.name != ".lock"}
    assert set(contents(URL)) == files
    other = tmp_path / "copy"
    for name, content in contents(URL).items():
        (other / name).parent.mkdir(parents=True, exist_ok=True)
        (other / name).write_bytes(content)
    for trial in folder.trials():
        again = RunFolder(other).trial(trial.key)
        assert (again.path / "spec.json").read_bytes() == (trial.path / "spec.json").read_bytes()
        assert again.weights.read_bytes() == trial.weights.read_bytes()
        assert (again.path / "curve.csv").read_bytes() == (trial.path / "curve.csv").read_bytes()
    assert run_status(run).done == 2
    assert {t.key: t.record().loss for t in run.trials()} == {t.key: t.record().loss for t in folder.trials()}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recipe of all these sweeps."""
    return write_recipe(tmp_path_factory.mktemp("storage"), **QUICK)


@pytest.fixture(scope="module")
def untouched(path: Path) -> dict[str, bytes]:
    """What a sweep that nobody disturbed leaves under its URL."""
    sweep(path, "memory://untouched")
    return contents("memory://untouched")


def stop_half_way(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep whose first trial is broken off in its middle; this machine forgets all about it."""
    from interlaw.sweep import trial
    from interlaw.training import TrainState

    def break_off(*arguments: object) -> object:
        def report(state: TrainState) -> None:
            if state.step == 7:
                raise KeyboardInterrupt

        return report

    with monkeypatch.context() as patch:
        patch.setattr(trial.Attempt, "reporter", break_off)
        with pytest.raises(KeyboardInterrupt):
            sweep(path, URL, checkpoint_seconds=0)
    stored.working_copy.cache_clear()


def test_another_machine_goes_on_from_the_stored_checkpoint(
    path: Path, untouched: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_half_way(path, monkeypatch)
    names = Storage(URL).names()
    assert any("step-000000007-" in name for name in names)
    assert not any("lease" in name or "record" in name for name in names)
    sweep(path, URL)
    assert contents(URL) == untouched


def test_a_damaged_checkpoint_there_is_passed_over(
    path: Path, untouched: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_half_way(path, monkeypatch)
    newest = max(name for name in Storage(URL).names() if "step-" in name)
    Storage(URL).write({newest: Storage(URL).read(newest)[:-9]})  # type: ignore[index]
    sweep(path, URL)
    assert contents(URL) == untouched


def test_the_first_record_stands(path: Path) -> None:
    run = sweep(path, URL)
    trial = run.trials()[0]
    record = trial.record()
    assert record is not None
    trial.write_record(record.model_copy(update={"loss": 0.0}))
    assert trial.record() == record
    assert json.loads(Storage(URL).read(f"trials/{trial.key}/record.json") or b"")["loss"] == record.loss


def test_a_forgotten_record_is_forgotten_everywhere(path: Path) -> None:
    run = sweep(path, URL)
    trial = run.trials()[0]
    Storage(URL).delete([f"trials/{trial.key}/record.json"])  # by another machine
    run.fetch()
    assert trial.record() is None
    run.trials()[1].forget_record()
    assert run_status(require_run(URL)).pending == 2


def test_a_lease_has_one_holder_and_follows_a_silent_one(short_lease: None) -> None:
    place = Storage("memory://trial")
    first, second = Lease(place), Lease(place)
    assert first.acquire(patience_seconds=0)
    living = threading.Event()

    def live() -> None:
        while not living.wait(0.1):
            first.renew({"step": 3})

    thread = threading.Thread(target=live)
    thread.start()
    started = time.monotonic()
    assert not second.acquire(patience_seconds=0)
    assert time.monotonic() - started < 10
    living.set()
    thread.join()
    assert second.acquire(patience_seconds=0)  # the first is silent
    assert place.names() == ["lease-000002.json"]
    first.renew({})  # it wakes up: what counts is the higher number
    assert storage.newest_lease(place)[0] == "lease-000002.json"
    second.release()


def test_a_slow_upload_does_not_cost_the_lease(short_lease: None, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Storage.write

    def slowly(self: Storage, contents: dict[str, bytes]) -> None:
        if any("checkpoint" in name for name in contents):
            time.sleep(2.0)
        write(self, contents)

    monkeypatch.setattr(Storage, "write", slowly)
    trial = open_run(URL).trial("0123")
    with trial.lock() as free:
        assert free
        trial.checkpoints.mkdir()
        (trial.checkpoints / "step-000000001-x.safetensors").write_bytes(b"large")
        time.sleep(1.6)
        assert not Lease(Storage(URL).below("trials", "0123")).acquire(patience_seconds=0)
    assert Storage(URL).names() == ["trials/0123/checkpoint/step-000000001-x.safetensors"]


def test_storage_that_goes_away_at_the_start_loses_no_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    Storage(URL).write({"trials/0123/checkpoint/step-000000001-x.safetensors": b"precious"})

    def gone(*_: object, **__: object) -> dict[str, bytes]:
        raise ConnectionError("reset by peer")

    trial = open_run(URL).trial("0123")
    with monkeypatch.context() as patch:
        patch.setattr(DirFileSystem, "cat", gone)
        with pytest.raises(InterlawError, match=r"expected storage at .*, found: reset by peer"), trial.lock():
            pass
    assert Storage(URL).names() == ["trials/0123/checkpoint/step-000000001-x.safetensors"]


def test_of_many_who_find_a_stale_lease_one_gets_it(short_lease: None) -> None:
    place = Storage("memory://trial")
    place.write({"lease-000001.json": b'{"until": 0}'})
    got: list[bool] = []
    threads = [threading.Thread(target=lambda: got.append(Lease(place).follow("lease-000001.json"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == [False] * 7 + [True]


def test_status_sees_who_is_running(path: Path, short_lease: None) -> None:
    recipe, text = read_recipe(path)
    run, trials = prepare_run(recipe, text, out=URL, folder=path.parent)
    with run.trial(trials[0].key).lock() as free:
        assert free
        run.trial(trials[0].key).write_progress({"step": 6, "steps": 12, "train_loss": 1.0, "seconds": 1.0})
        deadline = time.monotonic() + 20
        while run.trial(trials[0].key).progress().get("step") != 6 and time.monotonic() < deadline:
            run.fetch()
        state = run_status(run)
        assert (state.running, state.pending) == (1, 1)
    run.fetch()
    assert run_status(run).running == 0


@pytest.mark.parametrize("content", [b"half wri", b"[1, 2]"])
def test_a_damaged_lease_is_nobodys(path: Path, content: bytes) -> None:
    recipe, text = read_recipe(path)
    run, trials = prepare_run(recipe, text, out=URL, folder=path.parent)
    Storage(URL).write({f"trials/{trials[0].key}/lease-000001.json": content})
    run.fetch()
    assert run_status(run).pending == 2
    assert sweep(path, URL).records().keys() == {trial.key for trial in trials}


def test_commands_read_a_url(finished_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {path.relative_to(finished_run).as_posix(): path for path in finished_run.rglob("*") if path.is_file()}
    Storage(URL).write({name: path.read_bytes() for name, path in files.items()})
    assert command(["status", URL, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["done"] == 4
    assert command(["export", URL, "--format", "jsonl"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 4
    assert command(["sweep", str(finished_run / "recipe.toml"), "--out", "memory://new", "--executor", "ray"]) == 2
    assert "expected" in capsys.readouterr().err
    there, here = (read_source(place, view=None, columns=[]) for place in (URL, str(finished_run)))
    pd.testing.assert_frame_equal(there, here)
    assert {p.key for p in require_run(URL).trials()} == {p.key for p in require_run(finished_run).trials()}


def test_a_file_url_is_a_folder(tmp_path: Path) -> None:
    assert open_run(f"file://{tmp_path}/my%20run") == RunFolder(tmp_path / "my run")
    assert not is_url(f"file://{tmp_path}")


def test_no_run_there_is_one_line() -> None:
    with pytest.raises(InterlawError, match=r"expected a run folder with recipe.toml, found none in 'memory://void'"):
        require_run("memory://void")


def test_memory_is_for_this_process_alone(path: Path) -> None:
    recipe, text = read_recipe(path)
    run, trials = prepare_run(recipe, text, out=URL, folder=path.parent)
    with pytest.raises(InterlawError, match="expected storage that other processes reach, found 'memory://bucket/run'"):
        run_trials(run, trials, executor="processes", listen=lambda event: None)


@pytest.mark.parametrize("url", ["memory://", "sftp://host/", "s3:///"])
def test_a_run_is_a_folder_in_the_storage(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fsspec, "url_to_fs", lambda url, **options: (fsspec.filesystem("memory"), "/"))
    storage._files.cache_clear()
    with pytest.raises(InterlawError, match=f"expected a folder in the storage, found the storage itself, '{url}'"):
        Storage(url).names()


def test_an_unknown_protocol_is_one_line() -> None:
    with pytest.raises(InterlawError, match=r"expected a folder or a URL such as s3://bucket/run, found 'nope://x'"):
        require_run("nope://x")


def test_s3_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(url: str, **options: object) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec, "url_to_fs", missing)
    with pytest.raises(MissingExtraError, match=r"storage at 's3://no/where' needs the extra 'remote'"):
        require_run("s3://no/where")
    with pytest.raises(InterlawError, match="expected storage that fsspec can open, found 'gs://no/where': Install"):
        require_run("gs://no/where")


def test_storage_that_refuses_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> list[str]:
        raise PermissionError("Access Denied")

    monkeypatch.setattr(DirFileSystem, "find", refuse)
    with pytest.raises(InterlawError, match="expected storage at 'memory://x', found: Access Denied; check its name"):
        require_run("memory://x")
