"""A name that is misspelt is answered with the one that was meant."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.recipes import write_recipe

from interlaw.cli import run
from interlaw.cli.mistakes import in_options


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
            "or lower --vocab, --head-dim or --multiple-of",
            "--parallel",
        ),
        (
            "recommend --params 1M --vocab 1M --family llama --parallel 8",
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
    assert in_options("pass dtype=torch.float32, which", {"float32": "--float32"}) == "pass --float32, which"


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two small models and a text, where the command runs."""
    import transformers as tr

    monkeypatch.chdir(tmp_path)
    settings = {"bos_token_id": None, "eos_token_id": None}
    config = tr.GPT2Config(vocab_size=256, n_positions=16, n_embd=8, n_layer=2, n_head=2, **settings)
    tr.GPT2LMHeadModel(config).save_pretrained("gptA")
    Path("book.txt").write_text("hello world " * 100)
    Path("x.npy").write_bytes(b"")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("measure gptA --layer h.1.mlp", "; did you mean 'transformer.h.1.mlp'?"),
        ("layers gptA --layer h.1.mlp.c_fc", "; did you mean 'transformer.h.1.mlp.c_fc'?"),
        ("measure gptA/model.safetensors", "found the file 'gptA/model.safetensors'; give the folder gptA"),
        ("measure gptA/modle.safetensors", "found nothing at 'gptA/modle.safetensors'; give the folder gptA"),
        ("measure gptC", "expected a model's folder or hub name, found 'gptC'; did you mean 'gptA'? (of the hub: "),
        ("measure gptA book.txt", "(book.txt); did you mean --text book.txt?"),
        ("measure gptA x.npy", "(x.npy); did you mean --inputs x.npy?"),
        ("diff gptA gptA book.txt", "(book.txt); did you mean --text book.txt?"),
    ],
)
@pytest.mark.usefixtures("folders")
def test_models_layers_and_texts(arguments: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments.split()) == 2
    assert said in capsys.readouterr().err


@pytest.mark.usefixtures("folders")
def test_an_argument_too_many_that_is_no_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["measure", "gptA", "bok.txt"]) == 2
    assert "did you mean" not in capsys.readouterr().err
