from __future__ import annotations

from pathlib import Path

import pytest
from tests.report.specifications import layers

from interlaw.errors import InterlawError
from interlaw.recommendation import gather_evidence
from interlaw.report import draw_evidence, write_chart
from interlaw.report.evidence_figure import evidence_rows
from interlaw.report.look import DATASETS


def test_the_plotted_numbers_are_the_evidence() -> None:
    found = gather_evidence(sizes=[1e9])
    values = evidence_rows(found)
    counting = [one for source in found.sources if source.counts for one in source.optima if one.counts]
    assert [row["ratio"] for row in values["optima"]] == [one.ratio for one in counting]
    assert {row["line"] for row in values["beside"]} == {
        "Sun byte-level GPT, one seed",
        *(f"{name}, chosen" for name in ("Chinchilla", "MobileLLM")),
        *(f"{name}, convention" for name in ("nanochat", "Marin")),
    }
    middle = values["pool"][len(values["pool"]) // 2]
    again = found.pool.predict(middle["params"])
    assert (middle["ratio"], middle["low"], middle["high"]) == (again.ratio, again.low, again.high)
    assert draw_evidence(found).message.startswith(f"At 1B the pool expects R* = {found.pooled[0].ratio:.4f}")


def test_lines_are_told_apart_and_a_data_set_has_one_colour() -> None:
    (panel,) = draw_evidence(gather_evidence()).panels
    lines = next(each for each in layers(panel.chart) if "strokeDash" in each["encoding"])["encoding"]
    for channel in ("stroke", "strokeDash"):
        looks = [str(each) for each in lines[channel]["scale"]["range"]]
        assert len(set(looks)) == len(looks) == 5
    dots = layers(panel.chart)[-1]["encoding"]["color"]["scale"]
    assert dict(zip(dots["domain"], dots["range"], strict=True)).items() <= DATASETS.items()
    assert lines["stroke"]["scale"]["range"][0] == DATASETS["Sun byte-level GPT"]


def test_bars_of_assumed_errors_are_dashed() -> None:
    (panel,) = draw_evidence(gather_evidence()).panels
    bars = [each for each in layers(panel.chart) if each["mark"]["type"] == "rule"]
    dashed = [each for each in bars if "strokeDash" in each["mark"]]
    assert len(bars) == 2
    assert len(dashed) == 1
    assert "dashed where the error is assumed" in draw_evidence(gather_evidence()).caption


def test_no_line_leads_through_the_edge_of_a_grid() -> None:
    """At 300k the byte-level sweep's best shape is one layer, the shallowest tried: no optimum."""
    beside = evidence_rows(gather_evidence())["beside"]
    assert min(row["params"] for row in beside if row["name"] == "Sun byte-level GPT") == 6e5


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_it_is_written_in_three_forms(ending: str, tmp_path: Path) -> None:
    path = write_chart(tmp_path / f"evidence.{ending}", draw_evidence(gather_evidence()))
    start = {"png": b"\x89PNG", "svg": b"<svg", "pdf": b"%PDF"}[ending]
    assert path.read_bytes().startswith(start)


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InterlawError, match=r"evidence\.gif"):
        write_chart(tmp_path / "evidence.gif", draw_evidence(gather_evidence()))
