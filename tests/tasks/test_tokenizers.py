"""Tokenizers and datasets from folders that the tests write themselves; nothing comes over the network."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from interlaw.errors import InterlawError, MissingExtraError
from interlaw.tasks import SPLITS, TextTask, open_corpus

tokenizers = pytest.importorskip("tokenizers", reason="needs the extra 'hf'")
transformers = pytest.importorskip("transformers", reason="needs the extra 'hf'")
datasets = pytest.importorskip("datasets", reason="needs the extra 'hf'")

LINES = [f"the {animal} number {i} sees {i * 7 % 11} größere birds" for i in range(300) for animal in ("cat", "dog")]


def train_tokenizer(folder: Path, *, vocab_size: int = 300, eos: bool = True) -> Path:
    model = tokenizers.Tokenizer(tokenizers.models.BPE())
    model.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    model.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=["<eos>"],
        show_progress=False,
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
    )
    model.train_from_iterator(LINES, trainer)
    special = {"eos_token": "<eos>"} if eos else {}
    transformers.PreTrainedTokenizerFast(tokenizer_object=model, **special).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_tokenizer(tmp_path_factory.mktemp("tokenizer"))


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("book") / "book.txt"
    path.write_text("\n".join(LINES))
    return path


def test_tokens_read_back_as_the_text(tokenizer: Path, book: Path) -> None:
    corpus = open_corpus(str(book), tokenizer=str(tokenizer))
    loaded = transformers.AutoTokenizer.from_pretrained(str(tokenizer))
    pieces = [corpus.tokens(split) for split in SPLITS]
    assert all(piece[-1] == loaded.eos_token_id for piece in pieces)
    assert "".join(loaded.decode(piece[:-1]) for piece in pieces) == book.read_text()
    assert corpus.vocab_size == len(loaded) == 300
    assert pieces[0].dtype == np.uint16
    assert corpus.num_tokens["train"] < corpus.num_bytes["train"] / 2
    assert sum(corpus.num_bytes.values()) == book.stat().st_size + 3  # an end-of-text token stands for one byte


def test_a_tokenizer_without_end_of_text_adds_nothing(tmp_path: Path, book: Path) -> None:
    corpus = open_corpus(str(book), tokenizer=str(train_tokenizer(tmp_path / "t", eos=False)))
    loaded = transformers.AutoTokenizer.from_pretrained(str(tmp_path / "t"))
    assert "".join(loaded.decode(corpus.tokens(split)) for split in SPLITS) == book.read_text()
    assert sum(corpus.num_bytes.values()) == book.stat().st_size


def test_another_tokenizer_in_the_same_folder_gives_other_tokens(tmp_path: Path, book: Path) -> None:
    before = open_corpus(str(book), tokenizer=str(train_tokenizer(tmp_path / "t")))
    after = open_corpus(str(book), tokenizer=str(train_tokenizer(tmp_path / "t", vocab_size=280)))
    assert (before.vocab_size, after.vocab_size) == (300, 280)
    assert before.digest != after.digest


def test_a_changed_vocabulary_that_is_no_json_gives_other_tokens(tmp_path: Path, book: Path) -> None:
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer"}')
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    digests = set()
    for words in (["the", "cat", "dog"], ["dog", "cat", "the"]):
        (tmp_path / "t" / "vocab.txt").write_text("\n".join([*special, *words]))
        digests.add(open_corpus(str(book), tokenizer=str(tmp_path / "t")).digest)
    assert len(digests) == 2


def test_bits_per_byte_do_not_depend_on_the_tokenizer(tokenizer: Path, book: Path) -> None:
    """Three bits a token are three bits times tokens over bytes."""
    for name in ("bytes", str(tokenizer)):
        corpus = open_corpus(str(book), tokenizer=name)
        bits = TextTask(corpus, context=8).figures(3 * np.log(2))["bits_per_byte"]
        assert bits == pytest.approx(3 * corpus.num_tokens["test"] / corpus.num_bytes["test"])
        assert bits == 3 or name != "bytes"


def test_text_that_a_tokenizer_cannot_read_is_named(tmp_path: Path, tokenizer: Path) -> None:
    path = tmp_path / "latin.txt"
    path.write_bytes("größer\n".encode("latin-1") * 100)
    assert open_corpus(str(path)).num_tokens["train"] > 600  # bytes take anything
    with pytest.raises(InterlawError, match=r"expected UTF-8 text in latin.txt, found byte 0xf6 at 2; convert it"):
        open_corpus(str(path), tokenizer=str(tokenizer))


def test_an_unknown_tokenizer_is_refused(tmp_path: Path, book: Path) -> None:
    (tmp_path / "hollow").mkdir()
    with pytest.raises(
        InterlawError, match=r"expected a tokenizer's folder or hub name, found '.*hollow' \(.*; check the name, or"
    ):
        open_corpus(str(book), tokenizer=str(tmp_path / "hollow"))


def test_a_dataset_from_disk(tmp_path: Path) -> None:
    datasets.Dataset.from_dict({"text": LINES, "label": [0] * len(LINES)}).save_to_disk(tmp_path / "animals")
    corpus = open_corpus(f"datasets:{tmp_path / 'animals'}")
    assert corpus.num_documents == len(LINES)
    found = b"".join(corpus.tokens(split).tobytes() for split in SPLITS).decode().splitlines()
    assert sorted(found) == sorted(LINES)
    assert open_corpus(f"datasets:{tmp_path / 'animals'}").digest == corpus.digest


def test_a_dataset_of_several_parts_and_another_column(tmp_path: Path) -> None:
    parts = {name: datasets.Dataset.from_dict({"body": LINES[i::2]}) for i, name in enumerate(("train", "test"))}
    datasets.DatasetDict(parts).save_to_disk(tmp_path / "animals")
    corpus = open_corpus(f"datasets:{tmp_path / 'animals'}", text_column="body")
    assert corpus.num_documents == len(LINES)
    with pytest.raises(InterlawError, match=r"expected column 'text' in .*animals, found body in train; name the text"):
        open_corpus(f"datasets:{tmp_path / 'animals'}")


@pytest.mark.parametrize("num_rows", [3, 30])
def test_a_dataset_that_comes_split_keeps_its_splits(num_rows: int, tmp_path: Path) -> None:
    """Rows are lines of one text: dealt out one by one, neighbours would be in different splits."""
    names = (*SPLITS, "unsupervised")
    rows = {name: [f"{name} {i}" if i else "" for i in range(num_rows)] for name in names}
    parts = {name: datasets.Dataset.from_dict({"text": lines}) for name, lines in rows.items()}
    datasets.DatasetDict(parts).save_to_disk(tmp_path / "wikitext-103")
    corpus = open_corpus(f"datasets:{tmp_path / 'wikitext-103'}")
    for split in SPLITS:
        assert corpus.tokens(split).tobytes().decode() == "".join(f"{line}\n" for line in rows[split] if line)
    assert corpus.num_documents == len(SPLITS) * (num_rows - 1)


def test_rows_without_text_are_left_out(tmp_path: Path) -> None:
    datasets.Dataset.from_dict({"text": [None, "", *LINES, None]}).save_to_disk(tmp_path / "animals")
    corpus = open_corpus(f"datasets:{tmp_path / 'animals'}")
    assert corpus.num_documents == len(LINES)
    assert b"None" not in b"".join(corpus.tokens(split).tobytes() for split in SPLITS)


def test_a_dataset_of_plain_files(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "a.txt").write_text("\n".join(LINES))
    assert open_corpus(f"datasets:{tmp_path / 'plain'}").num_documents == len(LINES)


def test_an_unknown_dataset_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(InterlawError, match=r"expected a dataset named 'no-such/data', found: .*; check the name"):
        open_corpus("datasets:no-such/data")


@pytest.mark.parametrize(
    ("package", "source", "tokenizer_name", "message"),
    [
        ("datasets", "datasets:some/data", "bytes", "the corpus datasets:some/data needs the extra 'hf': pip install"),
        ("transformers", "stdlib", "gpt2", "the tokenizer 'gpt2' needs the extra 'hf': pip install 'interlaw.hf.'"),
    ],
)
def test_a_missing_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, package: str, source: str, tokenizer_name: str, message: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=message):
        open_corpus(source, tokenizer=tokenizer_name)
