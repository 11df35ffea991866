"""The page of 12 and of 1,000 trials and the explorer: weight, time to make and to open, accessibility by axe-core."""

from __future__ import annotations

import importlib.util
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.report.synthetic import write_run
from tests.report.visits import CHROMIUM, QUIET, Visit

from benchmarks.bench_starting import RUN_1000
from benchmarks.row import Row
from interlaw.report import write_explorer, write_report

RUN_12 = {"budgets": (50_000, 100_000), "depths": (1, 2, 4), "seeds": (0, 1)}
# figures in view are drawn after the load: the first screen stands when its figure does
ALL_DRAWN = "body[data-drawn=all]"
FIRST = ".first svg.marks, #cost svg.marks"
TIMES = 3  # the fastest counts: what else the machine does only adds
# name of a figure: unit, target
TARGETS = {"weight": ("MB", "< 6 MB"), "making": ("s of processor", "< 4 s"), "opening": ("s of processor", "< 1.5 s")}


def run() -> list[Row]:
    """One row a figure; nothing but a line on stderr where no browser is here."""
    missing = [name for name in ("playwright", "axe_playwright_python") if importlib.util.find_spec(name) is None]
    if CHROMIUM is None or missing:
        lacking = ", ".join([*missing, *(["chromium"] if CHROMIUM is None else [])])
        print(f"page: skipped, for it needs {lacking} (make browser-test installs them)", file=sys.stderr)
        return []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        small, large = write_run(folder / "small", **RUN_12), write_run(folder / "large", **RUN_1000)
        made = {
            "report of 12 trials": _timed(lambda: write_report(small)),
            f"report of {len(list((large / 'trials').iterdir())):,} trials": _timed(lambda: write_report(large)),
            "explorer": _timed(lambda: write_explorer(folder / "explorer.html")),
        }
        return [row for name, (path, seconds) in made.items() for row in _rows(name, path, seconds=seconds)]


def _timed(make: Any) -> tuple[Path, float]:
    started = time.process_time()  # of this process alone: what else the machine does is not the page's
    path: Path = make()
    return path, time.process_time() - started


def _rows(name: str, path: Path, *, seconds: float) -> list[Row]:
    """What a page weighs, what it takes to make and to open (the fastest of a few), and what axe-core says."""
    opening, failed, passed = _visited(path)
    figures = {"weight": path.stat().st_size / 1e6, "making": seconds, "opening": opening}
    rows = [
        Row(name=f"{name}: {what}", unit=TARGETS[what][0], ours=value, target=TARGETS[what][1])
        for what, value in figures.items()
    ]
    rules = f"{name}: axe violations, of {passed + failed} rules"
    return [*rows, Row(name=rules, unit="rules", ours=failed, target="0")]


def _visited(path: Path) -> tuple[float, int, int]:
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        times = []
        for _ in range(TIMES):
            visit = Visit(browser, path.as_uri(), bypass_csp=True)
            visit.page.locator(FIRST).first.wait_for(state="attached")
            times.append(_processor_seconds(visit))
        visit.page.locator(ALL_DRAWN).wait_for(state="attached")
        said = Axe().run(visit.page).response
        browser.close()
    return min(times), len(said["violations"]), len(said["passes"])


def _processor_seconds(visit: Visit) -> float:
    """What the page's process has used so far."""
    session = visit.page.context.new_cdp_session(visit.page)
    session.send("Performance.enable")
    return next(
        float(one["value"]) for one in session.send("Performance.getMetrics")["metrics"] if one["name"] == "ProcessTime"
    )
