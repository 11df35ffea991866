"""One pretrained model on a text: its loss, interaction in two views, superposition of its token table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from interlaw.errors import InterlawError
from interlaw.interaction import VIEWS as RECORDS
from interlaw.interaction import measure, superposition
from interlaw.models import Pretrained, load_pretrained, text_batches
from interlaw.plain import Json
from interlaw.tasks import Corpus

SEQUENCES, CONTEXT = 64, 128  # judgements: 8,192 tokens, a minute a small model on two cores
VIEWS = ("projected", "loss")
FITTED = ("aofe", "aofe_ratio", "null_ratio", "excess_ratio")  # what a law reads
QUANTITIES = (*FITTED, "participation_ratio")


def model_figures(name: str, *, corpus: Corpus, device: str) -> Json:
    """Sizes, loss, interaction and superposition of one model, by column.

    Raises:
        InterlawError: No such model, or one that does not predict tokens, or a text too short for its tokens.
    """
    loaded = load_pretrained(name, device=device)
    if not loaded.causal:
        raise InterlawError(f"expected models that predict the next token, found {name!r}; leave it out")
    content = corpus.tokens("validation").tobytes().decode(errors="replace")
    context = min(CONTEXT, loaded.context - 1)
    batches = text_batches(loaded, content, num_sequences=SEQUENCES, context=context, targets=True)
    row = {**_sizes(loaded), **text_loss(loaded, batches)}
    for view in VIEWS:
        with_targets = RECORDS[view].with_targets
        inputs = batches if with_targets else [{key: ids[:, :-1] for key, ids in batch.items()} for batch in batches]
        measured = measure(loaded.model, inputs, view=view).to_dict()
        measured |= {"null_ratio": measured["null"], "excess_ratio": measured["excess"]}
        row |= {f"{view}_{quantity}": measured[quantity]["value"] for quantity in QUANTITIES}
    tokens = superposition(loaded.model.get_input_embeddings())  # type: ignore[operator]
    return row | {"embedding_aofe": tokens.aofe, "embedding_aofe_ratio": tokens.aofe_ratio}


@torch.no_grad()
def text_loss(loaded: Pretrained, batches: Sequence[dict[str, Tensor]]) -> dict[str, float]:
    """Mean next-token loss over all windows, in nats a token and in bits a byte of what is predicted."""
    device = next(loaded.model.parameters()).device
    nats, tokens, num_bytes = 0.0, 0, 0
    for batch in batches:
        for ids in batch["input_ids"]:
            logits = loaded.model(input_ids=ids[None, :-1].to(device)).logits[0].float()
            nats += float(F.cross_entropy(logits, ids[1:].to(device), reduction="sum"))
            tokens += len(ids) - 1
            num_bytes += len(loaded.tokenizer.decode(ids[1:]).encode())
    return {"loss_per_token": nats / tokens, "bits_per_byte": nats / math.log(2) / num_bytes}


def _sizes(loaded: Pretrained) -> Json:
    """Depth, width and parameters, every tensor once."""
    config: Any = loaded.model.config
    depth, width = int(config.num_hidden_layers), int(config.hidden_size)
    params = sum(parameter.numel() for parameter in loaded.model.parameters())
    return {"params": params, "depth": depth, "width": width, "ratio": depth / width}
