"""The inputs that a model is to read: from a file of numbers, from texts, or the ones that it suggests itself."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from interlaw import interaction, models, tasks
from interlaw.errors import InterlawError, near_path
from interlaw.subject.model import Subject

# Samples by default: a small language model reads so many sequences in seconds on a processor.
MOST_SAMPLES = 256
MOST_BY_LAYER = 128  # of all layers at once, which keep a matrix each
MOST_TOKENS = 512  # a sequence of a model that reads more: what a processor does in seconds
FEW_TOKENS = 4  # a sequence that only shows which modules run
LEAST_TOKENS = 2  # a sequence: with one alone there is nothing to predict or to attend to
# What separates documents in files of many, as most tokenizers of language models write it.
END_OF_TEXT = "<|endoftext|>"
LONGEST_NAME = 255  # characters of a file's name on usual file systems
QUOTED = 30  # characters of a text in a message: half a line, which the user knows again
DEFAULT_BYTES = 2**19  # of the default text: 2,048 windows of 256 bytes
DEFAULT_TEXT = "the held-out part of the standard library"


@dataclass(frozen=True, kw_only=True)
class Given:
    """Inputs as a measurement takes them.

    Attributes:
        inputs: A tensor, or a list of batches.
        groups: The group of each sample, where samples share a document or a subject.
        text: Which text was read, in words; None where none was.
        notes: What people should know of them.
    """

    inputs: Any
    groups: Any = None
    text: str | None = None
    notes: tuple[str, ...] = ()


def read_inputs(
    subject: Subject,
    *,
    view: str,
    text: str | Path | None = None,
    inputs: object = None,
    samples: int | None = None,
    most: int = MOST_SAMPLES,
    context: int | None = None,
    seed: int = 0,
    groups: Path | None = None,
) -> Given:
    """Inputs for the model: from a file of numbers, from text, or the ones that the model itself suggests.

    The notes say where there are fewer samples than were asked for.

    Args:
        subject: The model.
        view: A view of the loss reads one token more a sequence.
        text: A text file, or a folder of them.
        inputs: A .npy file whose first axis counts clusters; or the inputs themselves.
        samples: At most so many clusters; `most` when None.
        most: See there.
        context: Tokens a sequence.
        seed: Which sequences of a text are read, from all of it.
        groups: A file of one label a sample of `inputs`.

    Raises:
        InterlawError: A file cannot be read, or the model cannot read what is there.
    """
    require_one_source(text, inputs)
    if inputs is not None and not isinstance(inputs, str | Path):
        return Given(inputs=inputs)
    if groups is not None and inputs is None:
        raise InterlawError("expected groups= with inputs=, found no inputs=; the documents of a text are its groups")
    targets, at_most = interaction.VIEWS[view].with_targets, most if samples is None else samples
    if targets and subject.pretrained is not None and not subject.pretrained.causal:
        raise InterlawError(
            f"the loss view needs next-token logits, found {type(subject.model).__name__}, which has none; use a model "
            "with a language-model head, or view='input'"
        )
    if isinstance(inputs, str | Path):
        whole = read_array(Path(inputs))
        labels = None if groups is None else read_labels(groups, count=len(whole))[:at_most]
        given = Given(inputs=whole[:at_most], groups=labels)
    elif subject.trial is not None and text is None:
        probes = subject.trial.task.open().probes(num_samples=at_most, with_targets=targets)
        given = Given(inputs=probes if context is None else probes[:, : context + targets])
    elif subject.reads_tokens or (text is not None and subject.has_table):
        given = _from_text(subject, text, samples=at_most, context=context, targets=targets, seed=seed)
    else:
        both = "" if text is None else ", found text="
        raise InterlawError(
            f"expected inputs='FILE.npy' for a model that reads no tokens{both}; save an array of inputs"
        )
    return replace(given, notes=fewer_than(given.inputs, samples))


def _from_text(
    subject: Subject, text: str | Path | None, *, samples: int, context: int | None, targets: bool, seed: int
) -> Given:
    """Sequences of a text, grouped by document where it has enough of them."""
    documents = [embedded_text()] if text is None else documents_of(Path(text))
    whole = sequences_of(subject, "".join(documents), samples=samples, context=context, targets=targets, seed=seed)
    of_documents = windows_by_document(subject, documents, whole=whole, samples=samples, targets=targets, seed=seed)
    read, labels = of_documents or (whole, None)
    beside = "" if labels is None else f", {len(set(labels))} documents, each of them one cluster"
    return Given(inputs=read, groups=labels, text=f"{text or DEFAULT_TEXT}{beside}")


def require_one_source(text: str | Path | None, inputs: object) -> None:
    """Refuses two sources of inputs, and a text in place of its path."""
    if text is not None and inputs is not None:
        raise InterlawError("expected text= or inputs=, found both; give one")
    if text is not None:
        require_text(Path(text))


def require_sizes(samples: int | None, context: int | None) -> None:
    """Refuses numbers of samples and of tokens that no measurement can have."""
    for name, value, least in (("samples", samples, interaction.LEAST_CLUSTERS), ("context", context, LEAST_TOKENS)):
        if value is not None and (not isinstance(value, Integral) or value < least):
            raise InterlawError(
                f"expected {name} as a whole number of at least {least}, found {value!r}; leave it out for the default"
            )


EVERY = 10**9  # windows of a document: more than any document has


def windows_by_document(
    subject: Subject, documents: list[str], *, whole: Any, samples: int, targets: bool, seed: int
) -> tuple[Any, list[int]] | None:
    """Windows that cross no document, as long as those of the whole text, and the document of each.

    None where there are too few documents for an interval, or where a model reads lines.
    """
    if len(documents) < interaction.LEAST_CLUSTERS or (
        subject.pretrained is not None and not subject.pretrained.causal
    ):
        return None
    context = _ids(whole).shape[1] - targets
    rows, labels = [], []
    for number, document in enumerate(documents):
        with suppress(InterlawError):  # a document shorter than a window has none
            every = sequences_of(subject, document, samples=EVERY, context=context, targets=targets, seed=seed)
            rows.append(_ids(every))
            labels += [number] * len(rows[-1])
    if len(rows) < interaction.LEAST_CLUSTERS:
        return None
    ids, generator = torch.cat(rows), torch.Generator().manual_seed(seed)
    chosen = torch.randperm(len(ids), generator=generator)[:samples].sort().values
    return _as_read(subject, ids[chosen]), [labels[index] for index in chosen.tolist()]


def _ids(read: Any) -> Tensor:
    ids: Tensor = read[0]["input_ids"] if isinstance(read, list) else read
    return ids


def _as_read(subject: Subject, ids: Tensor) -> Any:
    """Full windows as the model takes them: those of the Hugging Face library by name, with a mask."""
    return ids if subject.pretrained is None else [{"input_ids": ids, "attention_mask": ids.new_ones(ids.shape)}]


def sequences_of(subject: Subject, written: str, *, samples: int, context: int | None, targets: bool, seed: int) -> Any:
    """Text as the model reads it."""
    pretrained = subject.pretrained
    if pretrained is None or (pretrained.tokenizer is None and pretrained.causal):
        windows = own_windows(subject, written, samples=samples, context=context, targets=targets, seed=seed)
        return _as_read(subject, windows)
    return models.text_batches(pretrained, written, num_sequences=samples, context=context, targets=targets, seed=seed)


def own_windows(subject: Subject, text: str, *, samples: int, context: int | None, targets: bool, seed: int) -> Tensor:
    """Windows of text for a model of this package or of the user: in its trial's tokens, else in bytes."""
    tokenizer = "bytes" if subject.trial is None else str(getattr(subject.trial.task, "tokenizer", "bytes"))
    most = _longest(subject)
    length = context or (None if most is None else min(most, MOST_TOKENS))
    if length is None:
        raise InterlawError("expected context= for a model that does not say how long its sequences are")
    if tokenizer == "bytes" and subject.trial is None:
        models.require_bytes(subject.model)
    ids = list(text.encode()) if tokenizer == "bytes" else models.token_ids(text, tokenizer=tokenizer)
    return models.windows_of(ids, window=length + targets, most=samples, seed=seed)


def _longest(subject: Subject) -> int | None:
    """Tokens of the longest sequence that the model reads, where it says so."""
    return getattr(subject.pretrained or getattr(subject.model, "shape", None), "context", None)


def any_tokens(subject: Subject, *, context: int | None = None) -> Any:
    """One sequence that a model can read, of its first token; None where its inputs or their length are unknown."""
    if not subject.reads_tokens or (subject.pretrained is None and subject.trial is None and context is None):
        return None
    ids = torch.zeros(1, context or min(FEW_TOKENS, _longest(subject) or FEW_TOKENS), dtype=torch.long)
    return ids if subject.pretrained is None else {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def count_samples(inputs: Any) -> int:
    """How many samples the inputs hold."""
    batches = inputs if isinstance(inputs, list) else [inputs]
    return sum(len(batch["input_ids"]) if isinstance(batch, dict) else len(batch) for batch in batches)


def fewer_than(inputs: Any, asked: int | None) -> tuple[str, ...]:
    """A note where there are fewer samples than were asked for."""
    count = count_samples(inputs)
    if asked is None or count >= asked:
        return ()
    return (f"{asked} samples were asked for, there are {count}; give more inputs or a smaller context",)


def read_array(path: Path) -> Tensor:
    """A .npy file as a tensor; real numbers in single precision, as weights are."""
    try:
        array = np.load(path, allow_pickle=False)
    except Exception as error:  # numpy raises many kinds over a damaged header
        raise InterlawError(
            f"expected a NumPy array in {path}, found {_instead(error)}; write it with numpy.save"
        ) from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub" or array.ndim < 1:
        raise InterlawError(f"expected an array of numbers in {path}, found {getattr(array, 'dtype', type(array))}")
    if array.dtype.kind == "f":
        with np.errstate(over="ignore"):  # what is too large becomes infinite, and that is refused
            tensor = torch.from_numpy(array.astype(np.float32, order="C"))
        if not bool(tensor.isfinite().all()):
            raise InterlawError(f"expected finite numbers in {path}, found NaN or infinity; remove those rows")
        return tensor
    if array.dtype == np.uint64 and array.size and array.max() > np.iinfo(np.int64).max:
        raise InterlawError(f"expected whole numbers below 2^63 in {path}, found {array.max()}; write smaller ones")
    return torch.from_numpy(array.astype(np.int64, order="C"))


def read_labels(path: Path, *, count: int) -> list[Any]:
    """One label a sample: an array in a .npy file, or lines of text."""
    labels: list[Any] = read_array(path).tolist() if path.suffix == ".npy" else read_text(path).split()
    if len(labels) != count:
        raise InterlawError(f"expected one group a sample in {path}, found {len(labels)} groups for {count} samples")
    return labels


def require_text(path: Path) -> None:
    """Refuses a text in place of its path."""
    written = str(path)
    try:
        exists = path.exists()
    except OSError:  # too long a name
        exists = False
    if not exists and (len(written) > LONGEST_NAME or not written.isprintable()):
        raise InterlawError(
            f"expected the path of a text file or a folder, found {len(written):,} characters that begin with "
            f"{written[:QUOTED]!r}; text= takes a path: write the text into a file, and give its path"
        )


def documents_of(path: Path) -> list[str]:
    """The documents of a text: the files of a folder, and within a file what stands between end-of-text marks."""
    files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
    if not files:
        raise InterlawError(f"expected text files in the folder {path}, found none")
    parts = [part for file in files for part in read_text(file).split(END_OF_TEXT)]
    return [part for part in parts if part.strip()] or parts[:1]


def read_text(path: Path) -> str:
    """A text file."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InterlawError(
            f"expected a text file at {path}, found {_instead(error)}; check the path{near_path(path)}"
        ) from error


def _instead(error: Exception) -> str:
    return "nothing" if isinstance(error, FileNotFoundError) else str(getattr(error, "strerror", None) or error)


def embedded_text() -> str:
    """The held-out part of the text that every machine has, a few hundred kilobytes of it."""
    held_out = tasks.open_corpus(tasks.EMBEDDED).tokens("validation")
    return bytes(held_out[:DEFAULT_BYTES]).decode("utf-8", errors="replace")
