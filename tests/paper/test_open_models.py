"""Pretrained models side by side, on models made here: losses, superposition, power laws, going on."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest
import torch
import transformers
from tokenizers import Tokenizer, pre_tokenizers, trainers
from tokenizers import models as tokenizer_models

from interlaw.cli import run
from interlaw.errors import InterlawError
from interlaw.models import load_pretrained, text_batches
from interlaw_paper import Driver, reproduce
from interlaw_paper.model_figures import text_loss
from interlaw_paper.open_models import (
    default_models,
    fitted,
    measure_model,
    require_different,
    require_text,
    tier_of,
)

SENTENCES = "the quick brown fox jumps over the lazy dog; pack my box with five dozen liquor jugs\n"


def no_sweep(plan: object) -> None:
    raise AssertionError("this experiment has no sweep")


DRIVER = Driver(sweep=no_sweep)


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text(SENTENCES * 4000)
    return str(path)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Seven random GPT-2s of different shapes with a tokenizer of their own."""
    trained = Tokenizer(tokenizer_models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trained.train_from_iterator([SENTENCES], trainers.BpeTrainer(vocab_size=270, initial_alphabet=alphabet))
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=trained)
    made = []
    for depth, width in ((1, 8), (2, 8), (3, 8), (1, 16), (2, 16), (3, 16), (4, 16)):
        torch.manual_seed(depth * 100 + width)
        config = transformers.GPT2Config(
            vocab_size=len(tokenizer), n_embd=width, n_layer=depth, n_head=2, n_positions=24
        )
        folder = tmp_path_factory.mktemp(f"{depth}x{width}")
        transformers.GPT2LMHeadModel(config).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        made.append(str(folder))
    return made


def test_a_models_row(folders: list[str], text: str, tmp_path: Path) -> None:
    notes: list[str] = []
    driver = Driver(sweep=no_sweep, note=notes.append)
    corpus = require_text(text)
    row = measure_model(folders[4], corpus=corpus, out=tmp_path, driver=driver)
    assert (row["depth"], row["width"], row["ratio"]) == (2, 16, 0.125)
    assert 0 < row["projected_aofe_ratio"] < 1
    assert row["loss_excess_ratio"] == pytest.approx(row["loss_aofe_ratio"] - row["loss_null_ratio"])
    assert row["loss_per_token"] == pytest.approx(math.log(270), rel=0.05)  # untrained: about uniform
    assert measure_model(folders[4], corpus=corpus, out=tmp_path, driver=driver) == row
    assert len(notes) == 1


def test_figures_of_another_text_or_other_weights_are_not_taken_for_these(
    folders: list[str], text: str, tmp_path: Path
) -> None:
    """Both are overwritten in place, under their old names."""
    model, words = tmp_path / "model", tmp_path / "text.txt"
    shutil.copytree(folders[0], model)
    shutil.copy(text, words)
    out = tmp_path / "out"
    measure_model(str(model), corpus=require_text(str(words)), out=out, driver=DRIVER)
    words.write_text("completely other text 0123456789\n" * 9000)
    with pytest.raises(InterlawError, match=r"results of these settings .*\(of another text\)"):
        measure_model(str(model), corpus=require_text(str(words)), out=out, driver=DRIVER)
    shutil.copy(text, words)
    loaded = transformers.GPT2LMHeadModel.from_pretrained(model)
    with torch.no_grad():
        loaded.transformer.wte.weight.add_(1)
    loaded.save_pretrained(model)
    with pytest.raises(InterlawError, match=r"results of these settings .*\(of another weights\)"):
        measure_model(str(model), corpus=require_text(str(words)), out=out, driver=DRIVER)


def test_a_model_that_fails_is_a_row_and_the_others_go_on(folders: list[str], text: str, tmp_path: Path) -> None:
    names = (folders[0], str(tmp_path / "nowhere"), folders[1])
    outcome = reproduce("open-models", out=tmp_path / "out", driver=DRIVER, text=text, models=names)
    assert [row["status"] for row in outcome.table] == ["done", "failed", "done"]
    (lost,) = outcome.lost
    assert lost.startswith(f"{names[1]}: expected a model's folder or hub name, found")
    assert "\n" not in lost
    assert outcome.setting.startswith("2 pretrained models")
    assert (
        run(["reproduce", "open-models", "--out", str(tmp_path / "out"), "--text", text, "--models", ",".join(names)])
        == 1
    )
    assert json.loads((tmp_path / "out" / "outcome.json").read_text())["lost"] == [lost]


def test_a_failure_inside_a_measurement_is_a_row_too(
    folders: list[str], text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*arguments: object, **options: object) -> None:
        raise RuntimeError("out of\nmemory")

    monkeypatch.setattr("interlaw_paper.open_models.model_figures", fails)
    row = measure_model(folders[0], corpus=require_text(text), out=tmp_path, driver=DRIVER)
    assert row == {"model": folders[0], "status": "failed", "reason": "out of memory"}


def test_without_any_model_there_is_no_outcome(text: str, tmp_path: Path) -> None:
    with pytest.raises(InterlawError, match=r"expected a model that can be measured, found none of 1; .*nowhere"):
        reproduce("open-models", out=tmp_path / "out", driver=DRIVER, text=text, models=(str(tmp_path / "nowhere"),))
    assert not (tmp_path / "out").exists()


def test_a_model_counts_once(folders: list[str]) -> None:
    with pytest.raises(InterlawError, match="expected every model once, found 'gpt2' twice; leave one out"):
        require_different(["gpt2", "gpt2-medium", "gpt2"])
    with pytest.raises(InterlawError, match="again as"):
        require_different([folders[0], f"{folders[0]}/"])
    require_different(folders)


def test_the_text_is_looked_at_before_any_model(tmp_path: Path) -> None:
    short = tmp_path / "short.txt"
    short.write_text("hello world\n" * 20)
    with pytest.raises(
        InterlawError, match=r"expected more than 128 bytes in the validation split of .*give more text"
    ):
        reproduce("open-models", out=tmp_path / "out", driver=DRIVER, text=str(short), models=("nowhere",))


def test_gemstones_are_grouped_in_the_sizes_that_they_were_made_in() -> None:
    tiers = [tier_of(name) for name in default_models("paper") if "Gemstone" in name]
    assert {tier: tiers.count(tier) for tier in set(tiers)} == {50e6: 3, 100e6: 9, 500e6: 4, 1e9: 3, 2e9: 3}
    assert tier_of("EleutherAI/pythia-70m") is None
    assert tier_of("/disk/Gemstone-256x23/") == 50_000_000


def test_the_claims_are_put_to_the_gemstones_alone() -> None:
    def row(name: str, depth: int, width: int) -> dict[str, object]:
        measured = {
            f"projected_{key}": 0.1 + 0.01 * depth for key in ("aofe", "aofe_ratio", "null_ratio", "excess_ratio")
        }
        params = 50432 * width + 16 * depth * width**2
        return {
            "model": name,
            "depth": depth,
            "width": width,
            "params": params,
            "bits_per_byte": 1 + 1 / depth,
            **measured,
        }

    names = [name for name in default_models("paper") if "Gemstone" in name]
    shapes = [tuple(map(int, name.rpartition("-")[2].split("x"))) for name in names]
    rows = [row(name, depth, width) for name, (width, depth) in zip(names, shapes, strict=True)]
    others = [row(f"other/{place}", 4, 64 * 2**place) for place in range(3)]
    fit = fitted([*rows, *others])
    assert fit is not None
    assert len(fit.budgets) == 5
    assert fit == fitted(rows)
    assert fitted(others) is None


def test_text_loss_is_the_librarys_own(folders: list[str]) -> None:
    loaded = load_pretrained(folders[0])
    batches = text_batches(loaded, SENTENCES * 40, num_sequences=5, context=10, targets=True)
    found = text_loss(loaded, batches)
    ids = batches[0]["input_ids"]
    with torch.no_grad():
        expected = float(loaded.model(input_ids=ids, labels=ids).loss)
    assert found["loss_per_token"] == pytest.approx(expected, rel=1e-5)
    num_bytes = sum(len(loaded.tokenizer.decode(row[1:]).encode()) for row in ids)
    assert found["bits_per_byte"] == pytest.approx(expected * 50 / math.log(2) / num_bytes, rel=1e-5)


def test_default_models_are_named_once_and_tiny_ones_among_them() -> None:
    every = default_models("paper")
    assert len(every) == len(set(every))
    assert set(default_models("tiny")) < set(every)
    assert sum("Gemstone" in name for name in every) == 22
    assert "EleutherAI/pythia-12b" in every


def test_the_experiment_from_end_to_end(folders: list[str], text: str, tmp_path: Path) -> None:
    outcome = reproduce("open-models", out=tmp_path / "all", driver=DRIVER, text=text, models=tuple(folders))
    assert len(outcome.table) == 7
    assert [line.figure for line in outcome.agreement] == [
        "the higher the AOFE-ratio, the lower the loss",
        "the lower the AOFE, the lower the loss",
    ]
    assert {each.claim for each in outcome.claims["models"]} == {"C2", "C3", "C4"}
    assert json.loads((tmp_path / "all" / "outcome.json").read_text())["experiment"] == "open-models"
    few = reproduce("open-models", out=tmp_path / "few", driver=DRIVER, text=text, models=tuple(folders[:2]))
    assert "The claims need 6 models; 2 were measured." in few.notes


def test_an_encoder_is_refused(tmp_path: Path, text: str) -> None:
    config = transformers.BertConfig(
        vocab_size=30, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8
    )
    transformers.BertModel(config).save_pretrained(tmp_path / "bert")
    row = measure_model(str(tmp_path / "bert"), corpus=require_text(text), out=tmp_path, driver=DRIVER)
    assert row["status"] == "failed"
    assert row["reason"].startswith("expected models that predict the next token")
