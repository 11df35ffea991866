"""Corpora: split by document or by place, the same every time, and clear about what is wrong with them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlaw.errors import InterlawError
from interlaw.tasks import EMBEDDED, SPLITS, open_corpus
from interlaw.tasks.corpus import default_cache, split_document


def write_files(folder: Path, number: int, *, words: int = 40) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(number):
        (folder / f"note{i:03}.txt").write_text(f"note {i}: " + " ".join(f"word{i * j % 17}" for j in range(words)))
    return folder


def texts(corpus: Any) -> dict[str, bytes]:
    return {split: corpus.tokens(split).tobytes() for split in SPLITS}


def test_documents_go_whole_into_one_split(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "notes", 120)
    corpus = open_corpus(str(folder))
    found = texts(corpus)
    for path in folder.iterdir():
        assert [path.read_bytes() + b"\n" in found[split] for split in SPLITS].count(True) == 1
    assert sum(map(len, found.values())) == sum(path.stat().st_size + 1 for path in folder.iterdir())
    assert corpus.num_documents == 120
    assert corpus.num_tokens == corpus.num_bytes == {split: len(found[split]) for split in SPLITS}
    # 5% each: 6 of 120 expected, with a binomial spread of 2.4
    assert all(1 <= found[split].count(b"note ") <= 14 for split in ("validation", "test"))


def test_the_split_of_a_document_is_its_names_alone(tmp_path: Path) -> None:
    """More documents do not move the ones before from train to test."""
    few, more = (
        texts(open_corpus(str(write_files(tmp_path / "a", 60)))),
        texts(open_corpus(str(write_files(tmp_path / "b", 90)))),
    )
    for split in SPLITS:
        assert all(line in more[split].split(b"\n") for line in few[split].split(b"\n"))


def test_of_the_standard_library_only_source_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = tmp_path / "lib"
    for name in ("a.py", "inside/b.py", "site-packages/c.py", "inside/tests/d.py", "_sysconfigdata_x.py", "notes.txt"):
        (library / name).parent.mkdir(parents=True, exist_ok=True)
        (library / name).write_text(f"# {name}\n" * 50)
    monkeypatch.setattr("sysconfig.get_paths", lambda: {"stdlib": str(library)})
    corpus = open_corpus(cache=tmp_path / "cache")
    assert corpus.num_documents == 2
    assert {line for text in texts(corpus).values() for line in text.split(b"\n")} == {b"# a.py", b"# inside/b.py", b""}


def test_same_text_same_digest_wherever_it_lies(tmp_path: Path) -> None:
    one = open_corpus(str(write_files(tmp_path / "one", 30)), cache=tmp_path / "cache1")
    two = open_corpus(str(write_files(tmp_path / "two", 30)), cache=tmp_path / "cache2")
    assert one.digest == two.digest
    assert texts(one) == texts(two)


def test_digest_changes_with_the_text(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "notes", 30)
    before = open_corpus(str(folder))
    path = folder / "note007.txt"
    stat = path.stat()
    path.write_bytes(path.read_bytes().replace(b"note 7", b"note 8"))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # even when size and time of change stay the same
    after = open_corpus(str(folder))
    assert after.digest != before.digest
    assert b"note 7:" not in b"".join(texts(after).values())


def test_two_corpora_alike_from_outside_are_not_mixed_up(tmp_path: Path) -> None:
    """Same file name, size and time: as in archives that were packed with a fixed date."""
    for name, letter in (("one", "a"), ("two", "b")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "text.txt").write_text(letter * 5000)
        os.utime(tmp_path / name / "text.txt", ns=(0, 0))
    assert set(texts(open_corpus(str(tmp_path / "one")))["train"]) == set(b"a\n")
    assert set(texts(open_corpus(str(tmp_path / "two")))["train"]) == set(b"b\n")


def test_token_files_are_written_once(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "notes", 30)
    first = open_corpus(str(folder), cache=tmp_path / "cache")
    stamp = (first.folder / "train.bin").stat().st_mtime_ns
    second = open_corpus(str(folder), cache=tmp_path / "cache")
    assert second == first
    assert (second.folder / "train.bin").stat().st_mtime_ns == stamp
    assert len(list((tmp_path / "cache" / "corpora").iterdir())) == 1  # nothing half-done is left


def test_tokens_are_mapped_read_only(tmp_path: Path) -> None:
    tokens = open_corpus(str(write_files(tmp_path / "notes", 30))).tokens("train")
    assert isinstance(tokens, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        tokens[0] = 0


def test_one_file_is_cut_by_place_at_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "book.txt"
    path.write_text("".join(f"line number {i}\n" for i in range(1000)))
    corpus = open_corpus(str(path))
    found = texts(corpus)
    assert b"".join(found[split][:-1] for split in SPLITS) == path.read_bytes()  # each piece ends in one newline more
    assert all(found[split].endswith(b"\n\n") for split in SPLITS)
    assert len(found["train"]) == pytest.approx(0.9 * path.stat().st_size, rel=0.002)
    assert len(found["test"]) == pytest.approx(0.05 * path.stat().st_size, rel=0.03)


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("a\nåß漢🜁"), min_size=1, max_size=400))
def test_cuts_never_split_a_character_and_lose_nothing(text: str) -> None:
    pieces = split_document("text", text.encode(), by_document=False)
    assert b"".join(piece for _, piece in pieces) == text.encode()
    assert [split for split, _ in pieces] == [split for split in SPLITS if split in dict(pieces)]
    for _, piece in pieces:
        piece.decode()


@settings(max_examples=100, deadline=None)
@given(st.binary(min_size=1, max_size=300))
def test_cuts_of_arbitrary_bytes_lose_nothing(content: bytes) -> None:
    assert b"".join(piece for _, piece in split_document("text", content, by_document=False)) == content


def test_hidden_and_binary_files_are_left_out(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "notes", 3, words=200)
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("[secret]" * 50)
    (folder / ".hidden").write_text("[secret]" * 50)
    (folder / "picture.bin").write_bytes(b"[secret]\0" * 50)
    (folder / "empty.txt").write_text("")
    corpus = open_corpus(str(folder))
    assert corpus.num_documents == 3
    assert b"secret" not in b"".join(texts(corpus).values())


def test_the_embedded_corpus_is_there_and_large() -> None:
    corpus = open_corpus(EMBEDDED)
    assert corpus.num_documents > 400
    assert corpus.num_tokens["train"] > 5_000_000
    assert min(corpus.num_tokens.values()) > 200_000
    text = b"".join(texts(corpus).values())
    assert b"import argparse" in text
    assert b"site-packages/" not in text[:1000]
    assert open_corpus().digest == corpus.digest


@pytest.mark.parametrize("kind", ["missing", "empty file", "empty folder", "only binary", "utf-16"])
def test_a_corpus_without_text_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "text"
    if kind == "empty file":
        path.write_text("")
    elif kind == "empty folder":
        path.mkdir()
    elif kind == "only binary":
        path.mkdir()
        (path / "picture.png").write_bytes(b"\x89PNG\0\0")
    elif kind == "utf-16":
        path.write_text("Wörter " * 100, encoding="utf-16")
    message = (
        "expected a corpus file, folder, 'stdlib' or 'datasets:NAME', found no such path"
        if kind == "missing"
        else r"expected text in .*text, found none \(hidden, empty and binary files do not count\); name a file"
    )
    with pytest.raises(InterlawError, match=message):
        open_corpus(str(path))


@pytest.mark.parametrize("name", ["a" * 5000, "a\0b"])
def test_a_name_that_no_file_can_have_is_refused(name: str) -> None:
    with pytest.raises(InterlawError, match=r"found no such path 'a.*; check the path$"):
        open_corpus(name)


def test_an_unreadable_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_files(tmp_path / "notes", 3)
    read = Path.read_bytes

    def refuse(path: Path) -> bytes:
        if path.name == "note001.txt":
            raise PermissionError(13, "Permission denied")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)  # a file mode would not stop root
    with pytest.raises(
        InterlawError, match=r"expected to read .*note001.txt, found Permission denied; change its perm"
    ):
        open_corpus(str(folder))


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where a folder should be")
    with pytest.raises(InterlawError, match=r"expected to write token files to .*cache.*; set INTERLAW_CACHE"):
        open_corpus(str(write_files(tmp_path / "notes", 3)), cache=tmp_path / "cache")


@pytest.mark.parametrize("damage", ["cut", "missing", "facts", "facts cut"])
def test_damaged_token_files_are_noticed(tmp_path: Path, damage: str) -> None:
    folder = write_files(tmp_path / "notes", 30)
    place = open_corpus(str(folder)).folder
    if damage == "cut":
        os.truncate(place / "train.bin", 100)
    elif damage == "missing":
        (place / "test.bin").unlink()
    elif damage == "facts":
        (place / "corpus.json").write_text(json.dumps({"source": "x"}))
    else:
        os.truncate(place / "corpus.json", 20)
    with pytest.raises(InterlawError, match=r"expected token files of .*, found them damaged; delete that folder"):
        open_corpus(str(folder))


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("INTERLAW_CACHE", str(tmp_path / "mine"))
    assert default_cache() == tmp_path / "mine"
    monkeypatch.delenv("INTERLAW_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "interlaw"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_cache() == Path.home() / ".cache" / "interlaw"


def test_two_processes_may_open_one_corpus_at_once(tmp_path: Path) -> None:
    """The slower one finds the faster one's folder in its way and takes it."""
    folder = write_files(tmp_path / "notes", 30)
    rename = Path.rename
    twin: list[str] = []

    def slowly(path: Path, target: Path) -> Path:
        if not twin:
            twin.append("running")
            twin.append(open_corpus(str(folder), cache=tmp_path / "cache").digest)
        return rename(path, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "rename", slowly)
        assert open_corpus(str(folder), cache=tmp_path / "cache").digest == twin[1]
