"""Sweeps into object storage (a local S3 server): workers share nothing but the URL, and any of them may die."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.recipes import write_recipe
from tests.sweep.clusters import Nodes, results, sweep, trial_processes, wait_until

from interlaw.cli import run as command
from interlaw.errors import InterlawError
from interlaw.runs import require_run, stored
from interlaw.runs.storage import Storage
from interlaw.sweep import run_status

pytestmark = [pytest.mark.ray, pytest.mark.filterwarnings("default")]
pytest.importorskip("ray", reason="the extra 'ray' is not installed")
pytest.importorskip("s3fs", reason="the extra 'remote' is not installed")
pytest.importorskip("moto", reason="moto, a local S3 server, is not installed")
PORT = 5801
SERVER = f"http://127.0.0.1:{PORT}"


@pytest.fixture(scope="module")
def server() -> Iterator[None]:
    """An S3 server on this machine alone, with one bucket, found by the usual variables of the environment."""
    code = f"from moto.server import main; main(['-H', '127.0.0.1', '-p', '{PORT}'])"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    patch = pytest.MonkeyPatch()
    patch.setenv("AWS_ENDPOINT_URL", SERVER)
    patch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    try:

        def answers() -> bool:
            try:
                request = urllib.request.Request(f"{SERVER}/bucket", method="PUT")
                return bool(urllib.request.urlopen(request, timeout=5).status == 200)
            except OSError:
                return False

        wait_until(answers)
        yield
    finally:
        process.terminate()
        process.wait()
        patch.undo()


def stored_results(url: str, copy: Path) -> dict[str, object]:
    """All objects of a run brought into a folder, and read there."""
    place = Storage(url)
    for name, content in place.read_all(place.names()).items():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes(content)
    return results(require_run(copy))


def without_locks(found: dict[str, tuple[object, ...]]) -> dict[str, object]:
    return {
        key: (*values[:-1], [name for name in values[-1] if name != ".lock"])  # type: ignore[attr-defined]
        for key, values in found.items()
    }


def test_a_sweep_into_s3_is_the_sweep_into_a_folder(
    server: None, nodes: Nodes, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_recipe(tmp_path)
    local, _ = sweep(path, tmp_path / "local", executor="local")
    url = "s3://bucket/plain"
    options = nodes.have({"num_cpus": 1}, {"num_cpus": 1})
    _, events = sweep(path, url, executor="ray", ray=options)
    assert [event.record.status for event in events if event.record] == ["done"] * 4
    _, later = sweep(path, url, executor="ray", ray=options)
    assert later == []
    assert stored_results(url, tmp_path / "copy") == without_locks(results(local))
    monkeypatch.chdir(tmp_path)
    for arguments in (["status", url], ["export", url], ["fit", url, "--resamples", "10"]):
        assert command(arguments) in (0, 2)
    printed = capsys.readouterr().out
    assert "4 done, 0 failed" in printed
    assert printed.count("tiny") == 4


def test_a_worker_killed_over_s3_goes_on_from_its_stored_checkpoint(server: None, nodes: Nodes, tmp_path: Path) -> None:
    path = write_recipe(tmp_path, training={"steps": 12_000}, top={"depths": [1], "seeds": [0]})
    local, _ = sweep(path, tmp_path / "local", executor="local")
    url = "s3://bucket/killed"
    killed: list[int] = []

    def kill_one() -> None:
        wait_until(lambda: [name for name in Storage(url).names() if "checkpoint/step-" in name])
        process = wait_until(trial_processes)[0]
        killed.append(process.pid)
        process.kill()

    watcher = threading.Thread(target=kill_one)
    options = nodes.have({"num_cpus": 1}, {"num_cpus": 1})
    watcher.start()
    _, events = sweep(path, url, executor="ray", ray=options, checkpoint_seconds=0.5)
    watcher.join()
    assert killed
    assert stored_results(url, tmp_path / "copy") == without_locks(results(local))
    kinds = [event.kind for event in events if event.kind != "progress"]
    assert kinds[-1] == "ended"
    assert set(kinds[:-1]) == {"started"}
    assert len(kinds) <= 3  # storage is looked at now and then: a death before the first look goes unseen
    steps = [event.values["step"] for event in events if event.kind == "progress"]
    assert steps
    assert run_status(require_run(url)).done == 1


def test_worker_processes_share_s3_too(server: None, tmp_path: Path) -> None:
    path = write_recipe(tmp_path, top={"seeds": [0]})
    local, _ = sweep(path, tmp_path / "local", executor="local")
    sweep(path, "s3://bucket/processes", executor="processes", num_workers=2)
    assert stored_results("s3://bucket/processes", tmp_path / "copy") == without_locks(results(local))


def test_two_drivers_on_one_url_run_every_trial_once(server: None, tmp_path: Path) -> None:
    path = write_recipe(tmp_path, training={"steps": 300})
    url = "s3://bucket/shared"
    arguments = ["sweep", str(path), "--out", url, "--executor", "local", "--json"]
    code = "import sys; from interlaw.cli import run; sys.exit(run(sys.argv[1:]))"
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}  # as this process has, for equal bits
    drivers = [
        subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True, env=one_thread)
        for _ in range(2)
    ]
    answers = [json.loads(driver.communicate(timeout=300)[0]) for driver in drivers]
    stored.working_copy.cache_clear()
    assert run_status(require_run(url)).done == 4
    assert max(answer["done"] for answer in answers) == 4
    assert not any("lease" in name or "step-" in name for name in Storage(url).names())
    local, _ = sweep(path, tmp_path / "local", executor="local")
    assert stored_results(url, tmp_path / "copy") == without_locks(results(local))


def test_no_such_bucket_is_one_line(server: None, tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(InterlawError, match=r"expected (storage at|a run folder)"):
        require_run("s3://nobody/run")
    with pytest.raises(InterlawError, match=r"expected storage at 's3://nobody/run', found: .* check its name"):
        sweep(write_recipe(tmp_path), "s3://nobody/run", executor="local")
    assert time.monotonic() - started < 60
