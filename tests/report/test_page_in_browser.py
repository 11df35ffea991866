"""The page in a real browser: nothing fetched, no error, and every switch does what it says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.report.synthetic import write_run
from tests.report.visits import Visit

from interlaw.report import look, write_report
from interlaw.runs import load_table, table_as

pytestmark = pytest.mark.browser
HOSTILE = "<img src=x onerror=alert(1)><script>alert('x')</script>"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    status = {(50_000, 8, 0): "diverged", (50_000, 8, 1): "failed"}
    return write_run(tmp_path_factory.mktemp("browser") / "run", name=HOSTILE, status=status)


@pytest.fixture(scope="module")
def address(run: Path) -> str:
    return write_report(run).as_uri()


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Any]:
    """Opens the page; at the end nothing may have gone wrong and nothing may have been fetched."""
    opened: list[Visit] = []

    def opening(fragment: str = "", **context: Any) -> Visit:
        opened.append(Visit(browser, address + fragment, **context))
        return opened[-1]

    yield opening
    for each in opened:
        each.close()


def test_draws_every_panel(visit: Any) -> None:
    page = visit().drawn()
    for name, number in (
        ("verdict", 1),
        ("loss-against-ratio", 3),
        ("interaction-plane", 2),
        ("best-ratio", 1),
        ("best-ratio-published", 1),
        ("learning-curves", 3),
    ):
        assert page.count(f"#{name} .cell:not([hidden]) svg.marks") == number, name
    assert page.marks("loss-against-ratio", "mean of").count() == 17
    assert page.marks("interaction-plane", "AOFE-ratio").count() == 2 * 17
    assert page.rows() == 36


def test_hostile_name_is_text(visit: Any) -> None:
    page = visit().drawn()
    assert page.page.locator("h1").inner_text() == HOSTILE
    assert page.page.title().startswith(HOSTILE)
    assert page.count("img") == 0


def test_clicking_a_shape_marks_it_everywhere(visit: Any) -> None:
    page = visit().drawn()
    page.marks("loss-against-ratio", "mean of").nth(6).click()
    (shape,) = set(page.page.locator("#trials tr.chosen").evaluate_all("all => all.map(r => r.dataset.shape)"))
    for figure in ("loss-against-ratio", "interaction-plane", "learning-curves"):
        assert page.signal(figure, "chosen") == shape, figure
    faint = page.marks("interaction-plane", "AOFE-ratio").evaluate_all("all => all.map(m => m.getAttribute('opacity'))")
    assert sorted(set(faint)) == [str(look.TINT), "1"]
    assert "Depth: " in page.page.locator("#choice").inner_text()
    page.page.keyboard.press("Escape")
    assert page.count(".chosen") == 0
    assert page.signal("interaction-plane", "chosen") == ""
    assert page.page.locator("#choice").is_hidden()


def test_clicking_a_row_marks_that_trial_only(visit: Any) -> None:
    page = visit().drawn()
    row = page.page.locator("#trials tbody tr").nth(14)
    key = row.get_attribute("data-key")
    row.click()
    assert page.count("#trials tr.chosen") == 1
    assert page.signal("learning-curves", "trial") == key
    assert f"trial={key}" in page.fragment()
    assert "AOFE-ratio (projected): 0." in page.page.locator("#choice").inner_text()


def test_pointing_shows_shape_and_figures(visit: Any) -> None:
    page = visit().drawn()
    page.marks("interaction-plane", "AOFE-ratio").nth(10).hover()
    words = page.page.locator("#tip").inner_text()
    for words_of in ("layers x", "AOFE-ratio", "by chance", "above the budget's best"):
        assert words_of in words
    page.page.mouse.move(2, 2)
    assert page.page.locator("#tip").is_hidden()


def test_budgets_and_seeds_switch_off(visit: Any) -> None:
    page = visit().drawn()
    page.box("100k parameters").uncheck()
    assert page.count("#loss-against-ratio .cell:not([hidden])") == 2
    page.page.wait_for_timeout(300)
    assert page.marks("interaction-plane", "AOFE-ratio").count() == 2 * 11
    assert page.rows() == 24
    page.page.locator("#controls input[name=seeds][value='1']").uncheck()
    assert page.signal("loss-against-ratio", "off_seeds") == [1]
    assert page.rows() == 12
    page.box("50k parameters").uncheck()
    page.box("200k parameters").uncheck()
    assert page.rows() == 0
    page.box("200k parameters").check()
    assert page.count("#loss-against-ratio .cell:not([hidden])") == 1
    assert page.violations() == []


def test_the_view_is_chosen(visit: Any) -> None:
    page = visit().drawn()
    assert "projected" in page.page.locator("#interaction-plane .cell:not([hidden]) h3").first.inner_text()
    page.page.locator("#choose-view").select_option("loss")
    shown = page.page.locator("#interaction-plane .cell:not([hidden])")
    assert "loss" in shown.locator("h3").first.inner_text()
    shown.locator("svg.marks").first.wait_for()
    assert "view=loss" in page.fragment()


def test_the_address_holds_what_was_chosen(visit: Any) -> None:
    page = visit().drawn()
    page.box("100k parameters").uncheck()
    page.page.locator("#choose-view").select_option("loss")
    page.find("depth>2")
    page.page.locator("#trials th[data-column=loss] button").click()
    page.page.locator("#trials tbody tr:visible").first.click()
    again = visit(page.fragment())
    assert again.fragment() == page.fragment()
    assert again.rows() == page.rows() == 16
    assert again.page.locator("#choose-view").input_value() == "loss"
    assert again.page.locator("#trials th[data-column=loss]").get_attribute("aria-sort") == "ascending"
    assert again.count("#trials tr.chosen") == 1


def test_a_wrong_address_does_no_harm(visit: Any) -> None:
    page = visit("#trial=none&shape=<b>&view=x&treatment=y&budgets=a,b&sort=nothing&find=%3Cscript%3E&theme=q")
    assert page.count("#loss-against-ratio .cell:not([hidden])") == 3
    assert page.count(".chosen") == 0
    assert page.rows() == 0
    assert visit("#verdict").rows() == 36


def test_sorting_by_numbers_puts_missing_ones_last(visit: Any) -> None:
    page = visit().drawn()
    heading = page.page.locator("#trials th[data-column=loss] button")
    read = "rows => rows.map(row => row.cells[9].textContent)"
    for reverse in (False, True):
        heading.click()
        cells = page.page.locator("#trials tbody tr").evaluate_all(read)
        losses = [float(cell) for cell in cells[:34]]
        assert losses == sorted(losses, reverse=reverse)
        assert cells[34:] == ["–", "–"]
    heading.click()
    assert page.fragment() == ""


def test_filter(visit: Any) -> None:
    page = visit().drawn()
    for words, expected in (("diverged", 1), ("depth>=4 seed=1", 9), ("loss<0", 0), ("status=done", 34), ("", 36)):
        page.find(words)
        assert page.rows() == expected, words
        assert page.page.locator("#shown").inner_text() == f"{expected} of 36 trials"


def test_download_is_the_export(visit: Any, run: Path, tmp_path: Path) -> None:
    page = visit().drawn()  # until then charts move what stands below them
    with page.page.expect_download() as download:
        page.page.get_by_role("button", name="Download CSV").click()
    download.value.save_as(tmp_path / "trials.csv")
    assert (tmp_path / "trials.csv").read_bytes() == table_as(load_table(run), form="csv")


def test_keyboard_walks_and_chooses(visit: Any) -> None:
    page = visit().drawn()
    cell = page.page.locator("#loss-against-ratio .cell").first
    assert cell.locator("svg [tabindex='0']").count() == 1
    cell.locator("svg [tabindex='0']").focus()
    for _ in range(20):
        page.page.keyboard.press("ArrowRight")
        words = page.page.evaluate("document.activeElement.getAttribute('aria-label')")
        if "mean of" in words:
            break
    assert page.page.locator("#tip").inner_text() == words
    page.page.keyboard.press("Enter")
    assert page.count("#trials tr.chosen") > 0
    assert page.page.evaluate("document.activeElement.getAttribute('aria-label')") == words
    assert cell.locator("svg [tabindex='0']").count() == 1


def test_a_figure_is_saved_with_its_title_and_caption(visit: Any, tmp_path: Path) -> None:
    page = visit().drawn()
    for form, start in (("svg", b"<svg"), ("png", b"\x89PNG")):
        with page.page.expect_download() as download:
            page.page.locator(f"#loss-against-ratio .save button[data-form={form}]").first.click()
        download.value.save_as(tmp_path / f"figure.{form}")
        assert (tmp_path / f"figure.{form}").read_bytes().startswith(start)
    assert "50k parameters" in (tmp_path / "figure.svg").read_text()
    assert "dashes: single seeds" in (tmp_path / "figure.svg").read_text()


def test_the_table_of_trials_takes_the_window_and_its_rules_have_no_gap(visit: Any) -> None:
    page = visit(viewport={"width": 1400, "height": 900}).page
    frame = page.locator("#trials .scroll")
    assert 1330 < frame.evaluate("each => each.getBoundingClientRect().right") < 1400
    assert page.evaluate("document.documentElement.scrollWidth") <= 1400
    assert frame.evaluate("each => getComputedStyle(each.firstElementChild).borderCollapse") == "separate"


def test_dark_mode_follows_the_system_and_the_switch(visit: Any) -> None:
    assert visit(color_scheme="light").background() > 700
    page = visit(color_scheme="dark")
    assert page.background() < 100
    page.page.locator("#theme").click()
    assert page.background() > 700
    page.page.locator("#theme").click()
    assert page.background() < 100
    assert "theme=dark" in page.fragment()
    assert visit("#theme=dark", color_scheme="light").background() < 100
    page.page.emulate_media(media="print")
    assert page.background() > 700


@pytest.mark.parametrize("width", [320, 390, 768])
def test_narrow_screens_do_not_scroll_sideways(visit: Any, width: int) -> None:
    page = visit(viewport={"width": width, "height": 844}).drawn()
    assert page.page.evaluate("document.documentElement.scrollWidth") <= width
    wide = "all => all.filter(each => each.getBoundingClientRect().right > innerWidth + 1).length"
    assert page.page.locator("svg.marks").evaluate_all(wide) == 0


def test_a_phone_shows_why_trials_were_left_out(visit: Any) -> None:
    page = visit(viewport={"width": 390, "height": 844}, bypass_csp=True).drawn()
    table = page.page.locator("#cautions .scroll")
    assert table.evaluate("each => each.scrollWidth - each.clientWidth") <= 0
    reasons = table.locator("td[data-title=Reason]")
    assert reasons.count() == 2
    assert max(reasons.evaluate_all("all => all.map(each => each.getBoundingClientRect().right)")) <= 390
    assert page.violations() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessible(visit: Any, scheme: str) -> None:
    assert visit(color_scheme=scheme, bypass_csp=True).drawn().violations() == []


def test_treatments_are_compared(browser: Any, tmp_path: Path) -> None:
    run = write_run(tmp_path / "two", budgets=(50_000, 100_000), treatments=("fixed", "mup"), views=("loss",))
    page = Visit(browser, write_report(run).as_uri()).drawn()
    assert page.rows() == 24
    assert page.page.locator("#best-ratio .cell:not([hidden])").get_attribute("data-treatment") == "fixed"
    page.page.locator("#choose-treatment").select_option("mup")
    page.drawn()  # figures above have their place again
    assert page.rows() == 24
    assert page.page.locator("#best-ratio .cell:not([hidden])").get_attribute("data-treatment") == "mup"
    assert page.count("#treatments .cell:not([hidden]) svg.marks") == 2
    assert page.marks("treatments", "loss").count() == 24
    assert "from muP to fixed: R* times 0." in page.page.locator("#treatments ul").inner_text()
    page.marks("treatments", "loss").nth(3).click()
    assert page.signal("treatments", "chosen") != ""
    page.box("100k parameters").uncheck()
    assert page.count("#treatments .cell:not([hidden])") == 1
    assert page.errors == []
    page.page.close()


def test_runs_without_measurements_or_repeats(visit: Any, browser: Any, tmp_path: Path) -> None:
    plain = write_run(tmp_path / "plain", budgets=(50_000,), seeds=(0,), views=())
    one = write_run(tmp_path / "one", budgets=(50_000,), depths=(2,), seeds=(0,), views=("loss",))
    edge = write_run(tmp_path / "edge", budgets=(50_000, 100_000), best_ratio=1e-3, seeds=(0,))
    for folder in (plain, one, edge):
        page = Visit(browser, write_report(folder).as_uri()).drawn()
        assert page.errors == []
        assert page.count("#loss-against-ratio svg.marks") >= 1
        assert "NaN" not in page.page.locator("main").inner_html()
        page.page.close()
