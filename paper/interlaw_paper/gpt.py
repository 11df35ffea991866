"""The two GPT experiments: one budget over depths with the loss view, many budgets with the projected view."""

from __future__ import annotations

import pandas as pd

from interlaw.laws import LawFit
from interlaw.published import PAPER_INTERVAL
from interlaw.size import format_range, format_ratio
from interlaw_paper.agreement import Agreement, claim, compare, published_figures
from interlaw_paper.scale import Scale
from interlaw_paper.shape_sweep import Part, Result, ShapeSweep, best_row

BAND, SMALLEST_OF_BAND = 0.02, 1_000_000  # as published: 2% of the best loss, budgets from 1M on


def judge_depth(result: Result, scale: Scale) -> list[Agreement]:
    """Published: two sweeps at 3M put the best ratio at .023 and at .0058, the edge of the grid."""
    best = best_row(result.table)
    r_star = result.fit.budgets[-1].r_star
    value = f", R* = {format_ratio(r_star.value)}" if r_star.value is not None else f", {r_star.reason}"
    near = abs(best["ratio"] / 0.023 - 1) <= 0.5 or best["ratio"] <= 1.5 * 0.0058  # the published ratios
    return [
        claim(
            "ratio of the lowest test loss",
            published=".023 in one sweep at 3M, .0058 (the edge of the grid) in another",
            ours=f"{format_ratio(best['ratio'])} (depth {best['depth']}){value}",
            holds=bool(near) if scale == "paper" else None,
            rule="within half of either, at the published budget",
        )
    ]


def judge_budgets(result: Result, scale: Scale) -> list[Agreement]:
    """Best losses at the published budgets, the band that they share, and whether R* stays put (claims C3, C4)."""
    table, lines = result.table, []
    same_text = result.text is not None and result.text.is_published
    differs = "" if same_text else "losses on two texts cannot be compared"
    for published in published_figures("gpt-budgets"):
        rows = table[table["budget"] == int(published.at)]
        if len(rows):
            lines.append(compare(published, float(best_row(rows)["loss"]), differs=differs, comparable=same_text))
    return [*lines, _common_band(table), _stays_put(result.fit)]


def _common_band(table: pd.DataFrame) -> Agreement:
    """Ratios within 2% of the best at every budget from 1M on."""
    large = table[table["budget"] >= SMALLEST_OF_BAND]
    chosen = large if len(large) else table
    low, high = 0.0, float("inf")
    for _, rows in chosen.groupby("budget"):
        inside = rows[rows["loss"] <= (1 + BAND) * rows["loss"].min()]["ratio"]
        low, high = max(low, float(inside.min())), min(high, float(inside.max()))
    ours = f"R = {format_range(low, high)}" if low <= high else "no ratio is in every band"
    overlaps = low <= high and low <= PAPER_INTERVAL[1] and high >= PAPER_INTERVAL[0]
    return claim(
        "ratios within 2% of the best loss at every budget",
        published="R = .020 to .065 from 1M parameters on",
        ours=ours,
        holds=overlaps if len(large) else None,
        rule="the two ranges overlap, from 1M parameters on",
        differs="" if len(large) else "no budget of 1M or more at this scale",
    )


def _stays_put(fit: LawFit) -> Agreement:
    """Claim C4."""
    stability = fit.stability
    return claim(
        "the best ratio stays put as the budget grows",
        published="nearly",
        ours=stability.reason,
        holds={"stable": True, "moves": False}.get(stability.verdict),
        rule=f"equivalence test of d log R* / d log N against 0 with margin {stability.margin:g}",
    )


GPT_DEPTH = ShapeSweep(
    name="gpt-depth",
    parts=(Part(label="depths", recipe="gpt-depth"),),
    setting="GPTs of one budget at several depths, the loss view at the token embeddings.",
    differs={
        "tiny": (
            "50k parameters in place of 3M, 20 tokens a parameter in place of 30, context 64, heads of 4, untied, "
            "rate 6e-3, beta2 .99, clip .5, seed"
        ),
        "paper": "heads of 8 in place of nearly 64, no biases in linear layers, seed",
    },
    judge=judge_depth,
    reads_text=True,
)
GPT_BUDGETS = ShapeSweep(
    name="gpt-budgets",
    parts=(Part(label="budgets", recipe="gpt-budgets"),),
    setting="Byte-level GPTs with heads of 4, equal budgets, the projected view of the last position.",
    differs={
        "tiny": (
            "30k to 100k parameters in place of 0.3M to 10M, 8 bytes a parameter in place of 90, decay of matrices "
            "alone, the last weights, context 64, rate 6e-3, beta2 .99, clip .5, seed"
        ),
        "paper": "seed",
    },
    judge=judge_budgets,
    reads_text=True,
)
