"""Which text the models of an experiment read, and how often: what a loss on it may be compared with."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from interlaw.runs import TrialSpec
from interlaw.tasks import EMBEDDED, TextTaskSpec, open_corpus

PUBLISHED_TEXT = "WikiText-103"


@dataclass(frozen=True, kw_only=True)
class TextRead:
    """The text of a sweep.

    Attributes:
        source: The corpus as its recipe names it: "stdlib", a path, or "datasets:NAME".
        train_tokens: Tokens of its training split.
        most_tokens: Tokens that the longest trial trains on.
    """

    source: str
    train_tokens: int
    most_tokens: int

    @property
    def is_published(self) -> bool:
        """Whether the name holds "WikiText-103", however it is spelled: it is known by its name alone."""
        own, published = (re.sub(r"[\W_]", "", name.casefold()) for name in (self.source, PUBLISHED_TEXT))
        return published in own

    @property
    def differs(self) -> str:
        """What differs from the published text, in words; empty when nothing does."""
        words = []
        if not self.is_published:
            name = "the standard library's source text" if self.source == EMBEDDED else self.source
            words.append(f"{name} in place of {PUBLISHED_TEXT}")
        if self.most_tokens > self.train_tokens:
            passes = self.most_tokens / self.train_tokens
            words.append(f"{self.train_tokens / 1e6:.3g} million training tokens, read up to {passes:.3g} times over")
        return ", ".join(words)


def text_read(trials: Sequence[TrialSpec]) -> TextRead | None:
    """The text of trials that share one; None where they learn something else."""
    task = trials[0].task if trials else None
    if not isinstance(task, TextTaskSpec):
        return None
    corpus = open_corpus(task.corpus, tokenizer=task.tokenizer, text_column=task.text_column)
    units = [trial.units for trial in trials]
    return TextRead(source=task.corpus, train_tokens=corpus.num_tokens["train"], most_tokens=max(units))
