"""The page of a large run: rows come as they are asked for, and none is lost to filter, order, print or download."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.report.synthetic import write_run
from tests.report.visits import Visit

from interlaw.report import write_report

pytestmark = pytest.mark.browser
NUM_TRIALS = 240
LAID_OUT = "#trials tbody tr:visible"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("many") / "run"
    options: dict[str, Any] = {"budgets": (50_000,), "views": (), "depths": tuple(range(1, 7))}
    return write_report(write_run(folder, seeds=tuple(range(40)), **options)).as_uri()


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Visit]:
    page = Visit(browser, address)
    yield page
    page.close()


def test_rows_come_as_the_reader_scrolls(visit: Visit) -> None:
    assert visit.rows() == NUM_TRIALS
    assert visit.count(LAID_OUT) == 100
    assert "240 of 240 trials, the first 100 shown" in visit.page.locator("#shown").inner_text()
    for expected in (200, NUM_TRIALS):
        visit.page.locator("#trials .scroll").evaluate("each => each.scrollTo(0, each.scrollHeight)")
        visit.page.locator("#trials tbody tr:visible").nth(expected - 1).wait_for()
        assert visit.count(LAID_OUT) == expected
    assert visit.page.locator("#shown").inner_text() == "240 of 240 trials"


def test_filter_and_order_see_every_row(visit: Visit) -> None:
    visit.find("depth=6 seed>=30")
    assert visit.rows() == visit.count(LAID_OUT) == 10
    visit.find("")
    visit.page.locator("#trials th[data-column=depth] button").click()
    visit.page.locator("#trials th[data-column=depth] button").click()
    assert visit.page.locator(LAID_OUT).first.locator("td").first.inner_text() == "6"
    assert visit.count(LAID_OUT) == 100


def test_a_download_hears_what_was_typed_just_before(visit: Visit) -> None:
    with visit.page.expect_download() as download:
        visit.page.evaluate(
            "const find = document.getElementById('find'); find.value = 'depth=6';"
            "find.dispatchEvent(new Event('input')); document.getElementById('download').click()"
        )
    assert download.value.path().read_text().count("\n") == 1 + 40


def test_print_holds_every_row(visit: Visit) -> None:
    visit.page.emulate_media(media="print")
    assert visit.count(LAID_OUT) == NUM_TRIALS


def test_without_its_script_the_page_holds_every_row(browser: Any, address: str) -> None:
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(address)
    assert page.locator(LAID_OUT).count() == NUM_TRIALS
    page.context.close()


def test_typing_moves_no_row_and_searches_once(visit: Visit) -> None:
    visit.page.evaluate(
        "window.moved = 0; new MutationObserver(all => { moved += all.length; })"
        ".observe(document.querySelector('#trials tbody'), { childList: true })"
    )
    visit.page.evaluate(
        "window.searches = 0; const heard = matcher; matcher = words => { searches += 1; return heard(words); }; 0"
    )
    visit.page.locator("#find").press_sequentially("depth>3")
    visit.page.locator("#shown", has_text=f"{NUM_TRIALS // 2} of {NUM_TRIALS} trials").wait_for()
    assert visit.rows() == NUM_TRIALS // 2
    assert visit.page.evaluate("moved") == 0
    assert visit.page.evaluate("searches") <= 3
