"""Pretrained models side by side, on models made here: losses, superposition, power laws, going on."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from tokenizers import Tokenizer, pre_tokenizers, trainers
from tokenizers import models as tokenizer_models

from interlaw.errors import InterlawError
from interlaw.models import load_pretrained, text_batches
from interlaw.reproduce import Driver, reproduce
from interlaw.reproduce.open_models import agreement, default_models, embedding_superposition, measure_model, text_loss
from interlaw.reproduce.power_fit import fit_power

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
    row = measure_model(folders[4], text=text, out=tmp_path, driver=driver)
    assert (row["depth"], row["width"], row["ratio"]) == (2, 16, 0.125)
    assert 0 < row["projected_aofe_ratio"] < 1
    assert row["loss_excess_ratio"] == pytest.approx(row["loss_aofe_ratio"] - row["loss_null_ratio"])
    assert row["loss_per_token"] == pytest.approx(math.log(270), rel=0.05)  # untrained: about uniform
    assert measure_model(folders[4], text=text, out=tmp_path, driver=driver) == row
    assert len(notes) == 1
    with pytest.raises(InterlawError, match="results of these settings"):
        measure_model(folders[4], text="stdlib", out=tmp_path, driver=driver)


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


def test_superposition_of_a_token_table_is_that_of_the_whole_matrix() -> None:
    E = torch.randn(9, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    G = (E @ E.T).numpy()
    aofe = (G**2).sum() - (np.diag(G) ** 2).sum()
    found = embedding_superposition(E)
    assert found["embedding_aofe"] == pytest.approx(aofe, rel=1e-10)
    assert found["embedding_aofe_ratio"] == pytest.approx(aofe / (G**2).sum(), rel=1e-10)


def test_power_fit_is_the_line_of_the_logarithms() -> None:
    x = np.array([1.0, 2.0, 5.0, 9.0])
    y = 3 * x**-0.7 * np.exp([0.1, -0.1, 0.05, 0.0])
    fit = fit_power("q", x, y)
    assert fit is not None
    design = np.column_stack([np.ones(4), np.log(x)])
    expected = np.linalg.lstsq(design, np.log(y), rcond=None)[0]
    assert fit.exponent == pytest.approx(expected[1], rel=1e-10)
    assert fit.r_squared == pytest.approx(np.corrcoef(np.log(x), np.log(y))[0, 1] ** 2, rel=1e-10)


@pytest.mark.parametrize("values", [[1.0, 2.0], [1.0, -2.0, 3.0], [1.0, 1.0, 1.0], [1.0, math.nan, 2.0]])
def test_no_power_law_where_there_is_none(values: list[float]) -> None:
    assert fit_power("q", values, [1.0, 2.0, 3.0][: len(values)]) is None


def test_agreement_needs_six_models() -> None:
    def rows(count: int) -> list[dict[str, float]]:
        names = ("projected_aofe_ratio", "projected_aofe", "loss_aofe_ratio", "loss_aofe", "embedding_aofe")
        return [{"bits_per_byte": 1 + place, **dict.fromkeys(names, 1.0 + place)} for place in range(count)]

    assert {line.verdict for line in agreement(rows(5))} == {"not comparable"}
    verdicts = {line.figure: line.verdict for line in agreement(rows(6))}
    assert verdicts["loss as a power of projected_aofe"] == "agrees"
    assert verdicts["loss as a power of projected_aofe_ratio"] == "does not agree"


def test_default_models_are_named_once_and_tiny_ones_among_them() -> None:
    every = default_models("paper")
    assert len(every) == len(set(every))
    assert set(default_models("tiny")) < set(every)
    assert sum("Gemstone" in name for name in every) == 22
    assert "EleutherAI/pythia-12b" in every


def test_the_experiment_from_end_to_end(folders: list[str], text: str, tmp_path: Path) -> None:
    outcome = reproduce("open-models", out=tmp_path, driver=DRIVER, text=text, models=tuple(folders))
    assert len(outcome.table) == 7
    assert len(outcome.agreement) == 5
    assert len(outcome.answers) == 2
    assert json.loads((tmp_path / "outcome.json").read_text())["experiment"] == "open-models"
    few = reproduce("open-models", out=tmp_path, driver=DRIVER, text=text, models=tuple(folders[:2]))
    assert few.answers[0].evidence == "2 models were measured, 6 are needed"


def test_an_encoder_is_refused(tmp_path: Path, text: str) -> None:
    config = transformers.BertConfig(
        vocab_size=30, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8
    )
    transformers.BertModel(config).save_pretrained(tmp_path / "bert")
    with pytest.raises(InterlawError, match="expected models that predict the next token"):
        measure_model(str(tmp_path / "bert"), text=text, out=tmp_path, driver=DRIVER)
