"""Agreement of W^T W and the AGOP, layer by layer, over the steps of training."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from interlaw.files import write_atomically


def layer_lines(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, list[tuple[int, float]]]]:
    """The numbers drawn: model, layer, then pairs of step and cosine in the order of the steps."""
    found: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for row in sorted(rows, key=lambda row: int(row["step"])):
        layers = found.setdefault(row["model"], {})
        layers.setdefault(row["layer"], []).append((int(row["step"]), float(row["nfa"])))
    return found


def write_layers(rows: Sequence[Mapping[str, Any]], path: Path) -> Path:
    """Draws a panel a network, a line a layer."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    lines = layer_lines(rows)
    figure = Figure(figsize=(5.5 * len(lines), 4.2), layout="constrained")
    for axis, (model, layers) in zip(figure.subplots(1, len(lines), squeeze=False)[0], lines.items(), strict=True):
        colors = colormaps["viridis"]([place / max(1, len(layers) - 1) for place in range(len(layers))])
        for color, (layer, points) in zip(colors, layers.items(), strict=True):
            axis.plot(*zip(*points, strict=True), "o-", markersize=3, color=color, label=layer)
        axis.set_title(model)
        axis.set_xlabel("step")
        axis.set_ylabel("cosine of W^T W and AGOP")
        axis.set_xscale("symlog", linthresh=10)
        axis.legend(fontsize="xx-small", ncols=2)
    content = io.BytesIO()
    figure.savefig(content, format=path.suffix[1:], dpi=150)
    write_atomically(path, content.getvalue())
    return path
