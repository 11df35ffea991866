"""Agreement of W^T W and the AGOP, layer by layer, over the steps of training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import altair as alt

from interlaw.report import Drawing, Panel, look, whole, write_chart


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
    key = look.legend("layer", column=170, symbolType="stroke")
    color = alt.Color("layer:N", sort=names, scale=alt.Scale(domain=names, range=look.ramp(len(names))), legend=key)
    # symlog: the first point stands at step 0
    x = alt.X(
        "step:Q",
        scale=alt.Scale(type="symlog", constant=10, domain=[0, last]),
        axis=alt.Axis(title="step", values=_powers(last)),
    )
    y = alt.Y("nfa:Q", axis=alt.Axis(title="cosine of W^T W and AGOP", format=".1f", tickCount=5))
    lines = alt.Chart(look.rows(values)).mark_line(strokeWidth=1.6, point=alt.OverlayMarkDef(size=16), aria=False)
    return alt.layer(lines.encode(x=x, y=y, color=color, tooltip="said:N"))


def _powers(last: int) -> list[int]:
    """0 and the powers of ten up to the last step."""
    found = [0]
    while (step := 10 ** len(found)) <= last:
        found.append(step)
    return found


def write_layers(rows: Sequence[Mapping[str, Any]], path: Path) -> Path:
    """Writes the figure as PNG, SVG or PDF, by the name's ending."""
    return write_chart(path, whole(draw_layer_lines(rows)))
