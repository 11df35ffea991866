"""Draws the figures of docs/what-is-neural-interaction.md: `python examples/figures/neural_interaction.py docs/images`.

Every number on them is measured by the library when the script runs; half a minute on one core.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path

import altair as alt
import torch
from torch import Tensor, nn

import interlaw as il
from interlaw.interaction import NULLS, grams_of, jackknife, plugin
from interlaw.report import Drawing, Panel, look, whole, write_chart

SIDE, ARROWS = 30, 6  # of a function's picture: cells a side, arrows a side


class Function(nn.Module):
    """A formula as a network, so that it can be measured like one."""

    def __init__(self, formula: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.formula = formula

    def forward(self, x: Tensor) -> Tensor:
        """One output for each pair of inputs."""
        return self.formula(x[:, 0], x[:, 1])[:, None]


FORMULAS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "f = a²: one input alone": lambda a, b: a.square() + 0 * b,
    "f = a² + b²: each for itself": lambda a, b: a.square() + b.square(),
    "f = (a + b)²: two as one": lambda a, b: (a + b).square(),
    "f = a b: a product": lambda a, b: a * b,
}


def matrix_chart(matrix: Tensor, *, numbers: bool = False) -> alt.LayerChart | alt.FacetChart:
    """A symmetric matrix as a picture; red is positive, blue negative."""
    reach = float(matrix.abs().max())
    names = [f"{place:02d}" for place in range(len(matrix))]
    values = [
        {"row": names[i], "column": names[j], "value": float(matrix[i, j]), "text": f"{float(matrix[i, j]):z.2f}"}
        for i in range(len(matrix))
        for j in range(len(matrix))
    ]
    base = alt.Chart(look.rows(values)).encode(x=alt.X("column:O", axis=None), y=alt.Y("row:O", axis=None))
    scale = alt.Scale(domain=[-reach, reach], range=list(look.SIGNED_RAMP), interpolate="rgb")
    cells = base.mark_rect(stroke=look.SURFACE, strokeWidth=1).encode(
        color=alt.Color("value:Q", scale=scale, legend=None)
    )
    if not numbers:
        return alt.layer(cells).resolve_scale(color="independent")
    strong = f"abs(datum.value) > {0.6 * reach}"
    color = alt.condition(strong, alt.value(look.SURFACE), alt.value(look.INK))
    return alt.layer(cells, base.mark_text().encode(text="text:N", color=color)).resolve_scale(color="independent")


def function_chart(model: Function) -> alt.LayerChart | alt.FacetChart:
    """A function of two inputs in shades, and its gradients as arrows."""
    edge, middle = torch.linspace(-1, 1, SIDE + 1), torch.linspace(-0.8, 0.8, ARROWS)
    step = float(edge[1] - edge[0])
    corners = torch.cartesian_prod(edge[:-1], edge[:-1])
    heights = model(corners + step / 2)[:, 0]
    cells = [
        {"a": a, "a2": a + step, "b": b, "b2": b + step, "f": f}
        for (a, b), f in zip(corners.tolist(), heights.tolist(), strict=True)
    ]
    places = torch.cartesian_prod(middle, middle).requires_grad_()
    (gradient,) = torch.autograd.grad(model(places).sum(), places)
    reach = 0.3 / float(gradient.norm(dim=1).max())
    arrows = [
        {
            "a": a - reach * da / 2, "b": b - reach * db / 2, "a2": a + reach * da / 2, "b2": b + reach * db / 2,
            "angle": math.degrees(math.atan2(da, db)),
        }
        for (a, b), (da, db) in zip(places.tolist(), gradient.tolist(), strict=True)
        if math.hypot(da, db) > 1e-6
    ]  # fmt: skip
    across = alt.X("a:Q", scale=alt.Scale(domain=[-1, 1], nice=False), axis=alt.Axis(title="a", values=[-1, 0, 1]))
    up = alt.Y("b:Q", scale=alt.Scale(domain=[-1, 1], nice=False), axis=alt.Axis(title="b", values=[-1, 0, 1]))
    shade = alt.Color("f:Q", scale=alt.Scale(range=[look.SURFACE, "#98a4b1"]), legend=None)
    lines = alt.Chart(look.rows(arrows))
    return alt.layer(
        alt.Chart(look.rows(cells)).mark_rect().encode(x=across, x2="a2:Q", y=up, y2="b2:Q", color=shade),
        lines.mark_rule(color=look.FIT, strokeWidth=1.8).encode(x=across, y=up, x2="a2:Q", y2="b2:Q"),
        lines.mark_point(shape="triangle", color=look.FIT, filled=True, size=45, opacity=1).encode(
            x="a2:Q", y="b2:Q", angle=alt.Angle("angle:Q", scale=None)
        ),
    )


def draw_functions() -> Drawing:
    """Four functions of two inputs: their gradients above, the average of their outer products below."""
    line = torch.linspace(-1, 1, 60)
    grid = torch.cartesian_prod(line, line)
    above, below = [], []
    for title, formula in FORMULAS.items():
        model = Function(formula)
        matrix = il.agop(model, grid, view="input")
        ratio = max(il.energies(matrix).aofe_ratio, 0.0)
        above.append(Panel(chart=function_chart(model), title=title, width=190, height=190))
        below.append(
            Panel(chart=matrix_chart(matrix, numbers=True), title=f"AOFE-ratio {ratio:.2f}", width=190, height=120)
        )
    return Drawing(
        message="Interaction is what two inputs do together",
        caption="Above: a function of two inputs, dark where it is large, with its gradients. Below: the average outer "
        "product of the gradients (AGOP); AOFE-ratio is the share of its energy outside the diagonal.",
        panels=(*above, *below),
        columns=4,
        shared=False,
    )


def draw_learning() -> Drawing:
    """The AGOP of a small network before and after it learns a target with two hidden directions."""
    torch.manual_seed(0)
    inputs = torch.randn(4096, 16)
    first, second = torch.zeros(16), torch.zeros(16)
    first[2:6], second[9:13] = 0.5, torch.tensor([0.5, -0.5, 0.5, -0.5])
    target = ((inputs @ first).tanh() + 0.5 * (inputs @ second).square())[:, None]
    model = nn.Sequential(nn.Linear(16, 128), nn.GELU(), nn.Linear(128, 128), nn.GELU(), nn.Linear(128, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=1e-2)
    stages = {0: "before training", 30: "after 30 steps", 1000: "after 1000 steps"}
    panels = []
    for step in range(1001):
        if step in stages:
            fresh = torch.randn(1024, 16, generator=torch.Generator().manual_seed(1))
            found = il.measure(model, fresh, view="input")
            ratio = found.aofe_ratio
            note = (
                f"AOFE-ratio {ratio.value:.2f} ({ratio.low:.2f} to {ratio.high:.2f}), by chance {found.null_ratio:.2f}"
            )
            chart = matrix_chart(il.agop(model, fresh, view="input"))
            panels.append(Panel(chart=chart, title=stages[step], note=note, width=260, height=260))
        batch = torch.randint(0, len(inputs), (256,))
        loss = (model(inputs[batch]) - target[batch]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return Drawing(
        message="Learning writes the target's two directions into the AGOP",
        caption="The AGOP of a network of 16 inputs; the target depends on inputs 3 to 6 together and on 10 to 13 "
        "together. Red: positive, blue: negative, each panel on its own scale.",
        panels=tuple(panels),
    )


def draw_traps() -> Drawing:
    """Left: a plain average of few samples invents interaction. Right: what chance alone gives at each width."""
    return Drawing(
        message="Two traps: averages of few samples, and the level by chance",
        caption="Left: 256 coordinates, related in fours; the dashed line is the truth. Right: the AOFE-ratio of a "
        "random basis, by the number of coordinates (for a GPT: its width) and the effective rank.",
        panels=(
            Panel(chart=samples_chart(), title="A plain average of few samples reads too high", width=430, height=260),
            Panel(chart=chance_chart(), title="Chance alone gives much", width=430, height=260),
        ),
        columns=2,
        shared=False,
    )


def samples_chart() -> alt.LayerChart | alt.FacetChart:
    """The AOFE-ratio by the plain average and by pairs of samples, against the truth."""
    null, counts = NULLS["haar"], [32, 64, 128, 256, 512, 1024]
    # 64 groups of 4 coordinates: related within a group, not between groups
    root = torch.block_diag(*[0.6 * torch.eye(4) + 0.2] * 64)
    truth = il.energies(root @ root.T).aofe_ratio
    factors = (torch.randn(max(counts), 256, generator=torch.Generator().manual_seed(0)) @ root)[:, :, None]
    values = []
    for count in counts:
        grams = grams_of(factors[:count])
        fair = jackknife(grams, null=null)["aofe_ratio"]
        plain = plugin(grams, null=null).aofe_ratio
        values.append({"samples": count, "ratio": plain, "low": None, "high": None, "how": NAIVE})
        values.append({"samples": count, "ratio": fair.value, "low": fair.low, "high": fair.high, "how": FAIR})
    scale = alt.Scale(domain=[NAIVE, FAIR], range=[look.BEST, look.FIT])
    color = alt.Color("how:N", scale=scale, legend=look.legend(None, column=210))
    base = alt.Chart(look.rows(values))
    x = look.log_x("samples", "samples", (28, 1170), ticks=counts)
    return alt.layer(
        look.frame(x, look.linear_y("ratio", "AOFE-ratio", (0.0, 1.0))),
        alt.Chart(look.rows([{"ratio": truth}])).mark_rule(color=look.MUTED, strokeDash=[5, 4]).encode(y="ratio:Q"),
        base.transform_filter("datum.low !== null")
        .mark_rule(strokeWidth=1.6)
        .encode(x="samples:Q", y="low:Q", y2="high:Q", color=color),
        base.mark_line(strokeWidth=1.6).encode(x="samples:Q", y="ratio:Q", color=color),
        base.mark_point(filled=True, size=45, opacity=1).encode(x="samples:Q", y="ratio:Q", color=color),
    )


def chance_chart() -> alt.LayerChart | alt.FacetChart:
    """The AOFE-ratio that a random basis gives, by dimension and effective rank."""
    null, widths, ranks = NULLS["haar"], [2**power for power in range(3, 12)], [1, 4, 16, 64]
    one = torch.tensor(1.0)
    values = [
        {"width": width, "rank": str(rank), "ratio": float(null(width, one, torch.tensor(float(rank))))}
        for rank in ranks
        for width in widths
        if width >= rank
    ]
    names = [str(rank) for rank in ranks]
    scale = alt.Scale(domain=names, range=look.ramp(len(names)))
    color = alt.Color("rank:N", scale=scale, sort=names, legend=look.legend("effective rank", column=60))
    lines = alt.Chart(look.rows(values)).mark_line(point=alt.OverlayMarkDef(size=24), strokeWidth=1.6)
    x = look.log_x("width", "coordinates", (7, 2340), ticks=widths)
    frame = look.frame(x, look.linear_y("ratio", "AOFE-ratio by chance", (0.0, 1.0)))
    return alt.layer(frame, lines.encode(x="width:Q", y="ratio:Q", color=color))


def draw_shapes() -> Drawing:
    """Networks of one budget, each as a rectangle of its width and depth."""
    shapes = il.match_shapes(family="gpt", params="3M", depths=[1, 2, 4, 8, 16, 24], head_dim=4)
    values, left = [], 0.0
    for shape in shapes:
        words = [f"{shape.depth} x {shape.width}", f"R = {shape.ratio:.4f}", f"{shape.params / 1e6:.2f}M"]
        values.append(
            {
                "left": left,
                "right": left + shape.width,
                "layers": shape.depth,
                "words": words,
                "middle": left + shape.width / 2,
            }
        )
        left += shape.width + 60
    base = alt.Chart(look.rows(values))
    x = alt.X("left:Q", scale=alt.Scale(domain=[-20, left], nice=False), axis=None)
    y = alt.Y(
        "layers:Q", scale=alt.Scale(domain=[0, 32], nice=False), axis=alt.Axis(title="layers", values=[0, 8, 16, 24])
    )
    bars = base.mark_rect(color=look.FIT, opacity=0.8).encode(x=x, x2="right:Q", y=y, y2=alt.datum(0))
    words = base.mark_text(baseline="bottom", dy=-32).encode(x="middle:Q", y=y, text="words:N")
    panel = Panel(chart=alt.layer(bars, words), title="Shapes of 3 million parameters", width=900, height=240)
    caption = "Each rectangle is a GPT of 3M parameters: as wide as its layers, as high as it has layers."
    return Drawing(message="One budget, many shapes", caption=caption, panels=(panel,))


NAIVE, FAIR = "plain average of the samples", "pairs of samples"

FIGURES: dict[str, Callable[[], Drawing]] = {
    "idea-functions.png": draw_functions,
    "idea-learning.png": draw_learning,
    "idea-traps.png": draw_traps,
    "idea-shapes.png": draw_shapes,
}


def main(folder: Path) -> None:
    """Draws every figure into the folder."""
    torch.set_num_threads(1)
    for name, draw in FIGURES.items():
        print(write_chart(folder / name, whole(draw())))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images"))
