"""Links of the Markdown pages lead somewhere, on disk and in form; the checker of the built site sees faults."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from markdown.extensions.toc import slugify
from tests.docs.links import check, main
from tests.docs.pages import ROOT, name_of, pages, prose

LINKS = sorted({(name_of(page), link) for page in pages() for link in re.findall(r"\]\(<?([^)\s>]+)>?\)", prose(page))})
ADDRESSES = sorted({link for _, link in LINKS if ":" in link})
WITHIN = [(page, link) for page, link in LINKS if ":" not in link]


def headings(page: Path) -> set[str]:
    """The names that a page's headings get."""
    return {slugify(title, "-") for title in re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)}


@pytest.mark.parametrize("page", sorted({page for page, _ in WITHIN}))
def test_links_within_lead_somewhere(page: str) -> None:
    for link in (link for start, link in WITHIN if start == page):
        path, _, fragment = link.partition("#")
        goal = ROOT / page if not path else (ROOT / page).parent / path
        assert goal.exists(), f"{page}: {link}"
        if fragment and goal.suffix == ".md":
            assert fragment in headings(goal), f"{page}: {link}"


def test_addresses_are_well_formed() -> None:
    assert ADDRESSES
    for address in ADDRESSES:
        parts = urlsplit(address)
        assert parts.scheme == "https", address
        assert re.fullmatch(r"[\w-]+(\.[\w-]+)+", parts.netloc), address
        assert not re.search(r"[\s\"'{}|\\^`]", address), address


def test_papers_are_cited_by_a_number_of_the_right_form() -> None:
    papers = [address for address in ADDRESSES if "arxiv.org" in address]
    assert papers
    assert [address for address in papers if not re.fullmatch(r"https://arxiv\.org/abs/\d{4}\.\d{5}", address)] == []


def test_the_site_checker_sees_faults(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "index.html").write_text(
        '<a href="gone.html">x</a> <a href="other.html#gone">x</a> <a href="http://localhost/">x</a>'
        '<script src="https://cdn.example.org/a.js"></script> <a href="/root">x</a> <a href="other.html#here">x</a>'
    )
    (tmp_path / "other.html").write_text('<p id="here">x</p> <img src="data:image/png;base64,AA"> <a href="#">x</a>')
    found = check(tmp_path)
    assert found.internal == 5
    assert len(found.external) == 2
    assert [line.split(": ", 1)[1].split(" ")[0] for line in found.broken] == [
        "loads",
        "absolute",
        "gone.html",
        "malformed",
        "other.html#gone",
    ]
    assert main(tmp_path) == 1
    assert "5 links within the site" in capsys.readouterr().out


def test_a_sound_site_passes(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(
        '<p id="top">x</p> <a href="#top">x</a> <a href="https://arxiv.org/abs/1">x</a>'
    )
    assert main(tmp_path) == 0
