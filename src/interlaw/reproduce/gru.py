"""GRU students of a frozen teacher: how the AOFE-ratio goes with the loss when there is a truth to be matched."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from interlaw.reproduce.agreement import Agreement, claim
from interlaw.reproduce.outcome import Scale
from interlaw.reproduce.shape_sweep import Part, Result, ShapeSweep


def judge(results: Mapping[str, Result], scale: Scale) -> list[Agreement]:
    """Published: Pearson's r of AOFE-ratio and loss is +.87 to +.98 in teacher-student sweeps."""
    table = results["students"].table
    r = float(np.corrcoef(table["aofe_ratio"], table["loss"])[0, 1])
    return [
        claim(
            "correlation of AOFE-ratio and loss over shapes",
            published="+.87 to +.98 in the author's teacher-student sweeps",
            ours=f"{r:+.2f} over {len(table)} shapes",
            holds=bool(0.87 <= r <= 0.98) if scale == "paper" else bool(r > 0),
            rule="within the published range" if scale == "paper" else "the published sign",
            differs="the AOFE-ratio is estimated without bias",
        )
    ]


GRU_STUDENTS = ShapeSweep(
    name="gru",
    parts=(Part(label="students", recipe="gru"),),
    setting="GRU students of equal budget learn the last state of a frozen random GRU: 2 layers of 64, 80 steps.",
    differs={
        "tiny": "20k parameters, depths 1 to 8, 400 steps; features scaled to unit variance",
        "paper": "budget (0.3M) and training length are ours; features scaled to unit variance",
    },
    judge=judge,
)
