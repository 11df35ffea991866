"""Double descent in a tied bottleneck: test loss and interaction against the number of training points (claim C1).

Five models of 1000 inputs and a bottleneck of 2, trained together at each size; every size is one file, so a stopped
run resumes at the size it was at.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from interlaw.interaction import energies, measure
from interlaw.plain import Json
from interlaw.report import write_chart
from interlaw.sweep import InterventionPart
from interlaw.tasks import draw_sparse_rows
from interlaw_paper.agreement import Agreement, claim, compare, published_figures
from interlaw_paper.bottleneck_training import BottleneckSettings, as_model, mean_losses, train_bottlenecks
from interlaw_paper.double_descent_figure import draw_loss_and_interaction
from interlaw_paper.experiments import Experiment
from interlaw_paper.folder import keep, read_kept
from interlaw_paper.outcome import Driver, Outcome
from interlaw_paper.scale import Scale

NAME = "double-descent"
MEASURED = ("aofe", "aofe_scale_free", "aofe_ratio", "trace", "null_ratio", "excess_ratio")
DIFFERS = "other random data; each step draws min(T, 2048) rows with replacement, as the published program does"


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """What decides the numbers of one size, beside the settings: as published, but for the seed.

    Attributes:
        dim: Coordinates of a point.
        density: Chance that a coordinate is not zero.
        test_points: Points behind the test loss and the AGOP.
        data_seed: Seed of training and test points, together with the size.
    """

    dim: int = 1000
    density: float = 0.01
    test_points: int = 5000
    data_seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Program:
    """One scale of the experiment.

    Attributes:
        sizes: Numbers of training points.
        seeds: Models at each size; they share the points.
        settings: How they are trained.
        data: What they are trained and tested on.
        push: A term beside the loss.
    """

    sizes: tuple[int, ...]
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    settings: BottleneckSettings = field(default_factory=BottleneckSettings)
    data: Dataset = field(default_factory=Dataset)
    push: InterventionPart | None = None


PROGRAMS: dict[Scale, Program] = {
    # the peak and both sides of it, in minutes
    "tiny": Program(sizes=(3, 10, 30, 100, 200, 500, 1000)),
    "paper": Program(sizes=(3, 5, 8, 10, 15, 30, 50, 100, 200, 500, 1000, 1395, 1946, 2714, 3786, 5282)),
}


def run_double_descent(*, scale: Scale, out: Path, driver: Driver) -> Outcome:
    """Trains what is missing, compares with the published figures and draws."""
    program = PROGRAMS[scale]
    rows: list[Json] = []
    for size in program.sizes:
        rows.extend(train_size(size, program=program, out=out, driver=driver))
    figure = write_chart(out / "loss-and-interaction.png", draw_loss_and_interaction(rows))
    return Outcome(
        experiment=NAME,
        scale=scale,
        setting=(
            f"y = relu(x W^T W + b), {program.data.dim} inputs, bottleneck {program.settings.width}, "
            f"{len(program.seeds)} seeds, {len(program.sizes)} training-set sizes from {program.sizes[0]} to "
            f"{program.sizes[-1]}, {program.settings.steps} steps, {program.data.test_points:,} test points; "
            f"{sum(row['seconds'] for row in rows) / len(program.seeds):.0f} s of training."
        ),
        agreement=tuple(agreement(rows)),
        table=tuple(rows),
        files=(str(figure),),
    )


def train_size(size: int, *, program: Program, out: Path, driver: Driver) -> list[Json]:
    """One row a seed for one number of training points; read from OUT when it is there.

    Raises:
        InterlawError: When OUT holds this size from other settings, or its file is damaged.
    """
    settings, data, seeds = program.settings, program.data, program.seeds
    stamp = {"settings": asdict(settings), "data": asdict(data), "seeds": list(seeds)}
    if program.push:
        stamp["push"] = program.push.model_dump()
    place = out / "sizes" / f"{size}.json"
    kept = read_kept(place, stamp=stamp)
    if kept is not None:
        return kept
    started = time.monotonic()
    train = draw_sparse_rows(size, dim=data.dim, density=data.density, seed=_seed(data, size=size, part=0))
    test = draw_sparse_rows(data.test_points, dim=data.dim, density=data.density, seed=_seed(data, size=size, part=1))
    P = train_bottlenecks(train, seeds=seeds, settings=settings, push=program.push)
    seconds = time.monotonic() - started
    rows = []
    losses, train_losses = mean_losses(P, test), mean_losses(P, train)
    for index, seed in enumerate(seeds):
        model = as_model(P[index])
        measured = measure(model, test.dense().double(), view="bottleneck")
        weights = energies(model.weight.detach().T @ model.weight.detach())  # type: ignore[operator]
        rows.append(
            {
                "train_points": size,
                "seed": seed,
                "loss": float(losses[index]),
                "train_loss": float(train_losses[index]),
                "seconds": seconds,
                **{name: measured.estimates[name].value for name in MEASURED},
                **{f"plugin_{name}": measured.plugin[name] for name in ("aofe", "aofe_ratio")},
                **{f"weights_{name}": weights[name] for name in ("aofe", "aofe_ratio")},
            }
        )
    keep(place, stamp=stamp, rows=rows)
    mean = np.mean([row["loss"] for row in rows])
    driver.note(f"{size} training points: test loss {mean:.4f} over {len(seeds)} seeds, {seconds:.0f} s")
    return rows


def agreement(rows: Sequence[Json]) -> list[Agreement]:
    """Loss, AOFE and AOFE-ratio at each published size that was run, and where both peak."""
    lines = []
    columns = {"test loss": "loss", "AOFE": "plugin_aofe", "AOFE-ratio": "plugin_aofe_ratio"}
    for published in published_figures(NAME):
        ours = [row[columns[published.figure]] for row in rows if row["train_points"] == int(published.at)]
        if ours:
            spread = float(np.std(ours))
            lines.append(compare(published, float(np.mean(ours)), our_spread=spread, differs=DIFFERS))
    means = pd.DataFrame(rows).groupby("train_points")[["loss", "plugin_aofe"]].mean()
    peaks = [means[name].idxmax() for name in means]
    lines.append(
        claim(
            "size at which test loss and AOFE peak",
            published="both at 500",
            ours=f"loss at {peaks[0]}, AOFE at {peaks[1]}",
            holds=bool(peaks[0] == peaks[1]),
            rule="both peak at the same size",
            differs=DIFFERS,
        )
    )
    return lines


def _seed(data: Dataset, *, size: int, part: int) -> int:
    """A seed of its own for the training (0) and test (1) points of each size."""
    return int(np.random.SeedSequence([data.data_seed, size, part]).generate_state(1)[0])


EXPERIMENT = Experiment(run=run_double_descent)
