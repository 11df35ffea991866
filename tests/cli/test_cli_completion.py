"""What the shell offers, that every command speaks JSON, and the version."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import typer

import interlaw
from interlaw.cli import app, run
from interlaw.interaction import OF_EVERY_LAYER, VIEWS
from interlaw.shapes import FAMILIES


def offered(*words: str) -> list[str]:
    """What bash gets for the last word; fails when torch was loaded for it."""
    line = {"_INTERLAW_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(("interlaw", *words))}
    script = "import sys; sys.argv[0] = 'interlaw'; from interlaw.cli import main\n"
    script += "try: main()\nfinally: assert 'torch' not in sys.modules, 'torch was loaded'"
    environment = {**os.environ, **line, "COMP_CWORD": str(len(words))}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert "torch was loaded" not in done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("shapes", "--family", ""), sorted(FAMILIES)),
        (("shapes", "--rule", "n"), ["nearest"]),
        (("measure", "--view", ""), sorted(VIEWS)),
        (("fit", "--view", "p"), ["patch", "projected"]),
        (("layers", "--view", ""), sorted(name for name, view in VIEWS.items() if view.layers)),
        (("sweep", "--executor", ""), ["local", "processes", "ray"]),
        (("recommend", "--family", "q"), ["qwen2"]),
        (("reproduce", "gpt"), ["gpt-budgets", "gpt-depth"]),
        (("reproduce", "mlp", "--scale", ""), ["decisive", "paper", "tiny"]),
        (("export", "--format", "p"), ["parquet"]),
    ],
    ids=" ".join,
)
def test_the_shell_offers_what_an_option_takes(words: tuple[str, ...], expected: list[str]) -> None:
    assert sorted(offered(*words)) == expected


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
