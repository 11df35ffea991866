"""Pretrained models by name or folder, and text as the batches they read."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from interlaw.errors import InterlawError, MissingExtraError
from interlaw.hub import hub_or_cache
from interlaw.models.windows import chosen_of, windows_of

CONTEXT_LIMIT = 512
LEAST_SEQUENCES = 32
SHORTEST_CONTEXT = 8


@dataclass(frozen=True, kw_only=True)
class Pretrained:
    """A model of the Hugging Face library with what is needed to feed it.

    Attributes:
        model: The network, in eval mode.
        tokenizer: Its tokenizer, None when the folder has none.
        context: Longest sequence that it reads.
        causal: Whether it predicts the next token (else it encodes).
    """

    model: nn.Module
    tokenizer: Any
    context: int
    causal: bool


def load_pretrained(
    name: str, *, device: torch.device | str = "cpu", dtype: torch.dtype | None = None, trust_remote_code: bool = False
) -> Pretrained:
    """Loads a causal language model or an encoder, with its tokenizer; of an encoder-decoder model the encoder.

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
    from transformers import AutoModel, AutoModelForCausalLM, AutoTokenizer

    options = {"trust_remote_code": trust_remote_code}
    causal = _is_causal(config)
    kind = AutoModelForCausalLM if causal else AutoModel
    try:
        with _quiet(name):
            model, report = kind.from_pretrained(
                name, config=config, dtype=dtype or "auto", output_loading_info=True, **options
            )
    except Exception as error:  # damaged weights and settings: each of their readers has its own
        raise _not_loaded(name, error) from error
    _require_whole(name, report["missing_keys"])
    if getattr(config, "is_encoder_decoder", False):
        model = model.get_encoder()
    try:
        with _quiet(name):
            tokenizer = AutoTokenizer.from_pretrained(name, **options)
    except (OSError, ValueError, KeyError, ImportError):
        # A model without a tokenizer is still good for token ids; text asks for one, with a message.
        tokenizer = None
    return Pretrained(
        model=model.to(device).eval(), tokenizer=tokenizer, context=_context(config, tokenizer), causal=causal
    )


def load_config(name: str, *, trust_remote_code: bool = False) -> Any:
    """A pretrained model's settings, without its weights.

    Raises:
        MissingExtraError: The library is not installed.
        InterlawError: There is no such model, or it cannot be reached.
    """
    try:
        from transformers import AutoConfig
    except ImportError as error:
        raise MissingExtraError(f"the pretrained model '{name}'", "hf") from error
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
def _quiet(name: str) -> Iterator[None]:
    """The library tells at length what a file lacks; here it is told in one line. A download shows how far it is.

    A folder needs no hub, and without a network no time is lost on it.
    """
    from transformers.utils import logging

    before, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    if Path(name).is_dir():
        logging.disable_progress_bar()
    try:
        with contextlib.nullcontext() if Path(name).is_dir() else hub_or_cache():
            yield
    finally:
        logging.set_verbosity(before)
        if bars:
            logging.enable_progress_bar()


def _require_whole(name: str, missing: Collection[str]) -> None:
    """Refuses weights that the file lacks: the library draws them at random, and a measurement would be of noise.

    Tied weights are not missing. A pooler is, where the model was saved under another head; no view reads it.
    """
    missing = sorted(key for key in missing if "pooler." not in key)
    if missing:
        raise InterlawError(
            f"expected all weights of '{name}', found {len(missing)} missing, such as {missing[0]}; save the whole "
            "model with save_pretrained, under the class that config.json names"
        )


def _not_loaded(name: str, error: Exception) -> InterlawError:
    """What the library said of a model, and what may help."""
    said = str(error).strip()
    remedy = "check the name, or give a local folder"
    if "gated" in said or "401" in said or "403" in said:
        remedy = "ask for access on its page and log in with `hf auth login`, or give a local folder"
    elif "trust_remote_code" in said:
        remedy = "its own code would have to run, which `interlaw measure` and `layers` do with --trust-remote-code"
    first = said.splitlines()[0][:160] if said else type(error).__name__
    return InterlawError(f"expected a model's folder or hub name, found '{name}' ({first}); {remedy}")


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


def token_ids(text: str, *, tokenizer: str) -> list[int]:
    """The text in the tokens of a tokenizer's name or folder, without special tokens."""
    try:
        from transformers import AutoTokenizer
    except ImportError as error:
        raise MissingExtraError(f"the tokenizer '{tokenizer}'", "hf") from error
    try:
        with _quiet(tokenizer):
            loaded = AutoTokenizer.from_pretrained(tokenizer)
    except (OSError, ValueError, KeyError) as error:
        raise InterlawError(f"expected a tokenizer's folder or hub name, found '{tokenizer}'") from error
    ids: list[int] = loaded(text, add_special_tokens=False, verbose=False)["input_ids"]
    return ids


def _lines(
    loaded: Pretrained, text: str, *, num_sequences: int, context: int | None, seed: int | None
) -> list[dict[str, Tensor]]:
    """One line a sequence; padded on the right to the longest.

    A tokenizer without a token for padding pads with its end token, or with any: the mask hides it.
    """
    every = [line for line in text.splitlines() if line.strip()]
    lines = [every[index] for index in chosen_of(len(every), most=num_sequences, seed=seed)]
    if not lines:
        raise InterlawError("expected lines of text, found none; an encoder reads one line a sequence")
    tokenizer, longest = loaded.tokenizer, context or min(loaded.context, CONTEXT_LIMIT)
    rows = [torch.tensor(row) for row in tokenizer(lines, truncation=True, max_length=longest)["input_ids"] if row]
    named = (tokenizer.pad_token_id, tokenizer.eos_token_id, 0)
    padding = next(token for token in named if token is not None)
    mask = pad_sequence([torch.ones_like(row) for row in rows], batch_first=True)
    return [{"input_ids": pad_sequence(rows, batch_first=True, padding_value=padding), "attention_mask": mask}]


def _is_causal(config: Any) -> bool:
    """Whether the saved weights are those of a next-token predictor."""
    names: Iterator[str] = iter(config.architectures or ())
    return any(name.endswith(("ForCausalLM", "LMHeadModel")) for name in names)


def _context(config: Any, tokenizer: Any) -> int:
    """Longest sequence that both the model's positions and its tokenizer allow."""
    names = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len")
    limits = [value for name in names if isinstance(value := getattr(config, name, None), int)]
    limits += [tokenizer.model_max_length] if tokenizer is not None else []
    return min([limit for limit in limits if limit > 0], default=CONTEXT_LIMIT)
