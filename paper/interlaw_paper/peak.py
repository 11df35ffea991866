"""The double descent's peak with and without a term that moves interaction (claim C1).

If interaction made the peak, lowering it would lower the loss at the peak more than beside it, and raising it would
raise it. The same term on the size of the gradients is the control.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from interlaw.sweep import InterventionPart
from interlaw.training import Moved
from interlaw_paper.agreement import Agreement, claim
from interlaw_paper.double_descent import Program, train_size
from interlaw_paper.experiments import Experiment
from interlaw_paper.outcome import Driver, Outcome, records
from interlaw_paper.push import CONFIDENCE, both_ways, interval, judged, measured_effects
from interlaw_paper.scale import Scale

NAME = "peak"
PEAK = 500  # training points where the published loss peaks
BESIDE = (200, 1000)  # its neighbours among the published sizes
ARMS: tuple[tuple[Moved, float], ...] = (("interaction", 0.1), ("trace", 0.0003), ("interaction", 0.01))  # from a pilot
DRAWS = (0, 1, 2, 3, 4)  # of data and first weights; a draw is one unit
BASE = Program(sizes=(PEAK, *BESIDE))


def programs(base: Program = BASE) -> Iterator[tuple[str, int, Program]]:
    """Label, draw and program of every arm, a draw at a time."""
    for draw in DRAWS:
        data = replace(base.data, data_seed=draw)
        yield "none", draw, replace(base, seeds=(draw,), data=data)
        for label, on, strength in both_ways(ARMS):
            push = InterventionPart(on=on, strength=strength)
            yield label, draw, replace(base, seeds=(draw,), data=data, push=push)


def run_peak(*, scale: Scale, out: Path, driver: Driver) -> Outcome:
    """Trains what is missing, and tests claim C1 at the peak and beside it."""
    rows = []
    for label, draw, program in programs():
        for size in program.sizes:
            (row,) = train_size(size, program=program, out=out / f"{label}-draw-{draw}", driver=driver)
            pushed = {"intervention": program.push.on, "strength": program.push.strength} if program.push else {}
            rows.append({"arm": label, "draw": draw, "depth": 1, "width": program.settings.width, **pushed, **row})
    table = pd.DataFrame(rows)
    return Outcome(
        experiment=NAME,
        scale=scale,
        setting=(
            f"The bottlenecks of double-descent at {PEAK} points and beside it, {len(DRAWS)} draws of data and "
            f"weights, each plain, pushed and under control; {len(table)} trainings, {table['seconds'].sum():.0f} s."
        ),
        agreement=tuple(compared(table)),
        table=records(table),
    )


def compared(table: pd.DataFrame) -> list[Agreement]:
    """What each arm does to the loss at every size, and to the height of the peak."""
    lines = []
    for size, rows in table.groupby("train_points"):
        lines += [replace(line, at=f"{size} training points") for line in judged(measured_effects(rows))]
    plain, *pushed = (heights(rows) for _, rows in table.groupby("arm", sort=False))
    height, low, high = np.expm1(interval(plain))
    lines.append(
        claim(
            "loss at the peak above that beside it",
            published="a peak at 500",
            ours=f"{height:+.0%} ({low:+.0%} to {high:+.0%})",
            holds=bool(low > 0),
            rule=f"the {CONFIDENCE:.0%} interval over draws lies above 0",
        )
    )
    for arm, own in zip(table["arm"].unique()[1:], pushed, strict=True):
        left, low, high = np.expm1(interval(own))
        change, change_low, change_high = interval(own - plain)
        words = f"{left:+.0%} ({low:+.0%} to {high:+.0%}); change of log height {change:+.2f} "
        words += f"({change_low:+.2f} to {change_high:+.2f})"
        lines.append(claim(f"the peak under {arm}", published="", ours=words, holds=None, rule="paired over draws"))
    return lines


def heights(rows: pd.DataFrame) -> np.ndarray:
    """Log loss at the peak less the mean log loss beside it, a value a draw."""
    loss = np.log(rows.pivot(index="draw", columns="train_points", values="loss"))
    return np.asarray(loss[PEAK] - loss[list(BESIDE)].mean(axis=1))


EXPERIMENT = Experiment(run=run_peak, scales=("decisive",))
