"""A recipe to start from: whole, commented, and one that runs."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from tests.recipes import write_book

from interlaw.cli import run
from interlaw.errors import InterlawError
from interlaw.sweep import TrainingPart, parse_recipe, plan_trials, starter_recipe


@pytest.mark.parametrize("family", ["gpt", "mlp", "cnn", "gru", "hf:llama"])
def test_it_is_a_recipe_of_the_family(family: str) -> None:
    text = starter_recipe(family=family)
    assert parse_recipe(text, source="recipe.toml").family == family
    keys = {line.lstrip("# ").partition(" =")[0] for line in text.splitlines() if " =" in line}
    assert set(TrainingPart.model_fields) <= keys


@pytest.mark.parametrize(("family", "data"), [("gpt", "Tokens"), ("mlp", "Samples"), ("cnn", "Pixels")])
def test_comments_count_the_data_as_the_task_does(family: str, data: str) -> None:
    text = starter_recipe(family=family)
    assert f"# {data} as a multiple of the nominal budget" in text
    said = [
        line for line in text.splitlines() if line.startswith("# ") and re.search(r"(?i)\b(tokens|sequences)\b", line)
    ]
    assert bool(said) == (family == "gpt"), said


def test_a_key_behind_a_comment_sign_shows_the_default() -> None:
    given = tomllib.loads(starter_recipe(family="gpt"))["training"]
    shown = tomllib.loads(
        "\n".join(
            line.removeprefix("# ")
            for line in starter_recipe(family="gpt").partition("[training]")[2].partition("[measure]")[0].splitlines()
            if line.startswith("# ") and " = " in line
        )
    )
    assert shown["beta1"] == TrainingPart.model_fields["beta1"].default
    assert shown["weight_decay"] == TrainingPart.model_fields["weight_decay"].default
    assert not set(shown) & set(given)
    assert "\n# tied = false\n" in starter_recipe(family="gpt")


@pytest.mark.parametrize(
    ("family", "message"),
    [("llama", "choose hf:llama"), ("nothing", "expected a family")],
)
def test_a_family_that_cannot_be_trained_is_refused(family: str, message: str) -> None:
    with pytest.raises(InterlawError, match=message):
        starter_recipe(family=family)


def test_a_family_that_reads_no_text_takes_none() -> None:
    with pytest.raises(InterlawError, match="expected a family that learns text, found 'mlp'"):
        starter_recipe(family="mlp", corpus="book.txt")


def test_init_writes_a_recipe_of_ones_own_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_book(tmp_path, lines=2000)
    (tmp_path / "recipes").mkdir()
    monkeypatch.chdir(tmp_path)
    assert run(["init", "recipes/mine.toml", "--text", "book.txt"]) == 0
    recipe = parse_recipe((tmp_path / "recipes" / "mine.toml").read_text(), source="mine.toml")
    assert recipe.task.corpus == "../book.txt"  # type: ignore[union-attr]
    assert len(plan_trials(recipe, folder=tmp_path / "recipes")) == 8
    assert sorted(path.name for path in (tmp_path / "recipes").iterdir()) == ["mine.toml"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("init here.toml", "expected a new file, found one at 'here.toml'"),
        ("init new.toml --text nowhere", "found nothing at 'nowhere'"),
        ("init here.toml/new.toml", "expected"),
    ],
)
def test_init_refuses_in_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: str,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("here.toml").touch()
    assert run(arguments.split()) == 2
    assert message in capsys.readouterr().err
    assert not Path("new.toml").exists()


def test_all_mistakes_of_a_recipe_are_told_at_once() -> None:
    text = starter_recipe(family="gpt").replace("beta2 = 0.98", "beta2 = 2").replace("# clip = 1", "clipp = 0.5")
    with pytest.raises(InterlawError, match=r"training\.beta2: .* found '2'.*; unknown key 'training\.clipp'.* 'clip'"):
        parse_recipe(text, source="recipe.toml")
