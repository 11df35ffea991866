"""A recommendation as lines of text at 80 columns, and as a table of data."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from interlaw.recommendation.candidate import Candidate
from interlaw.shapes import format_size

if TYPE_CHECKING:
    import pandas as pd

    from interlaw.recommendation.recommendation import Recommendation

COLUMNS = 80


def lines(found: Recommendation) -> list[str]:
    """The pick with its reason, what is nearly as good and why one would rather take that, and the table."""
    pick, rest = found.pick, found.candidates[1:]
    said = [*_wrapped(f"Take {pick.name}: {found.why}.")]
    if rest:
        said.append(f"Within {found.delta:.1%} of its predicted loss:")
        for one in rest:
            said += _wrapped(f"{one.name}: {'; '.join(one.reasons) or 'no cheaper in anything counted here'}", indent=2)
    return [*said, *table(found.candidates)]


def notes_as_lines(found: Recommendation) -> list[str]:
    """What the columns rest on, and every note, wrapped."""
    plan, cost = found.plan, found.pick.cost
    basis = (
        f"{found.family}, vocabulary {found.vocab_size:,}, context {found.context:,}, {format_size(cost.train_tokens)} "
        f"tokens; days on {plan.num_devices} x {plan.device} at {plan.utilization:.0%} of the peak; memory with "
        f"a batch of {plan.batch} a device, undivided; a token decoded at full context reads "
        f"{_bytes(cost.decode_bytes_per_token)}"
    )
    return [line for note in (basis, *(f"note: {one}" for one in found.warnings)) for line in _wrapped(note)]


def table(candidates: Sequence[Candidate]) -> list[str]:
    """One line a candidate, at most 80 columns: numbers to the right."""
    timed = any(one.measured for one in candidates)
    heads = ["shape", "R", "loss", "params", "heads/kv", "split", "KV/tok"]
    heads += ["train tok/s", "read ms", "decode ms"] if timed else ["train mem", "days"]
    rows = [heads, *(_row(one, timed=timed) for one in candidates)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(heads))]
    return [" ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]


def _row(one: Candidate, *, timed: bool) -> list[str]:
    row, cost = one.shape.to_dict(), one.cost
    kv = row.get("num_kv_heads") or row["num_heads"]
    days = cost.train_days
    cells = [
        one.name,
        f"{one.shape.ratio:.4f}",
        f"+{one.penalty.value:.1%}",
        format_size(one.shape.params),
        f"{row['num_heads']}/{kv}x{row['head_dim']}",
        str(one.parallel),
        _bytes(cost.kv_bytes_per_token),
    ]
    if not timed:
        return [*cells, _bytes(cost.train_memory_bytes), f"{days:.2g}" if days < 100 else f"{days:,.0f}"]
    if one.measured is None:
        return [*cells, "-", "-", "-"]
    times = one.measured
    speeds = (times.train_tokens_per_second, times.prefill_ms_per_token, times.decode_ms_per_token)
    return [*cells, *(f"{speed:.3g}" for speed in speeds)]


def _bytes(count: float) -> str:
    """A number of bytes with a decimal unit."""
    return f"{format_size(count).replace('B', 'G')}B"


def frame(candidates: Sequence[Candidate]) -> pd.DataFrame:
    """One row a candidate."""
    import pandas as pd

    rows = []
    for one in candidates:
        row = {key: value for key, value in one.to_dict().items() if not isinstance(value, list | dict)}
        row["loss_penalty"] = one.penalty.value
        row |= {} if one.measured is None else one.measured.to_dict()
        rows.append({key: value for key, value in row.items() if key not in ("measured", "unmeasured")})
    return pd.DataFrame(rows)


def _wrapped(text: str, *, indent: int = 0) -> list[str]:
    """Lines of at most 80 columns; those after the first stand two further in."""
    return textwrap.wrap(
        text, COLUMNS, initial_indent=" " * indent, subsequent_indent=" " * (indent + 2), break_long_words=False
    )
