"""A sweep without a cluster starts one of its own, on loopback alone, and stops it; a wrong address is one line."""

from __future__ import annotations

import json
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
    heard: set[int] = set()
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
                    heard.update(c.laddr.port for c in process.net_connections("tcp") if c.status == psutil.CONN_LISTEN)
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
    assert DASHBOARD_PORT not in heard


def test_a_wrong_address_is_one_line(tmp_path: Path) -> None:
    path = write_recipe(tmp_path)
    arguments = ["sweep", str(path), "--out", str(tmp_path / "ray"), "--executor", "ray", "--address", "127.0.0.1:1"]
    driver = subprocess.run([sys.executable, "-c", COMMAND, *arguments], capture_output=True, text=True, timeout=300)
    assert driver.returncode == 2
    assert "interlaw: expected a Ray cluster at '127.0.0.1:1', found" in driver.stderr
    assert "Traceback" not in driver.stderr
