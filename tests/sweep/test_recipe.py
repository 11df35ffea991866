"""Recipes: what a person may write, and one clear line for what they may not."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from tests.recipes import recipe_text

from interlaw.errors import InterlawError
from interlaw.sweep import parse_recipe, read_recipe


def test_a_recipe_is_what_it_says() -> None:
    recipe = parse_recipe(recipe_text(top={"depths": "1-3,8"}, budget={"amounts": ["3k", 5000, "1.5M"]}), source="r")
    assert recipe.depths == (1, 2, 3, 8)
    assert recipe.budget.amounts == (3000, 5000, 1_500_000)
    assert recipe.shape == {"context": 8, "head_dim": 2}
    assert recipe.training.learning_rate == 0.01
    assert [spec.view for spec in recipe.measure.specs(trained_samples=1)] == ["projected", "loss"]
    assert {spec.samples for spec in recipe.measure.specs(trained_samples=10**9)} == {8}


def test_a_number_may_stand_in_quotes() -> None:
    quoted = {"training": {"learning_rate": "1e-2", "steps": "40"}, "shape": {"context": "8"}}
    assert parse_recipe(recipe_text(**quoted), source="r") == parse_recipe(
        recipe_text(training={"learning_rate": 1e-2, "steps": 40}, shape={"context": 8}), source="r"
    )


def test_the_packaged_recipes_are_sound() -> None:
    found = [path for path in files("interlaw").joinpath("recipes").iterdir() if path.name.endswith(".toml")]
    assert found
    for path in found:
        assert parse_recipe(path.read_text(), source=path.name).depths


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"top": {"name": None}}, "missing key 'name', add it"),
    ({"top": {"name": ""}}, "name: string should have at least 1 character"),
    ({"top": {"names": "x"}}, "unknown key 'names', remove it or fix its spelling"),
    ({"top": {"family": "gtp"}}, "expected a family of gpt"),
    ({"top": {"family": "llama"}}, "expected a family with a network .gpt"),
    ({"top": {"depths": []}}, "depths: tuple should have at least 1 item"),
    ({"top": {"depths": "four"}}, "expected depths such as 1-24, 2-16:2 or 1,2,4, found 'four'"),
    ({"top": {"depths": "4-1"}}, "expected depths from 1 to"),
    ({"top": {"depths": [1, 2, 1]}}, "depths names a value twice"),
    ({"top": {"depths": [1.5]}}, "depths.0: input should be a valid integer"),
    ({"top": {"depths": 3}}, "depths: expected a list, found '3', write a list: \\[3\\]"),
    ({"top": {"seeds": []}}, "seeds: tuple should have at least 1 item"),
    ({"top": {"seeds": [0, 0]}}, "seeds names a value twice"),
    ({"top": {"seeds": [-1]}}, "seeds.0: input should be greater than or equal to 0, found '-1'"),
    ({"shape": {"vocab_size": 50}}, "shape.vocab_size follows from the tokenizer; remove it"),
    ({"shape": {"context": "long"}}, "shape.context"),
    ({"budget": {"amounts": "12k"}}, 'budget.amounts: expected a list, found .12k., write a list: \\["12k"\\]'),
    ({"budget": {"amounts": []}}, "budget.amounts: tuple should have at least 1 item"),
    ({"budget": {"amounts": ["3 bananas"]}}, "expected a size such as 300k, 3M or 1.2B, found '3 bananas'"),
    ({"budget": {"amounts": [2.5]}}, r"amounts of params are whole numbers, found \(2\.5,\)"),
    ({"budget": {"amounts": ["0"]}}, "expected a size between 1 and"),
    ({"budget": {"amounts": ["3k", 3000]}}, "budget.amounts names a value twice"),
    ({"budget": {"kind": "weights"}}, "budget.kind: input should be 'params', 'params_non_embedding'"),
    (
        {"budget": {"kind": "train_flops", "amounts": ["1e9"]}},
        "a budget in train_flops needs training.tokens_per_param",
    ),
    ({"budget": {"rule": "best"}}, "budget.rule: input should be 'largest' or 'nearest', found 'best'"),
    ({"budget": {"multiple_of": 0}}, "budget.multiple_of: input should be greater than or equal to 1"),
    ({"budget": {"params": "3k"}}, "budget: kind tokens_per_param, and no other, takes params"),
    ({"budget": {"kind": "tokens_per_param"}}, "budget: kind tokens_per_param, and no other, takes params"),
    (
        {"budget": {"kind": "tokens_per_param", "params": "3k", "amounts": [20]}},
        "training: give exactly one of steps and tokens_per_param, none under a budget in tokens_per_param",
    ),
    ({"task": {"tokeniser": "bytes"}}, r"unknown key 'task\.(text\.)?tokeniser'"),
    ({"task": {"kind": "pictures"}}, "task"),
    ({"task": {"corpus": 3}}, r"task\.(text\.)?corpus: input should be a valid string"),
    ({"training": {"steps": None}}, "training: give exactly one of steps and tokens_per_param"),
    ({"training": {"tokens_per_param": 20}}, "training: give exactly one of steps and tokens_per_param"),
    ({"training": {"steps": 0}}, "training.steps: input should be greater than or equal to 1"),
    ({"training": {"steps": "many"}}, "training.steps: input should be a valid integer"),
    ({"training": {"batch_size": 0}}, "training.batch_size: input should be greater than or equal to 1"),
    (
        {"training": {"learning_rate": None}},
        "training: treatment fixed takes learning_rate, not none of them, change it",
    ),
    ({"training": {"learning_rate": 0}}, "training.learning_rate: input should be greater than 0"),
    ({"training": {"learning_rate": -0.1}}, "training.learning_rate: input should be greater than 0"),
    ({"training": {"learning_rate": float("inf")}}, "training.learning_rate: input should be a finite number"),
    ({"training": {"learning_rate": float("nan")}}, "training.learning_rate: input should be"),
    ({"training": {"warmup_fraction": 1.5}}, "training.warmup_fraction: input should be less than or equal to 1"),
    ({"training": {"final_fraction": -1}}, "training.final_fraction: input should be greater than or equal to 0"),
    ({"training": {"beta1": 1}}, "training.beta1: input should be less than 1"),
    ({"training": {"beta2": -0.1}}, "training.beta2: input should be greater than or equal to 0"),
    ({"training": {"clip": -1}}, "training.clip: input should be greater than or equal to 0"),
    ({"training": {"weight_decay": -1}}, "training.weight_decay: input should be greater than or equal to 0"),
    ({"training": {"evaluations": 0}}, "training.evaluations: input should be greater than or equal to 1"),
    (
        {"training": {"treatment": "magic"}},
        "training.treatment.0: expected a treatment of fixed, search, mup, completep, found .magic., change it$",
    ),
    ({"training": {"lr": 0.1}}, "unknown key 'training.lr'"),
    ({"measure": {"samples": 1}}, "measure.samples: input should be greater than or equal to 2"),
    ({"measure": {"views": ["los"]}}, "measure.views names 'los'; choose among input, loss, .*did you mean 'loss'"),
    ({"measure": {"views": ["loss", "loss"]}}, "measure.views names a value twice"),
    ({"measure": {"views": "loss"}}, 'measure.views: expected a list, found .loss., write a list: \\["loss"\\]'),
]


def test_all_mistakes_are_told_at_once() -> None:
    changes = {"top": {"depths": "four", "family": "gtp"}, "budget": {"amounts": ["0"]}, "training": {"lr": 0.1}}
    with pytest.raises(InterlawError) as caught:
        parse_recipe(recipe_text(**changes), source="my.toml")
    for part in (
        "family: expected a family of gpt",
        "depths: expected depths such as",
        "expected a size",
        "training.lr",
    ):
        assert part in str(caught.value)


@pytest.mark.parametrize(("changes", "message"), WRONG, ids=[str(changes) for changes, _ in WRONG])
def test_wrong_recipes_get_one_clear_line(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InterlawError, match=message) as caught:
        parse_recipe(recipe_text(**changes), source="my.toml")
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 300
    assert "pydantic" not in text
    assert text.startswith("my.toml: "), "the line names the file"


def test_all_mistakes_are_told_and_beyond_eight_they_are_counted() -> None:
    text = recipe_text(training={"learning_rate": -1, "batch_size": 0, "clip": -1})
    with pytest.raises(
        InterlawError, match=r"training.clip: .*; training.batch_size: .*; training.learning_rate: "
    ) as caught:
        parse_recipe(text, source="r")
    assert "more)" not in str(caught.value)
    text = recipe_text(top={f"key{number}": number for number in range(11)})
    with pytest.raises(InterlawError, match=r"unknown key 'key7', .* \(and 3 more\)$"):
        parse_recipe(text, source="r")


@pytest.mark.parametrize("text", ["name = ", "[shape", "a = 1\na = 2", '"'])
def test_what_is_no_toml_is_refused(text: str) -> None:
    with pytest.raises(InterlawError, match=r"expected TOML in my.toml, found: .*; fix the file") as caught:
        parse_recipe(text, source="my.toml")
    assert "\n" not in str(caught.value)


def test_a_missing_or_unreadable_recipe_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes('name = "größer"'.encode("latin-1"))
    for path in (tmp_path / "missing.toml", tmp_path, tmp_path / "latin.toml"):
        with pytest.raises(InterlawError, match=r"expected a recipe file, found .*; give the path of a TOML recipe"):
            read_recipe(path)
