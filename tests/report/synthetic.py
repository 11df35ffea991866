"""Run folders with a known law, written without training: parabolas in log R, interaction with a known null."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np

from interlaw.runs import BudgetSpec, MeasureSpec, Record, RunFolder, TrialSpec
from interlaw.shapes import match_shapes
from interlaw.tasks import TextTaskSpec
from interlaw.training import TrainSettings

BEST_RATIO = 0.09
QUANTITIES = ("energy", "diagonal_energy", "aofe", "aofe_ratio", "aofe_scale_free", "trace", "participation_ratio")


def write_run(
    path: Path,
    *,
    name: str = "synthetic",
    budgets: tuple[int, ...] = (50_000, 100_000, 200_000),
    depths: tuple[int, ...] = (1, 2, 3, 4, 6, 8),
    seeds: tuple[int, ...] = (0, 1),
    views: tuple[str, ...] = ("projected", "loss"),
    best_ratio: float = BEST_RATIO,
    noise: float = 0.002,
    status: dict[tuple[int, int, int], str] | None = None,
    comment: str = "",
    treatments: tuple[str, ...] = ("fixed",),
) -> Path:
    """Writes a run whose loss is 2.4 (N / 50k)^-0.1 (1 + 0.04 log^2(R / best_ratio)) times seed noise.

    Args:
        path: The run's folder.
        status: `diverged`, `failed` or `pending` for some (budget, depth, seed).
        comment: First line of the recipe, as a comment.
        treatments: Each further one moves the best ratio up by half.
    """
    folder = RunFolder(path)
    folder.path.mkdir(parents=True)
    folder.recipe.write_text(f"# {comment}\nname = {toml_string(name)}\n", encoding="utf-8")
    rng = np.random.default_rng(0)
    for budget in budgets:
        shapes = match_shapes(params=budget, depths=depths, rule="nearest", context=64, head_dim=4)
        for treatment, shape, seed in itertools.product(treatments, shapes, seeds):
            ended = (status or {}).get((budget, shape.depth, seed), "done")
            best = best_ratio * 1.5 ** treatments.index(treatment)
            factor = 1 + noise * rng.standard_normal()
            write_trial(folder, budget, shape, seed, ended, views, best, factor, treatment)
    return path


def write_trial(
    folder: RunFolder,
    budget: int,
    shape: Any,
    seed: int,
    status: str,
    views: Any,
    best_ratio: float,
    factor: float,
    treatment: str,
) -> None:
    spec = TrialSpec(
        family="gpt",
        shape={
            "depth": shape.depth,
            "width": shape.width,
            "context": 64,
            "head_dim": 4,
            "vocab_size": 256,
            "tied": False,
        },
        budget=BudgetSpec(kind="params", amount=budget),
        treatment=treatment,  # type: ignore[arg-type]
        task=TextTaskSpec(corpus="stdlib", digest="0" * 64, context=64),
        training=TrainSettings(steps=100, batch_size=16, learning_rate=0.01, seed=seed),
        measure=tuple(MeasureSpec(view=view, samples=64) for view in views),
    )
    trial = folder.trial(spec.key)
    trial.path.mkdir(parents=True)
    trial.write_spec(spec)
    if status == "pending":
        return
    distance = math.log(shape.ratio / best_ratio)
    loss = 2.4 * (budget / 50_000) ** -0.1 * (1 + 0.04 * distance**2) * factor
    done = status == "done"
    trial.write_record(
        Record(
            key=spec.key,
            status=status,  # type: ignore[arg-type]
            shape={
                **spec.shape,
                "params": shape.params,
                "params_non_embedding": shape.params_non_embedding,
                "ratio": shape.ratio,
                "num_heads": shape.num_heads,
                "d_ff": shape.d_ff,
            },
            loss=loss if done else None,
            val_loss=loss * 1.01 if done else None,
            figures={"bits_per_byte": loss / math.log(2)} if done else {},
            units=100 * 16 * 64,
            train_flops=1e9,
            seconds=2.0,
            measure_seconds=0.5,
            measurements={view: measurement(view, shape, distance) for view in views} if done else {},
            provenance={"interlaw": "0.1.0", "torch": "2.13.0", "device_name": "a processor", "threads": 1},
            reason="" if done else "the loss became NaN at step 40",
        )
    )
    trial.write_curve(
        [
            {
                "step": 20 * i,
                "units": 20 * i * 1024,
                "train_loss": loss * (1 + 1 / i),
                "val_loss": loss * (1 + 1.1 / i),
                "learning_rate": 0.01,
            }
            for i in range(1, 6)
        ]
    )


def measurement(view: str, shape: Any, distance: float) -> dict[str, Any]:
    """Interaction that is most efficient at the best ratio."""
    dim = 64 if view == "projected" else shape.width
    null = 0.9 if view == "projected" else 0.8 - 0.02 * shape.depth
    values = {"energy": 120.0, "diagonal_energy": 10.0, "trace": 50.0, "participation_ratio": 3.0, "mean_cos2": 0.4}
    values |= {"aofe": 100.0 * math.exp(0.5 * abs(distance)), "aofe_ratio": null + 0.03 * math.exp(-abs(distance))}
    values |= {"aofe_scale_free": 0.3, "null": null, "excess": 0.03 * math.exp(-abs(distance))}
    estimates = {k: {"value": v, "stderr": 0.05 * v, "low": 0.9 * v, "high": 1.1 * v} for k, v in values.items()}
    return {
        "view": view,
        "layer": "embeddings",
        "dim": dim,
        "num_clusters": 64,
        "num_probes": 1,
        "seed": 0,
        "estimator": "U-statistic over pairs of clusters",
        **estimates,
        "null_ratio": null,
        "excess_ratio": values["excess"],
        "plugin": dict(values),
        "settings": {"level": 0.95, "null": "haar"},
        "target_met": None,
    }


def toml_string(text: str) -> str:
    """A basic TOML string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
