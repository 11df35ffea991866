"""Budgets and numbers in words, the same in every figure, table and sentence."""

from __future__ import annotations

from dataclasses import dataclass, replace

from interlaw.shapes import format_size

KINDS = {
    "params": "parameters",
    "params_non_embedding": "non-embedding parameters",
    "flops_per_token": "training FLOPs a token",
    "train_flops": "training FLOPs",
}


@dataclass(frozen=True, kw_only=True)
class Units:
    """What a task's loss is measured in, and what it is trained on, in the plural."""

    loss: str
    data: str


UNITS = {
    "text": Units(loss="nats per token", data="tokens"),
    "vectors": Units(loss="mean squared error", data="samples"),
    "waves": Units(loss="mean squared error", data="samples"),
    "images": Units(loss="mean squared error", data="pixels"),
    "sequences": Units(loss="mean squared error", data="sequences"),
}


def units_of(task: str, *, tokenizer: str | None = None) -> Units:
    """The units of a kind of task; for one that has none here, the loss as the task defines it and samples.

    Args:
        task: The kind of task.
        tokenizer: Of a text: where its tokens are bytes, so is the loss.

    Example:
        >>> units_of("text").loss, units_of("text", tokenizer="bytes").loss
        ('nats per token', 'nats per byte')
    """
    if (task, tokenizer) == ("text", "bytes"):
        return replace(UNITS["text"], loss="nats per byte")
    return UNITS.get(task, Units(loss=f"as the task {task} defines it", data="samples"))


def budget_text(budget: float, kind: str) -> str:
    """A budget as a person reads it.

    Example:
        >>> budget_text(50_000.0, "params")
        '50k parameters'
    """
    return f"{format_size(budget)} {KINDS.get(kind, kind)}"
