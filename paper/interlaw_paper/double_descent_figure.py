"""The picture of the double descent: loss and AOFE against training points."""

from __future__ import annotations

import itertools
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


def loss_and_interaction(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Json]]:
    """The numbers drawn: by name in `PANELS` a point a size: the mean over seeds, the least and the largest."""
    sizes = sorted({row["train_points"] for row in rows})
    points: dict[str, list[Json]] = {name: [] for names, _ in PANELS for name in names}
    for name, size in itertools.product(points, sizes):
        seeds = [float(row[name]) for row in rows if row["train_points"] == size]
        points[name].append(
            {"size": float(size), "value": float(np.mean(seeds)), "low": min(seeds), "high": max(seeds)}
        )
    return points


def draw_loss_and_interaction(rows: Sequence[Mapping[str, Any]]) -> Drawing:
    """Loss and, of AGOP and W^T W, off-diagonal energy and its share; bands from least to largest seed."""
    points = loss_and_interaction(rows)
    panels = tuple(  # pixels, as all sizes of this file: chosen by eye
        Panel(chart=_lines({name: points[name] for name in names}, label=label), title=label, width=420, height=200)
        for names, label in PANELS
    )
    peak = max(points["loss"][1:], key=lambda point: point["value"], default={"size": 0})["size"]
    message = f"After the smallest sets the test loss peaks at {peak:g} training points"
    caption = "Lines: means over seeds; bands: from the least to the largest seed. Blue: AGOP (or loss); orange: W^T W."
    return Drawing(message=message, caption=caption, panels=panels, columns=1)


def _lines(points: Mapping[str, Sequence[Json]], *, label: str) -> Any:
    log = "aofe" in points
    floor = LEAST_AOFE if log else -math.inf
    values: list[Json] = [
        {
            "size": point["size"],
            "of": "W^T W" if name.startswith("weights") else "AGOP",
            **{end: max(point[end], floor) for end in ("value", "low", "high")},
            "said": f"{point['size']:g} training points: {point['value']:.4g}",
        }
        for name, own in points.items()
        for point in own
    ]
    limits = look.padded([value[end] for value in values for end in ("low", "high")], log=log)
    axis = marks.log_axis if log else marks.linear_axis
    key = marks.legend() if len(points) > 1 else None
    color = marks.told_apart("of", ("AGOP", "W^T W"), looks=(look.FIT, look.BEST), key=key)
    drawn = partial(marks.marks, values, x="size", color=color)
    return marks.layered(
        marks.log_axis(
            "size", "training points", limits=look.padded([value["size"] for value in values], log=True, margin=0.02)
        ),
        axis("value", label, limits=limits),
        drawn("area", y="low", y2="high", opacity=0.2),
        drawn("line", y="value", strokeWidth=1.8),
        drawn("point", y="value", said=True, filled=True, size=22, opacity=1),
    )
