from __future__ import annotations

import json

import pytest

from interlaw.cli import run


def test_evidence_prints_what_counts_apart_from_what_does_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evidence"]) == 0
    shown = capsys.readouterr().out
    votes, beside = shown.index("one vote a data set"), shown.index("beside (no vote)")
    assert votes < shown.index("Gemstones") < beside < shown.index("nanochat") < shown.index("pooled R*")
    assert "lie inside their 90% interval" in shown
    assert max(map(len, shown.splitlines()[:-1])) <= 80


def test_evidence_as_json_has_sources_and_pool(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evidence", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {"sources", "pooled"} <= set(found)
    assert {"params", "ratio", "low", "high", "weights"} <= set(found["pooled"][0])
