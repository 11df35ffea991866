"""The packaged report of a real experiment."""

from __future__ import annotations

import json
import webbrowser
from importlib import resources
from pathlib import Path

import pytest

from interlaw.cli import run
from interlaw.report import demo_page
from interlaw.report.page import content_alone


@pytest.mark.parametrize(("opens", "said"), [(True, "and opened it"), (False, "open it in a browser")])
def test_it_writes_the_page_and_opens_it(
    opens: bool, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda address: opened.append(address) or opens)
    monkeypatch.chdir(tmp_path)
    assert run(["demo"]) == 0
    assert opened == [(tmp_path / "runs" / "demo.html").as_uri()]
    page = (tmp_path / "runs" / "demo.html").read_text(encoding="utf-8")
    assert "<h1>Which shape of a small network learns best?</h1>" in page
    assert "the loss is lowest near R" in page
    assert "window.vegaEmbed" in page
    assert not any(f"@@{part}@@" in page for part in ("policy", "style", "vega", "script"))
    assert "<script src" not in page, "it needs no network"
    assert said in capsys.readouterr().err


def test_the_kept_page_is_content_alone() -> None:
    kept = resources.files("interlaw.report").joinpath("demo.html").read_text(encoding="utf-8")
    assert content_alone(demo_page()) == kept
    assert "function" not in kept


def test_json_and_a_place_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["demo", "--out", str(tmp_path / "page.html"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"page": str(tmp_path / "page.html")}
    assert run(["demo", "--out", str(tmp_path)]) == 2
    assert "expected" in capsys.readouterr().err
