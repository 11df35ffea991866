"""Draws the figures of docs/what-is-neural-interaction.md: `python examples/figures/neural_interaction.py docs/images`.

Every number on them is measured by the library when the script runs; half a minute on one core.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from torch import Tensor, nn

import interlaw as il
from interlaw.interaction import NULLS, grams_of, jackknife, plugin

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#666666"
STYLE = {"font.size": 10, "axes.spines.top": False, "axes.spines.right": False, "savefig.dpi": 150}


class Function(nn.Module):
    """A formula as a network, so that it can be measured like one."""

    def __init__(self, formula: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.formula = formula

    def forward(self, x: Tensor) -> Tensor:
        """One output for each pair of inputs."""
        return self.formula(x[:, 0], x[:, 1])[:, None]


FORMULAS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "one input alone\nf = a²": lambda a, b: a.square() + 0 * b,
    "two inputs, each for itself\nf = a² + b²": lambda a, b: a.square() + b.square(),
    "two inputs as one\nf = (a + b)²": lambda a, b: (a + b).square(),
    "a product\nf = a b": lambda a, b: a * b,
}


def show_matrix(axes: Axes, matrix: Tensor, *, numbers: bool = False) -> None:
    """A symmetric matrix as a picture; blue is positive, red negative."""
    reach = float(matrix.abs().max())
    axes.imshow(matrix.numpy(), cmap="RdBu", vmin=-reach, vmax=reach)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    if numbers:
        for (i, j), value in zip(((i, j) for i in range(2) for j in range(2)), matrix.flatten().tolist(), strict=True):
            dark = abs(value) > 0.6 * reach
            axes.text(
                j,
                i,
                f"{value:.2f}".replace("-0.00", "0.00"),
                ha="center",
                va="center",
                color="white" if dark else "black",
            )


def draw_functions(path: Path) -> None:
    """Four functions of two inputs: their gradients above, the average of their outer products below."""
    figure, panels = plt.subplots(2, 4, figsize=(11, 5.4), height_ratios=[3, 2], layout="constrained")
    line = torch.linspace(-1, 1, 60)
    grid = torch.stack(torch.meshgrid(line, line, indexing="xy"), -1).reshape(-1, 2)
    places = grid.reshape(60, 60, 2)[3::6, 3::6].reshape(-1, 2).requires_grad_()
    for (title, formula), above, below in zip(FORMULAS.items(), panels[0], panels[1], strict=True):
        model = Function(formula)
        above.contourf(line, line, model(grid).reshape(60, 60), levels=14, cmap="Greys", alpha=0.6)
        (gradient,) = torch.autograd.grad(model(places).sum(), places)
        above.quiver(*places.detach().T, *gradient.T, color=BLUE, angles="xy", width=0.008, pivot="mid")
        above.set(title=title, aspect="equal", xticks=[], yticks=[], xlabel="a", ylabel="b")
        matrix = il.agop(model, grid, view="input")
        show_matrix(below, matrix, numbers=True)
        below.set_title(f"AOFE-ratio {max(il.energies(matrix).aofe_ratio, 0.0):.2f}")
    figure.savefig(path)
    plt.close(figure)


def draw_learning(path: Path) -> None:
    """The AGOP of a small network before and after it learns a target with two hidden directions."""
    torch.manual_seed(0)
    inputs = torch.randn(4096, 16)
    first, second = torch.zeros(16), torch.zeros(16)
    first[2:6], second[9:13] = 0.5, torch.tensor([0.5, -0.5, 0.5, -0.5])
    target = ((inputs @ first).tanh() + 0.5 * (inputs @ second).square())[:, None]
    model = nn.Sequential(nn.Linear(16, 128), nn.GELU(), nn.Linear(128, 128), nn.GELU(), nn.Linear(128, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=1e-2)
    stages = {0: "before training", 30: "after 30 steps", 1000: "after 1000 steps"}
    figure, panels = plt.subplots(1, 3, figsize=(11, 4.2), layout="constrained")
    remaining = iter(panels)
    for step in range(1001):
        if step in stages:
            axes = next(remaining)
            fresh = torch.randn(1024, 16, generator=torch.Generator().manual_seed(1))
            found = il.measure(model, fresh, view="input")
            show_matrix(axes, il.agop(model, fresh, view="input"))
            ratio = found.aofe_ratio
            axes.set_title(stages[step])
            axes.set_xlabel(
                f"AOFE-ratio {ratio.value:.2f} ({ratio.low:.2f} to {ratio.high:.2f})\nby chance {found.null_ratio:.2f}"
            )
        batch = torch.randint(0, len(inputs), (256,))
        loss = (model(inputs[batch]) - target[batch]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    figure.savefig(path)
    plt.close(figure)


def draw_traps(path: Path) -> None:
    """Left: a plain average of few samples invents interaction. Right: what chance alone gives at each width."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.9), layout="constrained")
    null, counts = NULLS["haar"], [32, 64, 128, 256, 512, 1024]
    # 64 groups of 4 coordinates: related within a group, not between groups
    root = torch.block_diag(*[0.6 * torch.eye(4) + 0.2] * 64)
    truth = il.energies(root @ root.T).aofe_ratio
    factors = (torch.randn(max(counts), 256, generator=torch.Generator().manual_seed(0)) @ root)[:, :, None]
    naive, fair = [], []
    for count in counts:
        grams = grams_of(factors[:count])
        naive.append(plugin(grams, null=null).aofe_ratio)
        fair.append(jackknife(grams, null=null)["aofe_ratio"])
    left.plot(counts, naive, "o-", color=ORANGE, label="plain average of the samples")
    spans = [[one.value - one.low for one in fair], [one.high - one.value for one in fair]]
    left.errorbar(counts, [one.value for one in fair], spans, fmt="s-", color=BLUE, capsize=3, label="pairs of samples")
    left.axhline(truth, color=GREY, lw=1, ls="--", label="the truth")
    left.set_xscale("log", base=2)
    left.set_xticks(counts, [str(count) for count in counts])
    left.set(xlabel="samples", ylabel="AOFE-ratio", title="256 coordinates, related in fours", ylim=(0, 1))
    left.legend(frameon=False, loc="lower right")
    widths = [2**power for power in range(3, 12)]
    for rank, shade in ((1, 0.95), (4, 0.7), (16, 0.5), (64, 0.35)):
        shown = [width for width in widths if width >= rank]
        one = torch.tensor(1.0)
        chance = [float(null(width, one, torch.tensor(float(rank)))) for width in shown]
        right.plot(shown, chance, "o-", ms=3, color=plt.get_cmap("Blues")(shade), label=f"effective rank {rank}")
    right.set_xscale("log", base=2)
    right.set_xticks(widths, [str(width) for width in widths])
    right.set(
        xlabel="coordinates (for a GPT: its width)", ylabel="AOFE-ratio by chance", title="A random basis", ylim=(0, 1)
    )
    right.legend(frameon=False, loc="lower right")
    figure.savefig(path)
    plt.close(figure)


def draw_shapes(path: Path) -> None:
    """Networks of one budget, each as a rectangle of its width and depth."""
    shapes = il.match_shapes(family="gpt", params="3M", depths=[1, 2, 4, 8, 16, 24], head_dim=4)
    figure, axes = plt.subplots(figsize=(11, 3.4), layout="constrained")
    left = 0.0
    for shape in shapes:
        axes.add_patch(mpl.patches.Rectangle((left, 0), shape.width, shape.depth, color=BLUE, alpha=0.75))
        label = f"{shape.depth} x {shape.width}\nR = {shape.ratio:.4f}\n{shape.params / 1e6:.2f}M"
        axes.text(left + shape.width / 2, shape.depth + 0.6, label, ha="center", va="bottom", fontsize=9)
        left += shape.width + 55
    axes.set(xlim=(-20, left), ylim=(0, 33), xticks=[], ylabel="layers", xlabel="width of each layer")
    figure.savefig(path)
    plt.close(figure)


FIGURES: dict[str, Callable[[Path], None]] = {
    "idea-functions.png": draw_functions,
    "idea-learning.png": draw_learning,
    "idea-traps.png": draw_traps,
    "idea-shapes.png": draw_shapes,
}


def main(folder: Path) -> None:
    """Draws every figure into the folder."""
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(STYLE):
        for name, draw in FIGURES.items():
            draw(folder / name)
            print(folder / name)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images"))
