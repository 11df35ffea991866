"""The commands of the evidence page on committed tables print the effects that the pages quote."""

from __future__ import annotations

import json
import re
import shlex

import pandas as pd
import pytest
from tests.docs.pages import ROOT, blocks

from interlaw.cli import run

PAGE = ROOT / "docs" / "results" / "evidence.md"
COMMANDS = [
    line.partition("  #")[0].strip()
    for block in blocks(PAGE, "bash")
    for line in block.splitlines()
    if "interlaw fit " in line
]
# scale-free AOFE and AOFE-ratio within shapes, and the verdicts, as docs/claims.md and the evidence quote them
QUOTED = {
    "students": (0.89, "holds", 0.90, "opposite"),
    "hundredfold": (0.65, "holds", 0.51, "opposite"),
    "searched": (0.67, "holds", 0.53, "opposite"),
    "targets": (0.57, "holds", 0.47, "opposite"),
    "waves": (0.54, "holds", 0.46, "opposite"),
}
SPLIT = {
    "push": "part",
    "push-gpt": "part",
    "push-again": "part",
    "push-gpt-again": "part",
    **dict.fromkeys(QUOTED, "part"),
}


LARGE = ("hundredfold", "searched", "targets")  # whose fits take 10 to 20 seconds each


def name_of(command: str) -> str:
    """The table of a command."""
    return re.findall(r"docs/results/([a-z-]+)\.csv", command)[0]


@pytest.mark.parametrize(
    "command",
    [pytest.param(each, id=each, marks=[pytest.mark.slow] if name_of(each) in LARGE else []) for each in COMMANDS],
)
def test_a_command_says_what_is_quoted(command: str, monkeypatch, tmp_path, capsys) -> None:
    monkeypatch.chdir(ROOT)
    *_, told = command.split(" | ")
    if "grep" in command:
        family = re.findall(r",(gru|mlp),", command)[0]
        rows = (ROOT / "docs/results/lengths.csv").read_text().splitlines(keepends=True)
        (tmp_path / "rows.csv").write_text("".join(row for row in rows if f",{family}," not in row))
        told = told.replace("fit -", f"fit {tmp_path / 'rows.csv'}", 1)
    assert run([*shlex.split(told)[1:], "--json", "--resamples", "100"]) == 0
    claims = json.loads(capsys.readouterr().out)["claims"]
    if name_of(command) in QUOTED:
        within = {each["quantity"]: each for each in claims if each["test"] == "within-shapes"}
        said = [
            value
            for name in ("aofe_scale_free", "aofe_ratio")
            for value in (round(within[name]["effect"], 2), within[name]["verdict"])
        ]
        assert tuple(said) == QUOTED[name_of(command)]


@pytest.mark.parametrize("name", SPLIT)
def test_a_table_of_several_experiments_is_refused_with_the_remedy(name: str, monkeypatch, capsys) -> None:
    monkeypatch.chdir(ROOT)
    assert run(["fit", f"docs/results/{name}.csv"]) == 2
    assert re.search(
        r"column.* tells? them apart: fit each value alone with --split (part|target)", capsys.readouterr().err
    )


def test_every_committed_table_of_a_target_names_it() -> None:
    for name in ("hundredfold", "searched"):
        table = pd.read_csv(ROOT / "docs" / "results" / f"{name}.csv", usecols=["part", "target"])
        assert (table["part"].str.rpartition("-")[0] == table["target"]).all()
