"""The command line as a whole: exit codes, one line for a mistake, and a start that loads little."""

from __future__ import annotations

import gc
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer

import interlaw
from interlaw import cli
from interlaw.cli import app, loading
from interlaw.cli.loading import NEEDS_TORCH, load_first
from interlaw.cli.output import print_json
from interlaw.errors import InterlawError, MissingExtraError, WorkFailedError


def raising(error: BaseException) -> typer.Typer:
    app = typer.Typer()

    @app.command()
    def fail() -> None:
        raise error

    @app.command()
    def work() -> None:  # one more, so that the first has a name
        pass

    return app


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (InterlawError("expected a,\n  found b"), 2, "interlaw: expected a, found b\n"),
        (
            MissingExtraError("the page", "page"),
            2,
            "interlaw: the page needs the extra 'page': pip install 'interlaw[page]'\n",
        ),
        (WorkFailedError("3 of 4 trials failed"), 1, "interlaw: 3 of 4 trials failed\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_every_ending_has_its_code_and_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException, code: int, line: str
) -> None:
    monkeypatch.setattr(cli, "app", raising(error))
    assert cli.run(["work"]) == 0
    assert cli.run(["fail"]) == code
    assert capsys.readouterr() == ("", line)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["shapes", "--no-such-option"], "No such option"),
        (["no-such-command"], "No such command"),
        (["sweep"], "Missing argument"),
        (["shapes", "--multiple-of", "two"], "Invalid value"),
    ],
)
def test_wrong_usage_is_one_line(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert words.lower() in captured.err.lower()
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("interlaw: ")


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--help"]) == 0
    text = capsys.readouterr().out
    for command in ("shapes", "sweep", "status", "export"):
        assert command in text
    assert cli.run([]) == 0
    assert capsys.readouterr().out == text


PROBE = """
import sys
from interlaw.cli import run
code = run(sys.argv[1:])
heavy = {"torch", "pandas", "scipy", "altair", "transformers", "jinja2", "ray", "numpy"} & set(sys.modules)
print(code, sorted(heavy), file=sys.stderr)
"""


@pytest.mark.parametrize(
    "arguments", [["--help"], ["shapes", "--params", "3M"], ["shapes", "--params", "3M", "--json"]]
)
def test_help_and_shapes_load_nothing_heavy(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr.splitlines()[-1] == "0 []"


@pytest.mark.parametrize(("command", "loaded"), [("status", ["numpy"]), ("export", ["numpy", "pandas"])])
def test_a_run_is_looked_at_without_torch(finished_run: Path, command: str, loaded: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, command, str(finished_run)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stderr.splitlines()[-1] == f"0 {loaded}"


def test_the_explorer_is_written_without_torch_and_pandas(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, "explore", "--out", str(tmp_path / "page.html")],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stderr.splitlines()[-1] == "0 ['jinja2', 'numpy', 'scipy']"


def test_the_console_script_is_installed() -> None:
    script = Path(sys.executable).with_name("interlaw")
    done = subprocess.run([script, "shapes", "--params", "x"], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("interlaw: expected a size such as")


def test_the_package_loads_its_names_late() -> None:
    code = "import sys, interlaw; dir(interlaw); interlaw.match_shapes; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "False\n"


def test_every_public_name_is_there() -> None:
    assert sorted(interlaw.__all__) == sorted(set(interlaw.__all__))
    for name in interlaw.__all__:
        assert getattr(interlaw, name) is not None
    assert set(dir(interlaw)) | {"__version__"} == set(interlaw.__all__)
    with pytest.raises(AttributeError, match="No interlaw attribute mesure"):
        interlaw.mesure  # noqa: B018


def test_json_is_json_whatever_the_values(capsys: pytest.CaptureFixture[str]) -> None:
    values = {
        "nan": math.nan,
        "inf": [math.inf, -math.inf],
        "numpy": (np.float64(0.5), np.int64(3), np.float32(np.nan)),
        "path": Path("a/b"),
        3: {"deep": {"none": None, "flag": True}},
    }
    print_json(values)
    assert json.loads(capsys.readouterr().out, parse_constant=lambda name: pytest.fail(name)) == {
        "nan": None,
        "inf": [None, None],
        "numpy": [0.5, 3, None],
        "path": "a/b",
        "3": {"deep": {"none": None, "flag": True}},
    }


def test_what_loads_for_seconds_is_named_on_a_terminal_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []
    collected: list[bool] = []

    def load(name: str) -> None:  # torch cannot be imported twice
        loaded.append(name)
        collected.append(gc.isenabled())

    monkeypatch.setattr(loading, "import_module", load)
    load_first(["measure", "gpt2"])
    assert loaded == [], "torch is here already"
    monkeypatch.delitem(sys.modules, "torch")
    load_first(["shapes", "--params", "1M"])
    load_first(["measure", "--help"])
    assert (loaded, capsys.readouterr().err) == ([], "")
    load_first(["measure", "gpt2"])
    assert (loaded, capsys.readouterr().err) == (["torch"], ""), "a mistake is the only line of a pipe"
    monkeypatch.setenv("FORCE_COLOR", "1")
    load_first(["measure", "gpt2"])
    assert "loading torch" in capsys.readouterr().err
    assert (collected, gc.isenabled()) == ([False, False], True)


def test_every_command_that_loads_torch_first_exists() -> None:
    assert set(typer.main.get_command(app).commands) >= NEEDS_TORCH  # type: ignore[attr-defined]


@pytest.mark.parametrize("stage", ["report", "laws", "published", "recommendation"])
def test_what_reads_results_starts_without_torch(stage: str) -> None:
    """It takes seconds to import, scipy.stats most of one."""
    code = f"import sys, interlaw.{stage}; print({{'torch', 'transformers', 'scipy.stats'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
