"""Another package adds one of each kind: a part of one file (`tests/elsewhere`) and a line of entry points each."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from interlaw.registry import Registry

ELSEWHERE = Path(__file__).parent / "elsewhere"
RECIPE = """
name = "elsewhere"
family = "ladder"
depths = [1, 2]
[budget]
amounts = [400]
[task]
kind = "signs"
dim = 6
[training]
steps = 6
batch_size = 8
treatment = "narrow"
learning_rate = 1e-2
base_width = 8
[measure]
views = ["input", "last-position"]
samples = 8
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a process in which the other package is installed."""
    site = tmp_path_factory.mktemp("site")
    for name in ("elsewhere.py", "sweep.csv"):
        shutil.copy(ELSEWHERE / name, site / name)
    facts = site / "elsewhere-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: elsewhere\nVersion: 1.0\n")
    shutil.copy(ELSEWHERE / "entry_points.txt", facts / "entry_points.txt")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])}


def answer(environment: dict[str, str], *arguments: object) -> Any:
    command = [sys.executable, "-c", "from interlaw.cli import main; main()", *map(str, arguments), "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_sweep_with_parts_of_another_package_runs_in_workers(installed: dict[str, str], tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(RECIPE)
    told = answer(installed, "sweep", recipe, "--out", tmp_path / "run", "--workers", 1, "--log", "notebook")
    assert (told["done"], told["failed"]) == (2, 0)
    trials = sorted(path.name for path in (tmp_path / "run" / "trials").iterdir())
    notes = (tmp_path / "run" / "logs" / "notebook" / "trials.txt").read_text().split()
    assert sorted(notes) == trials
    for key in trials:
        folder = tmp_path / "run" / "trials" / key
        spec, record = (json.loads((folder / name).read_text()) for name in ("spec.json", "record.json"))
        assert spec["task"] == {"kind": "signs", "dim": 6}
        assert (spec["treatment"], spec["training"]["parametrization"]) == ("narrow", "narrow")
        assert (
            record["shape"]["params"]
            == spec["shape"]["depth"] * spec["shape"]["width"] ** 2 + 7 * spec["shape"]["width"]
        )
        assert record["measurements"]["last-position"]["dim"] == 6
        assert record["measurements"]["last-position"]["view"] == "last-position"
    answer(installed, "report", tmp_path / "run", "--figures", tmp_path / "figures")
    assert (tmp_path / "figures" / "seconds.svg").stat().st_size > 1000


def test_a_published_law_and_a_sweep_are_found(installed: dict[str, str]) -> None:
    shapes = answer(installed, "shapes", "--family", "ladder", "--params", "1k", "--depths", "1-2")["shapes"]
    assert [shape["family"] for shape in shapes] == ["ladder", "ladder"]
    fit = answer(installed, "fit", "public:elsewhere")
    assert fit["budgets"][0]["best"]["depth"] == 3
    code = "from interlaw.laws import published_laws; print({law.key: law.ratio(1e6) for law in published_laws()})"
    done = subprocess.run([sys.executable, "-c", code], env=installed, capture_output=True, text=True, check=True)
    assert "'elsewhere': 0.02" in done.stdout


def test_a_registry_knows_what_this_process_added() -> None:
    registry: Registry[int] = Registry("interlaw.nothing", {"one": 1})
    registry["two"] = 2
    assert (registry["two"], "two" in registry, "three" in registry) == (2, True, False)
    assert registry.everything() == {"one": 1, "two": 2}
    with pytest.raises(KeyError, match="three"):
        registry["three"]
