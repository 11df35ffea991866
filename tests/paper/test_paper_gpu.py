"""The paper's sweeps within minutes, on the CPU with tiny budgets: their order, the deadline, and going on."""

from __future__ import annotations

import importlib.util
import re
import sys
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from interlaw.sweep import parse_recipe, plan_trials

ROOT = Path(__file__).parents[2]
SMALL = (
    ("64\ntokens_per_param = 90", "2\ntokens_per_param = 0.05"),
    ("32\ntokens_per_param = 30", "2\ntokens_per_param = 0.05"),
    ("128\ntokens_per_param = 20", "2\ntokens_per_param = 0.05"),
    ('depths = "1-6,8,10,12,16,20,24"', 'depths = "1-2"'),
    ('depths = "2-16"', 'depths = "2-3"'),
    ("context = 256", "context = 16"),
    ('amounts = ["3M"]', 'amounts = ["9k"]'),
    ("samples = 512", "samples = 4"),
    ("evaluation_samples = 256\ntest_samples = 4096", "evaluation_samples = 4\ntest_samples = 4"),
    ("evaluations = 20", "evaluations = 2"),
)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("paper_gpu", ROOT / "examples" / "paper_gpu.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "paper_gpu", module)
    spec.loader.exec_module(module)
    return module


def small(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiny sweeps of the same form."""
    whole = script.works

    def works(text: str | None, precision: str) -> list[object]:
        made = []
        for work in whole(text, precision):
            recipe = work.recipe
            for old, new in SMALL:
                recipe = recipe.replace(old, new)
            recipe = re.sub('amounts = \\["300k".*', 'amounts = ["9k", "12k"]', recipe)
            made.append(script.Work(folder=work.folder, recipe=recipe))
        return made[-3:]

    monkeypatch.setattr(script, "works", works)


def test_each_plan_of_the_byte_level_sweep_holds_the_one_before(script: ModuleType, tmp_path: Path) -> None:
    works = [work for work in script.works(None, "bfloat16") if work.folder == "budgets"]
    assert len(works) == len(script.BUDGETS) + 1
    works = [*works[:2], *works[-2:]]
    plans = [
        {trial.key for trial in plan_trials(parse_recipe(work.recipe, source="r"), folder=tmp_path)} for work in works
    ]
    assert all(before < after for before, after in pairwise(plans))
    assert [len(plans[0]), len(plans[-1])] == [12, 12 * len(script.BUDGETS) * 3]
    assert [work.folder for work in script.works(None, "bfloat16")][-2:] == ["cnn", "gpt-depth"]


@pytest.mark.slow
def test_it_stops_at_the_deadline_and_goes_on(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small(script, monkeypatch)
    options = ["--out", str(tmp_path), "--device", "cpu", "--workers", "1"]
    script.main([*options, "--minutes", "0.0001"])
    assert "the minutes are over" in capsys.readouterr().out
    script.main([*options, "--minutes", "5"])
    found = {name: pd.read_csv(tmp_path / name / "trials.csv") for name in ("budgets", "cnn", "gpt-depth")}
    assert found["budgets"]["budget"].nunique() == 2
    assert found["budgets"]["seed"].nunique() == 3
    assert all((table["status"] == "done").all() for table in found.values())
    assert (tmp_path / "budgets" / "report.html").exists()
    before = (tmp_path / "budgets" / "trials.csv").read_bytes()
    script.main([*options, "--minutes", "5"])
    assert (tmp_path / "budgets" / "trials.csv").read_bytes() == before
