from __future__ import annotations

import json
from pathlib import Path

import pytest

from interlaw.cli import run


def test_evidence_prints_what_counts_apart_from_what_does_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evidence"]) == 0
    shown = capsys.readouterr().out
    votes, beside = shown.index("one vote a data set"), shown.index("beside (no vote)")
    assert shown.startswith("R* at 1B: ")
    assert shown.index("pooled R*") < votes < shown.index("Gemstones") < beside < shown.index("nanochat")
    assert "show only that it covers at least 55%" in " ".join(shown.split())
    assert max(map(len, shown.splitlines())) <= 80
    assert "from 3 measured data sets and 2 published rules" in " ".join(shown.split())
    assert "0.0148 to 0.0270*  published" in shown
    assert "* the publication states no error: 0.3 in log R* is assumed" in shown
    assert "3.2B beyond" in shown
    assert " 1B beyond" not in shown


def test_own_experiments_are_shown_with_the_reason_for_no_vote(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evidence"]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "interlaw small-gpts 98.7k 1 of 1 0.0465" in lines
    assert "interlaw hundredfold 49.8k 9 of 9 0.0993 to 0.2071" in lines
    assert "interlaw students 20k 0 of 4 -" in lines
    assert "not run to find R*: interlaw small-gpts, interlaw growth" in lines


def test_evidence_as_json_has_sources_and_pool(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evidence", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {"sources", "pooled"} <= set(found)
    assert {"params", "ratio", "low", "high", "weights"} <= set(found["pooled"][0])
    assert [one["params"] for one in found["measured_only"]] == [one["params"] for one in found["pooled"]]
    assumed = {one["name"] for one in found["sources"] if any(optimum["assumed"] for optimum in one["optima"])}
    assert assumed == set(found["pooled"][0]["assumed"]) == {"Levine", "CompleteP"}
    assert not found["measured_only"][0]["assumed"]


def test_evidence_is_drawn(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    figure = tmp_path / "evidence.png"
    assert run(["evidence", "--figure", str(figure), "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["pooled"]
    assert f"wrote {figure}" in captured.err
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_a_table_is_written_of_a_refit_only(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(["evidence", "--out", str(tmp_path / "optima.csv")]) == 2
    assert capsys.readouterr().err == "interlaw: expected --refit with --out, found --out alone; add --refit\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_refitting_gives_the_packaged_table(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from importlib.resources import files

    out = tmp_path / "optima.csv"
    assert run(["evidence", "--refit", "--out", str(out), "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert run(["evidence", "--json"]) == 0
    packaged_pool = json.loads(capsys.readouterr().out)["pooled"]
    for one, other in zip(again["pooled"], packaged_pool, strict=True):
        assert one["ratio"] == pytest.approx(other["ratio"], rel=1e-3)  # the table holds four digits
    packaged = files("interlaw.recommendation").joinpath("optima.csv").read_text(encoding="utf-8")
    assert out.read_text(encoding="utf-8") == packaged
