"""`interlaw doctor` says what is here and what is missing."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path

import pytest

from interlaw.cli import doctor, run


def examined(capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, object]:
    assert run(["doctor", "--json", *options]) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def test_json(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = examined(capsys)
    assert found["interlaw"] == metadata.version("interlaw")
    assert (found["folder"], found["folder_writable"]) == (str(tmp_path), True)
    assert isinstance(found["torch"], dict)
    assert found["torch"]["threads"] == 1
    assert isinstance(found["extras"], dict)
    assert {"hf", "images", "ray"} <= set(found["extras"])
    assert isinstance(found["own_extras"], dict)
    assert {"dev", "docs", "browser", "dist"} <= set(found["own_extras"])
    assert not set(found["extras"]) & set(found["own_extras"])
    assert isinstance(found["packages"], list)
    assert {"name": "torch", "state": "ok"}.items() <= next(
        each for each in found["packages"] if each["name"] == "torch"
    ).items()
    assert examined(capsys, "--quick")["torch"] is None


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="no folder here is closed to root but open by its permissions")
def test_a_folder_that_takes_no_file_is_not_writable(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/proc")
    assert run(["doctor", "--quick"]) == 0
    assert "/proc: NOT writable: choose --out elsewhere" in capsys.readouterr().out


def test_what_is_missing_has_a_remedy(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"transformers": None, "datasets": "0.1"}
    monkeypatch.setattr(doctor, "_version", lambda name: found.get(name, "999"))
    states = {each["name"]: each["state"] for each in doctor.packages("hf")}
    assert states == {"transformers": "missing", "datasets": "too old or too new", "tokenizers": "ok"}
    assert run(["doctor", "--quick"]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.strip().startswith("hf "))
    assert "missing transformers, datasets (0.1 is too old or too new)" in line
    assert "pip install 'interlaw[hf]'" in line


def test_developers_extras_stand_apart_and_are_not_called_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_version", lambda name: None)
    assert run(["doctor", "--quick"]) == 0
    users, developers = capsys.readouterr().out.split("For work on the package itself")
    assert "browser" not in users.split("part", 1)[1]
    assert "browser" in developers
    assert "missing" in users
    assert "missing" not in developers


def test_an_extra_made_of_others() -> None:
    assert {"transformers", "scikit-learn", "pytest"} <= {each["name"] for each in doctor.packages("dev")}
