"""Experiments designed to decide the claims where that is possible: docs/design.md gives each one's test and power."""

from __future__ import annotations

from interlaw.reproduce.shape_sweep import Part, ShapeSweep

OURS = {"decisive": "an experiment of ours"}
GAINS = {1: "1.2", 2: "0.8", 3: "0.7"}  # fixed in a pilot: seeds spread by less than .1 in log loss

WAVES = ShapeSweep(
    name="waves",
    parts=tuple(
        Part(
            label=f"layers-{layers}",
            recipe="waves",
            changes=(
                (": 2 layers", f": {layers} layers"),
                ("layers = 2", f"layers = {layers}"),
                ("gain = 0.8", f"gain = {gain}"),
            ),
        )
        for layers, gain in GAINS.items()
    ),
    setting="Residual MLPs of three budgets on one, two and three layers of sines, rates searched for each shape.",
    differs=OURS,
    judge=lambda result, scale: [],
)

GROWTH = ShapeSweep(
    name="growth",
    parts=(Part(label="gpt-40k", recipe="growth"),),
    setting="GPTs of 40k parameters at three lengths of training, each with a schedule of its own.",
    differs=OURS,
    judge=lambda result, scale: [],
)
