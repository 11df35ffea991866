"""Text as a file of tokens on disk: read once, split by document, memory-mapped ever after."""

from __future__ import annotations

import hashlib
import json
import os
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from interlaw.errors import InterlawError, brought_by, near_path, one_line
from interlaw.files import digest_of
from interlaw.hub import hub_or_cache

SPLITS = ("train", "validation", "test")
EMBEDDED = "stdlib"
LONGEST_SOURCE = 200  # characters of a wrong path in a message
_HELD_OUT = 0.05  # of the text, for validation, and as much again for the test
_SPLIT_BY_DOCUMENT_FROM = 20  # of fewer documents, 5% may be none
_LOOKED_AT = 8192  # first bytes of a file; it is binary, and left out, if one of them is zero
_LAYOUT = 2  # raised whenever the same text would give other token files
_TOKENIZER_FILES = {".json", ".model", ".txt"}
_NOT_SOURCE = {"site-packages", "__pycache__", "test", "tests", "idle_test", "encodings", "pydoc_data", "lib2to3"}

Tokens = NDArray[np.integer[Any]]


class Documents(NamedTuple):
    """What a source holds: names and contents in a fixed order, none of them empty."""

    read: Callable[[], Iterator[tuple[str, bytes]]]
    stamp: Any  # changes when they do
    are_split: bool = False  # whether each name begins with its split


class Encoder(NamedTuple):
    """How names and contents become tokens, how many kinds there are, and what stands between documents."""

    encode: Callable[[str, bytes], Tokens]
    vocab_size: int
    separator: Tokens
    stamp: str = ""  # changes when a local tokenizer's files do


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """Token files of one text, one a split.

    Attributes:
        source: What the user named.
        tokenizer: "bytes", or the tokenizer's name or folder.
        digest: SHA-256 over the token files; identifies the data in every record.
        vocab_size: Tokens are in [0, vocab_size).
        num_tokens: Tokens a split.
        num_bytes: UTF-8 bytes a split, for bits per byte.
        num_documents: Documents read.
        folder: Where the token files lie.
    """

    source: str
    tokenizer: str
    digest: str
    vocab_size: int
    num_tokens: dict[str, int]
    num_bytes: dict[str, int]
    num_documents: int
    folder: Path

    def tokens(self, split: str) -> Tokens:
        """The tokens of a split, memory-mapped read-only."""
        return np.memmap(self.folder / f"{split}.bin", dtype=_token_dtype(self.vocab_size), mode="r")

    def require_context(self, context: int) -> None:
        """Refuses a split shorter than one sequence and its target.

        Raises:
            InterlawError: One of them is.
        """
        for split in SPLITS:
            if self.num_tokens[split] < context + 1:
                raise InterlawError(
                    f"expected at least {context + 1} tokens in the {split} split of {self.source} (context + 1), "
                    f"found {self.num_tokens[split]}; give more text or a shorter context"
                )


def default_cache() -> Path:
    """The folder for token files: $INTERLAW_CACHE, else the user's cache folder.

    Raises:
        InterlawError: Neither is known: a container's user may have no home.
    """
    named = os.environ.get("INTERLAW_CACHE")
    if named:
        return Path(named)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "interlaw"
    except RuntimeError as error:
        raise InterlawError(
            "expected a home folder for token files, found that this user has none; set INTERLAW_CACHE to a folder "
            "with room"
        ) from error


def open_corpus(
    source: str = EMBEDDED, *, tokenizer: str = "bytes", text_column: str = "text", cache: Path | None = None
) -> Corpus:
    """Tokenizes a text once and opens its token files.

    Args:
        source: "stdlib" (the source files of the running Python's standard library), a file, a folder of text files,
            or "datasets:NAME" for a Hugging Face dataset: a hub name, "OWNER/NAME/CONFIG" or a local folder; its own
            train, validation and test splits are kept when it has all three.
        tokenizer: "bytes", or a Hugging Face tokenizer's name or folder.
        text_column: Column of a dataset that holds the text.
        cache: Folder for the token files; `default_cache()` when None.

    Raises:
        InterlawError: When there is no such text, or it is empty or unreadable.
    """
    encoder, documents = _encoder(tokenizer), _documents(source, text_column)
    stamp = json.dumps([_LAYOUT, tokenizer, encoder.stamp, documents.stamp])
    key = hashlib.sha256(stamp.encode()).hexdigest()
    folder = (cache or default_cache()) / "corpora" / key[:24]  # 96 bits of the digest: no two corpora share them
    if not (folder / "corpus.json").exists():
        try:
            _write(folder, source, tokenizer=tokenizer, documents=documents, encoder=encoder)
        except OSError as error:
            raise InterlawError(
                f"expected to write token files to {folder.parent}, found: {error.strerror}; "
                "set INTERLAW_CACHE to a folder with room that you may write to"
            ) from error
    return _open_token_files(folder, source)


def _open_token_files(folder: Path, source: str) -> Corpus:
    """The corpus in a finished folder; its files are as long as they were when written."""
    with suppress(OSError, ValueError, TypeError):
        facts = json.loads((folder / "corpus.json").read_text())
        corpus = Corpus(**{**facts, "source": source, "folder": folder})
        itemsize = _token_dtype(corpus.vocab_size).itemsize
        sizes = {split: (folder / f"{split}.bin").stat().st_size // itemsize for split in SPLITS}
        if sizes == corpus.num_tokens:
            return corpus
    raise InterlawError(
        f"expected token files of {source} in {folder}, found them damaged; delete that folder and run again"
    )


def _write(folder: Path, source: str, *, tokenizer: str, documents: Documents, encoder: Encoder) -> None:
    """Writes the token files beside their place, then moves them there in one step."""
    encode, vocab_size, separator, _ = encoder
    num_documents = sum(1 for _ in documents.read())
    if not num_documents:
        raise InterlawError(
            f"expected text in {source}, found none (hidden, empty and binary files do not count); "
            "name a file or folder with UTF-8 text in it"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    dtype = _token_dtype(vocab_size)
    by_document = num_documents >= _SPLIT_BY_DOCUMENT_FROM
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        place = Path(temporary) / "corpus"
        place.mkdir()
        num_bytes = dict.fromkeys(SPLITS, 0)
        with ExitStack() as stack:
            files = {split: stack.enter_context((place / f"{split}.bin").open("wb")) for split in SPLITS}
            for name, content in documents.read():
                own = [(name.partition("/")[0], content)] if documents.are_split else None
                for split, piece in own or split_document(name, content, by_document=by_document):
                    # an end-of-text token stands for one byte
                    num_bytes[split] += len(piece) + len(separator)
                    np.concatenate([encode(name, piece), separator]).astype(dtype).tofile(files[split])
        facts = {
            "source": source,
            "tokenizer": tokenizer,
            "digest": digest_of([place / f"{split}.bin" for split in SPLITS]),
            "vocab_size": vocab_size,
            "num_tokens": {split: (place / f"{split}.bin").stat().st_size // dtype.itemsize for split in SPLITS},
            "num_bytes": num_bytes,
            "num_documents": num_documents,
        }
        (place / "corpus.json").write_text(json.dumps(facts, indent=1))
        try:
            place.rename(folder)
        except OSError:
            if not (folder / "corpus.json").exists():  # not a faster twin's finished work
                raise


def split_document(name: str, content: bytes, *, by_document: bool) -> list[tuple[str, bytes]]:
    """Which split a document belongs to; few documents are cut by position instead, near a line end."""
    if by_document:
        # the first 64 bits of a digest as a number from 0 to 1, the same on every machine
        place = int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()[:8], "big") / 2**64
        split = "test" if place < _HELD_OUT else "validation" if place < 2 * _HELD_OUT else "train"
        return [(split, content)]
    cuts = [round(len(content) * (1 - 2 * _HELD_OUT)), round(len(content) * (1 - _HELD_OUT))]
    for i, cut in enumerate(cuts):  # a line end that is at most a quarter of the part away
        line_end = content.rfind(b"\n", 0, cut) + 1
        cuts[i] = (
            line_end if cut - line_end < len(content) * _HELD_OUT / 4 and line_end else _character_start(content, cut)
        )
    pieces = [content[: cuts[0]], content[cuts[0] : cuts[1]], content[cuts[1] :]]
    return [(split, piece) for split, piece in zip(SPLITS, pieces, strict=True) if piece]


def _character_start(content: bytes, cut: int) -> int:
    """Moves a cut back to where a UTF-8 character starts."""
    while cut > 0 and cut < len(content) and content[cut] & 0xC0 == 0x80:  # 10xxxxxx, the inside of a character
        cut -= 1
    return cut


def _documents(source: str, text_column: str) -> Documents:
    """The text files of a source, or the rows of a dataset."""
    if source.startswith("datasets:"):
        return _dataset_documents(source.removeprefix("datasets:"), text_column)
    root = Path(sysconfig.get_paths()["stdlib"] if source == EMBEDDED else source)
    if not os.path.exists(root):  # noqa: PTH110  False for a name that no file can have, where pathlib raises
        raise InterlawError(
            f"expected a corpus file, folder, 'stdlib' or 'datasets:NAME', found no such path "
            f"{source[:LONGEST_SOURCE]!r}; check the path{near_path(root)}"
        )
    if root.is_file():
        named = [(root.name, root)]
    else:
        paths = _source_files(root) if source == EMBEDDED else filter(Path.is_file, root.rglob("*"))
        named = sorted((path.relative_to(root).as_posix(), path) for path in paths)
        named = [(name, path) for name, path in named if "/." not in f"/{name}"]  # not hidden, nor in a hidden folder

    def read() -> Iterator[tuple[str, bytes]]:
        for name, path in named:
            try:
                content = path.read_bytes()
            except OSError as error:
                raise InterlawError(
                    f"expected to read {path}, found {error.strerror}; change its permissions or leave it out"
                ) from error
            if content and b"\0" not in content[:_LOOKED_AT]:
                yield name, content

    stats = [(name, path.stat()) for name, path in named]
    # st_ctime_ns: unlike size and st_mtime_ns it moves even where a tool restores the old times
    facts = ([name, s.st_size, s.st_mtime_ns, s.st_ctime_ns] for name, s in stats)
    return Documents(read=read, stamp=[str(root.resolve()), *facts])


def _source_files(root: Path) -> Iterator[Path]:
    """Python's source files below a folder; what is no source, such as the installed packages, is not even listed."""
    for folder, inside, names in os.walk(root):
        inside[:] = set(inside) - _NOT_SOURCE
        yield from (
            Path(folder) / name for name in names if name.endswith(".py") and not name.startswith("_sysconfigdata")
        )


def _dataset_documents(name: str, text_column: str) -> Documents:
    """The rows of a Hugging Face dataset; a local folder is read without the network."""
    # Rows are often single lines of one document: dealt out one by one they would put neighbours into different
    # splits. So the dataset's own splits are kept, and no other rows are read, when it has all three.
    with brought_by("hf", f"the corpus datasets:{name}"):
        import datasets
    local = Path(name).is_dir()
    try:
        if local and ((Path(name) / "state.json").exists() or (Path(name) / "dataset_dict.json").exists()):
            loaded = datasets.load_from_disk(name)
        elif local:
            loaded = datasets.load_dataset(name)
        else:
            hub_name, config = name.rsplit("/", 1) if name.count("/") > 1 else (name, None)
            with hub_or_cache():
                loaded = datasets.load_dataset(hub_name, config)
    except Exception as error:  # datasets raises many kinds; each is a user's matter of name or network
        raise InterlawError(
            f"expected a dataset named {name!r}, found: {one_line(error)}; check the name, or give a local folder"
        ) from error
    parts = loaded if isinstance(loaded, dict) else {"train": loaded}
    own_splits = set(SPLITS) <= set(parts)
    if own_splits:
        parts = {split: parts[split] for split in SPLITS}
    for split, part in parts.items():
        if text_column not in part.column_names:
            raise InterlawError(
                f"expected column {text_column!r} in {name}, found {', '.join(part.column_names)} in {split}; "
                "name the text column"
            )

    def read() -> Iterator[tuple[str, bytes]]:
        for split, part in parts.items():
            for number, row in enumerate(part):
                if row[text_column] not in (None, ""):
                    yield f"{split}/{number}", str(row[text_column]).encode()

    prints = sorted((split, part._fingerprint) for split, part in parts.items())
    stamp = [text_column, *prints, *(["own splits"] if own_splits else [])]
    return Documents(read=read, stamp=stamp, are_split=own_splits)


def _encoder(tokenizer: str) -> Encoder:
    if tokenizer == "bytes":
        newline = np.frombuffer(b"\n", dtype=np.uint8)
        return Encoder(lambda _, content: np.frombuffer(content, dtype=np.uint8), 256, newline)  # a token a byte
    from interlaw.models import load_tokenizer  # with torch, which a corpus of bytes does without

    loaded = load_tokenizer(tokenizer)

    def encode(name: str, content: bytes) -> Tokens:
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InterlawError(
                f"expected UTF-8 text in {name}, found byte {content[error.start]:#x} at {error.start}; "
                "convert it, or use tokenizer = 'bytes'"
            ) from error
        return np.asarray(loaded(text, add_special_tokens=False, verbose=False)["input_ids"], dtype=np.int64)

    ends = [loaded.eos_token_id] if loaded.eos_token_id is not None else []
    files = [path for path in sorted(Path(tokenizer).glob("*")) if path.suffix in _TOKENIZER_FILES and path.is_file()]
    return Encoder(encode, len(loaded), np.asarray(ends, dtype=np.int64), digest_of(files))


def _token_dtype(vocab_size: int) -> np.dtype[Any]:
    return np.dtype(np.uint8 if vocab_size <= 2**8 else np.uint16 if vocab_size <= 2**16 else np.uint32)
