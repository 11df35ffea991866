"""The residual MLP scan: low-rank regression, one budget, depth against the lowest loss."""

from __future__ import annotations

import pandas as pd

from interlaw.size import format_ratio
from interlaw_paper.agreement import Agreement, claim
from interlaw_paper.scale import Scale
from interlaw_paper.shape_sweep import Part, Result, ShapeSweep, best_row


def judge(result: Result, scale: Scale) -> list[Agreement]:
    """Published: lowest validation loss at depth 13 to 16 of 2 to 16, R = .12 to .17, at 0.3M parameters."""
    kept = result.table["min_val_loss"].notna().all()
    best = best_row(result.table, "min_val_loss" if kept else "val_loss")
    scale_differs = "" if scale == "paper" else "the depth of the best grows with the budget"
    last = "" if kept else "of the last validation, since not every record keeps the lowest"
    return [
        claim(
            "depth of the lowest validation loss",
            published="13 to 16 (R = .12 to .17) at 0.3M parameters",
            ours=f"{best['depth']} (R = {format_ratio(best['ratio'])})",
            holds=13 <= best["depth"] <= 16 if scale == "paper" else None,
            rule="between 13 and 16, at the published budget",
            differs="; ".join(filter(None, [scale_differs, last])),
        ),
        _halves(result.table),
    ]


def _halves(table: pd.DataFrame) -> Agreement:
    """Whether depth helps at all."""
    ordered = table.sort_values("depth")
    middle = len(ordered) // 2
    shallow, deep = ordered["loss"][:middle].mean(), ordered["loss"][-middle:].mean()
    return claim(
        "the deeper half of the shapes does better than the shallower half",
        published="yes, up to depth 13",
        ours=f"mean test loss {deep:.4f} against {shallow:.4f}" if middle else None,
        holds=bool(deep < shallow) if middle else None,
        rule="mean test loss of the deeper half is the lower one",
    )


MLP_SCAN = ShapeSweep(
    name="mlp",
    parts=(
        Part(label="full", recipe="mlp"),
        *(
            Part(label=part, recipe="mlp", title=part, settings={"variant": f'"{part}"'})
            for part in ("product", "hermite")
        ),
    ),
    setting="Residual MLPs of equal budget on the low-rank regression, and on its product and its Hermite part alone.",
    differs={
        "tiny": "20k parameters in place of 0.3M, 1500 steps at 1e-3 in place of up to 60,000 at 3e-4, data and seed",
        "paper": "data and seed",
    },
    judge=judge,
)
