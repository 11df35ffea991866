"""A model folder with a fault is refused in one line; none is measured with weights that were drawn at random."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from interlaw.errors import InterlawError
from interlaw.models.huggingface import load_pretrained

WEIGHTS = "model.safetensors"
CONFIG = transformers.GPT2Config(vocab_size=300, n_embd=16, n_layer=1, n_head=2, n_positions=48)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    torch.manual_seed(0)
    transformers.AutoModelForCausalLM.from_config(CONFIG).save_pretrained(folder)
    return folder


class Payload:
    """Unpickled, it makes a folder."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (os.mkdir, (str(self.target),))


def plain_pickle(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Payload(folder / "ran"), protocol=2))


def torch_pickle(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    torch.save({"weight": Payload(folder / "ran")}, folder / "pytorch_model.bin")


def cut(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:-100])


def empty(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes(b"")


def gone(folder: Path) -> None:
    (folder / WEIGHTS).unlink()


def narrow(folder: Path) -> None:
    weights = load_file(folder / WEIGHTS)
    save_file(weights | {"transformer.ln_f.weight": torch.ones(3)}, folder / WEIGHTS, {"format": "pt"})


def settings(**values: object) -> Callable[[Path], None]:
    document = {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], **values}
    return lambda folder: (folder / "config.json").write_text(json.dumps(document)) and None


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize(
    "damage",
    {
        "pickle": plain_pickle,
        "torch-pickle": torch_pickle,
        "cut": cut,
        "empty": empty,
        "gone": gone,
        "narrow": narrow,
        "text": settings(n_embd="x"),
        "negative": settings(n_embd=-3),
        "indivisible": settings(n_embd=16, n_head=3),
        "kind": settings(model_type=7),
        "nothing": lambda folder: (folder / "config.json").write_bytes(b"") and None,
    }.items(),
    ids=lambda damage: damage[0],
)
def test_a_damaged_folder_is_refused(whole: Path, tmp_path: Path, damage: tuple[str, Callable[[Path], None]]) -> None:
    folder = tmp_path / "model"
    shutil.copytree(whole, folder)
    damage[1](folder)
    with pytest.raises(InterlawError, match=r"expected a model's folder or hub name, found .*model") as refused:
        load_pretrained(str(folder))
    assert "\n" not in str(refused.value)
    assert not (folder / "ran").exists()


def test_weights_that_are_missing_are_not_drawn(whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole, tmp_path / "model")
    weights = load_file(whole / WEIGHTS)
    missing = {name: weights[name] for name in sorted(weights) if "ln_f" not in name}
    for found, count in ((missing, 2), ({"x": torch.zeros(3)}, len(weights) + 1)):
        save_file(found, tmp_path / "model" / WEIGHTS, {"format": "pt"})
        with pytest.raises(InterlawError, match=f"expected all weights of .*, found {count} missing, such as"):
            load_pretrained(str(tmp_path / "model"))


def test_tied_weights_and_poolers_are_not_missing(whole: Path, tmp_path: Path) -> None:
    assert "lm_head.weight" not in load_file(whole / WEIGHTS)
    assert load_pretrained(str(whole)).causal
    config = transformers.BertConfig(
        vocab_size=300, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8
    )
    transformers.BertForMaskedLM(config).save_pretrained(tmp_path / "masked")
    assert not load_pretrained(str(tmp_path / "masked")).causal
    settings = json.loads((tmp_path / "masked" / "config.json").read_text())
    (tmp_path / "masked" / "config.json").write_text(json.dumps({**settings, "architectures": ["BertModel"]}))
    assert not load_pretrained(str(tmp_path / "masked")).causal


def test_a_classifier_without_its_pooler_is_refused(tmp_path: Path) -> None:
    config = transformers.BertConfig(
        vocab_size=300, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8
    )
    transformers.BertForSequenceClassification(config).save_pretrained(tmp_path)
    kept = {name: weight for name, weight in load_file(tmp_path / WEIGHTS).items() if "pooler" not in name}
    save_file(kept, tmp_path / WEIGHTS, metadata={"format": "pt"})
    with pytest.raises(InterlawError, match=r"expected all weights of .*, found 2 missing, such as bert\.pooler"):
        load_pretrained(str(tmp_path))


@pytest.mark.parametrize("without", [None, "config.json"])
def test_an_adapter_is_never_passed_over(without: str | None, whole: Path, tmp_path: Path) -> None:
    """Where peft is not installed, transformers loads the weights below an adapter and says nothing of it."""
    if find_spec("peft") is not None:
        pytest.skip("peft is installed: it applies the adapter")
    folder = tmp_path / "adapted"
    shutil.copytree(whole, folder)
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 2}))
    if without:
        (folder / without).unlink()
    with pytest.raises(InterlawError, match=r"found an adapter \(adapter_config.json\), which needs the package peft"):
        load_pretrained(str(folder))
