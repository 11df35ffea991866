"""What the shell offers, that every command speaks JSON, and the version."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import typer

import interlaw
from interlaw.cli import app, run
from interlaw.interaction import OF_EVERY_LAYER, VIEWS
from interlaw.shapes import FAMILIES

COMPLETING = """
import contextlib, io, json, os, sys
from interlaw.cli import main
sys.argv[0], found = "interlaw", []
for words in json.load(sys.stdin):
    os.environ |= {"_INTERLAW_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(["interlaw", *words])}
    os.environ["COMP_CWORD"] = str(len(words))
    with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.suppress(SystemExit):
        main()
    found.append([said.getvalue().split(), "torch" in sys.modules])
json.dump(found, sys.stdout)
"""
OFFERED = [
    (("shapes", "--family", ""), sorted(FAMILIES)),
    (("shapes", "--rule", "n"), ["nearest"]),
    (("measure", "--view", ""), sorted(VIEWS)),
    (("fit", "--view", "p"), ["patch", "projected"]),
    (("layers", "--view", ""), sorted(name for name, view in VIEWS.items() if view.layers)),
    (("sweep", "--executor", ""), ["local", "processes", "ray"]),
    (("recommend", "--family", "q"), ["qwen2"]),
    (("reproduce", "gpt"), ["gpt-budgets", "gpt-depth", "gpt-sizes"]),
    (("reproduce", "mlp", "--scale", ""), ["decisive", "paper", "tiny"]),
    (("export", "--format", "p"), ["parquet"]),
]


@pytest.fixture(scope="module")
def offered() -> list[tuple[list[str], bool]]:
    """What bash gets for each last word, and whether torch is loaded by then."""
    words = json.dumps([words for words, _ in OFFERED])
    command = [sys.executable, "-c", COMPLETING]
    done = subprocess.run(command, input=words, capture_output=True, text=True, check=True)
    found: list[tuple[list[str], bool]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("case", range(len(OFFERED)), ids=[" ".join(words) for words, _ in OFFERED])
def test_the_shell_offers_what_an_option_takes(offered: list[tuple[list[str], bool]], case: int) -> None:
    said, torch_is_loaded = offered[case]
    assert sorted(said) == OFFERED[case][1]
    assert not torch_is_loaded


def test_layers_names_the_views_that_every_layer_has() -> None:
    assert list(OF_EVERY_LAYER) == [name for name, view in VIEWS.items() if view.layers]
    (view,) = (one for one in typer.main.get_group(app).commands["layers"].params if one.name == "view")
    assert getattr(view, "help", None) == f"{' or '.join(OF_EVERY_LAYER)}; as in measure."


def test_every_command_speaks_json() -> None:
    commands = typer.main.get_group(app).commands
    assert len(commands) > 15
    silent = [name for name, each in commands.items() if not any("--json" in one.opts for one in each.params)]
    assert silent == []


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"interlaw {interlaw.__version__}\n"
