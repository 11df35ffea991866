from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.recipes import write_recipe

from interlaw.cli import run

SMALL = ["--base-width", "8", "--base-depth", "1", "--widths", "8,16", "--depths", "1,2"]


def test_json_figures_and_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = write_recipe(tmp_path)
    figure = tmp_path / "check.svg"
    arguments = [
        "check-parametrization",
        str(recipe),
        *SMALL,
        "--treatment",
        "standard",
        "--json",
        "--figure",
        str(figure),
    ]
    assert run([*arguments, "--rates", "1e-3,1e-2,1e-1", "--steps", "5"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [check["axis"] for check in found["checks"]] == ["width", "depth"]
    assert [(curve["axis"], curve["size"]) for curve in found["rate_curves"]] == [
        ("width", 8), ("width", 16), ("depth", 1), ("depth", 2),
    ]  # fmt: skip
    assert figure.exists()
    assert (tmp_path / "check-rates.svg").exists()


def test_a_claim_that_does_not_hold_ends_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interlaw.training.coordinates.FLAT", -1.0)  # nothing is flat
    recipe = write_recipe(tmp_path)
    assert run(["check-parametrization", str(recipe), *SMALL, "--treatment", "mup"]) == 1
    assert "activations do not move alike: mup over width;" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--treatment", "magic"], "expected --treatment among standard, mup, completep, found 'magic'"),
        (["--widths", "8,x"], "expected --widths such as 32,64,128, found '8,x'"),
        (["--rates", "1e-3,nan,2"], "expected --rates such as"),
        (["--steps", "5"], "--steps and --seeds belong to --rates, found none; give --rates, or leave them out"),
        (["--seeds", "2"], "--steps and --seeds belong to --rates, found none"),
        (["--steps", "0"], "Invalid value for '--steps': Input should be greater than or equal to 1, found"),
        (["--figure", "x.jpeg"], "expected a figure named"),
        (["nothing.toml"], "expected a recipe file, found nothing at 'nothing.toml'"),
        (["--widths", "36,37"], "head_dim"),
    ],
)
def test_mistakes_get_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    assert run(["check-parametrization", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert len(captured.err.splitlines()) == 1
