"""A named model is loaded, given something to read, and measured as the command line does it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers as tr
from tokenizers import Tokenizer, models, pre_tokenizers
from typer.testing import CliRunner

import interlaw as il
from interlaw.cli import app
from interlaw.errors import InterlawError
from interlaw.interaction import measure as measure_network
from interlaw.models import load_factory, load_pretrained, text_batches

TEXT = "".join(chr(97 + (number * number) % 23) + (" " if number % 7 == 0 else "") for number in range(2000))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GPT-2 that reads letters, saved with its tokenizer, and a text beside it."""
    torch.manual_seed(0)
    place = tmp_path_factory.mktemp("named")
    letters = Tokenizer(models.WordLevel({chr(97 + i): i for i in range(26)} | {"?": 26}, unk_token="?"))
    letters.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tr.PreTrainedTokenizerFast(tokenizer_object=letters).save_pretrained(place / "gpt2")
    config = tr.GPT2Config(vocab_size=27, n_positions=16, n_embd=8, n_layer=1, n_head=2)
    tr.GPT2LMHeadModel(config).save_pretrained(place / "gpt2")
    (place / "book.txt").write_text(TEXT)
    (place / "mine.py").write_text(
        "import torch\n\ndef build():\n    torch.manual_seed(1)\n"
        "    return torch.nn.Sequential(torch.nn.Dropout(0.5), torch.nn.Linear(3, 2), torch.nn.Tanh())\n"
    )
    np.save(place / "x.npy", np.random.default_rng(0).standard_normal((12, 3)))
    return place


def test_a_folder_reads_a_text_like_its_parts_by_hand(folder: Path) -> None:
    found = il.measure(str(folder / "gpt2"), text=folder / "book.txt", samples=9, context=8)
    loaded = load_pretrained(str(folder / "gpt2"))
    batches = text_batches(loaded, TEXT, num_sequences=9, context=8, targets=True, seed=0)
    expected = measure_network(loaded.model, batches, view="loss")
    assert found.view == "loss"  # as the command line chooses for a language model
    assert found.aofe_ratio == expected.aofe_ratio
    assert found.inputs == expected.inputs
    assert found.model == str(folder / "gpt2")


def test_it_is_what_the_command_line_says(folder: Path) -> None:
    arguments = ["measure", str(folder / "gpt2"), "--text", str(folder / "book.txt"), "--samples", "9", "--json"]
    said = json.loads(CliRunner().invoke(app, arguments, catch_exceptions=False).stdout)
    found = il.measure(folder / "gpt2", text=str(folder / "book.txt"), samples=9)
    assert said["aofe_ratio"] == found.aofe_ratio.to_dict()
    assert said["inputs"] == found.inputs


def test_what_the_command_line_would_print_is_in_the_warnings(folder: Path) -> None:
    found = il.measure(str(folder / "gpt2"), samples=9, context=8)
    assert found.warnings[0] == "read the held-out part of the standard library"
    few = il.measure(str(folder / "gpt2"), text=folder / "book.txt", samples=500, context=8)
    assert any(note.startswith("500 samples were asked for, there are ") for note in few.warnings)


@pytest.mark.parametrize("as_file", [True, False])
def test_a_factory_takes_inputs_from_a_file_or_from_memory(folder: Path, as_file: bool) -> None:
    file = folder / "x.npy"
    values = torch.from_numpy(np.load(file).astype(np.float32))
    found = il.measure(f"{folder / 'mine.py'}:build", str(file) if as_file else values, samples=10)
    network = load_factory(f"{folder / 'mine.py'}:build").eval()
    expected = measure_network(network, values[:10], view="input")
    assert found.aofe_ratio == expected.aofe_ratio
    assert found.num_clusters == 10
    assert "the network came in train mode; measured in eval mode, which matters to 0" in found.warnings


def test_a_trial_brings_its_own_inputs(finished_run: Path) -> None:
    trial = sorted(path.parent for path in finished_run.glob("trials/*/record.json"))[0]
    found = il.measure(trial, samples=8)
    model, spec = il.load_trial(trial)
    inputs = spec.task.open().probes(num_samples=8, with_targets=found.view == "loss")
    assert found.aofe_ratio == measure_network(model, inputs, view=found.view).aofe_ratio


def test_both_sources_are_refused(folder: Path) -> None:
    with pytest.raises(InterlawError, match="expected text= or inputs=, found both"):
        il.measure(str(folder / "gpt2"), folder / "x.npy", text=folder / "book.txt")


def test_a_network_at_hand_has_no_text() -> None:
    with pytest.raises(InterlawError, match=r"expected text= with a model's name.*found Linear"):
        il.measure(torch.nn.Linear(3, 2), text="book.txt")


def test_layers_of_a_name_are_those_of_the_command_line(folder: Path) -> None:
    options = ["--text", str(folder / "book.txt"), "--samples", "9", "--context", "8", "--json"]
    printed = json.loads(CliRunner().invoke(app, ["layers", str(folder / "gpt2"), *options]).stdout)
    found = il.measure_layers(folder / "gpt2", text=folder / "book.txt", samples=9, context=8)
    expected = {row["layer"]: row["interaction"]["aofe_ratio"]["value"] for row in printed["layers"]}
    assert {row.name: row.interaction.aofe_ratio.value for row in found} == expected
    noted = il.measure_layers(f"{folder / 'mine.py'}:build", folder / "x.npy")
    assert noted[0].interaction.warnings[0].startswith("the network came in train mode")
    assert noted.left_out == {}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": 0}, "expected samples as a whole number of at least 3, found 0; leave it out for the default"),
        ({"samples": 2}, "expected samples as a whole number of at least 3, found 2"),
        ({"samples": 9.5}, "expected samples as a whole number of at least 3, found 9.5"),
        ({"context": 0}, "expected context as a whole number of at least 2, found 0"),
        ({"context": 1}, "expected context as a whole number of at least 2, found 1"),
    ],
)
def test_too_few_samples_or_tokens_are_refused_before_anything_is_loaded(options: dict[str, Any], message: str) -> None:
    for work in (il.measure, il.measure_layers):
        with pytest.raises(InterlawError, match=message):
            work("no-such-model", **options)
    with pytest.raises(InterlawError, match=message):
        il.InteractionCallback(text="book.txt", **options)


def test_a_network_at_hand_has_no_number_of_samples() -> None:
    with pytest.raises(InterlawError, match="expected samples= with a model's name"):
        il.measure(torch.nn.Linear(3, 2), torch.randn(8, 3), samples=0)
