"""Agreement of W^T W and the AGOP, layer by layer, over the steps of training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from interlaw.report import Drawing, Panel, look, marks, write_chart


def layer_lines(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, list[tuple[int, float]]]]:
    """The numbers drawn: model, layer, then pairs of step and cosine in the order of the steps."""
    found: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for row in sorted(rows, key=lambda row: int(row["step"])):
        layers = found.setdefault(row["model"], {})
        layers.setdefault(row["layer"], []).append((int(row["step"]), float(row["nfa"])))
    return found


def draw_layer_lines(rows: Sequence[Mapping[str, Any]]) -> Drawing:
    """A panel a network, a line a layer."""
    lines = layer_lines(rows)
    panels = tuple(Panel(chart=_chart(layers), title=model, width=380, height=280) for model, layers in lines.items())
    ends = [points[-1][1] for layers in lines.values() for points in layers.values()]
    starts = [points[0][1] for layers in lines.values() for points in layers.values()]
    message = (
        f"Agreement of W^T W with the AGOP goes from {sum(starts) / len(starts):.2f} to {sum(ends) / len(ends):.2f} "
        "in training, on average over layers"
    )
    caption = "One line a layer: the cosine of W^T W and the AGOP at the layer's input. Steps on a logarithmic scale."
    return Drawing(message=message, caption=caption, panels=panels, columns=2)


def _chart(layers: Mapping[str, Sequence[tuple[int, float]]]) -> Any:
    values: list[dict[str, Any]] = [
        {"layer": layer, "step": step, "nfa": nfa, "said": f"{layer}, step {step}: {nfa:.3f}"}
        for layer, points in layers.items()
        for step, nfa in points
    ]
    last = max(value["step"] for value in values)
    names = list(layers)
    key = marks.legend("layer", column=170, symbolType="stroke")
    color = marks.told_apart("layer", names, look.ramp(len(names)), key)
    # symlog: the first point stands at step 0
    x = marks.linear_axis("step", "step", (0, last), values=_powers(last), format="d")
    x["scale"] = {"type": "symlog", "constant": 10, "domain": [0, last]}
    place: dict[str, Any] = {"x": "step", "y": "nfa", "color": color}
    return marks.layered(
        x,
        marks.linear_axis("nfa", "cosine of W^T W and AGOP", look.padded([0.0, 1.0, *(row["nfa"] for row in values)])),
        marks.marks(values, "line", **place, strokeWidth=1.6),
        marks.marks(values, "point", **place, said=True, filled=True, size=16, opacity=1),
    )


def _powers(last: int) -> list[int]:
    """0 and the powers of ten up to the last step."""
    found = [0]
    while (step := 10 ** len(found)) <= last:
        found.append(step)
    return found


def write_layers(rows: Sequence[Mapping[str, Any]], path: Path) -> Path:
    """Writes the figure as PNG, SVG or PDF, by the name's ending."""
    return write_chart(path, draw_layer_lines(rows))
