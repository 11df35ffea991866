"""Ways through the page other than the mouse on a wide screen: links, the keyboard, paper, a phone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.report.synthetic import write_run
from tests.report.visits import Visit

from interlaw.report import write_explorer, write_report

pytestmark = pytest.mark.browser
LEGEND = "#interaction-plane .legend"


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
    page = visit()
    parts = page.page.locator("section").evaluate_all("all => all.map(each => '#' + each.id)")
    linked = page.page.locator("nav a").evaluate_all("all => all.map(each => each.getAttribute('href'))")
    assert linked == parts
    assert page.page.locator("h2 a").evaluate_all("all => all.map(each => each.getAttribute('href'))") == parts
    page.page.keyboard.press("Tab")
    page.page.keyboard.press("Enter")
    assert page.page.evaluate("document.activeElement.id") == "main"
    assert page.fragment() == ""


def test_the_explorer_has_contents_and_links_too(visit: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    made = write_explorer(tmp_path_factory.mktemp("explorer") / "explorer.html").as_uri()
    page = visit("#models&budget=1B", page=made)
    assert page.page.locator("#in-budget").input_value() == "1B"
    page.page.get_by_role("navigation", name="Contents").get_by_role("link", name="Published laws at this size").click()
    page.page.wait_for_timeout(100)
    assert page.fragment() == "#laws&budget=1B"
    first = page.page.locator("#sizes svg [tabindex='0']")
    assert first.count() == 1
    first.focus()
    page.page.wait_for_timeout(300)  # scrolling there hides what is said
    page.page.keyboard.press("ArrowRight")
    name = page.page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert page.page.locator("#tip").inner_text().replace("\n", ", ") == name


def test_paper_and_pictures_say_which_mark_is_which_budget(visit: Any) -> None:
    page = visit()
    assert page.page.locator(LEGEND).inner_text().split("\n") == ["50k parameters", "100k parameters"]
    page.page.emulate_media(media="print")
    assert page.page.locator(LEGEND).is_visible()
    assert page.count(f"{LEGEND} svg path") == 2
    assert not page.page.locator("nav").is_visible()


def test_a_phone_numbers_the_published_lines_and_names_them_below(visit: Any) -> None:
    names = visit().page.locator("#best-ratio-published .published-text").all_text_contents()
    page = visit(viewport={"width": 390, "height": 844})
    assert page.page.locator("#best-ratio-published ol li").all_inner_texts() == names
    numbers = page.page.locator("#best-ratio-published .published-text").all_text_contents()
    assert numbers == [str(i + 1) for i in range(len(names))]


def test_the_keyboard_reaches_models_and_lines(visit: Any) -> None:
    page = visit()
    panel = page.page.locator("#best-ratio-published svg")
    assert panel.locator("[tabindex='0']").count() == 1
    reached = panel.locator(".model[tabindex], .published[tabindex]").count()
    assert reached == panel.locator(".model, .published").count() > 90
    panel.locator("[tabindex='0']").focus()
    page.page.keyboard.press("ArrowRight")
    name = page.page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert page.page.locator("#tip").inner_text().split("\n")[0] == name.split(", ")[0]
    page.page.keyboard.press("Enter")
    assert page.count(".chosen") == 0


def test_the_keyboard_chooses_a_trial(visit: Any) -> None:
    page = visit()
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
    page = visit()
    assert page.page.locator("#seeds-note").inner_text() == ""
    page.page.locator("#controls input[name=seeds][value='1']").uncheck()
    assert page.page.locator("#seeds-note").inner_text() == "means and fits still hold every seed"
