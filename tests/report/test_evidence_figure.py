from __future__ import annotations

from pathlib import Path

import pytest

from interlaw.errors import InterlawError
from interlaw.recommendation import gather_evidence
from interlaw.report import draw_evidence, write_chart
from interlaw.report.evidence_figure import evidence_rows


def test_the_plotted_numbers_are_the_evidence() -> None:
    found = gather_evidence(sizes=[1e9])
    values = evidence_rows(found)
    counting = [one for source in found.sources for one in source.optima if one.counts]
    assert [row["ratio"] for row in values["optima"]] == [one.ratio for one in counting]
    assert {row["standing"] for row in values["beside"]} == {
        "claim of the paper",
        "shape that was chosen",
        "convention",
    }
    middle = values["pool"][len(values["pool"]) // 2]
    again = found.pool.predict(middle["params"])
    assert (middle["ratio"], middle["low"], middle["high"]) == (again.ratio, again.low, again.high)
    assert draw_evidence(found).message.startswith(f"At 1B the pool expects R* = {found.pooled[0].ratio:.3f}")


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_it_is_written_in_three_forms(ending: str, tmp_path: Path) -> None:
    path = write_chart(tmp_path / f"evidence.{ending}", draw_evidence(gather_evidence()))
    start = {"png": b"\x89PNG", "svg": b"<svg", "pdf": b"%PDF"}[ending]
    assert path.read_bytes().startswith(start)


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InterlawError, match=r"evidence\.gif"):
        write_chart(tmp_path / "evidence.gif", draw_evidence(gather_evidence()))
