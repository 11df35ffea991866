"""The explorer's measurement: one at a time, told as it goes, refused in one line."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import typer
from tests.report.specifications import layers, rows_of
from typer.testing import CliRunner

from interlaw.cli import run
from interlaw.cli.explore import explore
from interlaw.errors import InterlawError
from interlaw.recommendation import Recommendation, Say, recommend, require_timing, timed, timing
from interlaw.report import ExplorerServer, write_explorer
from interlaw.report.explorer import ON_THE_PAGE, Measuring, candidates_table, laws_table, reply_to, reply_with

ASKED: dict[str, Any] = {
    "params": "1M",
    "vocab_size": 512,
    "context": 160,
    "multiple_of": 16,
    "head_dim": 16,
}  # two shapes
TINY = {name: str(value) for name, value in ASKED.items()}
LIMIT_SECONDS = 120  # of a machine that does much else


@pytest.fixture
def server() -> Iterator[ExplorerServer]:
    with ExplorerServer() as found:
        thread = threading.Thread(target=found.serve_forever)
        thread.start()
        yield found
        found.shutdown()
        thread.join()


def ask(server: ExplorerServer, path: str, **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=LIMIT_SECONDS)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, body


def until_told(measuring: Measuring, asked: dict[str, str]) -> dict[str, Any]:
    for _ in range(20 * LIMIT_SECONDS):
        found = measuring.state(asked)
        if not found.get("progress"):
            return found
        time.sleep(0.05)
    raise AssertionError("the measurement did not end")


@pytest.fixture(scope="module")
def measured() -> tuple[Recommendation, list[str]]:
    """The two shapes timed once, really, and what was said meanwhile."""
    pytest.importorskip("transformers")
    said: list[str] = []
    return timed(recommend(**ASKED), say=said.append), said


@pytest.fixture
def known_times(measured: tuple[Recommendation, list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """The page measures; its times are those of the fixture above, for seconds would tell nothing more."""
    times = {one.name: one.measured for one in measured[0].candidates}

    def again(result: Recommendation, *, say: Say) -> Recommendation:
        for words in measured[1]:
            say(words)
            time.sleep(0.1)
        return replace(result, candidates=tuple(replace(one, measured=times[one.name]) for one in result.candidates))

    monkeypatch.setattr("interlaw.recommendation.timed", again)


@pytest.mark.usefixtures("known_times")
def test_the_server_times_the_shapes(server: ExplorerServer) -> None:
    query = urlencode(TINY)
    assert "frontier:0" not in json.loads(ask(server, f"/answer.json?{query}")[1])["panels"]
    found = json.loads(ask(server, f"/measure.json?{query}")[1])
    said = {found["progress"]}
    while found.get("progress"):
        found = json.loads(ask(server, f"/measured.json?{query}")[1])
        said.add(found.get("progress", ""))
        time.sleep(0.02)
    assert found["error"] == ""
    names = {one.name for one in recommend(**ASKED).candidates}
    assert any(words.startswith(f"1 of {len(names)}, ") for words in said)
    panel = found["panels"]["frontier:0"]
    assert {row["shape"] for row in rows_of(panel, layers(panel)[-1])} == names
    assert "Decode (ms/token)" in found["html"]


@pytest.mark.usefixtures("known_times")
def test_one_shape_has_times_and_no_chart() -> None:
    alone = {**TINY, "num_candidates": "1"}
    measuring = Measuring()
    assert measuring.start(alone)["progress"]
    found = until_told(measuring, alone)
    assert set(found["panels"]) == {"cost:0", "cost:1"}
    assert "needs two timed shapes" in found["html"]
    assert "Decode (ms/token)" in found["html"]


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_site_starts_nothing(server: ExplorerServer, site: str) -> None:
    path = f"/measure.json?{urlencode(TINY)}"
    assert ask(server, path, **{"Sec-Fetch-Site": site})[0] == 403
    assert ask(server, path, Host="evil.example")[0] == 403
    assert "none of these values" in json.loads(ask(server, f"/measured.json?{urlencode(TINY)}")[1])["error"]
    assert ask(server, "/", **{"Sec-Fetch-Site": site})[0] == 200  # a link to the page


def test_one_measurement_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    free, begun = threading.Event(), []

    def slow(result: Recommendation, *, say: Say) -> Recommendation:
        begun.append(result.params)
        say("1 of 2, 3 x 192: training")
        assert free.wait(LIMIT_SECONDS)
        return result

    monkeypatch.setattr("interlaw.recommendation.timed", slow)
    measuring = Measuring()
    assert measuring.start(TINY)["progress"]
    assert measuring.start(TINY)["progress"]  # joins
    other = {**TINY, "params": "4M"}
    for found in (measuring.start(other), measuring.state(other)):
        assert found["error"].startswith("expected one measurement at a time, found the shapes of other values (")
    free.set()
    assert until_told(measuring, TINY)["html"]
    assert begun == [1e6]
    assert measuring.start({**TINY, "params": "lots"})["error"].startswith("expected")
    assert measuring.state(TINY)["html"]  # a mistake leaves what was measured


def test_what_cannot_be_timed_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    candidates = recommend(**ASKED).candidates
    with monkeypatch.context() as patch:
        patch.setattr("interlaw.recommendation.timing.find_spec", lambda name: None if name == "transformers" else name)
        assert "pip install 'interlaw[hf]'" in Measuring().start(TINY)["error"]
    monkeypatch.setattr(timing, "free_bytes", lambda device: 10_000_000)
    # 80% of what is free, at 16 bytes a parameter
    with pytest.raises(InterlawError, match=r"at most 500k parameters to time here .*, found .*k; lower the budget"):
        require_timing(candidates)
    with pytest.raises(InterlawError, match="at most 500k parameters"):
        timed(recommend(**ASKED), say=print)
    assert "\n" not in Measuring().start(TINY)["error"]


@pytest.mark.parametrize(
    ("fault", "said"), [(InterlawError("too wide"), "too wide"), (ValueError("x"), "ValueError: x")]
)
def test_a_measurement_that_fails_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fault: Exception, said: str
) -> None:
    def fails(result: Recommendation, *, say: Say) -> Recommendation:
        raise fault

    monkeypatch.setattr("interlaw.recommendation.timed", fails)
    measuring = Measuring()
    measuring.start(TINY)
    assert until_told(measuring, TINY)["error"].endswith(said)
    assert ("Traceback" in capsys.readouterr().err) == isinstance(fault, ValueError)  # the terminal shows where


@pytest.mark.usefixtures("known_times")
def test_the_written_page_has_the_times(tmp_path: Path) -> None:
    said: list[str] = []
    path = write_explorer(tmp_path / "explorer.html", asked=TINY, measure=said.append)
    assert any("training" in words for words in said)
    page = path.read_text(encoding="utf-8")
    assert 'data-panel="frontier:0"' in page
    assert "Decode (ms/token)" in page
    assert 'id="measure"' not in page


def test_the_command_measures_what_it_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def told(result: Recommendation, *, say: Say) -> Recommendation:
        say("1 of 1: training")
        return result

    monkeypatch.setattr("interlaw.recommendation.timed", told)
    app = typer.Typer()
    app.command()(explore)
    path = tmp_path / "explorer.html"
    result = CliRunner().invoke(app, ["--params", "30M", "--out", str(path), "--measure"])
    assert result.exit_code == 0, result.output
    assert f"wrote {path}" in result.stdout
    assert "training" in result.stderr
    with pytest.raises(InterlawError, match=r"expected --out FILE.html with --measure, found none"):
        CliRunner().invoke(app, ["--measure"], catch_exceptions=False)


def test_a_law_covers_the_sizes_that_it_speaks_of_alone() -> None:
    said = {row[0]: row[3] for row in laws_table(recommend(params="350M")).rows}
    assert said["Sun byte-level GPT"] == "no: 600k to 10M"  # as the note and the figure have it
    assert said["Morph-1B"] == "no: 1B"
    assert said["CompleteP"] == "yes"
    assert {row[0]: row[3] for row in laws_table(recommend(params="5M")).rows}["Sun byte-level GPT"] == "yes"


def test_columns_of_loss_say_what_they_are() -> None:
    result = recommend(params="350M", delta=0.01)
    table = candidates_table(result)
    titles = [column.title for column in table.columns]
    place = titles.index("Loss above least (%)")
    assert titles[place : place + 3] == ["Loss above least (%)", "90% interval", "Within 1%"]
    assert f"R* = {result.belief.ratio:.4f}" in table.caption
    for row, each in zip(table.rows, result.candidates, strict=True):
        low, high = (float(end) for end in row[place + 1].split(" to "))
        assert low <= float(row[place]) <= high
        assert row[place + 2] == ("yes" if each.inside else "no")


def test_notes_say_what_to_do_on_the_page() -> None:
    results = [
        *(recommend(params="350M"), recommend(params="350M", tokens="1M"), recommend(params="7B")),
        recommend(params="20M", multiple_of=512),
    ]
    notes = [note for result in results for note in result.warnings]
    pages = [unescape(reply_with(result)["html"]) for result in results]
    for option, words in ON_THE_PAGE.items():
        assert any(option in note for note in notes), option
        assert any(words in page for page in pages), words
        assert not any(option in page.replace(words, "") for page in pages), option


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            {"params": "1k"},
            "raise the budget, or lower 'Vocabulary', 'Head width' or 'Widths are multiples of' (fields of the page)",
        ),
        (
            {"params": "1M", "parallel": "7"},
            "lower 'Vocabulary', 'Splits over devices', 'Head width' or 'Widths are multiples of' (fields",
        ),
        (
            {"params": ""},
            "exactly one budget ('Parameters' or 'training FLOPs'), found none; give one (fields of the page)",
        ),
        ({"flops": "1e20", "tokens": "1B"}, "expected 'Training tokens' or 'training FLOPs', found both"),
        ({"head_dim": "0"}, "expected 'Head width' to be at least 1, found 0"),
        ({"num_candidates": "0"}, "expected 'Shapes to list' above 0, found 0"),
        ({"family": "tokens="}, "found 'tokens='; choose one"),
    ],
)
def test_a_refusal_names_fields_of_the_page(asked: dict[str, str], said: str) -> None:
    assert said in reply_to({"params": "350M", **asked})["error"]


def test_the_command_refuses_with_what_its_user_can_change(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("transformers")
    for options, said in (
        (["--params", "1k"], "raise the budget, or lower 'Vocabulary', 'Head width' or "),
        (["--family", "hf:mixtral"], "choose its dense relative (hf:qwen3 for hf:qwen3_moe, say) with a budget of"),
    ):
        assert run(["explore", "--out", str(tmp_path / "page.html"), *options]) == 2
        assert said in capsys.readouterr().err
