"""GRU students of a frozen teacher: how the AOFE-ratio goes with the loss when there is a truth to be matched."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from interlaw_paper.agreement import Agreement, claim
from interlaw_paper.scale import Scale
from interlaw_paper.shape_sweep import Part, Result, ShapeSweep

LEAST_SHAPES = 3  # two points always correlate by 1 or -1
OURS = "features scaled to unit variance; the AOFE-ratio estimated without bias"


def judge(result: Result, scale: Scale) -> list[Agreement]:
    """Published: Pearson's r of AOFE-ratio and loss is +.87 to +.98 in teacher-student sweeps."""
    table = result.table
    r = correlation(table["aofe_ratio"].tolist(), table["loss"].tolist())
    within = None if r is None else bool(0.87 <= r <= 0.98) if scale == "paper" else r > 0  # the published range
    return [
        claim(
            "correlation of AOFE-ratio and loss over shapes",
            published="+.87 to +.98 in the author's teacher-student sweeps",
            ours=None if r is None else f"{r:+.2f} over {len(table)} shapes",
            holds=within,
            rule="within the published range" if scale == "paper" else "the published sign",
        )
    ]


def correlation(x: Sequence[float], y: Sequence[float]) -> float | None:
    """Pearson's r; None of fewer than three pairs, or where one side does not vary."""
    if len(x) < LEAST_SHAPES or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    return float(np.corrcoef(x, y)[0, 1])


GRU_STUDENTS = ShapeSweep(
    name="gru",
    parts=(Part(label="students", recipe="gru"),),
    setting="GRU students of equal budget learn the last state of a frozen random GRU: 2 layers of 64, 80 steps.",
    differs={
        "tiny": f"20k parameters, depths 1 to 8, 200 steps; {OURS}",
        "paper": f"budget (0.3M) and training length are ours; {OURS}",
    },
    judge=judge,
)
