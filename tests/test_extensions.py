"""Another package adds one of each kind: a part of one file (`tests/elsewhere`) and a line of entry points each."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.processes import said_by

from interlaw import cli
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


def install(site: Path, name: str, entry_points: str) -> None:
    """Another package's facts, as an installer leaves them."""
    facts = site / f"{name}-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text(entry_points)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a process in which the other package is installed."""
    site = tmp_path_factory.mktemp("site")
    for name in ("elsewhere.py", "sweep.csv"):
        shutil.copy(ELSEWHERE / name, site / name)
    install(site, "elsewhere", (ELSEWHERE / "entry_points.txt").read_text())
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])}


def run_in_turn(commands: list[list[str]]) -> None:
    sys.exit(any(cli.run(command) for command in commands))


def answers(environment: dict[str, str], *commands: list[object]) -> list[Any]:
    """What the commands print as JSON, one after the other in a process of their own."""
    lines = [[*map(str, command), "--json"] for command in commands]
    status, said, complained = said_by(run_in_turn, lines, environment=environment)
    assert status == 0, complained
    told, decoder, place = [], json.JSONDecoder(), 0
    while place < len(said):
        document, place = decoder.raw_decode(said, place)
        told.append(document)
        place += 1  # the end of the line
    return told


def test_a_sweep_with_parts_of_another_package_runs_in_workers(installed: dict[str, str], tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(RECIPE)
    sweep = ["sweep", recipe, "--out", tmp_path / "run", "--workers", 1, "--log", "notebook"]
    told, _ = answers(installed, sweep, ["report", tmp_path / "run", "--figures", tmp_path / "figures"])
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
    assert (tmp_path / "figures" / "seconds.svg").stat().st_size > 1000


def test_a_published_law_and_a_sweep_are_found(installed: dict[str, str]) -> None:
    shapes, fit, recommended = answers(
        installed,
        ["shapes", "--family", "ladder", "--params", "1k", "--depths", "1-2"],
        ["fit", "public:elsewhere"],
        ["recommend", "--params", "350M", "--family", "llama"],
    )
    assert [shape["family"] for shape in shapes["shapes"]] == ["ladder", "ladder"]
    assert fit["budgets"][0]["best"]["depth"] == 3
    assert {law["key"]: law["ratio"] for law in recommended["laws"]}["elsewhere"] == pytest.approx(0.02 * 350**-0.25)


def test_a_family_of_another_package_is_stacked_and_started(installed: dict[str, str], tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    plain = (
        RECIPE.replace('treatment = "narrow"\n', "").replace("base_width = 8\n", "").replace("size = 8", "size = 64")
    )
    recipe.write_text(plain.replace("depths = [1, 2]", "depths = [1]\nseeds = [0, 1, 2]"))
    swept, _ = answers(
        installed,
        ["sweep", recipe, "--out", tmp_path / "run", "--executor", "local"],  # the one above is for workers
        ["init", tmp_path / "start.toml", "--family", "ladder"],
    )
    assert (swept["done"], swept["failed"]) == (3, 0)
    records = [json.loads(path.read_text()) for path in (tmp_path / "run" / "trials").glob("*/record.json")]
    assert [record["provenance"]["stacked"] for record in records] == [True] * 3
    assert 'family = "ladder"' in (tmp_path / "start.toml").read_text()


def test_a_decoder_of_another_package_is_recommended(installed: dict[str, str], tmp_path: Path) -> None:
    recommended, shapes = answers(
        installed,
        ["recommend", "--params", "350M", "--family", "loft", "--export", tmp_path],
        ["shapes", "--family", "loft", "--params", "350M", "--depths", "20"],
    )
    assert {candidate["family"] for candidate in recommended["candidates"]} == {"loft"}
    assert json.loads((tmp_path / "config.json").read_text())["rope_theta"] == 5e5
    assert shapes["shapes"][0]["width"] % 64 == 0
    status, _, said = asked(installed, "recommend", "--params", "350M", "--family", "lofts")
    assert status == 2
    assert "gpt, llama, qwen2, loft or hf:NAME, found 'lofts'" in said


def as_a_command(arguments: tuple[str, ...]) -> None:
    sys.argv = ["interlaw", *arguments]
    cli.main()


def asked(environment: dict[str, str], *arguments: str) -> tuple[int | None, str, str]:
    """Exit status, stdout and stderr of one command."""
    return said_by(as_a_command, arguments, environment=environment)


def test_a_command_of_another_package_is_like_our_own(installed: dict[str, str], tmp_path: Path) -> None:
    assert asked(installed, "greet", "you", "--loud") == (0, "HELLO YOU\n", "")
    assert json.loads(asked(installed, "greet", "you", "--json")[1]) == {"words": "hello you"}
    assert asked(installed, "greet", "nobody") == (2, "", "interlaw: expected somebody, found nobody; name one\n")
    assert asked(installed, "greets")[2] == "interlaw: No such command 'greets'. Did you mean 'greet'?\n"
    status, _, said = asked({**installed, "TMPDIR": str(tmp_path)}, "greet", "zero")
    assert status == 1
    assert said.startswith("interlaw: this is a fault of elsewhere, not of yours: ZeroDivisionError: division by")
    status, shown, _ = asked(installed, "greet", "--help")
    assert (status, "More of it." in shown, "Whom." in shown) == (0, True, True)


def test_commands_that_cannot_be_loaded_are_left_out_of_the_list(installed: dict[str, str]) -> None:
    status, shown, said = asked(installed, "--help")
    assert status == 0
    assert "greet " in shown
    assert "  missing " not in shown
    assert "unreadable" not in shown
    missing, unreadable = said.splitlines()
    assert missing.startswith(
        "interlaw: left out the command 'missing': expected elsewhere_missing:run, which elsewhere"
    )
    assert "ModuleNotFoundError: No module named 'elsewhere_missing'; update or remove elsewhere" in missing
    assert unreadable.startswith("interlaw: left out the command 'unreadable': expected a function")
    status, shown, said = asked(installed, "missing")
    assert (status, shown, said.count("\n")) == (2, "", 1)
    assert said.startswith("interlaw: expected elsewhere_missing:run")
    completing = {**installed, "_INTERLAW_COMPLETE": "complete_bash", "COMP_WORDS": "interlaw gre", "COMP_CWORD": "1"}
    assert asked(completing)[1:] == ("greet\n", "")


def take_a_view() -> None:
    from interlaw.interaction import VIEWS

    print("last-position" in VIEWS)
    VIEWS["last-position"]


def test_what_two_packages_declare_is_refused_with_both_names(installed: dict[str, str], tmp_path: Path) -> None:
    """A command and a view of one name in two packages: neither is taken, whichever was installed last."""
    install(
        tmp_path,
        "nowhere",
        "[interlaw.commands]\ngreet = elsewhere:greet\n[interlaw.views]\nlast-position = elsewhere:LAST_POSITION\n",
    )
    both = {**installed, "PYTHONPATH": os.pathsep.join([str(tmp_path), installed["PYTHONPATH"]])}
    status, shown, said = asked(both, "greet", "you")
    wrong = "expected one package to declare 'greet' in interlaw.commands, found elsewhere and nowhere"
    assert (status, shown, said) == (2, "", f"interlaw: {wrong}; remove all but one\n")
    status, shown, said = asked(both, "--help")
    assert (status, "greet " in shown) == (0, False)
    assert f"interlaw: left out the command 'greet': {wrong}" in said
    _, shown, said = said_by(take_a_view, environment=both)
    assert shown == "True\n"
    assert "declare 'last-position' in interlaw.views, found elsewhere and nowhere; remove all but one" in said


def test_our_own_command_keeps_its_name(installed: dict[str, str]) -> None:
    assert "Say hello" not in asked(installed, "fit", "--help")[1]
    assert asked(installed, "--help")[1].count("  fit ") == 1


def looks_elsewhere(arguments: list[str]) -> None:
    cli.run(arguments)
    print("elsewhere" in sys.modules)


def test_our_own_commands_start_without_a_look_at_other_packages(installed: dict[str, str]) -> None:
    for arguments, expected in ((["shapes", "--params", "3M", "--json"], "False"), (["greet", "you"], "True")):
        status, said, complained = said_by(looks_elsewhere, arguments, environment=installed)
        assert status == 0, complained
        assert said.split()[-1] == expected


def run_all(lines: list[str]) -> None:
    for line in lines:
        cli.run(line.split())


def test_messages_list_what_is_installed(installed: dict[str, str], tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(RECIPE)
    wrong = {
        "ladder": "shapes --family nope --params 1k --depths 1",
        "narrow": "check-parametrization --treatment nope",
        "notebook": f"sweep {recipe} --out {tmp_path}/run --log nope",
    }
    for name, line in {"signs": 'kind = "signs"', "last-position": '"last-position"'}.items():
        recipe = tmp_path / f"{name}.toml"
        recipe.write_text(RECIPE.replace(line, line.replace(name, "nope")))
        wrong[name] = f"sweep {recipe} --out {tmp_path}/run"
    _, _, complained = said_by(run_all, [*wrong.values()], environment={**installed, "COLUMNS": "500"})
    said = [line for line in complained.splitlines() if "nope" in line]
    assert len(said) == len(wrong), complained
    for name, line in zip(wrong, said, strict=True):
        assert name in line, line


def test_a_registry_knows_what_this_process_added() -> None:
    registry: Registry[int] = Registry("interlaw.nothing", {"one": 1})
    registry["two"] = 2
    assert (registry["two"], "two" in registry, "three" in registry) == (2, True, False)
    assert registry.everything() == {"one": 1, "two": 2}
    assert registry.names() == ["one", "two"]
    with pytest.raises(KeyError, match="three"):
        registry["three"]
