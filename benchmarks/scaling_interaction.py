"""Cost of a measurement against N, D, C and depth: `python -m benchmarks scaling`.

`python -m benchmarks.scaling_interaction FIGURE.png` draws it as well.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable

import torch
from torch import nn

from benchmarks.bench_interaction import best_of
from interlaw.interaction import measure
from interlaw.models import GPT
from interlaw.shapes import GPTShape

Points = dict[int, float]
Work = Callable[[], object]


def vectors(count: int, dim: int, outputs: int, **options: object) -> Work:
    """The input view of a network of two layers of 256."""
    model = nn.Sequential(nn.Linear(dim, 256), nn.GELU(), nn.Linear(256, outputs))
    x = torch.randn(count, dim)
    return lambda: measure(model, x, **options)  # type: ignore[arg-type]


def gpt(depth: int, view: str, count: int = 64, context: int = 64) -> Work:
    """A GPT of width 64 on random bytes."""
    model = GPT(GPTShape(depth=depth, width=64, context=context, vocab_size=256, head_dim=16))
    ids = torch.randint(0, 256, (count, context + (view == "loss")))
    return lambda: measure(model, ids, view=view)


SWEEPS: dict[str, dict[str, tuple[tuple[int, ...], Callable[[int], Work]]]] = {
    "samples N": {
        "D = 64, one probe, Gram": ((256, 512, 1024, 2048, 4096), lambda n: vectors(n, 64, 200, route="gram")),
        "D = 64, one probe, dense": ((1024, 4096, 16384, 65536), lambda n: vectors(n, 64, 200, route="dense")),
        "D = 4096, one probe, Gram": ((256, 512, 1024, 2048), lambda n: vectors(n, 4096, 200, route="gram")),
    },
    "coordinates D": {
        "N = 512, one probe": ((256, 1024, 4096, 16384), lambda d: vectors(512, d, 200)),
        "N = 512, 16 outputs exactly": ((64, 256, 1024), lambda d: vectors(512, d, 16)),
    },
    "outputs C": {
        "N = 512, D = 64, one probe": ((100, 400, 1600, 6400), lambda c: vectors(512, 64, c)),
        "N = 512, D = 64, every output": ((16, 64, 256), lambda c: vectors(512, 64, c, probes="exact")),
    },
    "depth": {
        "loss, 64 sequences of 64": ((1, 2, 4, 8), lambda depth: gpt(depth, "loss")),
        "projected, 64 sequences of 64": ((1, 2, 4, 8), lambda depth: gpt(depth, "projected")),
    },
}


def exponent(points: Points) -> float:
    """Slope of log time on log size over the larger half, where fixed costs matter least."""
    kept = list(points.items())[-max(2, len(points) // 2 + 1) :]
    x, y = ([math.log(value) for value in column] for column in zip(*kept, strict=True))
    mx, my = sum(x) / len(x), sum(y) / len(y)
    return sum((a - mx) * (b - my) for a, b in zip(x, y, strict=True)) / sum((a - mx) ** 2 for a in x)


def main(figure: str | None = None) -> None:
    """Prints one line a sweep; draws them if a file is named."""
    torch.set_num_threads(1)
    print("| cost against | setting | sizes | seconds | exponent |\n|---|---|---|---|---|")
    found: dict[str, dict[str, Points]] = {}
    for variable, lines in SWEEPS.items():
        found[variable] = {}
        for name, (sizes, make) in lines.items():
            points = found[variable][name] = {size: best_of(make(size), repeats=3) for size in sizes}
            times = ", ".join(f"{value:.2g}" for value in points.values())
            print(
                f"| {variable} | {name} | {', '.join(map(str, sizes))} | {times} | {exponent(points):.2f} |", flush=True
            )
    if figure is not None:
        draw(found, figure)


def draw(found: dict[str, dict[str, Points]], figure: str) -> None:
    """A panel a variable on logarithmic axes, the fitted exponent beside each line's name."""
    from matplotlib.figure import Figure

    canvas = Figure(figsize=(11, 6.4), layout="constrained")
    for axes, (variable, lines) in zip(canvas.subplots(2, 2).flat, found.items(), strict=True):
        for (name, points), colour, marker in zip(
            lines.items(), ("#0b67a3", "#c8430b", "#3f7d20"), "os^", strict=False
        ):
            x, y = list(points), list(points.values())
            axes.loglog(x, y, marker, color=colour, label=f"{name}: exponent {exponent(points):.2f}")
            kept = max(2, len(points) // 2 + 1)
            axes.loglog(x[-kept:], y[-kept:], "-", color=colour)
            axes.loglog(x[: len(x) - kept + 1], y[: len(x) - kept + 1], ":", color=colour)
        axes.set_xticks(sorted({size for points in lines.values() for size in points}), minor=False)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.minorticks_off()
        axes.margins(x=0.07)
        axes.set_xlabel(variable)
        axes.set_ylabel("processor seconds, one thread")
        axes.set_ylim(
            min(min(p.values()) for p in lines.values()) / 2, 15 * max(max(p.values()) for p in lines.values())
        )
        axes.legend(loc="upper left", frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
    canvas.savefig(figure, dpi=150)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
