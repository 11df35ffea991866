"""Writes the tables of choosing-a-shape.md from what the code says: `python docs/shape_tables.py`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from interlaw.recommendation import gather_evidence, recommend
from interlaw.size import format_range, format_ratio, format_size

PAGE = Path(__file__).parent / "choosing-a-shape.md"
SIZES = ("60M", "135M", "350M", "1B", "3B", "7B")
# family and vocabulary: that of Llama 2 and of Qwen 3
FAMILIES = (("llama", 32_000), ("hf:qwen3", 151_936))
POOLED = (1e6, 1e7, 1e8, 1e9, 1e10)


def answers() -> Iterator[str]:
    """The pick at six sizes beside real models."""
    yield "| size | family | R\\* (90%) | take | or, within 0.5% | published models of that size |"
    yield "|---:|---|---|---|---|---|"
    for size in SIZES:
        for family, vocabulary in FAMILIES:
            yield answer(size, family, vocabulary)


def answer(size: str, family: str, vocabulary: int) -> str:
    """One row: the pick of a family at a size."""
    answered = recommend(params=size, family=family, vocab_size=vocabulary)
    belief, names = answered.belief, {}
    for point in answered.models:
        names.setdefault(f"{point.depth} x {point.width}", point.name)
    real = ", ".join(f"{name} {shape}" for shape, name in list(names.items())[:6]) or "-"
    cells = [
        size,
        family.removeprefix("hf:"),
        f"{format_ratio(belief.ratio)} ({format_range(belief.low, belief.high)})",
        f"**{answered.pick.name}**",
        ", ".join(one.name for one in answered.candidates[1:]) or "-",
        real if family == "llama" else "as above",
    ]
    return f"| {' | '.join(cells)} |"


def coverage() -> Iterator[str]:
    """Each data set predicted from the others."""
    evidence = gather_evidence()
    yield "| data set left out | its optima | inside the others' 90% interval |"
    yield "|---|---:|---:|"
    for one in evidence.coverage:
        yield f"| {one.dataset} | {one.num_optima} | {one.inside:.0%} |"
    mean = sum(one.inside for one in evidence.coverage) / len(evidence.coverage)
    yield f"| all, one vote each | {sum(one.num_optima for one in evidence.coverage)} | {mean:.0%} |"


def pooled() -> Iterator[str]:
    """The pool at five sizes."""
    yield "| N | R\\* | 90% predictive interval |"
    yield "|---:|---:|---|"
    for one in gather_evidence(sizes=POOLED).pooled:
        yield f"| {format_size(one.params)} | {format_ratio(one.ratio)} | {format_range(one.low, one.high)} |"


TABLES = {"answers": answers, "coverage": coverage, "pooled": pooled}


def rewritten(text: str) -> str:
    """The page with every table between its markers made again."""
    for name, rows in TABLES.items():
        start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        before, _, rest = text.partition(start)
        _, _, after = rest.partition(end)
        text = f"{before}{start}" + "\n".join(rows()) + f"\n{end}{after}"
    return text


if __name__ == "__main__":
    PAGE.write_text(rewritten(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    sys.stderr.write(f"wrote {PAGE}\n")
