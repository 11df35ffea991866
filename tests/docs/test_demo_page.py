"""The packaged page is what the report makes today of the committed tables."""

from __future__ import annotations

import importlib.util
import os
import re
from importlib import resources
from itertools import zip_longest
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from tests.docs.pages import ROOT

from interlaw.runs import RunFolder

SCRIPT = ROOT / "examples" / "figures" / "demo_page.py"
DATA = re.compile(r'(?<=id="data">).*?(?=</script>)', re.DOTALL)  # what the page's script reads
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
# a share of 2,000 draws in the plane moves by one draw where the last bits of a machine decide it
TOLERANCE = 1e-2


@pytest.fixture(autouse=True)
def quick_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The script's run folder need not outlive a power cut, and a busy disk takes seconds to make sure that it does."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("demo_page", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def differences(made: list[str], kept: list[str]) -> list[tuple[str | None, str | None]]:
    """The first pairs that differ; pytest itself would compare such long texts for minutes."""
    return [pair for pair in zip_longest(made, kept) if pair[0] != pair[1]][:3]


def test_the_packaged_page_is_up_to_date(script: ModuleType) -> None:
    remedy = f"run `python {SCRIPT.relative_to(ROOT)}`"
    made, kept = script.packaged(), resources.files("interlaw.report").joinpath("demo.html").read_text("utf-8")
    changed = differences(DATA.sub("", made).splitlines(), DATA.sub("", kept).splitlines())
    assert changed == [], remedy
    drawn, drawn_before = (DATA.findall(each)[0] for each in (made, kept))
    changed = differences(NUMBER.split(drawn), NUMBER.split(drawn_before))
    assert changed == [], remedy
    numbers, before = (np.array(NUMBER.findall(each), dtype=float) for each in (drawn, drawn_before))
    np.testing.assert_allclose(numbers, before, rtol=TOLERANCE, atol=1e-9, err_msg=remedy)


def test_a_table_of_other_trials_is_refused(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = (script.RESULTS / "waves.csv").read_text()
    (tmp_path / "waves.csv").write_text(rows.replace("0c4566ac979a0f65", "0c4566ac979a0f66"))
    monkeypatch.setattr(script, "RESULTS", tmp_path)
    with pytest.raises(ValueError, match="expected the trials of"):
        script.write_run(RunFolder(tmp_path / "run"))


def test_learning_curves_end_with_the_losses_of_the_trials(script: ModuleType) -> None:
    curves = pd.read_csv(script.RESULTS / "waves-curves.csv")
    last = curves.groupby("key")["val_loss"].last()
    trials = pd.read_csv(script.RESULTS / "waves.csv").set_index("key").loc[last.index]
    assert ((trials["part"] == script.PART.label) & (trials["stage"] == "final")).all()
    np.testing.assert_allclose(last, trials["val_loss"], rtol=1e-5)  # six digits
