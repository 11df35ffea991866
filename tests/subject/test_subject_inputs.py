"""What a command feeds to a network: arrays as NumPy writes them on any machine, and text only as its own tokens."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch
import transformers as tr
from torch import nn

from interlaw.errors import InterlawError
from interlaw.interaction import list_layers
from interlaw.models import build_model
from interlaw.shapes import GPTShape
from interlaw.subject import Subject, any_tokens, open_subject, own_windows, read_array, read_inputs

VALUES = np.arange(12).reshape(4, 3)


@pytest.mark.parametrize("kind", ["<f8", ">f8", ">f4", "<f2", ">f2", "g", "<i8", ">i4", "<u2", ">u4", "u8", "i1", "?"])
def test_arrays_of_every_number_type_and_byte_order(kind: str, tmp_path: Path) -> None:
    array = VALUES.astype(kind)
    for order in (array, np.asfortranarray(array), array[:, ::-1]):
        np.save(tmp_path / "x.npy", order)
        tensor = read_array(tmp_path / "x.npy")
        assert tensor.dtype == (torch.float32 if np.dtype(kind).kind == "f" else torch.int64)
        assert tensor.tolist() == order.astype(float).tolist()


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([1.0, np.inf]), "expected finite numbers"),
        (np.array([1.0, 1e300]), "expected finite numbers"),
        (np.array([2**63], dtype="u8"), r"whole numbers below 2\^63 in .*, found 9223372036854775808"),
        (np.array([1j]), "expected an array of numbers in .*, found complex128"),
        (np.array(["a"]), "expected an array of numbers"),
        (np.array(5.0), "expected an array of numbers"),
        (np.zeros(2, dtype=[("a", "f4")]), "expected an array of numbers"),
    ],
)
def test_arrays_that_are_no_inputs(array: np.ndarray, message: str, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(InterlawError, match=message):
        read_array(tmp_path / "x.npy")


class Own(nn.Module):
    def __init__(self, vocab_size: int) -> None:
        super().__init__()
        self.table, self.positions = nn.Embedding(vocab_size, 4), nn.Embedding(16, 4)


def gpt2(vocab_size: int) -> nn.Module:
    return tr.GPT2LMHeadModel(tr.GPT2Config(vocab_size=vocab_size, n_embd=4, n_layer=1, n_head=1))


@pytest.mark.parametrize("model", [gpt2(300), gpt2(100), Own(384), Own(50), nn.Sequential(nn.Embedding(1000, 2))])
def test_bytes_are_no_tokens_of_another_vocabulary(model: nn.Module) -> None:
    with pytest.raises(InterlawError, match=r"reads bytes \(a vocabulary of 256\), found one of \d+: .* inputs="):
        own_windows(Subject(model=model), "text" * 50, samples=3, context=8, targets=False, seed=0)


@pytest.mark.parametrize("model", [gpt2(256), Own(256), nn.Linear(8, 2)])
def test_bytes_go_to_networks_of_bytes(model: nn.Module) -> None:
    found = own_windows(Subject(model=model), "text" * 50, samples=3, context=8, targets=True, seed=0)
    assert found.shape == (3, 9)


@pytest.mark.filterwarnings("ignore")  # transformers warns of end tokens outside so small a vocabulary
def test_a_folder_without_a_tokenizer_reads_bytes_where_it_can(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text("one line after another\n" * 40)
    gpt2(256).save_pretrained(tmp_path / "bytes")
    subject = open_subject(str(tmp_path / "bytes"))
    (batch,) = read_inputs(subject, view="loss", text=tmp_path / "book.txt", context=16).inputs
    text = (tmp_path / "book.txt").read_text()
    assert all(bytes(row).decode() in text for row in batch["input_ids"].tolist())
    assert batch["attention_mask"].all()
    gpt2(300).save_pretrained(tmp_path / "words")
    with pytest.raises(InterlawError, match="found one of 300: bytes are not its tokens"):
        read_inputs(open_subject(str(tmp_path / "words")), view="loss", text=tmp_path / "book.txt", context=16)


def vision(folder: Path) -> None:
    tr.ResNetModel(tr.ResNetConfig(embedding_size=8, hidden_sizes=[8], depths=[1])).save_pretrained(folder)


def sound(folder: Path) -> None:
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = tr.Wav2Vec2Config(**sizes, conv_dim=(8,), conv_stride=(4,), conv_kernel=(8,), num_feat_extract_layers=1)
    tr.Wav2Vec2Model(config).save_pretrained(folder)


@pytest.mark.parametrize("make", [vision, sound])
def test_networks_of_pictures_and_sound_read_no_text(make: object, tmp_path: Path) -> None:
    make(tmp_path)  # type: ignore[operator]
    subject = open_subject(str(tmp_path), device="cpu", trust_remote_code=False)
    assert not subject.reads_tokens
    with pytest.raises(InterlawError, match=r"expected inputs='FILE\.npy' for a model that reads no tokens"):
        read_inputs(subject, view="input", text=None, inputs=None, samples=3, most=3, context=None, seed=0)


def test_a_classifier_has_no_next_token_loss(tmp_path: Path) -> None:
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    tr.BertForQuestionAnswering(tr.BertConfig(vocab_size=50, **sizes)).save_pretrained(tmp_path)
    subject = open_subject(str(tmp_path), device="cpu", trust_remote_code=False)
    assert any("the head of BertForQuestionAnswering is left out" in note for note in subject.notes)
    with pytest.raises(InterlawError, match="the loss view needs next-token logits, found BertModel"):
        read_inputs(subject, view="loss", text=None, inputs=None, samples=3, most=3, context=None, seed=0)


def test_a_sequence_that_shows_what_runs_is_no_longer_than_the_model_reads() -> None:
    shape = GPTShape(depth=1, width=8, context=2, vocab_size=9, head_dim=4)
    subject = Subject(model=build_model(shape), trial=Mock())
    assert any_tokens(subject).shape == (1, 2)
    assert any_tokens(Subject(model=build_model(replace(shape, context=6)), trial=Mock())).shape == (1, 4)
    assert [row["calls"] for row in list_layers(subject.model, any_tokens(subject))] == [1] * 6
    with pytest.raises(InterlawError, match="expected inputs of the shape that the model takes"):
        list_layers(nn.Sequential(nn.Linear(3, 2)), torch.ones(1, 5))
