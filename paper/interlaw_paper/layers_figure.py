"""Agreement of W^T W and the AGOP, layer by layer, over the steps of training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd

from interlaw.report import Drawing, Panel, look, marks
from interlaw_paper.outcome import records


def draw_layer_lines(rows: Sequence[Mapping[str, Any]]) -> Drawing:
    """A panel a network, a line a layer."""
    table = pd.DataFrame(rows)
    models = table.groupby("model", sort=False)
    panels = tuple(  # pixels, as all sizes of this file: chosen by eye
        Panel(chart=_chart(records(layers)), title=str(model), width=380, height=280) for model, layers in models
    )
    steps = models["step"]
    start, end = (table[table["step"] == steps.transform(which)]["nfa"].mean() for which in ("min", "max"))
    message = f"Agreement of W^T W with the AGOP goes from {start:.2f} to {end:.2f} in training, on average over layers"
    caption = "One line a layer: the cosine of W^T W and the AGOP at the layer's input. Steps on a logarithmic scale."
    return Drawing(message=message, caption=caption, panels=panels, columns=2)


def _chart(rows: Sequence[Mapping[str, Any]]) -> Any:
    values = [{**row, "said": f"{row['layer']}, step {row['step']}: {row['nfa']:.3f}"} for row in rows]
    last = max(value["step"] for value in values)
    names = list(dict.fromkeys(row["layer"] for row in rows))
    key = marks.legend("layer", symbolType="stroke")
    color = marks.told_apart("layer", names, looks=look.ramp(len(names)), key=key)
    # symlog: the first point stands at step 0
    x = marks.linear_axis("step", "step", limits=(0, last), values=_powers(last), format="d")
    x["scale"] = {"type": "symlog", "constant": 10, "domain": [0, last]}
    drawn = partial(marks.marks, values, x="step", y="nfa", color=color)
    return marks.layered(
        x,
        marks.linear_axis(
            "nfa", "cosine of W^T W and AGOP", limits=look.padded([0.0, 1.0, *(row["nfa"] for row in values)])
        ),
        drawn("line", strokeWidth=1.6),
        drawn("point", said=True, filled=True, size=16, opacity=1),
    )


def _powers(last: int) -> list[int]:
    """0 and the powers of ten up to the last step."""
    steps = [0]
    while (step := 10 ** len(steps)) <= last:
        steps.append(step)
    return steps
