"""A name that is misspelt is answered with the one that was meant."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.recipes import write_recipe

from interlaw.cli import run
from interlaw.cli.options import in_options


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        ("shape --params 1M", "shapes"),
        ("recomend --params 1M", "recommend"),
        ("shapes --parms 1M", "--params"),
        ("shapes --params 1M --family lama", "llama"),
        ("sweep r.toml --out run --executor procesess", "processes"),
        ("sweep r.toml --out run --log wanbd", "wandb"),
        ("reproduce gpt-dept --out run", "gpt-depth"),
        ("export run --format parket", "parquet"),
        ("fit docs/imagse", "docs/images"),
        ("status docs/imagse", "docs/images"),
        ("sweep src/interlaw/recipes/quikstart.toml --out run", "src/interlaw/recipes/quickstart.toml"),
        ("quickstart --text docz", "docs"),
        ("init r.toml --text docz", "docs"),
        ("measure src/interlaw/recipe", "recipes"),
    ],
)
def test_commands_options_and_values(arguments: str, meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments.split()) == 2
    found = capsys.readouterr().err
    assert meant in found.partition("found ")[2] or meant in found.partition(":")[2]
    told = ("did you mean", "possible options")
    assert any(words in found.casefold() for words in told)


@pytest.mark.parametrize(
    ("part", "key", "meant"),
    [
        ("top", "depts", "depths"),
        ("training", "lerning_rate", "learning_rate"),
        ("measure", "view", "views"),
        ("budget", "amount", "amounts"),
    ],
)
def test_keys_of_a_recipe(tmp_path: Path, capsys: pytest.CaptureFixture[str], part: str, key: str, meant: str) -> None:
    recipe = write_recipe(tmp_path, **{part: {key: 1}})
    assert run(["sweep", str(recipe), "--out", str(tmp_path / "run"), "--dry-run"]) == 2
    found = capsys.readouterr().err
    assert key in found
    assert f"did you mean '{meant}'?" in found


def test_two_models_of_ones_own_are_sent_to_diff(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare", "gpt2", "distilgpt2"]) == 2
    assert "found gpt2 distilgpt2; `interlaw diff A B` compares" in capsys.readouterr().err


def test_views(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = write_recipe(tmp_path, measure={"views": ["projcted"]})
    assert run(["sweep", str(recipe), "--out", str(tmp_path / "run"), "--dry-run"]) == 2
    assert "did you mean 'projected'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said", "never"),
    [
        ("shapes --params 30 --depths 4 --head-dim 64", "or lower depth, --head-dim or --multiple-of", "head_dim"),
        ("recommend", "exactly one budget (--params or --flops), found none", "flops_per_token"),
        ("shapes", "exactly one budget (--params, --flops-per-token or --flops)", "params="),
        (
            "recommend --params 1M --vocab 1M --family llama",
            "or lower --vocab, --parallel, --head-dim or --multiple-of",
            "head_dim",
        ),
    ],
)
def test_the_command_line_speaks_of_options(
    arguments: str, said: str, never: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments.split()) == 2
    found = capsys.readouterr().err
    assert said in found
    assert never not in found


def test_arguments_become_options_and_quotations_stay() -> None:
    known = {"layer": "--layer", "given": "--given", "seed": "--seed"}
    said = in_options("in 'lr=1/seed=0' pass layer='embeddings' or given= (--given), run=3, a layer's place", known)
    assert said == "in 'lr=1/seed=0' pass --layer embeddings or --given, run=3, a layer's place"
    assert (
        in_options("pass dtype=torch.float32 (--float32), which", {"float32": "--float32"}) == "pass --float32, which"
    )
