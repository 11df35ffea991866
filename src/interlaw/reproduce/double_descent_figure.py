"""Pictures of the double descent: loss and AOFE against training points, and the AGOP itself as heat maps."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from interlaw.files import write_atomically
from interlaw.reproduce.bottleneck_energies import bottleneck_agop
from interlaw.tasks import SparseRows

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LARGEST_SIDE = 200
LEAST_AOFE = 1e-4
PANELS = (
    (("loss",), "test loss"),
    (("aofe", "weights_aofe"), "off-diagonal energy (AOFE)"),
    (("aofe_ratio", "weights_aofe_ratio"), "share of the energy (AOFE-ratio)"),
)


def loss_and_interaction(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[float]]:
    """The numbers drawn: per size the mean over seeds, and the least and the largest seed.

    Returns:
        `train_points`, and for each name in `PANELS` the lists `<name>`, `<name>_low`, `<name>_high`.
    """
    sizes = sorted({row["train_points"] for row in rows})
    numbers: dict[str, list[float]] = {"train_points": [float(size) for size in sizes]}
    for name in (name for names, _ in PANELS for name in names):
        by_size = [[float(row[name]) for row in rows if row["train_points"] == size] for size in sizes]
        numbers[name] = [float(np.mean(values)) for values in by_size]
        numbers[f"{name}_low"] = [min(values) for values in by_size]
        numbers[f"{name}_high"] = [max(values) for values in by_size]
    return numbers


def write_loss_and_interaction(rows: Sequence[Mapping[str, Any]], path: Path) -> Path:
    """Draws loss and, of AGOP and W^T W, off-diagonal energy and its share; bands from least to largest seed."""
    from matplotlib.figure import Figure

    numbers = loss_and_interaction(rows)
    figure = Figure(figsize=(6, 8), layout="constrained")
    axes = figure.subplots(len(PANELS), 1, sharex=True)
    for axis, (names, label) in zip(axes, PANELS, strict=True):
        for name in names:
            of = "W^T W" if name.startswith("weights") else "AGOP"
            (line,) = axis.plot(numbers["train_points"], numbers[name], "o-", markersize=3, label=of)
            low, high = numbers[f"{name}_low"], numbers[f"{name}_high"]
            axis.fill_between(numbers["train_points"], low, high, alpha=0.25, color=line.get_color())
        if len(names) > 1:
            axis.legend(fontsize="small")
        axis.set_ylabel(label)
        axis.set_xscale("log")
    axes[1].set_yscale("log", nonpositive="clip")  # without bias an energy near zero may come out below it
    axes[1].set_ylim(bottom=LEAST_AOFE)
    axes[-1].set_xlabel("training points")
    return _save(figure, path)


def write_heat_maps(snapshots: Mapping[int, tuple[Tensor, SparseRows]], path: Path) -> Path:
    """Draws |G| of each snapshot on a logarithmic scale, the coordinates with the largest diagonal entries first."""
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2.6 * len(snapshots), 2.9), layout="constrained")
    axes = figure.subplots(1, len(snapshots), squeeze=False)[0]
    for axis, (size, (P, rows)) in zip(axes, sorted(snapshots.items()), strict=True):
        G = bottleneck_agop(P, rows).abs()
        first = G.diagonal().argsort(descending=True)[:LARGEST_SIDE]
        shown = G[first][:, first].numpy()
        top = max(float(shown.max()), 1e-30)
        image = axis.imshow(np.maximum(shown, top * 1e-6), norm=LogNorm(vmin=top * 1e-6, vmax=top))
        axis.set_title(f"{size} points")
        axis.set_xticks([])
        axis.set_yticks([])
        figure.colorbar(image, ax=axis, shrink=0.75)
    return _save(figure, path)


def _save(figure: Figure, path: Path) -> Path:
    """Writes the picture whole."""
    content = io.BytesIO()
    figure.savefig(content, format=path.suffix[1:], dpi=150)
    write_atomically(path, content.getvalue())
    return path
