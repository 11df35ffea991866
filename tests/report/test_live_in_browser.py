"""The served report in a real browser: it follows the sweep and keeps what the reader chose."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.report.test_server import PENDING, end_trial, small_run
from tests.report.visits import Visit

from interlaw.report import ReportServer
from interlaw.runs import RunFolder

pytestmark = pytest.mark.browser


@pytest.fixture
def served(tmp_path: Path) -> Iterator[ReportServer]:
    with ReportServer(small_run(tmp_path / "run", status=PENDING)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_follows_the_sweep(browser: Any, served: ReportServer, tmp_path: Path) -> None:
    finished = small_run(tmp_path / "finished")
    folder = RunFolder(tmp_path / "run")
    visit = Visit(browser, served.address)
    page = visit.page
    page.get_by_text("0 done, 0 running, 4 waiting").wait_for()
    trial = folder.trials()[3]
    with trial.lock():
        for step in (10, 20):
            trial.write_progress({"step": step, "steps": 100, "train_loss": 5.0 - 0.01 * step})
            page.get_by_text(f"step {step} of 100, training loss").wait_for()
        page.locator("#live-figure svg .mark-line path").wait_for(state="attached")
        assert page.locator("#live-figure .role-axis-title").count() == 2
    for _ in range(3):
        end_trial(folder.path, finished)
    page.locator("#verdict").wait_for()
    assert visit.rows() == 3
    page.locator("#theme").click()
    page.locator("#trials th[data-column=loss] button").click()
    chosen = visit.fragment()
    assert "sort=loss" in chosen
    page.evaluate("scrollTo(0, 900)")
    end_trial(folder.path, finished)
    page.get_by_text("4 done, 0 running, 0 waiting. The sweep has ended.").wait_for()
    page.locator("#trials tbody tr").nth(3).wait_for(state="attached")
    assert visit.fragment() == chosen
    assert page.evaluate("scrollY") > 500
    assert page.locator("html").get_attribute("data-theme") == "light"
    assert visit.errors == []
    assert {url.split("#")[0].removeprefix(served.address) for url in visit.requests} <= {
        "",
        "status.json",
        "favicon.ico",
    }
    page.close()


def test_waits_while_the_reader_types_and_says_when_the_server_is_gone(browser: Any, tmp_path: Path) -> None:
    finished = small_run(tmp_path / "finished")
    folder = small_run(tmp_path / "run", status={(50_000, 4, 0): "pending"})
    server = ReportServer(folder)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    visit = Visit(browser, server.address, bypass_csp=True)
    page = visit.page
    assert visit.violations() == []
    page.locator("#find").fill("depth>1")
    end_trial(folder, finished)
    page.get_by_text("4 done, 0 running").wait_for()
    page.wait_for_timeout(2500)
    assert visit.count("#trials tbody tr") == 3
    page.locator("#find").blur()
    page.locator("#trials tbody tr").nth(3).wait_for(state="attached")
    assert page.locator("#find").input_value() == "depth>1"
    server.shutdown()
    server.server_close()
    thread.join()
    page.get_by_text("interlaw watch has ended").wait_for()
    page.close()
