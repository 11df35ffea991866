"""Which rows stand for the models of a table: one protocol and variant, one score a model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from interlaw.errors import InterlawError
from interlaw.published.row import SCORE_FIELDS, PublishedRow, Variant
from interlaw.published.table import published_rows

HOMOGENEOUS_PROTOCOL = "5-shot log-likelihood"


def scores_by_model(
    rows: Iterable[PublishedRow], *, protocol: str = HOMOGENEOUS_PROTOCOL, variant: Variant = "base"
) -> dict[str, list[PublishedRow]]:
    """Every row with a score of one protocol and variant, by the model's name.

    Several rows can carry the same model, variant and protocol (other laboratories repeat a run; the built-in table has
    22 such repeats among its base models). The first one counts, so put rows that should win first; the built-in table
    lists the Open LLM Leaderboard v2 first, so that one evaluator scored as many models as possible.

    Args:
        rows: The table; a user's rows before the built-in ones.
        protocol: The one protocol to use.
        variant: `base` or `inst`.

    Raises:
        InterlawError: When no row has that protocol and variant; the message lists what there is.
    """
    scores: dict[str, list[PublishedRow]] = {}
    others: Counter[tuple[str, str]] = Counter()
    for row in rows:
        if row.mmlu_pro is None:
            continue
        if (row.protocol, row.variant) == (protocol, variant):
            scores.setdefault(row.name, []).append(row)
        others[str(row.protocol), str(row.variant)] += 1
    if not scores:
        held = ", ".join(f"{name!r} {of} ({count})" for (name, of), count in sorted(others.items()))
        raise InterlawError(
            f"expected scores with protocol {protocol!r} and variant {variant!r}, found none; the table holds: {held}"
        )
    return scores


def published_models(
    rows: Iterable[PublishedRow] | None = None,
    *,
    protocol: str = HOMOGENEOUS_PROTOCOL,
    variant: Variant = "base",
) -> list[PublishedRow]:
    """Every model of a table once, smallest first, with its score under the protocol or with none.

    Args:
        rows: The table; the built-in one when not given.
        protocol: Whose scores to show.
        variant: `base` or `inst`.

    Raises:
        InterlawError: When no row has that protocol and variant.

    Example:
        >>> models = published_models()
        >>> len(models), sum(model.mmlu_pro is not None for model in models)
        (105, 81)
    """
    rows = tuple(published_rows() if rows is None else rows)
    scored = scores_by_model(rows, protocol=protocol, variant=variant)
    without = dict.fromkeys(SCORE_FIELDS)
    first = {row.name: row.model_copy(update=without) for row in reversed(rows)}
    models = first | {name: ones[0] for name, ones in scored.items()}
    return sorted(models.values(), key=lambda row: (row.params_total, row.name))
