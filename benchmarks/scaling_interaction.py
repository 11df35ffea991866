"""Cost of a measurement against N, D, C and depth: `python -m benchmarks.scaling_interaction [FIGURE.png]`."""

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


def mlp(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs, 256), nn.GELU(), nn.Linear(256, outputs))


def vectors(count: int, dim: int, outputs: int, **options: object) -> Callable[[], object]:
    model, x = mlp(dim, outputs), torch.randn(count, dim)
    return lambda: measure(model, x, **options)  # type: ignore[arg-type]


def gpt(depth: int, count: int = 64, context: int = 64) -> Callable[[], object]:
    model = GPT(GPTShape(depth=depth, width=64, context=context, vocab_size=256, head_dim=16))
    ids = torch.randint(0, 256, (count, context + 1))
    return lambda: measure(model, ids, view="loss")


SWEEPS: dict[str, Callable[[], Points]] = {
    "N, D = 64, one probe": lambda: timed((512, 1024, 2048, 4096), lambda n: vectors(n, 64, 200)),
    "N, D = 4096, one probe (Gram)": lambda: timed((256, 512, 1024, 2048), lambda n: vectors(n, 4096, 200)),
    "D, N = 512, one probe": lambda: timed((256, 1024, 4096, 16384), lambda d: vectors(512, d, 200)),
    "C, N = 512, one probe": lambda: timed((100, 400, 1600, 6400), lambda c: vectors(512, 64, c)),
    "C, N = 512, exact": lambda: timed((16, 64, 256), lambda c: vectors(512, 64, c, probes="exact")),
    "depth, loss view": lambda: timed((1, 2, 4, 8), gpt),
}


def timed(sizes: tuple[int, ...], make: Callable[[int], Callable[[], object]]) -> Points:
    """Least processor seconds of a few runs at every size."""
    return {size: best_of(make(size), repeats=3) for size in sizes}


def exponent(points: Points) -> float:
    """Slope of log time on log size over the larger half, where fixed costs matter least."""
    kept = list(points.items())[len(points) // 2 - 1 :]
    x, y = ([math.log(value) for value in column] for column in zip(*kept, strict=True))
    mx, my = sum(x) / len(x), sum(y) / len(y)
    return sum((a - mx) * (b - my) for a, b in zip(x, y, strict=True)) / sum((a - mx) ** 2 for a in x)


def main(figure: str | None) -> None:
    """Prints one line a sweep; draws them if a file is named."""
    torch.set_num_threads(1)
    print("| cost against | sizes | seconds | exponent |\n|---|---|---|---|")
    found = {}
    for name, sweep in SWEEPS.items():
        points = found[name] = sweep()
        times = ", ".join(f"{value:.3g}" for value in points.values())
        print(f"| {name} | {', '.join(map(str, points))} | {times} | {exponent(points):.2f} |", flush=True)
    if figure is not None:
        draw(found, figure)


def draw(found: dict[str, Points], figure: str) -> None:
    """One line a sweep on logarithmic axes."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    _, axes = plt.subplots(figsize=(6, 4))
    for name, points in found.items():
        axes.loglog(list(points), list(points.values()), "o-", label=f"{name}: {exponent(points):.2f}")
    axes.set_xlabel("size")
    axes.set_ylabel("processor seconds, one thread")
    axes.legend(fontsize="small", frameon=False)
    plt.savefig(figure, dpi=150, bbox_inches="tight")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
