"""The masked-patch scan: convolutional denoisers of equal budget, on procedural images and on real digits."""

from __future__ import annotations

from interlaw_paper.agreement import Agreement, claim
from interlaw_paper.scale import Scale
from interlaw_paper.shape_sweep import Part, Result, ShapeSweep, best_row

FLAT = 0.05  # relative loss: a judgement, for the published minimum is flat by eye


def judge(result: Result, scale: Scale) -> list[Agreement]:
    """Published: a flat minimum at depths 8 to 14 of 2 to 16, at 3M parameters."""
    table = result.table
    best = best_row(table)
    near = table[table["loss"] <= (1 + FLAT) * best["loss"]]["depth"]
    return [
        claim(
            "depths of the flat minimum",
            published="8 to 14 at 3M parameters",
            ours=f"best at {best['depth']}; within {FLAT:.0%} of it: {near.min()} to {near.max()}",
            holds=8 <= best["depth"] <= 14 if scale == "paper" else None,
            rule="the best depth is 8 to 14, at the published budget",
        )
    ]


CNN_SCAN = ShapeSweep(
    name="cnn",
    parts=(Part(label="procedural", recipe="cnn"), Part(label="digits", recipe="cnn-digits")),
    setting="Convolutional denoisers of equal budget restore masked patches, of procedural images and of real digits.",
    differs={
        "tiny": "15k parameters in place of 3M, 100 supervised pixels a parameter in place of 20, images and seed",
        "paper": "images and seed; the digits are an addition",
    },
    judge=judge,
)
