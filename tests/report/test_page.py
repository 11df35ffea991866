"""The page: complete, self-contained, and nobody's text becomes markup."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from tests.report.specifications import layers, rows_of
from tests.report.synthetic import write_run

from interlaw.errors import InterlawError
from interlaw.report import write_report
from interlaw.report.document import vega_script
from interlaw.report.page import trials_table
from interlaw.report.results import load_results
from interlaw.report.sections import warnings_of
from interlaw.runs import load_table

HOSTILE = "<script>alert('x')</script>\"&$a_b$"


class Reader(HTMLParser):
    """Collects tags with their attributes, and the text of the page by the tag it stands in."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.inside = ""
        self.scripts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.inside = tag

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside in ("script", "style"):
            self.scripts.append(data)
        else:
            self.words.append(data)

    @property
    def sections(self) -> list[str | None]:
        return [attributes["id"] for tag, attributes in self.tags if tag == "section"]


def read(path: Path) -> Reader:
    reader = Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    return reader


def numbers(reader: Reader) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(next(script for script in reader.scripts if script.startswith("{")))
    return found


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    status = {(50_000, 8, 0): "diverged", (50_000, 8, 1): "failed", (100_000, 1, 0): "pending"}
    path = tmp_path_factory.mktemp("page") / "run"
    return write_run(path, name=HOSTILE, comment="</pre><script>alert(1)</script>", status=status)


@pytest.fixture(scope="module")
def written(run: Path) -> Path:
    return write_report(run)


def test_default_place_and_parts(run: Path, written: Path) -> None:
    assert written == run / "report.html"
    assert read(written).sections == [
        "verdict",
        "cautions",
        "loss-against-ratio",
        "claims",
        "interaction-plane",
        "best-ratio",
        "best-ratio-published",
        "learning-curves",
        "trials",
        "measurement",
        "provenance",
    ]


def test_needs_nothing_from_outside(written: Path) -> None:
    reader = read(written)
    for tag, attributes in reader.tags:
        for name in ("src", "href", "action", "data"):
            if tag == "a" and name == "href":  # a link is followed by a click alone
                continue
            assert (attributes.get(name) or "#").startswith(("#", "data:")), (tag, attributes)
    own = [script for script in reader.scripts if script != vega_script()]
    assert len(own) == len(reader.scripts) - 1
    assert not any(re.search(r"@import|url\(\s*[\"']?https?:|fetch\(|XMLHttpRequest", script) for script in own)
    assert written.stat().st_size < 1_500_000


def test_the_browser_is_told_to_run_only_these_scripts(written: Path) -> None:
    reader = read(written)
    policy = next(attributes["content"] for tag, attributes in reader.tags if "http-equiv" in attributes)
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    style, _, *scripts = reader.scripts  # the second is the data, which is not run
    assert len(scripts) == 2
    assert "unsafe" not in policy
    for content in (style, *scripts):
        assert base64.b64encode(hashlib.sha256(content.encode()).digest()).decode() in policy


def test_hostile_texts_stay_text(written: Path) -> None:
    assert "<script>alert" not in written.read_text(encoding="utf-8")
    words = "".join(read(written).words)
    assert HOSTILE in words
    assert "</pre><script>alert(1)</script>" in words


def test_says_what_was_left_out(written: Path) -> None:
    words = "".join(read(written).words)
    assert "2 of 35 ended trials have no loss and are in no figure" in words
    assert "planned trials that have not ended yet: 1" in words
    assert "Trials left in the plan: 1. The verdict uses those that ended, and will change." in words
    assert "the loss became NaN at step 40" in words


def test_trials_that_only_tried_a_rate_are_told_apart(run: Path) -> None:
    results = load_results(run)
    assert "Stage" not in [column.title for column in trials_table(results).columns]
    assert not any("only tried a learning rate" in warning for warning in warnings_of(results))
    searched = results.table["status"] == "diverged"
    stage = results.table["stage"].where(~searched, "search")
    mixed = replace(results, table=results.table.assign(stage=stage))
    table = trials_table(mixed)
    place = [column.name for column in table.columns].index("stage")
    assert sorted({row[place] for row in table.rows}) == ["final", "search"]
    assert any(warning.endswith("; 1 of them only tried a learning rate") for warning in warnings_of(mixed))


def test_carries_the_run_table_as_it_is(run: Path, written: Path) -> None:
    table = load_table(run)
    carried = numbers(read(written))["trials"]
    assert list(carried) == [str(name) for name in table.columns]
    assert carried["key"] == table["key"].tolist()
    assert [float(cell) for cell in carried["loss"] if cell] == table["loss"].dropna().tolist()
    rows = [attributes for tag, attributes in read(written).tags if tag == "tr" and "data-key" in attributes]
    assert [row["data-key"] for row in rows] == carried["key"]


@pytest.mark.parametrize(
    "options",
    [
        {"views": (), "budgets": (50_000,)},
        {"budgets": (50_000,), "seeds": (0,), "depths": (2,)},
        {"budgets": (50_000,), "depths": (1, 2), "views": ("loss",)},
        {"budgets": (50_000,), "best_ratio": 1e-4},
    ],
)
def test_small_and_odd_runs(tmp_path: Path, options: dict[str, Any]) -> None:
    reader = read(write_report(write_run(tmp_path / "run", **options), tmp_path / "page.html"))
    assert re.search(r"\b(nan|inf|None)\b", " ".join(reader.words)) is None
    assert ("interaction-plane" in reader.sections) == bool(options.get("views", True))
    assert "loss-against-ratio:0" in numbers(reader)["panels"]


def test_without_measurements_it_says_so(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", views=(), budgets=(50_000,), depths=(1, 2, 3), seeds=(0,))
    words = "".join(read(write_report(run)).words)
    assert "No interaction was measured" in words
    assert "no trial has an interaction measurement" in words


def test_an_energy_that_no_log_axis_can_show_is_said(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", budgets=(50_000,), depths=(1, 2, 3, 4), seeds=(0,), views=("loss",))
    path = next(run.glob("trials/*/record.json"))
    record = json.loads(path.read_text(encoding="utf-8"))
    record["measurements"]["loss"]["aofe"]["value"] = -1.0
    path.write_text(json.dumps(record), encoding="utf-8")
    reader = read(write_report(run))
    assert "shapes without a positive AOFE in the view loss, missing from its plane: 1" in "".join(reader.words)
    plane = numbers(reader)["panels"]["interaction-plane:0"]
    assert len(rows_of(plane, layers(plane)[-1])) == 3


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


def test_same_run_same_bytes(run: Path, written: Path, tmp_path: Path) -> None:
    assert write_report(run, tmp_path / "b.html").read_bytes() == written.read_bytes()
