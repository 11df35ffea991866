"""Draws the committed figures of a sweep again, from its published table, and pictures the report's main panels.

    python examples/figures/report_picture.py docs/results/fair.csv docs

Writes docs/images/loss-against-ratio.png, interaction-plane.png and report.png, and docs/results/fair-treatments.png.
Needs Chromium on the PATH, and pip install 'interlaw[browser]'.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import pandas as pd

from interlaw.report import write_chart
from interlaw.report.figures import drawings
from interlaw.report.page import page
from interlaw.report.results import RunResults, analyses_of
from interlaw.runs import measured_views
from interlaw.tasks import Units

PANELS = ("loss-against-ratio", "interaction-plane")
WIDTH, HEIGHT, MARGIN = 1280, 900, 20  # pixels: a window of a laptop, and white around the picture


def results_of_table(path: Path) -> RunResults:
    """A run as the report reads it, of trials that were exported with `interlaw export`."""
    table = pd.read_csv(path, keep_default_na=True)
    views = tuple(measured_views(table))
    return RunResults(
        path=path,
        name=path.stem,
        recipe="",
        table=table,
        records={},
        curves={},
        num_pending=0,
        task="text",
        units=Units(loss="nats per byte", data="tokens"),
        views=views,
        analyses=tuple(analyses_of(table, views)),
    )


def plain(results: RunResults) -> RunResults:
    """The trials at one fixed learning rate, and one view."""
    kept = [each for each in results.analyses if each.treatment == "fixed"]
    return replace(results, analyses=tuple(kept[:1]), views=results.views[:1])


def picture(html: str, out: Path) -> None:
    """Photographs the panels, from the top of the first to the end of the last."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        address = Path(folder) / "page.html"
        address.write_text(html, encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        shown = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        shown.goto(address.as_uri())
        shown.locator("body[data-drawn=all]").wait_for(state="attached")
        shown.locator("#controls").evaluate("each => { each.hidden = true; }")
        boxes = [shown.locator(f"#{name}").bounding_box() for name in PANELS]
        left, top = boxes[0]["x"] - MARGIN, boxes[0]["y"] - MARGIN
        size = {"width": boxes[0]["width"] + 2 * MARGIN, "height": boxes[-1]["y"] + boxes[-1]["height"] + MARGIN - top}
        shown.screenshot(path=out, full_page=True, clip={"x": left, "y": top, **size})
        browser.close()


def main() -> None:
    """Reads the table, writes the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("docs", type=Path)
    given = parser.parse_args()
    results = results_of_table(given.table)
    by_name = {name: drawing for name, _, drawing in drawings(plain(results))}
    for name in ("loss-against-ratio", "interaction-plane"):
        print(write_chart(given.docs / "images" / f"{name}.png", by_name[name]))
    compared = next(drawing for name, _, drawing in drawings(results) if name == "treatments")
    print(write_chart(given.docs / "results" / f"{results.name}-treatments.png", compared))
    picture(page(plain(results)), given.docs / "images" / "report.png")
    print(given.docs / "images" / "report.png")


if __name__ == "__main__":
    main()
