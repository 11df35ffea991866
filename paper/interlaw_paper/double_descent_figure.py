"""The picture of the double descent: loss and AOFE against training points."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from interlaw.plain import Json
from interlaw.report import Drawing, Panel, look, marks

LEAST_AOFE = 1e-4  # drawn in place of less: an estimate without bias may come out below 0
PANELS = (
    (("loss",), "test loss"),
    (("aofe", "weights_aofe"), "off-diagonal energy (AOFE)"),
    (("aofe_ratio", "weights_aofe_ratio"), "share of the energy (AOFE-ratio)"),
)


def loss_and_interaction(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[float]]:
    """The numbers drawn: per size the mean over seeds, and the least and the largest seed.

    Returns:
        `train_points`, and for each name in `PANELS` the lists `<name>`, `<name>_low`, `<name>_high`.
    """
    sizes = sorted({row["train_points"] for row in rows})
    numbers: dict[str, list[float]] = {"train_points": [float(size) for size in sizes]}
    for name in (name for names, _ in PANELS for name in names):
        by_size = [[float(row[name]) for row in rows if row["train_points"] == size] for size in sizes]
        numbers[name] = [float(np.mean(values)) for values in by_size]
        numbers[f"{name}_low"] = [min(values) for values in by_size]
        numbers[f"{name}_high"] = [max(values) for values in by_size]
    return numbers


def draw_loss_and_interaction(rows: Sequence[Mapping[str, Any]]) -> Drawing:
    """Loss and, of AGOP and W^T W, off-diagonal energy and its share; bands from least to largest seed."""
    numbers = loss_and_interaction(rows)
    panels = tuple(  # pixels, as all sizes of this file: chosen by eye
        Panel(chart=_lines(numbers, names, label=label), title=label, width=420, height=200) for names, label in PANELS
    )
    peak = numbers["train_points"][int(np.argmax(numbers["loss"][1:])) + 1] if len(numbers["loss"]) > 1 else 0
    message = f"After the smallest sets the test loss peaks at {peak:g} training points"
    caption = "Lines: means over seeds; bands: from the least to the largest seed. Blue: AGOP (or loss); orange: W^T W."
    return Drawing(message=message, caption=caption, panels=panels, columns=1)


def _lines(numbers: Mapping[str, Sequence[float]], names: Sequence[str], *, label: str) -> Any:
    sizes = numbers["train_points"]
    log = names[0] == "aofe"
    floor = LEAST_AOFE if log else -math.inf
    values: list[Json] = [
        {
            "size": size,
            "of": "W^T W" if name.startswith("weights") else "AGOP",
            "value": max(numbers[name][place], floor),
            "low": max(numbers[f"{name}_low"][place], floor),
            "high": max(numbers[f"{name}_high"][place], floor),
            "said": f"{size:g} training points: {numbers[name][place]:.4g}",
        }
        for name in names
        for place, size in enumerate(sizes)
    ]
    limits = look.padded([value[end] for value in values for end in ("low", "high")], log=log)
    axis = marks.log_axis if log else marks.linear_axis
    key = marks.legend() if len(names) > 1 else None
    color = marks.told_apart("of", ("AGOP", "W^T W"), looks=(look.FIT, look.BEST), key=key)
    drawn = partial(marks.marks, values, x="size", color=color)
    return marks.layered(
        marks.log_axis("size", "training points", limits=look.padded(sizes, log=True, margin=0.02)),
        axis("value", label, limits=limits),
        drawn("area", y="low", y2="high", opacity=0.2),
        drawn("line", y="value", strokeWidth=1.8),
        drawn("point", y="value", said=True, filled=True, size=22, opacity=1),
    )
