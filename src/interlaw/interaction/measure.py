"""Neural interaction of any network: batches in, energies with intervals out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from numbers import Real
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from interlaw.errors import InterlawError
from interlaw.interaction.collect import LARGEST_PIECE, STEP, Progress, Work, collect, contributions
from interlaw.interaction.contribution import Probes, Settings
from interlaw.interaction.differentiation import measuring
from interlaw.interaction.estimates import LEVEL, Estimate, jackknife, plugin
from interlaw.interaction.fingerprint import Fingerprint
from interlaw.interaction.grams import Grams
from interlaw.interaction.intervals import require_interval, with_intervals
from interlaw.interaction.null import NULLS, Null
from interlaw.interaction.options import require_settings, require_work
from interlaw.interaction.result import Interaction
from interlaw.interaction.views import VIEWS


def measure(
    model: nn.Module,
    inputs: object,
    *,
    view: str = "input",
    layer: str | None = None,
    probes: Probes = None,
    seed: int = 0,
    positions: str | None = None,
    outputs: Sequence[int] | None = None,
    center: bool = False,
    scale: str | None = None,
    route: str | None = None,
    level: float = LEVEL,
    interval: str = "jackknife",
    rel_error: float | None = None,
    max_clusters: int | None = None,
    batch_size: int | None = None,
    memory_limit: int | None = None,
    dtype: torch.dtype | None = None,
    progress: Progress | None = None,
    name: str | None = None,
) -> Interaction:
    """Measures the AOFE, its ratio and their kin, without bias and with intervals, against chance.

    Args:
        model: The network; called as model(x) for tensors and model(**batch) for dicts.
        inputs: A tensor, or an iterable of batches (tensors or dicts); the first axis counts clusters.
        view: Which matrix G is meant: "input", "loss", "projected", "output", "patch", "bottleneck" or "token".
        layer: Where h lives: the input of this module (a name from `named_modules`), "input" or "embeddings"; when
            None the input itself, or the token embeddings where the input is integer.
        probes: Random vectors per cluster, or "exact" for every output. None takes every output when there are few
            and one fresh probe per cluster when there are many.
        seed: Seed of the probes.
        positions: For outputs (batch, time, C): "last" token or "all" of them; None is the view's own choice.
        outputs: Indices of the outputs that count; all when None.
        center: Subtract from each position's outputs their mean.
        scale: "rms" divides each position's outputs by their root mean square.
        route: How inner products are formed, "gram" or "dense"; the cheaper one when None.
        level: Coverage of the intervals.
        interval: Their kind, "jackknife", "bootstrap-t" or "percentile"; `with_intervals` changes it afterwards.
        rel_error: Stop once the jackknife interval of the AOFE-ratio reaches at most this fraction of it to either
            side; `target_met` of the result says whether it did before the inputs (or `max_clusters`) ran out.
        max_clusters: Use at most so many clusters.
        batch_size: Clusters per forward pass; chosen from free memory when None.
        memory_limit: Bytes that the choice may plan with; what is free when None.
        dtype: Precision of the derivatives, torch.float32 for bf16 weights say; the weights' own when None.
        progress: Called with the number of clusters done so far.
        name: What to call the network in the result; its class when None.

    Returns:
        Unbiased estimates of the energies of G = E[A_n] (mean over clusters, each weighing as many positions as it
        has), intervals over clusters, the plug-in values beside them.

    Raises:
        InterlawError: A mistake that the message tells how to mend.
        TypeError: `model` is no torch module, or `inputs` neither a tensor nor an iterable of batches.

    Example:
        >>> import torch
        >>> from interlaw.interaction import energies
        >>> model = torch.nn.Linear(3, 2, bias=False)
        >>> found = measure(model, torch.randn(8, 3))
        >>> W = model.weight.detach()
        >>> abs(found.aofe_ratio.value - energies(W.T @ W).aofe_ratio) < 1e-5
        True

    Source: Sun et al. 2026, arXiv 2605.27989; U-statistics: Hoeffding 1948.
    """
    settings = Settings(
        view=view,
        layer=layer,
        probes=probes,
        seed=seed,
        positions=positions,
        outputs=outputs,
        center=center,
        scale=scale,
        route=route,
    )
    require_settings(settings)
    require_work(level=level, max_clusters=max_clusters, batch_size=batch_size, dtype=dtype)
    require_interval(interval)
    if rel_error is not None and not (isinstance(rel_error, Real) and 0 < rel_error < math.inf):
        raise InterlawError(f"expected a rel_error above 0, found {rel_error!r}; choose one such as 0.02")
    null = NULLS[VIEWS[view].null]

    def enough(grams: Grams) -> bool:
        return rel_error is not None and _reaches(grams, null=null, level=level, rel_error=rel_error)

    largest = LARGEST_PIECE if rel_error is None else STEP
    work = Work(
        batch_size=batch_size,
        memory_limit=memory_limit,
        largest=largest,
        max_clusters=max_clusters,
        dtype=dtype,
        progress=progress,
    )
    seen = Fingerprint(inputs)
    collected = collect(model, seen.watched, settings=settings, work=work, enough=None if rel_error is None else enough)
    met = None if rel_error is None else enough(collected.grams)
    found = result_of(
        collected.grams,
        layer=collected.layer,
        num_probes=collected.num_probes,
        settings=settings,
        level=level,
        target=rel_error,
        met=met,
    )
    found = replace(
        found,
        model=name or type(model).__name__,
        dtype=str(precision_of(model, dtype)).removeprefix("torch."),
        route=collected.route,
        inputs=seen.of_first(found.num_clusters),
    )
    return found if interval == "jackknife" else with_intervals(found, interval, seed=seed)


def agop(
    model: nn.Module,
    inputs: object,
    *,
    view: str = "input",
    layer: str | None = None,
    probes: int | Literal["exact"] = "exact",
    seed: int = 0,
    positions: str | None = None,
    outputs: Sequence[int] | None = None,
    center: bool = False,
    scale: str | None = None,
    dtype: torch.dtype | None = None,
) -> Float[Tensor, "d d"]:
    """The matrix G itself, the mean of A_n over clusters; for D small enough to hold D x D numbers.

    Its entries are unbiased, its energies are not: use `measure` for those. Arguments as in `measure`.

    Example:
        >>> import torch
        >>> model = torch.nn.Linear(3, 2, bias=False)
        >>> torch.allclose(agop(model, torch.randn(5, 3)), model.weight.T @ model.weight, atol=1e-6)
        True
    """
    settings = Settings(
        view=view,
        layer=layer,
        probes=probes,
        seed=seed,
        positions=positions,
        outputs=outputs,
        center=center,
        scale=scale,
    )
    require_settings(settings)
    require_work(level=LEVEL, max_clusters=None, batch_size=None, dtype=dtype)
    total, weight = None, 0.0
    with measuring(model, dtype=dtype):
        for _, part in contributions(model, inputs, settings=settings, work=Work(dtype=dtype)):
            if part.factors is None:
                matrix = part.content.double().sum(0)
            else:
                columns = torch.cat(list(part.slices(part.factors)), 1) if part.slices else part.factors
                flat = columns.transpose(0, 1).flatten(1).double()
                matrix = flat @ flat.T
            total = matrix if total is None else total + matrix
            weight += float(part.weights.sum())
    assert total is not None
    return (total / weight).to(precision_of(model, dtype))


def precision_of(model: nn.Module, dtype: torch.dtype | None) -> torch.dtype:
    """Precision of the derivatives."""
    return next((p.dtype for p in model.parameters()), torch.float32) if dtype is None else dtype


def _reaches(grams: Grams, *, null: Null, level: float, rel_error: float) -> bool:
    """Whether the interval of the AOFE-ratio is as narrow as asked for."""
    if len(grams.counts) < 3:
        return False
    ratio = jackknife(grams, null=null, level=level)["aofe_ratio"]
    return max(ratio.high - ratio.value, ratio.value - ratio.low) <= rel_error * abs(ratio.value)


def require_energy(grams: Grams, ratio: Estimate, *, layer: str) -> None:
    """Refuses a ratio of nothing."""
    if not bool(grams.trace.sum() > 0):
        raise InterlawError(
            f"expected a derivative at '{layer}', found all zeros; a ratio of nothing is undefined, so measure trained "
            "weights, or another layer"
        )
    if not math.isfinite(ratio.value + ratio.stderr):
        raise InterlawError(
            f"expected samples with a direction in common at '{layer}', found {grams.num_clusters} with nearly none; "
            "give more samples"
        )


def result_of(
    grams: Grams,
    *,
    layer: str,
    num_probes: int,
    settings: Settings,
    level: float,
    target: float | None = None,
    met: bool | None = None,
) -> Interaction:
    """The measurement as a value.

    Raises:
        InterlawError: G has no energy, so that its ratio is undefined.
    """
    null_name = VIEWS[settings.view].null
    found: dict[str, Any] = dict(jackknife(grams, null=NULLS[null_name], level=level))
    require_energy(grams, found["aofe_ratio"], layer=layer)
    drawn = f"{num_probes} fresh probe{'s' if num_probes > 1 else ''} per cluster" if num_probes else "exact factors"
    return Interaction(
        view=settings.view,
        layer=layer,
        dim=grams.dim,
        num_clusters=grams.num_clusters,
        num_groups=len(grams.counts),
        num_probes=num_probes,
        seed=settings.seed,
        estimator=f"U-statistic over pairs of clusters, {drawn}, {len(grams.counts)}-group jackknife",
        null=found.pop("null_ratio"),
        excess=found.pop("excess_ratio"),
        plugin=plugin(grams, null=NULLS[null_name]),
        settings={
            "positions": settings.positions,
            "outputs": None if settings.outputs is None else list(settings.outputs),
            "center": settings.center,
            "scale": settings.scale,
            "level": level,
            "interval": "jackknife",
            "null": null_name,
            "rel_error": target,
        },
        target_met=met,
        grams=grams,
        **found,
    )
