"""Pretrained models by name or folder, and text as the batches they read."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from logging.handlers import BufferingHandler
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from interlaw.errors import InterlawError, brought_by, near_path, one_line
from interlaw.files import digest_of
from interlaw.hub import hub_or_cache
from interlaw.models.saved_class import classes_of, encoder_of, is_pair, predicts_next
from interlaw.models.windows import chosen_of, windows_of

CONTEXT_LIMIT = 512  # tokens a sequence unless more are asked for: what a processor measures in seconds
# A short text is cut into so many sequences, which an interval needs, but into none of fewer tokens.
LEAST_SEQUENCES, SHORTEST_CONTEXT = 32, 8
MOST_NOTES = 1000  # of one model: far more than the library has to say
LONGEST_NOTE = 300  # characters of a warning of the library: two or three lines, which hold its point
_OF_WEIGHTS = ("LOAD REPORT", "Some weights")
_READ = {".safetensors", ".bin", ".pt", ".json", ".model", ".txt"}
LEAST_VOCABULARY = 2  # tokens: a tokenizer made without its files knows one, for what it does not know


@dataclass(frozen=True, kw_only=True)
class Pretrained:
    """A model of the Hugging Face library with what is needed to feed it.

    Attributes:
        model: The network, in eval mode.
        tokenizer: Its tokenizer, None when the folder has none.
        context: Longest sequence that it reads.
        causal: Whether it predicts the next token (else it encodes).
        notes: What people should know of how it was loaded, the library's own warnings among it.
    """

    model: nn.Module
    tokenizer: Any
    context: int
    causal: bool
    notes: tuple[str, ...] = ()


def load_pretrained(
    name: str, *, device: torch.device | str = "cpu", dtype: torch.dtype | None = None, trust_remote_code: bool = False
) -> Pretrained:
    """Loads a model under the class that it was saved as, with its tokenizer; of an encoder-decoder the encoder.

    Args:
        name: A hub name or a folder written by `save_pretrained`.
        device: Where the model goes.
        dtype: Precision of the weights; as stored when None.
        trust_remote_code: Run code that comes with the model; off unless asked for.

    Raises:
        MissingExtraError: The library is not installed.
        InterlawError: There is no such model, or it cannot be loaded.
    """
    config = load_config(name, trust_remote_code=trust_remote_code)
    model, said = _load_whole(name, config, dtype=dtype or "auto", trust_remote_code=trust_remote_code)
    causal = predicts_next(model, config)
    model, half = encoder_of(model, config)
    tokenizer = None
    # A model without a tokenizer is still good for token ids; text asks for one, with a message. Each tokenizer misses
    # its files in its own way (wav2vec2: TypeError), or is made of the config alone.
    with contextlib.suppress(Exception):
        made = load_tokenizer(name, trust_remote_code=trust_remote_code)
        tokenizer = made if len(made) >= LEAST_VOCABULARY else None
    return Pretrained(
        model=model.to(device).eval(),
        tokenizer=tokenizer,
        context=_context(model, tokenizer),
        causal=causal,
        notes=tuple(dict.fromkeys(note for note in (*said, half) if note)),
    )


def pretrained_of(model: nn.Module, tokenizer: Any) -> Pretrained:
    """A loaded model of the library with its tokenizer: what is needed to feed it."""
    causal = predicts_next(model, getattr(model, "config", None))
    return Pretrained(model=model, tokenizer=tokenizer, context=_context(model, tokenizer), causal=causal)


def _load_whole(name: str, config: Any, *, dtype: Any, trust_remote_code: bool) -> tuple[Any, list[str]]:
    """The network under the class that it was saved as, all its weights from the file, and what to know of it."""
    missing: list[str] = []
    for kind, note in classes_of(config, trust_remote_code=trust_remote_code):
        try:
            with _quiet(name) as said:
                model, report = kind.from_pretrained(
                    name, config=config, dtype=dtype, output_loading_info=True, trust_remote_code=trust_remote_code
                )
        except Exception as error:  # damaged weights and settings: each of their readers has its own
            raise _not_loaded(name, error) from error
        # Tied weights are not missing. A decoder is, where the encoder was saved alone, and the pooler of a bare model
        # that was saved under another head: no view reads them. A classifier reads its pooler.
        unread: tuple[str, ...] = ("decoder.",) if is_pair(model, config) else ()
        unread += ("pooler.",) if model.base_model is model else ()
        missing = sorted(key for key in report["missing_keys"] if not key.startswith(unread))
        if not missing:
            unused = sorted(report["unexpected_keys"])
            what = f"{len(unused)} weights of the file out, such as {', '.join(unused[:2])}"
            return model, [note, *said, f"{type(model).__name__} leaves {what}" if unused else ""]
    raise InterlawError(
        f"expected all weights of '{name}', found {len(missing)} missing, such as {missing[0]}; save the whole "
        "model with save_pretrained, under the class that config.json names"
    )


def load_config(name: str, *, trust_remote_code: bool = False) -> Any:
    """A pretrained model's settings, without its weights."""
    with brought_by("hf", f"the pretrained model '{name}'"):
        from transformers import AutoConfig
    if (Path(name) / "adapter_config.json").is_file() and find_spec("peft") is None:  # transformers passes it over
        raise InterlawError(
            f"expected whole weights in '{name}', found an adapter (adapter_config.json), which needs the package "
            "peft; install it, or save the model after merge_and_unload()"
        )
    if Path(name).is_dir() and not (Path(name) / "config.json").is_file():
        raise InterlawError(
            f"expected a model's folder with config.json, found '{name}' without; use a folder of save_pretrained, "
            "a trial's folder, or module.py:factory"
        )
    try:
        with _quiet(name):
            return AutoConfig.from_pretrained(name, trust_remote_code=trust_remote_code)
    except Exception as error:  # what checks the settings has errors of its own
        raise _not_loaded(name, error) from error


@contextlib.contextmanager
def _quiet(name: str) -> Iterator[list[str]]:
    """The library's long report of what a file lacks becomes one line; the list given gets its other warnings."""
    # a download shows how far it is; a folder needs no hub, and without a network no time is lost on it
    from transformers.utils import logging as library

    before, bars = library.get_verbosity(), library.is_progress_bar_enabled()
    heard, said = BufferingHandler(MOST_NOTES), list[str]()
    heard.setLevel(logging.WARNING)
    logger = library.get_logger("transformers")
    logger.addHandler(heard)
    library.disable_default_handler()
    library.set_verbosity_warning()
    if Path(name).is_dir():
        library.disable_progress_bar()
    try:
        with contextlib.nullcontext() if Path(name).is_dir() else hub_or_cache():
            yield said
    finally:
        logger.removeHandler(heard)
        library.enable_default_handler()
        library.set_verbosity(before)
        if bars:
            library.enable_progress_bar()
        # the first line of each, but not the list of weights, which has a line of its own here
        messages = [record.getMessage().strip() for record in heard.buffer]
        first_lines = [each.splitlines()[0] for each in messages if not any(word in each for word in _OF_WEIGHTS)]
        said += [f"transformers says: {line[:LONGEST_NOTE]}" for line in first_lines]


def _not_loaded(name: str, error: Exception) -> InterlawError:
    """What the library said of a model, and what may help."""
    said = str(error)
    remedy = "check the name, or give a local folder"
    if "gated" in said or "401" in said or "403" in said:
        remedy = "ask for access on its page and log in with `hf auth login`, or give a local folder"
    elif "trust_remote_code" in said:
        remedy = "its own code would have to run, which `interlaw measure` and `layers` do with --trust-remote-code"
    near = near_path(name)
    hub = "of the hub: " if near else ""  # a folder that is misspelt is likelier than a model that the hub lacks
    return InterlawError(
        f"expected a model's folder or hub name, found '{name}'{near} ({hub}{one_line(error)}); {remedy}"
    )


def text_batches(
    loaded: Pretrained,
    text: str,
    *,
    num_sequences: int,
    context: int | None = None,
    targets: bool = False,
    seed: int | None = None,
) -> list[dict[str, Tensor]]:
    """Text as sequences for the model, one dict of ids and mask.

    A causal model reads full windows of the tokenized text that share no token; what is left at the end is not read.
    An encoder reads one line a sequence, with its special tokens, cut to the context and padded.

    Args:
        loaded: The model.
        text: What it reads.
        num_sequences: At most so many sequences.
        context: Tokens a sequence. When None: what the model reads, at most 512, and less for a short text so that
            there are enough sequences for an interval.
        targets: Append one token to each window, for the loss of the last one.
        seed: Draw the sequences from the whole text by this seed; the first ones when None. Sequences are the clusters
            of a measurement, and neighbours are not independent of each other.

    Raises:
        InterlawError: No tokenizer, a context the model does not have, or a text that is too short.
    """
    if loaded.tokenizer is None:
        raise InterlawError("expected a tokenizer beside the model, found none; save it there, or pass token ids")
    if context is not None and not 2 <= context <= loaded.context:
        raise InterlawError(f"expected a context from 2 to {loaded.context} tokens, found {context}")
    if not loaded.causal:
        return _lines(loaded, text, num_sequences=num_sequences, context=context, seed=seed)
    ids = loaded.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    length = context or max(SHORTEST_CONTEXT, min(loaded.context, CONTEXT_LIMIT, len(ids) // LEAST_SEQUENCES))
    tensor = windows_of(ids, window=length + targets, most=num_sequences, seed=seed)
    return [{"input_ids": tensor, "attention_mask": torch.ones_like(tensor)}]


def load_tokenizer(name: str, *, trust_remote_code: bool = False) -> Any:
    """A tokenizer of the Hugging Face library.

    Args:
        name: Its hub name or folder.
        trust_remote_code: Run code that comes with it; off unless asked for.

    Raises:
        MissingExtraError: The library is not installed.
        InterlawError: There is no such tokenizer.
    """
    with brought_by("hf", f"the tokenizer '{name}'"):
        from transformers import AutoTokenizer
    try:
        with _quiet(name):
            return AutoTokenizer.from_pretrained(name, trust_remote_code=trust_remote_code)
    except Exception as error:  # each tokenizer misses its files in its own way
        raise InterlawError(
            f"expected a tokenizer's folder or hub name, found '{name}' ({one_line(error)}); check the name, or give "
            "a local folder"
        ) from error


def token_ids(text: str, *, tokenizer: str) -> list[int]:
    """The text in the tokens of a tokenizer's name or folder, without special tokens."""
    ids: list[int] = load_tokenizer(tokenizer)(text, add_special_tokens=False, verbose=False)["input_ids"]
    return ids


def _lines(
    loaded: Pretrained, text: str, *, num_sequences: int, context: int | None, seed: int | None
) -> list[dict[str, Tensor]]:
    """One line a sequence; padded on the right to the longest."""
    every = [line for line in text.splitlines() if line.strip()]
    lines = [every[index] for index in chosen_of(len(every), most=num_sequences, seed=seed).tolist()]
    if not lines:
        raise InterlawError("expected lines of text, found none; an encoder reads one line a sequence")
    tokenizer, longest = loaded.tokenizer, context or min(loaded.context, CONTEXT_LIMIT)
    rows = [torch.tensor(row) for row in tokenizer(lines, truncation=True, max_length=longest)["input_ids"] if row]
    # without a token for padding its end token, or any: the mask hides it
    named = (tokenizer.pad_token_id, tokenizer.eos_token_id, 0)
    padding = next(token for token in named if token is not None)
    mask = pad_sequence([torch.ones_like(row) for row in rows], batch_first=True)
    return [{"input_ids": pad_sequence(rows, batch_first=True, padding_value=padding), "attention_mask": mask}]


def _context(model: Any, tokenizer: Any) -> int:
    """Longest sequence that the model's positions and its tokenizer allow."""
    config = model.config.get_text_config() if hasattr(model.config, "get_text_config") else model.config
    names = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "context_length")
    limits = [value for name in names if isinstance(value := getattr(config, name, None), int)]
    for name, table in model.named_modules():
        if isinstance(table, nn.Embedding) and name.endswith(("position_embeddings", "embed_positions")):
            # one that starts at an offset (RoBERTa's at its padding token + 1) has as many places less
            limits.append(table.num_embeddings - (0 if table.padding_idx is None else table.padding_idx + 1))
    limits += [tokenizer.model_max_length] if tokenizer is not None else []
    return min([limit for limit in limits if limit > 0], default=CONTEXT_LIMIT)


def pretrained_fingerprint(name: str) -> str:
    """Digest of a local folder's weights, settings and tokenizer; of a hub name the commit that it stands at.

    Args:
        name: A hub name or a folder written by `save_pretrained`.

    Raises:
        MissingExtraError: The library is not installed.
        InterlawError: There is no such model, or the hub cannot be asked.
    """
    config = load_config(name)
    folder = Path(name)
    if not folder.is_dir():
        return f"commit {getattr(config, '_commit_hash', None) or 'unknown'}"
    return f"sha256 {digest_of(sorted(path for path in folder.iterdir() if path.suffix in _READ and path.is_file()))}"
