"""Candidates and sentences as lines of text at 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from interlaw.recommendation.candidate import Candidate
from interlaw.size import format_bytes, format_ratio, format_size

COLUMNS = 80  # of the narrowest terminal that is usual


def wrapped(sentences: Iterable[str], *, indent: int = 0) -> list[str]:
    """Lines of at most 80 columns; those of a sentence after its first stand two further in."""
    wrapper = textwrap.TextWrapper(
        COLUMNS, initial_indent=" " * indent, subsequent_indent=" " * (indent + 2), break_long_words=False
    )
    wrapper.break_on_hyphens = False  # names stay whole
    return [line for one in sentences for line in wrapper.wrap(one)]


def table(candidates: Sequence[Candidate]) -> list[str]:
    """One line a candidate, at most 80 columns: numbers to the right."""
    timed = any(one.measured for one in candidates)
    heads = ["shape", "R", "loss", "params", "heads/kv", "split", "KV/tok"]
    heads += ["train tok/s", "read ms", "decode ms"] if timed else ["train mem", "days"]
    rows = [heads, *(_row(one, timed=timed) for one in candidates)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(heads))]
    return [" ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]


def _row(one: Candidate, *, timed: bool) -> list[str]:
    cost, days = one.cost, one.cost.train_days
    cells = [
        one.name,
        format_ratio(one.shape.ratio),
        f"+{one.penalty.value:.1%}",
        format_size(one.shape.params),
        one.heads,
        str(one.parallel),
        format_bytes(cost.kv_bytes_per_token),
    ]
    if not timed:
        return [*cells, format_bytes(cost.train_memory_bytes), f"{days:.2g}" if days < 100 else f"{days:,.0f}"]
    if one.measured is None:
        return [*cells, "-", "-", "-"]
    times = one.measured
    speeds = (times.train_tokens_per_second, times.prefill_ms_per_token, times.decode_ms_per_token)
    return [*cells, *(f"{speed:.3g}" for speed in speeds)]
