"""Draws the figures of docs/what-is-neural-interaction.md: `python examples/figures/neural_interaction.py docs/images`.

Every number on them is measured by the library when the script runs; half a minute on one core.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

import interlaw as il
from interlaw.interaction import NULLS, grams_of, jackknife, plugin
from interlaw.report import Drawing, Panel, look, write_chart
from interlaw.report.marks import Spec, layered, legend, linear_axis, log_axis, marks, shaded, told_apart, when
from interlaw.size import format_ratio, format_size

SIDE, ARROWS = 30, 6  # of a function's picture: cells a side, arrows a side; more arrows would touch
LONGEST = 0.3  # of the longest arrow, in units of the inputs: the distance between two arrows
STAGES = {0: "Before training", 30: "After 30 steps", 1000: "After 1000 steps"}  # the loss no longer falls at the last
RELATED = 4  # coordinates of a group
GAP = 60  # between two shapes, in units of width: their words do not touch
SQUARE, LOW = look.Size(width=190, height=190), look.Size(width=190, height=120)  # four in a row of a page


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


def matrix_chart(matrix: Tensor, *, numbers: bool = False) -> Spec:
    """A symmetric matrix as a picture; red is positive, blue negative."""
    reach = float(matrix.abs().max())
    names = [f"{place:02d}" for place in range(len(matrix))]
    values = [
        {"row": names[i], "column": names[j], "value": float(matrix[i, j]), "text": f"{float(matrix[i, j]):z.2f}"}
        for i in range(len(matrix))
        for j in range(len(matrix))
    ]
    sides = {name: {"field": field, "type": "ordinal", "axis": None} for name, field in (("x", "column"), ("y", "row"))}
    color = shaded("value", [-reach, reach], colours=look.SIGNED_RAMP, key=None, interpolate="rgb")
    layers = [marks(values, "rect", **sides, color=color, stroke=look.SURFACE, strokeWidth=1)]
    if numbers:
        strong = when(f"abs(datum.value) > {0.6 * reach}", look.SURFACE, other=look.INK)
        layers.append(marks(values, "text", **sides, text="text", color=strong))
    return {"layer": layers, "resolve": {"scale": {"color": "independent"}}}


def function_chart(model: Function) -> Spec:
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
    reach = LONGEST / float(gradient.norm(dim=1).max())
    arrows = [
        {
            "a": a - reach * da / 2, "b": b - reach * db / 2, "a2": a + reach * da / 2, "b2": b + reach * db / 2,
            "angle": math.degrees(math.atan2(da, db)),
        }
        for (a, b), (da, db) in zip(places.tolist(), gradient.tolist(), strict=True)
        if math.hypot(da, db) > 1e-6  # a gradient of nothing has no direction
    ]  # fmt: skip
    heights = [cell["f"] for cell in cells]
    shade = shaded("f", [min(heights), max(heights)], colours=[look.SURFACE, "#98a4b1"], key=None, interpolate="rgb")
    turned = {"field": "angle", "type": "quantitative", "scale": None}
    ends: Spec = {"x": "a2", "y": "b2", "shape": "triangle", "filled": True, "size": look.DOT}
    return layered(
        *(linear_axis(name, name, limits=(-1, 1), values=[-1, 0, 1], format="d") for name in ("a", "b")),
        marks(cells, "rect", x="a", x2="a2", y="b", y2="b2", color=shade),
        marks(arrows, "rule", x="a", x2="a2", y="b", y2="b2", color=look.FIT, strokeWidth=look.LINE),
        marks(arrows, "point", **ends, angle=turned, color=look.FIT),
    )


def draw_functions() -> Drawing:
    """Four functions of two inputs: their gradients above, the average of their outer products below."""
    line = torch.linspace(-1, 1, 60)  # as fine as the two digits of the numbers that are shown
    grid = torch.cartesian_prod(line, line)
    above, below = [], []
    for title, formula in FORMULAS.items():
        model = Function(formula)
        matrix = il.agop(model, grid, view="input")
        ratio = max(il.energies(matrix).aofe_ratio, 0.0)
        above.append(Panel(chart=function_chart(model), title=title, **SQUARE))
        below.append(Panel(chart=matrix_chart(matrix, numbers=True), title=f"AOFE-ratio {ratio:.2f}", **LOW))
    return Drawing(
        message="Interaction is what two inputs do together",
        caption="Above: a function of two inputs, dark where it is large, with its gradients. Below: the average outer "
        "product of the gradients (AGOP); AOFE-ratio is the share of its energy outside the diagonal.",
        panels=(*above, *below),
        columns=len(FORMULAS),
        shared=False,
    )


def draw_learning() -> Drawing:
    """The AGOP of a small network before and after it learns a target with two hidden directions."""
    torch.manual_seed(0)
    inputs = torch.randn(4096, 16)  # so many that the network learns the target, not the points
    first, second = torch.zeros(16), torch.zeros(16)
    first[2:6], second[9:13] = 0.5, torch.tensor([0.5, -0.5, 0.5, -0.5])
    target = ((inputs @ first).tanh() + 0.5 * (inputs @ second).square())[:, None]
    model = nn.Sequential(nn.Linear(16, 128), nn.GELU(), nn.Linear(128, 128), nn.GELU(), nn.Linear(128, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=1e-2)

    panels = []
    for step in range(max(STAGES) + 1):
        if step in STAGES:
            # points that it was not trained on, as many as make the interval small
            fresh = torch.randn(1024, 16, generator=torch.Generator().manual_seed(1))
            result = il.measure(model, fresh, view="input")
            ratio = result.aofe_ratio
            note = (
                f"AOFE-ratio {ratio.value:.2f} ({ratio.low:.2f} to {ratio.high:.2f}), by chance {result.null_ratio:.2f}"
            )
            chart = matrix_chart(il.agop(model, fresh, view="input"))
            panels.append(Panel(chart=chart, title=STAGES[step], note=note, width=260, height=260))
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
            Panel(chart=samples_chart(), title="A plain average of few samples reads too high", **look.OF_TWO),
            Panel(chart=chance_chart(), title="Chance alone gives much", **look.OF_TWO),
        ),
        columns=2,
        shared=False,
    )


def samples_chart() -> Spec:
    """The AOFE-ratio by the plain average and by pairs of samples, against the truth."""
    null, counts = NULLS["haar"], [32, 64, 128, 256, 512, 1024]
    # 64 groups of coordinates: related within a group, not between groups
    root = torch.block_diag(*[0.6 * torch.eye(RELATED) + 0.2] * 64)
    truth = il.energies(root @ root.T).aofe_ratio
    factors = (torch.randn(max(counts), len(root), generator=torch.Generator().manual_seed(0)) @ root)[:, :, None]
    values = []
    for count in counts:
        grams = grams_of(factors[:count])
        fair = jackknife(grams, null=null)["aofe_ratio"]
        plain = plugin(grams, null=null).aofe_ratio
        values.append({"samples": count, "ratio": plain, "low": None, "high": None, "how": NAIVE})
        values.append({"samples": count, "ratio": fair.value, "low": fair.low, "high": fair.high, "how": FAIR})
    color = told_apart("how", (NAIVE, FAIR), looks=(look.BEST, look.FIT), key=legend())
    place: Spec = {"x": "samples", "color": color}
    return layered(
        log_axis("samples", "samples", limits=look.padded(counts, log=True), ticks=counts),
        linear_axis("ratio", "AOFE-ratio", limits=look.padded([0.0, 1.0])),
        marks([{"ratio": truth}], "rule", y="ratio", color=look.MUTED, strokeDash=look.DASHES[1]),
        marks(values, "rule", **place, y="low", y2="high", where="datum.low !== null", strokeWidth=look.LINE),
        marks(values, "line", **place, y="ratio", strokeWidth=look.LINE),
        marks(values, "point", **place, y="ratio", filled=True, size=look.DOT),
    )


def chance_chart() -> Spec:
    """The AOFE-ratio that a random basis gives, by dimension and effective rank."""
    null, widths, ranks = NULLS["haar"], [2**power for power in range(3, 12)], [1, 4, 16, 64]
    one = torch.tensor(1.0)
    values = [
        {"width": width, "rank": str(rank), "ratio": float(null(one, torch.tensor(float(rank)), dim=width))}
        for rank in ranks
        for width in widths
        if width >= rank
    ]
    names = [str(rank) for rank in ranks]
    color = told_apart("rank", names, looks=look.ramp(len(names)), key=legend("effective rank"))
    place: Spec = {"x": "width", "y": "ratio", "color": color}
    return layered(
        log_axis("width", "coordinates", limits=look.padded(widths, log=True), ticks=widths),
        linear_axis("ratio", "AOFE-ratio by chance", limits=look.padded([0.0, 1.0])),
        marks(values, "line", **place, strokeWidth=look.LINE),
        marks(values, "point", **place, filled=True, size=look.SMALL),
    )


def draw_shapes() -> Drawing:
    """Networks of one budget, each as a rectangle of its width and depth."""
    shapes = il.match_shapes(family="gpt", params="3M", depths=[1, 2, 4, 8, 16, 24], head_dim=4)
    values, left = [], 0.0
    for shape in shapes:
        size = format_size(shape.params, padded=True)
        words = [f"{shape.depth} x {shape.width}", f"R = {format_ratio(shape.ratio)}", size]
        values.append(
            {
                "left": left,
                "right": left + shape.width,
                "layers": shape.depth,
                "floor": 0,
                "words": words,
                "middle": left + shape.width / 2,
            }
        )
        left += shape.width + GAP
    x = {**linear_axis("left", None, limits=(-GAP, left)), "axis": None}
    chart = layered(
        x,
        linear_axis("layers", "layers", limits=(0, 32), values=[0, 8, 16, 24]),  # room for the words of the deepest
        marks(values, "rect", x="left", x2="right", y="layers", y2="floor", color=look.FIT),
        marks(values, "text", x="middle", y="layers", text="words", baseline="bottom", dy=-32),  # three lines
    )
    panel = Panel(chart=chart, title="Shapes of 3 million parameters", width=900, height=240)  # a page's width
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
        print(write_chart(folder / name, draw()))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images"))
