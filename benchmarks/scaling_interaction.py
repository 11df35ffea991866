"""Cost of a measurement against N, D, C and depth: `python -m benchmarks scaling`.

`python -m benchmarks.scaling_interaction FIGURE.png` draws it as well; with the page of an earlier table, such as
docs/benchmarks.md, behind the figure's name it draws that and measures nothing.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import linear_regression

import torch
from torch import nn

from benchmarks.clock import best_of
from interlaw.interaction import measure
from interlaw.models import GPT
from interlaw.report import Drawing, Panel, look, write_chart
from interlaw.report.marks import Spec, layered, legend, log_axis, marks, told_apart
from interlaw.shapes import GPTShape

HEADER = "| cost against | setting | sizes | seconds | exponent |"
HIDDEN, WIDTH, HEAD_DIM, BYTES = 256, 64, 16, 256  # of the networks: small beside what is varied
TIMES = 3  # the fastest counts
Points = dict[int, float]
Work = Callable[[], object]


def vectors(count: int, dim: int, *, outputs: int, **options: object) -> Work:
    """The input view of a network of one hidden layer."""
    model = nn.Sequential(nn.Linear(dim, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, outputs))
    x = torch.randn(count, dim)
    return lambda: measure(model, x, **options)  # type: ignore[arg-type]


def gpt(depth: int, view: str, *, count: int = 64, context: int = 64) -> Work:
    """A GPT on random bytes."""
    model = GPT(GPTShape(depth=depth, width=WIDTH, context=context, vocab_size=BYTES, head_dim=HEAD_DIM))
    ids = torch.randint(0, BYTES, (count, context + (view == "loss")))
    return lambda: measure(model, ids, view=view)


# sizes: from where fixed costs end to a few seconds
SWEEPS: dict[str, dict[str, tuple[tuple[int, ...], Callable[[int], Work]]]] = {
    "samples N": {
        "D = 64, one probe, Gram": ((256, 512, 1024, 2048, 4096), lambda n: vectors(n, 64, outputs=200, route="gram")),
        "D = 64, one probe, dense": ((1024, 4096, 16384, 65536), lambda n: vectors(n, 64, outputs=200, route="dense")),
        "D = 4096, one probe, Gram": ((256, 512, 1024, 2048), lambda n: vectors(n, 4096, outputs=200, route="gram")),
    },
    "coordinates D": {
        "N = 512, one probe": ((256, 1024, 4096, 16384), lambda d: vectors(512, d, outputs=200)),
        "N = 512, 16 outputs exactly": ((64, 256, 1024), lambda d: vectors(512, d, outputs=16)),
    },
    "outputs C": {
        "N = 512, D = 64, one probe": ((100, 400, 1600, 6400), lambda c: vectors(512, 64, outputs=c)),
        "N = 512, D = 64, every output": ((16, 64, 256), lambda c: vectors(512, 64, outputs=c, probes="exact")),
    },
    "depth": {
        "loss, 64 sequences of 64": ((1, 2, 4, 8), lambda depth: gpt(depth, "loss")),
        "projected, 64 sequences of 64": ((1, 2, 4, 8), lambda depth: gpt(depth, "projected")),
    },
}


@dataclass(frozen=True, kw_only=True)
class Line:
    """Seconds by size, and the exponent that the table prints: of more digits than its seconds have."""

    points: Points
    exponent: float

    @property
    def large(self) -> Points:
        """Those that the exponent is of."""
        return larger_half(self.points)


def larger_half(points: Points) -> Points:
    """The larger half of the sizes, where fixed costs matter least."""
    return dict(list(points.items())[-max(2, len(points) // 2 + 1) :])


def exponent(points: Points) -> float:
    """Slope of log time on log size."""
    sizes, times = ([math.log(value) for value in column] for column in zip(*points.items(), strict=True))
    return linear_regression(sizes, times).slope


def main(figure: str | None = None, table: str | None = None) -> None:
    """Prints one line a sweep; draws them if a file is named."""
    times = timed() if table is None else read_table(Path(table))
    if figure is not None:
        print(write_chart(figure, drawing(times)))


def timed() -> dict[str, dict[str, Line]]:
    """Every sweep by variable and setting, measured and printed."""
    torch.set_num_threads(1)
    print(HEADER + "\n|---|---|---|---|---|")
    times: dict[str, dict[str, Line]] = {}
    for variable, lines in SWEEPS.items():
        for name, (sizes, make) in lines.items():
            points = {size: best_of(make(size), TIMES) for size in sizes}
            line = Line(points=points, exponent=exponent(larger_half(points)))
            times.setdefault(variable, {})[name] = line
            seconds = ", ".join(f"{value:.2g}" for value in points.values())
            cells = (variable, name, ", ".join(map(str, sizes)), seconds, f"{line.exponent:.2f}")
            print(f"| {' | '.join(cells)} |", flush=True)
    return times


def read_table(page: Path) -> dict[str, dict[str, Line]]:
    """The sweeps of a printed table."""
    _, _, rows = page.read_text(encoding="utf-8").partition(HEADER + "\n")
    times: dict[str, dict[str, Line]] = {}
    for line in rows.splitlines()[1:]:
        if not line.startswith("|"):
            break
        variable, name, sizes, seconds, slope = (cell.strip() for cell in line.strip("|").split("|"))
        points = zip(map(int, sizes.split(", ")), map(float, seconds.split(", ")), strict=True)
        times.setdefault(variable, {})[name] = Line(points=dict(points), exponent=float(slope))
    return times


def drawing(times: dict[str, dict[str, Line]]) -> Drawing:
    """A panel a variable on logarithmic axes; the line's larger half, whose slope is the exponent, is solid."""
    panels = tuple(
        Panel(chart=chart(lines, variable), title=f"Against {variable}", **look.OF_TWO)
        for variable, lines in times.items()
    )
    steepest = max(line.exponent for lines in times.values() for line in lines.values())
    return Drawing(
        message=f"The cost of a measurement grows with a power of at most {steepest:.1f}",
        caption="Processor seconds on one thread. Solid: the larger half, whose slope is the exponent.",
        panels=panels,
        columns=2,
        shared=False,
    )


def chart(lines: dict[str, Line], variable: str) -> Spec:
    """One variable: a colour and a form for each setting."""
    named = {name: f"{name}: exponent {line.exponent:.2f}" for name, line in lines.items()}
    values = [
        {"setting": named[name], "size": size, "seconds": seconds, "large": size in line.large}
        for name, line in lines.items()
        for size, seconds in line.points.items()
    ]
    key = legend(labelLimit=400)
    color, shape = (told_apart("setting", named.values(), looks=looks, key=key) for looks in (look.SERIES, look.SHAPES))
    sizes = sorted({value["size"] for value in values})
    large = [value for value in values if value["large"]]
    place: Spec = {"x": "size", "y": "seconds", "color": color}
    return layered(
        log_axis("size", variable, limits=look.padded(sizes, log=True), ticks=sizes, format="~d"),
        log_axis("seconds", "processor seconds", limits=look.padded([value["seconds"] for value in values], log=True)),
        marks(values, "line", **place, strokeDash=look.DASHES[2]),
        marks(large, "line", **place, strokeWidth=look.BOLD),
        marks(values, "point", **place, shape=shape, filled=True, size=look.DOT),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
