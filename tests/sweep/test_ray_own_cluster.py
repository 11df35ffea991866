"""A sweep without a cluster starts one of its own, on loopback alone, and stops it; a wrong address is one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest
from tests.recipes import write_recipe
from tests.sweep.clusters import results, sweep

from interlaw.runs import require_run

pytestmark = [pytest.mark.ray, pytest.mark.filterwarnings("default")]
pytest.importorskip("ray", reason="the extra 'ray' is not installed")
COMMAND = "import sys; from interlaw.cli import run; sys.exit(run(sys.argv[1:]))"
DASHBOARD_PORT = 8265
LOOPBACK = {"127.0.0.1", "::1", "::ffff:127.0.0.1"}
STRANGER = """
import sys
from ray._raylet import GcsClient
try:
    print(len(GcsClient(address=sys.argv[1]).get_all_node_info(timeout=30)), "nodes")
except Exception as error:
    print(type(error).__name__)
"""


def test_a_cluster_of_its_own_is_stopped_and_shows_no_dashboard(tmp_path: Path) -> None:
    path = write_recipe(tmp_path, training={"steps": 200}, top={"seeds": [0]})
    local, _ = sweep(path, tmp_path / "local", executor="local")
    # told to be alone: a cluster that happens to run on this machine is none of this test's business
    arguments = [
        "sweep",
        str(path),
        "--out",
        str(tmp_path / "ray"),
        "--executor",
        "ray",
        "--address",
        "local",
        "--json",
    ]
    driver = subprocess.Popen([sys.executable, "-c", COMMAND, *arguments], stdout=subprocess.PIPE, text=True)
    seen: set[psutil.Process] = set()
    heard: set[tuple[str, int]] = set()
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.5):
            try:
                children = psutil.Process(driver.pid).children(recursive=True)
            except psutil.NoSuchProcess:
                return
            seen.update(children)
            for process in children:
                try:
                    heard.update(c.laddr for c in process.net_connections("tcp") if c.status == psutil.CONN_LISTEN)
                except psutil.Error:
                    continue

    watcher = threading.Thread(target=look)
    watcher.start()
    printed, _ = driver.communicate(timeout=600)
    over.set()
    watcher.join()
    assert driver.returncode == 0
    assert json.loads(printed)["done"] == 2
    assert results(require_run(tmp_path / "ray")) == results(local)
    assert seen
    assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in seen)
    assert heard
    assert {host for host, _ in heard} <= LOOPBACK
    assert DASHBOARD_PORT not in {port for _, port in heard}


def test_who_has_no_token_is_refused() -> None:
    code = """
import ray, sys
from interlaw.sweep.cluster import open_cluster
with open_cluster(ray, "local"):
    print(ray.get_runtime_context().gcs_address, flush=True)
    sys.stdin.read()
"""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "known to this test and its driver"}
    wrong = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "a guess"}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code], env=plain | token, **pipes) as driver:  # type: ignore[call-overload]
        address = driver.stdout.readline().strip()
        found = [
            subprocess.run([sys.executable, "-c", STRANGER, address], env=plain | who, capture_output=True, text=True)
            for who in ({"RAY_AUTH_MODE": "disabled"}, wrong, token)
        ]
        driver.communicate("", timeout=60)
    assert [one.stdout.strip() for one in found] == ["AuthenticationError", "AuthenticationError", "1 nodes"]


def test_a_token_is_made_for_a_cluster_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the environment of its processes, not in a file that others may read."""
    import ray

    from interlaw.sweep.cluster import _start

    started: list[dict[str, object]] = []
    monkeypatch.setattr(ray, "init", lambda **options: started.append(options))
    monkeypatch.delenv("RAY_AUTH_TOKEN_PATH", raising=False)
    monkeypatch.setenv("RAY_AUTH_TOKEN", "")
    monkeypatch.delenv("RAY_AUTH_TOKEN")
    _start(ray)
    made = os.environ["RAY_AUTH_TOKEN"]
    _start(ray)
    assert len(made) == 64
    assert os.environ["RAY_AUTH_TOKEN"] == made  # Ray keeps one for the life of a process
    assert [one["include_dashboard"] for one in started] == [False, False]


@pytest.mark.parametrize("by", ["option", "variable"])
def test_a_wrong_address_is_one_line(tmp_path: Path, by: str) -> None:
    """Also one that only the environment names: what was meant for a cluster must not end up on this machine."""
    path = write_recipe(tmp_path)
    arguments = ["sweep", str(path), "--out", str(tmp_path / "ray"), "--executor", "ray"]
    arguments += ["--address", "127.0.0.1:1"] if by == "option" else []
    environment = os.environ | ({"RAY_ADDRESS": "127.0.0.1:1"} if by == "variable" else {})
    driver = subprocess.run(
        [sys.executable, "-c", COMMAND, *arguments], env=environment, capture_output=True, text=True, timeout=100
    )
    assert driver.returncode == 2
    assert "interlaw: expected a Ray cluster at '127.0.0.1:1', found" in driver.stderr
    assert "Traceback" not in driver.stderr
