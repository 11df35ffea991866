"""The page: complete, self-contained, and nobody's text becomes markup."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from interlaw.errors import InterlawError
from interlaw.report import write_report
from tests.report.synthetic import write_run

HOSTILE = "<script>alert('x')</script>\"&$a_b$"


class Reader(HTMLParser):
    """Collects tags with their attributes, and the text of the page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def read(path: Path) -> Reader:
    reader = Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    return reader


def test_default_place_and_parts(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    page = write_report(run)
    assert page == run / "report.html"
    sections = [attributes["id"] for tag, attributes in read(page).tags if tag == "section"]
    assert sections[0] == "verdict"
    assert {"loss-against-ratio", "interaction-plane", "best-ratio", "trials", "measurement", "provenance"} <= {
        *sections
    }


def test_needs_nothing_from_outside(tmp_path: Path) -> None:
    reader = read(write_report(write_run(tmp_path / "run"), tmp_path / "page.html"))
    for tag, attributes in reader.tags:
        for name in ("src", "href", "action", "data"):
            assert (attributes.get(name) or "#").startswith(("#", "data:")), (tag, attributes)
    assert "@import" not in "".join(reader.words)


def test_hostile_texts_stay_text(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", name=HOSTILE, comment="</pre><script>alert(1)</script>")
    page = write_report(run)
    assert "<script>alert" not in page.read_text(encoding="utf-8")
    words = "".join(read(page).words)
    assert HOSTILE in words
    assert "</pre><script>alert(1)</script>" in words


def test_says_what_was_left_out(tmp_path: Path) -> None:
    status = {(50_000, 8, 0): "diverged", (50_000, 8, 1): "failed", (100_000, 1, 0): "pending"}
    words = "".join(read(write_report(write_run(tmp_path / "run", status=status))).words)
    assert "2 of 35 ended trials have no loss and are in no figure" in words
    assert "1 planned trials have not ended yet" in words
    assert "the loss became NaN at step 40" in words


@pytest.mark.parametrize(
    "options",
    [
        {"views": ()},
        {"budgets": (50_000,)},
        {"seeds": (0,)},
        {"budgets": (50_000,), "seeds": (0,), "depths": (2,)},
        {"budgets": (50_000,), "depths": (1, 2), "views": ("loss",)},
        {"best_ratio": 1e-4},
    ],
)
def test_small_and_odd_runs(tmp_path: Path, options: dict[str, object]) -> None:
    page = write_report(write_run(tmp_path / "run", **options))  # type: ignore[arg-type]
    assert re.search(r"\b(nan|inf|None)\b", " ".join(read(page).words)) is None


def test_without_measurements_there_is_no_plane(tmp_path: Path) -> None:
    reader = read(write_report(write_run(tmp_path / "run", views=())))
    sections = [attributes["id"] for tag, attributes in reader.tags if tag == "section"]
    assert "interaction-plane" not in sections
    assert "No interaction was measured" in "".join(reader.words)


def test_no_finished_trial_is_one_clear_line(tmp_path: Path) -> None:
    pending = {(50_000, depth, 0): "pending" for depth in (1, 2)}
    run = write_run(tmp_path / "a", budgets=(50_000,), depths=(1, 2), seeds=(0,), status=pending)
    with pytest.raises(InterlawError, match=r"expected finished trials .* found none of 2"):
        write_report(run)
    diverged = dict.fromkeys(pending, "diverged")
    run = write_run(tmp_path / "b", budgets=(50_000,), depths=(1, 2), seeds=(0,), status=diverged)
    with pytest.raises(InterlawError, match=r"expected at least one trial that ended well .* found 2 diverged"):
        write_report(run)


def test_no_run_and_no_place(tmp_path: Path) -> None:
    with pytest.raises(InterlawError, match="expected a run folder"):
        write_report(tmp_path)
    run = write_run(tmp_path / "run", budgets=(50_000,), depths=(2, 3), seeds=(0,))
    (tmp_path / "file").write_text("")
    with pytest.raises(InterlawError, match="expected to write"):
        write_report(run, tmp_path / "file" / "page.html")


def test_same_run_same_bytes(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", budgets=(50_000,), seeds=(0,))
    first = write_report(run, tmp_path / "a.html").read_bytes()
    assert write_report(run, tmp_path / "b.html").read_bytes() == first
