"""An experiment's folder: one experiment each, and parts that are read back only when they are sound and ours."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from interlaw.errors import InterlawError
from interlaw_paper.folder import experiment_folder, keep, read_kept


def enter(out: Path, experiment: str = "mlp", scale: str = "tiny") -> None:
    with experiment_folder(out, experiment=experiment, scale=scale):
        pass


def test_a_folder_is_gone_on_with_by_its_own_experiment_alone(tmp_path: Path) -> None:
    enter(tmp_path / "run")
    enter(tmp_path / "run")
    with pytest.raises(InterlawError, match=r"a new folder or one of gru \(tiny\), found one of mlp \(tiny\) in"):
        enter(tmp_path / "run", "gru")
    with pytest.raises(InterlawError, match=r"found one of mlp \(tiny\) in .*; choose another --out"):
        enter(tmp_path / "run", scale="paper")


def test_a_finished_experiment_without_a_mark_is_known_by_its_outcome(tmp_path: Path) -> None:
    (tmp_path / "outcome.json").write_text(json.dumps({"experiment": "cnn", "scale": "tiny", "table": []}))
    enter(tmp_path, "cnn")
    (tmp_path / "experiment.json").unlink()
    with pytest.raises(InterlawError, match="found one of cnn"):
        enter(tmp_path)


def test_a_sweeps_folder_a_file_and_a_damaged_mark_are_refused(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text("")
    with pytest.raises(InterlawError, match="found one of a sweep in"):
        enter(tmp_path)
    with pytest.raises(InterlawError, match="expected a folder for --out, found the file"):
        enter(tmp_path / "recipe.toml")
    with pytest.raises(InterlawError, match="expected to write to"):
        enter(tmp_path / "recipe.toml" / "below")
    (tmp_path / "experiment.json").write_text("{")
    with pytest.raises(InterlawError, match=r"expected an experiment's name in .*experiment\.json, found: "):
        enter(tmp_path)


def test_a_mistake_leaves_nothing_behind(tmp_path: Path) -> None:
    for out in (tmp_path / "new", tmp_path):
        with pytest.raises(InterlawError, match="a mistake"), experiment_folder(out, experiment="mlp", scale="tiny"):
            raise InterlawError("a mistake")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "work").write_text("")
    with pytest.raises(InterlawError, match="later"), experiment_folder(tmp_path, experiment="mlp", scale="tiny"):
        raise InterlawError("later")
    assert {path.name for path in tmp_path.iterdir()} == {"experiment.json", "work"}


def test_a_part_comes_back_for_its_own_settings(tmp_path: Path) -> None:
    place = tmp_path / "parts" / "3.json"
    assert read_kept(place, stamp={"seeds": (0, 1)}) is None
    keep(place, stamp={"seeds": (0, 1)}, rows=[{"loss": 0.1, "ratio": math.nan}])
    rows = read_kept(place, stamp={"seeds": (0, 1)})
    assert rows is not None
    assert rows[0]["loss"] == 0.1
    assert math.isnan(rows[0]["ratio"])
    with pytest.raises(InterlawError, match=r"found others \(of another dim, another seeds\); choose another --out"):
        read_kept(place, stamp={"seeds": (0,), "dim": 3})


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"stamp": {}, "rows": 3}'])
def test_a_damaged_part_is_refused(content: bytes, tmp_path: Path) -> None:
    place = tmp_path / "3.json"
    place.write_bytes(content)
    with pytest.raises(
        InterlawError, match=r"expected figures of this experiment in .*; delete the file and run again"
    ):
        read_kept(place, stamp={})


def test_a_folder_in_the_place_of_a_part_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InterlawError, match=r"expected to read .*found: Is a directory"):
        read_kept(tmp_path, stamp={})
