"""Pretrained models side by side: loss on a text, interaction in two views, superposition of the embedding table.

The Gemstones (arXiv 2502.06857) vary depth / width at nearly equal size: the one public place to test the law at scale
without training. Every model is one file, so a stopped run goes on with the next model.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from interlaw.errors import InterlawError
from interlaw.interaction import measure
from interlaw.laws import fit_law
from interlaw.models import Pretrained, load_pretrained, text_batches
from interlaw.reproduce.agreement import Agreement, claim
from interlaw.reproduce.open_questions import HOLDS_BEST, SAME_SIGN, Answer, answer_open_questions
from interlaw.reproduce.outcome import Driver, Outcome, Scale
from interlaw.reproduce.power_fit import fit_power
from interlaw.tasks import EMBEDDED, open_corpus
from interlaw.training import write_atomically

NAME = "open-models"
SEQUENCES = 64
CONTEXT = 128
LEAST_MODELS = 6
VIEWS = ("projected", "loss")
QUANTITIES = ("aofe", "aofe_ratio", "null_ratio", "excess_ratio", "participation_ratio")
COMPARED = {
    "projected_aofe_ratio": -1,
    "projected_aofe": 1,
    "loss_aofe_ratio": -1,
    "loss_aofe": 1,
    "embedding_aofe": 1,
}
_SIGNS = {-1: "the higher, the lower the loss", 1: "the lower, the lower the loss"}


def run_open_models(
    *, scale: Scale, out: Path, driver: Driver, text: str | None = None, models: Sequence[str] = ()
) -> Outcome:
    """Measures what is missing, fits power laws and puts the two questions.

    Args:
        scale: Which of the default models: `paper` takes all.
        out: The experiment's folder.
        driver: Device and progress.
        text: What the models read; the embedded text when None.
        models: Hub names or folders in place of the default ones.
    """
    names = tuple(models) or default_models(scale)
    rows = [measure_model(name, text=text or EMBEDDED, out=out, driver=driver) for name in names]
    return Outcome(
        experiment=NAME,
        scale=scale,
        setting=(
            f"{len(rows)} pretrained models on up to {SEQUENCES} sequences of {CONTEXT} tokens of "
            f"{text or 'the standard library'}, losses in bits a byte."
        ),
        agreement=tuple(agreement(rows)),
        answers=_answers(rows),
        table=tuple(rows),
        notes=("Tokenizers differ between families, so losses are compared in bits a byte of text, not nats a token.",),
    )


def default_models(scale: Scale) -> tuple[str, ...]:
    """The models that the package names: Pythia, Llama 3 and the Gemstones; `tiny` keeps the smallest ones."""
    text = (resources.files("interlaw.reproduce") / "models.csv").read_text(encoding="utf-8")
    return tuple(
        row["model"] for row in csv.DictReader(text.splitlines()) if scale == "paper" or row["scale"] == "tiny"
    )


def measure_model(name: str, *, text: str, out: Path, driver: Driver) -> dict[str, Any]:
    """One model's row; read from OUT when it is there.

    Raises:
        InterlawError: No such model or text, a model that does not predict tokens, or other settings in OUT.
    """
    stamp = {"model": name, "text": text, "sequences": SEQUENCES, "context": CONTEXT}
    place = out / "models" / f"{name.strip('/').replace('/', '--')}.json"
    if place.exists():
        kept = json.loads(place.read_text(encoding="utf-8"))
        if kept["stamp"] != stamp:
            raise InterlawError(f"expected results of these settings in {place}, found others; choose another --out")
        return dict(kept["row"])
    loaded = load_pretrained(name, device=driver.device)
    if not loaded.causal:
        raise InterlawError(f"expected models that predict the next token, found {name!r}; leave it out")
    content = open_corpus(text).tokens("validation").tobytes().decode(errors="replace")
    context = min(CONTEXT, loaded.context - 1)
    batches = text_batches(loaded, content, num_sequences=SEQUENCES, context=context, targets=True)
    row = {"model": name, **_sizes(loaded), **text_loss(loaded, batches)}
    for view in VIEWS:
        inputs = batches if view == "loss" else [{key: ids[:, :-1] for key, ids in batch.items()} for batch in batches]
        found = measure(loaded.model, inputs, view=view).to_dict()
        found |= {"null_ratio": found["null"], "excess_ratio": found["excess"]}
        row |= {f"{view}_{quantity}": found[quantity]["value"] for quantity in QUANTITIES}
    row |= embedding_superposition(_token_table(loaded.model))
    write_atomically(place, (json.dumps({"stamp": stamp, "row": row}, indent=1) + "\n").encode())
    driver.note(f"{name}: {row['bits_per_byte']:.4f} bits a byte")
    return row


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


def embedding_superposition(E: Tensor) -> dict[str, float]:
    """Off-diagonal energy of E E^T and its share, without forming the V x V matrix: ||E E^T|| = ||E^T E||.

    Args:
        E: Token table, (V, d); a token's embedding is its direction, so W^T W is E E^T.
    """
    E = E.double()
    energy, diagonal = (E.T @ E).square().sum(), E.square().sum(1).square().sum()
    aofe = float(energy - diagonal)
    return {"embedding_aofe": aofe, "embedding_aofe_ratio": aofe / float(energy)}


def agreement(rows: Sequence[dict[str, Any]]) -> list[Agreement]:
    """Loss as a power of each quantity, against the sign that the paper claims."""
    lines = []
    losses = [row["bits_per_byte"] for row in rows]
    for quantity, sign in COMPARED.items():
        fit = fit_power(quantity, [row[quantity] for row in rows], losses)
        lines.append(
            claim(
                f"loss as a power of {quantity}",
                published=f"claimed: {_SIGNS[sign]}",
                ours=None
                if fit is None
                else f"exponent {fit.exponent:+.3g}, R^2 {fit.r_squared:.2f}, {len(rows)} models",
                holds=None if fit is None or len(rows) < LEAST_MODELS else (fit.exponent > 0) == (sign > 0),
                rule=f"the exponent has the claimed sign, with at least {LEAST_MODELS} models",
                differs="size and training tokens are not held fixed",
            )
        )
    return lines


def _answers(rows: Sequence[dict[str, Any]]) -> tuple[Answer, ...]:
    """The open questions with the projected view."""
    if len(rows) < LEAST_MODELS:
        few = f"{len(rows)} models were measured, {LEAST_MODELS} are needed"
        return tuple(
            Answer(question=question, answer="cannot tell", evidence=few, numbers={})
            for question in (HOLDS_BEST, SAME_SIGN)
        )
    table = {name: [row[name] for row in rows] for name in ("params", "depth", "width")}
    table["loss"] = [row["bits_per_byte"] for row in rows]
    table |= {quantity: [row[f"projected_{quantity}"] for row in rows] for quantity in QUANTITIES[:4]}
    return answer_open_questions(fit_law(table))


def _sizes(loaded: Pretrained) -> dict[str, Any]:
    """Depth, width and parameters, every tensor once."""
    config: Any = loaded.model.config
    depth, width = int(config.num_hidden_layers), int(config.hidden_size)
    params = sum(parameter.numel() for parameter in loaded.model.parameters())
    return {"params": params, "depth": depth, "width": width, "ratio": depth / width}


def _token_table(model: nn.Module) -> Tensor:
    """The token embeddings, (V, d)."""
    weight: Tensor = model.get_input_embeddings().weight  # type: ignore[operator]
    return weight.detach()
