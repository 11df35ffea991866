"""The explorer in a real browser: what is typed is asked of `recommend`, and its answer is shown."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.report.visits import Visit

from interlaw.recommendation import recommend
from interlaw.report import ExplorerServer, write_explorer
from interlaw.report.published_figure import published_lines

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with ExplorerServer() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.address
        server.shutdown()
        thread.join()


def picked(page: Visit) -> str:
    return str(page.page.locator("#shapes tr[data-pick] th").inner_text())


def test_opens_on_the_pick_and_answers_what_is_typed(browser: Any, address: str) -> None:
    page = Visit(browser, address)
    pick = recommend(params="350M").pick.shape
    assert picked(page) == f"{pick.depth} x {pick.width}"
    assert page.page.locator("#shapes tr.chosen").count() == 1
    page.page.locator("#ask input[name=params]").fill("1B")
    other = recommend(params="1B").pick.shape
    page.page.locator(f"#shapes tr[data-shape='{other.depth}x{other.width}'][data-pick]").wait_for()
    assert "params=1B" in page.page.url
    page.page.locator("#cost svg.marks").first.wait_for()
    page.page.locator("#ask input[name=params]").fill("lots")
    page.page.locator("#wrong:not(:empty)").wait_for()
    assert "lots" in page.page.locator("#wrong").inner_text()
    assert picked(page) == f"{other.depth} x {other.width}"  # the last answer stays
    assert page.errors == []
    page.page.close()


LEGEND_FITS = """() => {
  const chart = document.querySelector("[data-panel='cost:1'] svg.marks");
  const bottom = (each) => each.getBoundingClientRect().bottom;
  const labels = [...chart.querySelectorAll(".role-legend-label text")];
  return Math.max(...labels.map(bottom)) <= bottom(chart);
}"""


def test_the_written_page_needs_no_server(browser: Any, tmp_path: Path) -> None:
    page = Visit(
        browser, write_explorer(tmp_path / "e.html", asked={"params": "70M", "family": "gpt"}).as_uri()
    ).drawn()
    pick = recommend(params="70M", family="gpt").pick.shape
    assert picked(page) == f"{pick.depth} x {pick.width}"
    field = page.page.locator("#ask input[name=params]")
    assert field.is_disabled()
    assert field.evaluate("each => getComputedStyle(each).backgroundColor") == "rgba(0, 0, 0, 0)"
    assert "run interlaw explore" in page.page.locator("#static").inner_text()
    laws = page.page.locator("[data-panel='cost:1'] svg.marks .role-legend-label text")
    for width in (1280, 900, 500, 1280):  # the legend has other rows at each
        page.page.set_viewport_size({"width": width, "height": 900})
        assert laws.count() == len(published_lines())
        page.page.wait_for_function(LEGEND_FITS)
    page.close()


def test_the_button_times_the_shapes_and_shows_the_frontier(browser: Any, address: str) -> None:
    pytest.importorskip("transformers")
    page = Visit(browser, f"{address}?params=1M&vocab_size=512&context=160&multiple_of=16&head_dim=16")
    assert page.count("[data-panel='frontier:0']") == 0
    page.page.get_by_role("button", name="Measure on this machine").click()
    page.page.locator("#measuring:not(:empty)").wait_for()
    page.page.locator("[data-panel='frontier:0'] svg.marks").wait_for(timeout=120_000)
    expected = recommend(params="1M", vocab_size=512, context=160, multiple_of=16, head_dim=16).candidates
    marks = page.page.locator("[data-panel='frontier:0'] [role=graphics-symbol][aria-label*='ms a token']")
    assert marks.count() == len(expected) > 1
    titles = page.page.locator("#shapes thead th").all_inner_texts()
    place = titles.index("Decode (ms/token)") + 1
    times = page.page.locator(f"#shapes tbody tr > :nth-child({place})").all_inner_texts()
    assert [float(text) > 0 for text in times] == [True] * len(expected)
    assert page.page.locator("#measuring").inner_text() == page.page.locator("#wrong").inner_text() == ""
    assert picked(page) == expected[0].name
    assert page.errors == []
    page.page.close()


def test_a_hostile_address_does_no_harm(browser: Any, address: str) -> None:
    page = Visit(browser, f"{address}?params=%3Cimg%20src=x%20onerror=alert(1)%3E&family=%22%3E%3Cscript%3E&theme=q")
    assert "<img" in page.page.locator("#wrong").inner_text()
    assert page.count("img") == 0
    assert page.errors == []
    page.page.close()


@pytest.mark.parametrize("width", [320, 390, 768])
def test_narrow_screens_do_not_scroll_sideways(browser: Any, address: str, width: int) -> None:
    page = Visit(browser, address, viewport={"width": width, "height": 844}).drawn()
    assert page.page.evaluate("document.documentElement.scrollWidth") <= width
    page.page.close()


def test_a_phone_shows_the_laws_whole(browser: Any, address: str) -> None:
    page = Visit(browser, address, viewport={"width": 390, "height": 844}, bypass_csp=True).drawn()
    laws = page.page.locator("#laws .scroll")
    assert laws.evaluate("each => each.scrollWidth - each.clientWidth") <= 0
    ends = laws.locator("tbody :is(th, td)").evaluate_all("all => all.map(each => each.getBoundingClientRect().right)")
    assert max(ends) <= 390
    sun = laws.get_by_role("row").filter(has=page.page.get_by_role("rowheader", name="Sun byte-level GPT"))
    assert sun.get_by_role("cell", name="no: 600k to 10M").count() == 1  # still a table to screen readers
    assert page.violations() == []
    page.page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessible(browser: Any, address: str, scheme: str) -> None:
    page = Visit(browser, address, color_scheme=scheme, bypass_csp=True).drawn()
    assert (page.background() < 100) == (scheme == "dark")
    assert page.violations() == []
    page.page.close()


def test_any_family_can_be_typed_and_the_wait_is_said(browser: Any, address: str) -> None:
    pytest.importorskip("transformers")
    page = Visit(browser, address)
    family = page.page.locator("#ask input[name=family]")
    assert family.evaluate("each => [...each.list.options].map(one => one.value)")[:3] == ["gpt", "llama", "qwen2"]
    family.fill("hf:gpt_neox")
    family.press("Tab")
    page.page.locator("#measuring", has_text="Counting networks of hf:gpt_neox").wait_for()
    page.page.locator("#measuring:empty").wait_for(state="attached", timeout=120_000)
    assert page.page.locator("#wrong").inner_text() == ""
    pick = recommend(params="350M", family="hf:gpt_neox").pick.shape
    assert picked(page) == f"{pick.depth} x {pick.width}"
    assert page.errors == []
    page.page.close()
