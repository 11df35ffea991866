"""The built site: formulas that a browser draws by itself, and a search that works on pages opened from disk."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from tests.docs.pages import FENCE, ROOT
from tests.report.visits import CHROMIUM, QUIET

on_page_content = runpy.run_path(str(ROOT / "docs" / "formulas.py"))["on_page_content"]


def formulas() -> list[tuple[str, str]]:
    """Page and LaTeX of every formula of the documentation."""
    pages = sorted((ROOT / "docs").rglob("*.md"))
    texts = [(page.name, FENCE.sub("", page.read_text(encoding="utf-8"))) for page in pages]
    return [(name, latex) for name, text in texts for latex in re.findall(r"\$\$(.+?)\$\$", text, flags=re.DOTALL)] + [
        (name, latex) for name, text in texts for latex in re.findall(r"(?<![$`\\])\$([^$`\n]+)\$(?!\$)", text)
    ]


def test_no_formula_keeps_a_command_that_was_not_understood() -> None:
    found = formulas()
    assert len(found) > 50
    for name, latex in found:
        drawn = on_page_content(rf'<p><span class="arithmatex">\({latex}\)</span></p>')
        assert drawn.startswith("<p><math"), (name, latex)
        left = re.findall(r">([^<]*\\[^<]*)<", drawn)
        assert left == [], (name, latex, left)


def test_a_formula_in_a_block_scrolls_by_itself() -> None:
    drawn = on_page_content('<div class="arithmatex">\\[a &lt; \\frac{1}{2}\\]</div>')
    assert drawn.startswith('<div class="formula"><math')
    assert 'display="block"' in drawn
    assert "<mfrac>" in drawn
    assert "&lt;" in drawn or "&#x0003C;" in drawn


@pytest.mark.browser
def test_a_page_from_disk_draws_formulas_and_searches_without_a_network(tmp_path: Path) -> None:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is missing")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    subprocess.run(command, check=True, cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, timeout=300)
    errors: list[str] = []
    asked: list[str] = []
    with (
        playwright.sync_playwright() as started,
        started.chromium.launch(executable_path=CHROMIUM, args=QUIET) as browser,
    ):
        page = browser.new_page()
        page.on("console", lambda message: errors.append(message.text))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto((tmp_path / "proofs.html").as_uri())
        assert page.locator("math").count() > 50
        assert page.locator(".arithmatex").count() == 0
        page.locator("input[name=query]").click()
        page.keyboard.type("jackknife", delay=50)
        page.locator(".md-search-result__item").first.wait_for(timeout=30_000)
        assert "matching documents" in page.locator(".md-search-result__meta").inner_text()
    assert errors == []
    assert {url.partition(":")[0] for url in asked} <= {"file", "data", "about"}
