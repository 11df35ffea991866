"""One row of the table of published models, as a schema: a shape, and at most one score with its protocol."""

from __future__ import annotations

import math
import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, field_validator, model_validator

Variant = Literal["base", "inst"]

_QUANTITY = re.compile(
    r"(?P<bound><)?\s*(?P<number>[0-9]+(?:\.[0-9]+)?(?:e[0-9]+)?)\s*(?P<unit>[KMBT]?)", re.IGNORECASE
)
_UNITS = {"": 1.0, "K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
# MMLU-Pro has 12,032 questions with up to ten options; guessing reads about 11 % with raw accuracy. A score within
# three binomial standard errors of that is no better than guessing.
CHANCE_PERCENT = 11.0
NUM_QUESTIONS = 12_032
# What a row says of its score; everything else describes the model.
SCORE_FIELDS = ("variant", "protocol", "mmlu_pro", "setting", "score_source")
# models of similar size: low <= params_total < high
SIZE_BINS = {"0.4-2.5B": (0.4e9, 2.5e9), "2.5-5B": (2.5e9, 5e9), "5-10B": (5e9, 10e9)}


def chance_ceiling() -> float:
    """The score in percent up to which a model is marked as guessing: chance plus three binomial standard errors.

    Example:
        >>> round(chance_ceiling(), 2)
        11.86
    """
    chance = CHANCE_PERCENT / 100
    return 100 * (chance + 3 * math.sqrt(chance * (1 - chance) / NUM_QUESTIONS))


def parse_tokens(text: str | None) -> float | None:
    """Reads the training tokens that a model card states in words.

    The first quantity counts (`3T + 500B` is 3e12: what follows is a small extra in every card of the table). A
    quantity written as an upper bound (`<100B tokens after pruning+distilling ...`) says little about what the model
    has seen, so it is no number.

    Args:
        text: The statement, e.g. `up to 18T`, `15T+`, `299.9B`, `2e12`; None when there is none.

    Returns:
        Tokens, or None when the text names no usable quantity.

    Example:
        >>> parse_tokens("up to 18T"), parse_tokens("15T+"), parse_tokens("<100B tokens after pruning")
        (18000000000000.0, 15000000000000.0, None)
    """
    match = _QUANTITY.search(text or "")
    if match is None or match["bound"]:
        return None
    tokens = round(float(match["number"]) * _UNITS[match["unit"].upper()])
    return float(tokens) if tokens > 0 else None


class PublishedRow(BaseModel):
    """A published dense decoder-only model and one of its MMLU-Pro scores (or none).

    Attributes:
        name: The model; rows that share a name share its shape. Base and instruct versions share a name too.
        family: Who made it and what it descends from; models of one family are not independent evidence.
        depth: Transformer layers.
        width: d_model.
        params_total: Every parameter once (a tied head is the token table).
        train_tokens: Pre-training tokens as the source words them; see `parse_tokens`.
        variant: `base` (pre-trained) or `inst` (instruction-tuned).
        protocol: How the score was measured. Scores of different protocols are never compared.
        mmlu_pro: Score in percent, as reported (raw accuracy, chance not subtracted).
        setting: The protocol's details: shots, precision, who ran it.
        shape_source: Where the shape was read.
        score_source: Where the score was read.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    name: str = Field(min_length=1)
    hf_id: str | None = None
    family: str = Field(min_length=1)
    depth: PositiveInt
    width: PositiveInt
    num_heads: PositiveInt | None = None
    num_kv_heads: PositiveInt | None = None
    head_dim: PositiveInt | None = None
    d_ff: PositiveInt | None = None
    vocab_size: PositiveInt | None = None
    tied_embeddings: bool | None = None
    params_total: PositiveInt
    params_non_embedding: PositiveInt | None = None
    train_tokens: str | None = None
    release: str | None = None
    variant: Variant | None = None
    protocol: str | None = None
    mmlu_pro: float | None = Field(default=None, ge=0, le=100, allow_inf_nan=False)
    setting: str | None = None
    shape_source: str | None = None
    score_source: str | None = None

    @field_validator("mmlu_pro")
    @classmethod
    def _in_percent(cls, score: float | None) -> float | None:
        if score is not None and 0 < score < 1:
            raise ValueError(f"a score in percent (chance is about 11), found the fraction {score}; multiply by 100")
        return score

    @model_validator(mode="after")
    def _score_says_how(self) -> PublishedRow:
        if self.mmlu_pro is not None and (self.variant is None or self.protocol is None):
            raise ValueError("variant (base or inst) and protocol beside a score, found none; fill them in")
        return self

    @property
    def ratio(self) -> float:
        """The depth-width ratio R = depth / width."""
        return self.depth / self.width

    @property
    def tokens(self) -> float | None:
        """Pre-training tokens as a number, where stated."""
        return parse_tokens(self.train_tokens)

    @property
    def family_key(self) -> str:
        """The family without regard to capitals (the table spells Phi in two ways)."""
        return self.family.casefold()

    @property
    def score(self) -> float:
        """MMLU-Pro in percent; NaN where there is none."""
        return math.nan if self.mmlu_pro is None else self.mmlu_pro

    @property
    def at_chance(self) -> bool:
        """Whether there is a score, and it is no better than guessing (see `chance_ceiling`)."""
        return self.score <= chance_ceiling()

    @property
    def size_bin(self) -> str | None:
        """The size bin the model lies in, if any."""
        return next((name for name, (low, high) in SIZE_BINS.items() if low <= self.params_total < high), None)
