"""The explorer in a real browser: its numbers equal the package's, over a grid, and the page does what it says."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.report.visits import Visit

from interlaw.errors import InterlawError
from interlaw.laws import LawFit, fit_law
from interlaw.recommendation import hf_config, law_opinions, recommend
from interlaw.recommendation.dimensions import kv_cache_bytes_per_token
from interlaw.recommendation.interval import RatioInterval, interval_from_fit, interval_from_laws
from interlaw.recommendation.penalty import predicted_penalty
from interlaw.report import write_explorer
from interlaw.shapes import FAMILIES, Shape, make_shape, match_shapes

pytestmark = pytest.mark.browser

# family: depths, widths, settings
COUNTED: dict[str, tuple[tuple[int, ...], tuple[int, ...], list[dict[str, Any]]]] = {
    "gpt": ((1, 7, 24), (16, 208, 4096), [{}, {"tied": True, "head_dim": 8, "vocab_size": 50257}, {"d_ff": 300}]),
    "llama": (
        (1, 24, 80),
        (64, 896, 8192),
        [{}, {"tied": True, "num_kv_heads": 1}, {"d_ff_multiple_of": 256}, {"d_ff": 14336, "d_ff_ratio": 3.5}],
    ),
    "qwen2": ((1, 24), (128, 896), [{}, {"num_kv_heads": 2, "vocab_size": 151_936, "tied": True}, {"context": 32768}]),
    "mlp": ((1, 5, 16), (3, 100, 701), [{}, {"input_size": 784, "output_size": 10}]),
    "cnn": ((1, 8), (5, 64, 133), [{}, {"channels": 1, "image_size": 28, "supervised": 100}]),
    "gru": ((1, 2, 5), (9, 64, 333), [{}, {"input_size": 3, "output_size": 1, "time": 7}]),
    "bottleneck": ((1,), (2, 5, 40), [{}, {"input_size": 77}]),
}
BUDGETS = (
    ("params", 3e5),
    ("params", 3.5e8),
    ("params_non_embedding", 2e6),
    ("flops_per_token", 5e8),
    ("train_flops", 1e17),
)
SIZES = (1e5, 3e6, 5e7, 1.25e8, 3.5e8, 1e9, 1.7e9, 7e9, 4e10, 1e12)
RATIOS = (0.002, 0.011, 0.03, 0.09)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_explorer(tmp_path_factory.mktemp("explorer") / "explorer.html").as_uri()


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Any]:
    opened: list[Visit] = []

    def opening(fragment: str = "", *, page: str = address, **context: Any) -> Visit:
        opened.append(Visit(browser, page + fragment, **context))
        return opened[-1]

    yield opening
    for each in opened:
        each.close()


def complete(family: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Every setting of a family, as the page's form holds them."""
    blank = FAMILIES[family].__dataclass_fields__
    return {name: field.default for name, field in blank.items() if name not in ("depth", "width")} | settings


def test_counts_equal_the_package(visit: Any) -> None:
    asked: list[Any] = []
    expected: list[dict[str, Any]] = []
    for family, (depths, widths, several) in COUNTED.items():
        for depth, width, settings in itertools.product(depths, widths, several):
            try:
                shape = make_shape(family, depth=depth, width=width, **settings)
            except InterlawError:
                continue
            asked.append([family, depth, width, complete(family, settings)])
            expected.append(counts(shape))
    found = visit().page.evaluate("all => all.map(each => makeShape(...each))", asked)
    assert len(asked) > 80
    for mine, theirs, question in zip(found, expected, asked, strict=True):
        assert {name: mine[name] for name in theirs} == theirs, question


def counts(shape: Shape) -> dict[str, Any]:
    row = {name: value for name, value in shape.to_dict().items() if value is not None}
    return row | ({"cache": kv_cache_bytes_per_token(shape)} if "context" in row else {})


def test_equal_budget_shapes_are_those_of_the_package(visit: Any) -> None:
    asked: list[Any] = []
    expected: list[int | None] = []
    for family, (kind, amount), rule, multiple in itertools.product(COUNTED, BUDGETS, ("largest", "nearest"), (1, 24)):
        for depth, settings in itertools.product(COUNTED[family][0], COUNTED[family][2]):
            if "num_kv_heads" in settings and settings["num_kv_heads"] > 2:
                continue
            budget = {"kind": kind, "amount": amount, "tokens": 20.0}
            asked.append([family, depth, complete(family, settings), budget, {"rule": rule, "multiple": multiple}])
            expected.append(matched(family, depth, settings, kind, amount, rule, multiple))
    found = visit().page.evaluate("all => all.map(each => matchWidth(...each)?.width ?? null)", asked)
    assert found == expected
    assert expected.count(None) > 10
    assert len(expected) - expected.count(None) > 500


def matched(family: str, depth: int, settings: Any, kind: str, amount: float, rule: Any, multiple: int) -> int | None:
    budget: dict[str, Any] = {
        "params": {"params": amount},
        "params_non_embedding": {"params": amount, "count": "non-embedding"},
        "flops_per_token": {"flops_per_token": amount},
        "train_flops": {"flops": amount},
    }[kind]
    try:
        return match_shapes(family=family, depths=[depth], rule=rule, multiple_of=multiple, **budget, **settings)[
            0
        ].width
    except InterlawError:
        return None


def test_the_interval_and_every_law_are_those_of_the_package(visit: Any) -> None:
    page = visit().page
    for size in SIZES:
        laws = law_opinions(size)
        interval = interval_from_laws(laws)
        assert_interval(page.evaluate("size => efficientInterval(size)", size), interval)
        found = page.evaluate("size => opinions(size).map(one => [one.law.key, one.ratio, one.covered])", size)
        assert [each[0] for each in found] == [one.law.key for one in laws]
        for (_, ratio, covered), one in zip(found, laws, strict=True):
            assert ratio == (None if one.ratio is None else pytest.approx(one.ratio, rel=1e-5))
            assert covered == one.covered
        for ratio in RATIOS:
            said = page.evaluate("([size, ratio]) => opinions(size).map(one => stance(one, ratio))", [size, ratio])
            assert said == [one.stance(ratio) for one in laws]
            assert_penalty(page, ratio, size, interval, fit=None)


def assert_interval(found: dict[str, Any], expected: RatioInterval) -> None:
    for name in ("low", "high", "centre", "best_low", "best_high"):
        assert found[name] == pytest.approx(getattr(expected, name), rel=1e-5), name
    assert (found["source"], found["extrapolated"]) == (expected.source, expected.extrapolated)
    assert found["statement"].split()[:6] == expected.statement.split()[:6]


def assert_penalty(page: Any, ratio: float, size: float, interval: RatioInterval, *, fit: LawFit | None) -> None:
    expected = predicted_penalty(ratio, params=size, interval=interval, fit=fit)
    found = page.evaluate("([r, size]) => penalty(r, size, efficientInterval(size))", [ratio, size])
    for name in ("value", "low", "high"):
        assert found[name] == pytest.approx(getattr(expected, name), rel=1e-4, abs=1e-9), (name, ratio, size)


def fitted(budgets: tuple[float, ...]) -> LawFit:
    rng = np.random.default_rng(0)
    rows: dict[str, list[float]] = {name: [] for name in ("params", "budget", "depth", "width", "loss")}
    for size, depth in itertools.product(budgets, range(2, 13)):
        width = round(math.sqrt(size / 12 / depth))
        away = math.log(depth / width / 0.03)
        loss = 2.0 * (size / 1e6) ** -0.1 * (1 + 0.04 * away**2) + 0.001 * rng.standard_normal()
        for name, value in zip(rows, (size, size, depth, width, loss), strict=True):
            rows[name].append(value)
    return fit_law(rows, num_bootstrap=100, num_permutations=100)


@pytest.mark.parametrize("budgets", [(1e6, 3e6, 1e7), (1e6,)])
def test_a_fit_of_ones_own_gives_interval_and_penalty(visit: Any, tmp_path: Path, budgets: tuple[float, ...]) -> None:
    fit = fitted(budgets)
    assert (fit.law is None) == (len(budgets) == 1)
    page = visit(page=write_explorer(tmp_path / "own.html", fit=fit).as_uri()).page
    for size in (2e5, 1e6, 2e6, 9e6, 1e9):
        interval = interval_from_fit(fit, size)
        assert interval is not None
        assert_interval(page.evaluate("size => efficientInterval(size)", size), interval)
        for ratio in RATIOS:
            assert_penalty(page, ratio, size, interval, fit=fit)
    assert "your fit" in page.locator("#answer").inner_text()


def test_a_fit_without_an_optimum_leaves_it_to_published_laws(visit: Any, tmp_path: Path) -> None:
    fit = fitted((1e6,))
    edge = replace(fit, budgets=tuple(replace(one, r_star=replace(one.r_star, status="edge")) for one in fit.budgets))
    page = visit(page=write_explorer(tmp_path / "edge.html", fit=edge).as_uri()).page
    assert page.evaluate("efficientInterval(1e8).source") == "published laws"


def test_configurations_are_those_of_the_package(visit: Any) -> None:
    page = visit().page
    for family, settings in (("gpt", {"context": 1024}), ("llama", {"num_kv_heads": 2}), ("qwen2", {"tied": True})):
        shape = make_shape(family, depth=3, width=256, **settings)
        found = page.evaluate("each => hfConfig(makeShape(...each))", [family, 3, 256, complete(family, settings)])
        assert found == hf_config(shape)
    assert page.evaluate("hfConfig(makeShape('mlp', 2, 8, {input_size: 64, output_size: 1}))") is None
    assert page.evaluate("hfConfig(makeShape('gpt', 2, 16, {head_dim: 4, vocab_size: 9, context: 2}))") is None


def test_sizes_and_depths_are_read_as_the_command_reads_them(visit: Any) -> None:
    page = visit().page
    sizes = {
        "300k": 300_000,
        " 1.2B": 1_200_000_000,
        "1_000": 1000,
        "1e18": 10**18,
        ".5M": 500_000,
        "0": None,
        "x": None,
    }
    assert page.evaluate("all => all.map(parseSize)", list(sizes)) == list(sizes.values())
    depths = {"1-3,6,8-12:2": [1, 2, 3, 6, 8, 10, 12], "4": [4], "3-1": None, "0-2": None, "1-9:0": None, "a": None}
    assert page.evaluate("all => all.map(parseDepths)", list(depths)) == list(depths.values())


def test_the_first_view_answers(visit: Any) -> None:
    page = visit()
    found = recommend(params="350M", family="llama").interval
    assert f"R = depth / width = {found.low:.3g} to {found.high:.3g}" in page.page.locator("#lead").inner_text()
    assert page.count("#answer tbody tr") == 45
    assert page.count("#models tbody tr") == 89
    assert page.count("#laws tbody tr") == 13
    for name in ("cost", "sizes", "scores"):
        assert page.count(f"#{name} svg") == 1
    assert page.count("#scores circle") == 75
    assert page.count("#sizes circle") == 89
    assert page.fragment() == ""


def test_typing_works_it_out_again_and_the_address_holds_it(visit: Any) -> None:
    page = visit()
    page.page.locator("#in-budget").fill("3B")
    page.page.locator("#in-vocab_size").fill("128256")
    page.page.locator("#in-depths").fill("16-40:4")
    page.page.locator("#in-num_kv_heads").fill("8")
    page.page.get_by_label("Head tied").check()
    assert page.count("#answer tbody tr") == 7
    page.page.locator("#answer tbody tr").nth(2).locator("button").click()
    assert page.page.locator("#answer tr.chosen th").inner_text() == "24"
    again = visit(page.fragment())
    assert again.fragment() == page.fragment()
    assert again.page.locator("#config").inner_text() == page.page.locator("#config").inner_text()
    config = json.loads(again.page.locator("#config").inner_text())
    settings: dict[str, Any] = {"vocab_size": 128_256, "num_kv_heads": 8, "tied": True}
    shape = match_shapes(family="llama", depths=[24], params="3B", **settings)[0]
    assert config == hf_config(shape)
    assert f"{shape.params:,}" in again.page.locator("#chosen dl").inner_text()


def test_what_cannot_be_read_is_said_beside_it_and_the_last_answer_stays(visit: Any) -> None:
    page = visit()
    before = page.page.locator("#lead").inner_text()
    for name, words, expected in (
        ("budget", "lots", "expected a size such as"),
        ("depths", "9-1", "expected depths such as"),
        ("head_dim", "-3", "expected a whole number"),
        ("d_ff_ratio", "8/", "expected a positive number"),
    ):
        box = page.page.locator(f"#in-{name}")
        usual = box.input_value()
        box.fill(words)
        assert page.page.locator(f"#wrong-{name}").inner_text().startswith(expected)
        assert box.get_attribute("aria-invalid") == "true"
        assert page.page.locator("#lead").inner_text() == before
        box.fill(usual)
        assert page.page.locator(f"#wrong-{name}").inner_text() == ""
    page.page.locator("#in-budget").fill("5")
    assert "No shape meets this budget: the token table" in page.page.locator("#answer").inner_text()
    assert page.count("svg.plot") == 0


@pytest.mark.parametrize(("size", "family"), [("350M", "llama"), ("7B", "llama"), ("40B", "qwen2"), ("70M", "gpt")])
def test_the_answer_is_not_cut_off_by_its_own_list(visit: Any, size: str, family: str) -> None:
    page = visit(f"#family={family}&budget={size}&vocab_size=32000&context=4096&head_dim=64&d_ff_multiple_of=256")
    interval = recommend(params=size, family=family).interval
    settings: dict[str, Any] = {"vocab_size": 32_000, "context": 4096, "head_dim": 64}
    settings |= {} if family == "gpt" else {"d_ff_multiple_of": 256}
    shapes = match_shapes(family=family, depths=range(1, 200), params=size, rule="nearest", **settings)
    inside = [shape.depth for shape in shapes if interval.position(shape.ratio) == "inside"]
    assert f"that is {min(inside)} to {max(inside)} layers" in page.page.locator("#lead").inner_text()
    listed = page.page.locator("#answer tbody tr").evaluate_all("rows => rows.map(row => Number(row.dataset.shape))")
    assert set(inside) <= set(listed)
    page.page.locator("#in-depths").fill("1-3")
    assert f"that is {min(inside)} to {max(inside)} layers" in page.page.locator("#lead").inner_text()
    assert "Depths in the interval that your list leaves out: " in page.page.locator("#answer").inner_text()


def test_a_budget_that_nothing_meets_or_that_is_missed_has_its_reason_said(visit: Any) -> None:
    page = visit("#budget=3M")
    said = page.page.locator("#answer").inner_text()
    assert "the token table with its output head alone takes 4.1M parameters at the least width, 64, more" in said
    page.page.locator("#in-vocab_size").fill("256")
    assert page.count("#answer tbody tr") > 3
    chosen = visit("#rule=largest").page.locator("#chosen dl")
    assert "missed by −9%: widths are multiples of 64, and none above the budget is taken" in chosen.inner_text()
    assert "missed by" not in visit("#multiple=8&head_dim=8").page.locator("#chosen dl").inner_text()


@pytest.mark.parametrize("family", list(FAMILIES))
def test_every_family_works(visit: Any, family: str) -> None:
    page = visit()
    page.page.locator("#in-family").select_option(family)
    assert page.count("#answer tbody tr") >= 1
    assert page.count("#config") == (family in ("gpt", "llama", "qwen2"))
    for kind in ("params_non_embedding", "flops_per_token", "train_flops", "params"):
        page.page.locator("#in-kind").select_option(kind)
        assert "NaN" not in page.page.locator("main").inner_text()
    code = page.page.locator("#python").inner_text()
    exec(code, {})  # the page's own assertion on the count


def test_a_hostile_address_does_no_harm(visit: Any) -> None:
    page = visit("#family=%3Cimg%20src=x%20onerror=alert(1)%3E&depth=<b>&rule=x&kind=y&vocab_size=%3Cscript%3E&theme=q")
    assert page.page.locator("#in-family").input_value() == "llama"
    assert page.page.locator("#wrong-vocab_size").inner_text() != ""
    assert page.count("img") == 0


def test_copying_and_saving_the_configuration(visit: Any, tmp_path: Path) -> None:
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    page.page.locator("#copy-config").click()
    page.page.get_by_text("copied", exact=True).wait_for()
    words = page.page.locator("#config").inner_text()
    assert json.loads(page.page.evaluate("navigator.clipboard.readText()")) == json.loads(words)
    with page.page.expect_download() as download:
        page.page.get_by_role("button", name="Save config.json").click()
    download.value.save_as(tmp_path / "config.json")
    assert json.loads((tmp_path / "config.json").read_text()) == json.loads(words)


def test_keyboard_walks_and_chooses(visit: Any) -> None:
    page = visit()
    page.page.locator("#cost svg .chosen").focus()
    page.page.keyboard.press("ArrowRight")
    depth = page.page.evaluate("document.activeElement.dataset.shape")
    page.page.keyboard.press("Enter")
    assert page.page.locator("#answer tr.chosen th").inner_text() == depth
    assert page.page.evaluate("document.activeElement.dataset.shape") == depth
    assert f"depth={depth}" in page.fragment()


@pytest.mark.parametrize("width", [320, 390, 768])
def test_narrow_screens_do_not_scroll_sideways(visit: Any, width: int) -> None:
    page = visit(viewport={"width": width, "height": 844})
    assert page.page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessible(visit: Any, scheme: str) -> None:
    page = visit(color_scheme=scheme, bypass_csp=True)
    assert (page.background() < 100) == (scheme == "dark")
    assert page.violations() == []
    page.page.locator("#in-budget").fill("lots")
    assert page.violations() == []
