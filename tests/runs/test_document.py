"""Documents of other versions are told from damaged ones, and neither is destroyed on our advice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from interlaw.errors import InterlawError
from interlaw.runs import Record, RunFolder, TrialFolder, TrialSpec


@pytest.mark.parametrize(("version", "age"), [(2, "a newer"), (99, "a newer"), (0, "an older")])
def test_a_record_of_another_version_is_left_alone(version: int, age: str) -> None:
    text = json.dumps({"schema_version": version, "key": "k", "new": 1})
    with pytest.raises(
        InterlawError,
        match=rf"expected a trial's record of schema version 1 in here, found version {version}, written by {age} "
        r"interlaw, which reads it; use that version, and leave the file as it is",
    ):
        Record.read(text, source="here")


def test_a_spec_of_another_version_is_left_alone(finished_run: Path) -> None:
    document = json.loads((RunFolder(finished_run).trials()[0].path / "spec.json").read_text())
    with pytest.raises(InterlawError, match=r"expected a trial's spec of schema version 1 in here, found version 2"):
        TrialSpec.read(json.dumps({**document, "schema_version": 2, "unheard_of": 1}), source="here")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "invalid JSON"),
        ('{"key": "k", "sta', "invalid JSON"),
        ("[]", "input should be an object"),
        ("[" * 100_000, "invalid JSON"),
        ('{"key": 3}', "key: input should be a valid string"),
        ('{"key": "k", "status": "done", "shape": {}, "more": 1}', "more: extra inputs are not permitted"),
        ('{"key": "k", "status": "perfect", "shape": {}}', "status: input should be 'done'"),
        ('{"key": "k", "status": "done", "shape": {"depth": "x"}}', "expected a number for depth, found 'x'"),
        (f'{{"key": "k", "status": "done", "shape": {{"depth": 1{"0" * 400}}}}}', "expected a number"),
        ('{"key": "k", "status": "done", "shape": {}, "units": 9223372036854775808}', "units: input should be less"),
        ('{"key": "k", "status": "done", "shape": {}, "units": -1}', "units: input should be greater"),
        ('{"key": "k", "status": "done", "shape": {}, "schema_version": "1"}', "schema_version"),
    ],
)
def test_a_damaged_record_says_where(text: str, problem: str) -> None:
    with pytest.raises(
        InterlawError, match=f"expected a trial's record in here, found: .*{problem}.*; delete the file"
    ):
        Record.read(text, source="here")


def test_figures_that_are_no_numbers_read_back_as_none(tmp_path: Path) -> None:
    folder = TrialFolder(tmp_path / "k")
    folder.write_record(
        Record(key="k", status="done", shape={}, figures={"a": float("nan"), "b": float("inf"), "c": 1.0})
    )
    record = folder.record()
    assert record is not None
    assert record.figures == {"a": None, "b": None, "c": 1.0}
