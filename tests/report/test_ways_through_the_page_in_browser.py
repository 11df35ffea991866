"""Ways through the page other than the mouse on a wide screen: links, the keyboard, paper, a phone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.report.synthetic import write_run
from tests.report.visits import Visit

from interlaw.report import write_report

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("ways") / "run"
    return write_report(write_run(folder, budgets=(50_000, 100_000), depths=(1, 2, 4, 6), views=("loss",))).as_uri()


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Any]:
    opened: list[Visit] = []

    def opening(fragment: str = "", *, page: str = address, **context: Any) -> Visit:
        opened.append(Visit(browser, page + fragment, **context))
        return opened[-1]

    yield opening
    for each in opened:
        each.close()


def top_of(page: Visit, part: str) -> float:
    return float(page.page.locator(f"#{part}").evaluate("each => each.getBoundingClientRect().top"))


def test_a_link_to_a_part_leads_there_and_stays(visit: Any) -> None:
    page = visit("#trials&find=depth%3E2")
    assert page.fragment() == "#trials&find=depth%3E2"
    assert page.rows() == 8
    assert abs(top_of(page, "trials")) < 300
    page.page.get_by_role("navigation", name="Contents").get_by_role("link", name="Learning curves").click()
    page.page.wait_for_timeout(100)
    assert page.fragment() == "#learning-curves&find=depth%3E2"
    assert abs(top_of(page, "learning-curves")) < 300
    assert page.rows() == 8
    assert visit("#trials").fragment() == "#trials"


def test_the_contents_name_every_part_and_the_first_tab_skips_them(visit: Any) -> None:
    page = visit().drawn()
    parts = page.page.locator("section").evaluate_all("all => all.map(each => '#' + each.id)")
    linked = page.page.locator("nav a").evaluate_all("all => all.map(each => each.getAttribute('href'))")
    assert linked == parts
    assert page.page.locator("h2 a").evaluate_all("all => all.map(each => each.getAttribute('href'))") == parts
    page.page.keyboard.press("Tab")
    page.page.keyboard.press("Enter")
    assert page.page.evaluate("document.activeElement.id") == "main"
    for _ in range(100):  # the page drops #main from its address once it hears of it
        if not page.fragment():
            break
        page.page.wait_for_timeout(20)
    assert page.fragment() == ""


def test_paper_has_every_figure(visit: Any) -> None:
    page = visit().drawn()
    page.page.emulate_media(media="print")
    assert page.count("#interaction-plane .cell:not([hidden]) svg.marks") == 2
    assert not page.page.locator("nav").is_visible()
    assert not page.page.locator(".save").first.is_visible()


def test_a_phone_shows_whole_legends(visit: Any) -> None:
    page = visit(viewport={"width": 390, "height": 844}).drawn()
    legend = page.page.locator("#best-ratio-published .role-legend-label text")
    assert legend.count() >= 8
    assert legend.evaluate_all("all => Math.max(...all.map(each => each.getBoundingClientRect().right))") <= 390


def test_the_keyboard_reaches_models_and_lines(visit: Any) -> None:
    page = visit().drawn()
    panel = page.page.locator("#best-ratio-published svg")
    assert panel.locator("[tabindex='0']").count() == 1
    assert panel.locator("[tabindex]").count() > 60
    panel.locator("[tabindex='0']").focus()
    page.page.wait_for_timeout(300)  # scrolling there hides what is said
    page.page.keyboard.press("ArrowRight")
    name = page.page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert page.page.locator("#tip").inner_text() == name.strip()
    page.page.keyboard.press("Enter")
    assert page.count(".chosen") == 0


def test_the_keyboard_chooses_a_trial(visit: Any) -> None:
    page = visit().drawn()
    button = page.page.locator("#trials tbody tr").nth(3).locator("th button")
    button.focus()
    page.page.keyboard.press("Enter")
    assert page.count("#trials tr.chosen") == 1
    assert button.get_attribute("aria-pressed") == "true"
    assert page.page.locator("#choice").is_visible()
    card, table = (page.page.locator(each).bounding_box() for each in ("#choice", "#trials .scroll"))
    assert table["x"] + table["width"] <= card["x"]
    page.page.keyboard.press("Enter")
    assert button.get_attribute("aria-pressed") == "false"


def test_seeds_switched_off_leave_the_means_and_it_is_said(visit: Any) -> None:
    page = visit().drawn()
    assert page.page.locator("#seeds-note").inner_text() == ""
    page.page.locator("#controls input[name=seeds][value='1']").uncheck()
    assert page.page.locator("#seeds-note").inner_text() == "means and fits still hold every seed"
