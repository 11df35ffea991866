"""Neural interaction of any network: batches in, energies with intervals out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from interlaw.errors import InterlawError
from interlaw.interaction.batches import move, stream
from interlaw.interaction.differentiation import measuring
from interlaw.interaction.estimates import LEVEL, jackknife, plugin
from interlaw.interaction.grams import Accumulator, Route, accumulator, choose_route
from interlaw.interaction.null import NULLS
from interlaw.interaction.readout import Positions
from interlaw.interaction.result import Interaction
from interlaw.interaction.site import device_of, find_site
from interlaw.interaction.views import VIEWS, Contribution, Probes, Settings

EXPECTED_CLUSTERS = 512


def measure(
    model: nn.Module,
    inputs: object,
    *,
    view: str = "input",
    layer: str | None = None,
    probes: Probes = None,
    seed: int = 0,
    positions: Positions | None = None,
    outputs: Sequence[int] | None = None,
    center: bool = False,
    scale: Literal["rms"] | None = None,
    route: Route | None = None,
    level: float = LEVEL,
) -> Interaction:
    """Measures the AOFE, its ratio and their kin, without bias and with intervals, against chance.

    Args:
        model: The network; called as model(x) for tensors and model(**batch) for dicts.
        inputs: A tensor, or an iterable of batches (tensors or dicts); the first axis counts clusters.
        view: Which matrix G is meant: "input", "loss" or "projected".
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

    Returns:
        Unbiased estimates of the energies of G = E[A_n] (mean over clusters, each weighing as many positions as it
        has), jackknife intervals over clusters, the plug-in values beside them.

    Raises:
        InterlawError: A mistake that the message tells how to mend.
        TypeError: `inputs` is neither a tensor nor an iterable of batches.

    Example:
        >>> import torch
        >>> model = torch.nn.Linear(3, 2, bias=False)
        >>> from interlaw.interaction import energies
        >>> found = measure(model, torch.randn(8, 3))
        >>> W = model.weight.detach()
        >>> abs(found.aofe_ratio.value - energies(W.T @ W).aofe_ratio) < 1e-5
        True

    Source: Sun et al. 2026, arXiv 2605.27989; U-statistics: Hoeffding 1948.
    """
    settings = Settings(
        view=view, layer=layer, probes=probes, positions=positions, outputs=outputs, center=center, scale=scale
    )
    _require_settings(settings)
    factorize, null_name = VIEWS[view]
    null = NULLS[null_name]
    generator = torch.Generator().manual_seed(seed)
    total: Accumulator | None = None
    with measuring(model):
        for batch in stream(inputs):
            batch = move(batch, device_of(model))
            part = _require_finite(factorize(model, batch, settings, generator))
            if total is None:
                where = find_site(model, batch, layer=layer).name
                expected = len(inputs) if isinstance(inputs, Tensor) else EXPECTED_CLUSTERS
                route = route or choose_route(expected, rank=part.factors.shape[2], dim=part.dim)
                total = accumulator(route, dim=part.dim, slices=part.slices)
            total.add(part.factors, part.weights)
    assert total is not None
    grams = total.grams()
    found: dict[str, Any] = dict(jackknife(grams, null=null, level=level))
    return Interaction(
        view=view,
        layer=where,
        dim=grams.dim,
        num_clusters=grams.num_clusters,
        num_probes=part.num_probes,
        seed=seed,
        estimator=_describe(part.num_probes, route or "dense", len(grams.counts)),
        null=found.pop("null_ratio"),
        excess=found.pop("excess_ratio"),
        plugin=plugin(grams, null=null),
        settings=_recorded(settings) | {"level": level, "null": null_name},
        grams=grams,
        **found,
    )


def agop(
    model: nn.Module,
    inputs: object,
    *,
    view: str = "input",
    layer: str | None = None,
    probes: int | Literal["exact"] = "exact",
    seed: int = 0,
    positions: Positions | None = None,
    outputs: Sequence[int] | None = None,
    center: bool = False,
    scale: Literal["rms"] | None = None,
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
        view=view, layer=layer, probes=probes, positions=positions, outputs=outputs, center=center, scale=scale
    )
    _require_settings(settings)
    factorize, _ = VIEWS[view]
    generator = torch.Generator().manual_seed(seed)
    total, weight = None, 0.0
    with measuring(model):
        for batch in stream(inputs):
            part = _require_finite(factorize(model, move(batch, device_of(model)), settings, generator))
            columns = torch.cat(list(part.slices(part.factors)), 1) if part.slices else part.factors
            flat = columns.transpose(0, 1).flatten(1).double()
            matrix = flat @ flat.T
            total = matrix if total is None else total + matrix
            weight += float(part.weights.sum())
    assert total is not None
    return (total / weight).to(part.factors.dtype)


def _require_settings(settings: Settings) -> None:
    """Checks what can be checked before the first batch."""
    if settings.view not in VIEWS:
        raise InterlawError(f"expected a view among {', '.join(VIEWS)}, found '{settings.view}'")
    probes = settings.probes
    if not (probes is None or probes == "exact" or (isinstance(probes, int) and probes >= 1)):
        raise InterlawError(f"expected probes to be a positive number, 'exact' or None, found {probes!r}")
    if settings.scale not in (None, "rms"):
        raise InterlawError(f"expected scale to be 'rms' or None, found {settings.scale!r}")
    if settings.positions not in (None, "last", "all"):
        raise InterlawError(f"expected positions to be 'last', 'all' or None, found {settings.positions!r}")


def _require_finite(part: Contribution) -> Contribution:
    """Checks that no derivative is NaN or infinite: such a value is a fault, never a zero."""
    bad = ~torch.isfinite(part.factors).flatten(1).all(1)
    if bool(bad.any()):
        raise InterlawError(
            f"{int(bad.sum())} of {len(bad)} clusters of a batch have a Jacobian with NaN or infinite entries; "
            "check the inputs, or measure in a wider dtype"
        )
    if part.factors.dtype in (torch.bfloat16, torch.float16):
        return Contribution(
            factors=part.factors.float(),
            weights=part.weights,
            dim=part.dim,
            num_probes=part.num_probes,
            slices=part.slices,
        )
    return part


def _describe(num_probes: int, route: str, groups: int) -> str:
    """How the numbers were made, in words."""
    drawn = f"{num_probes} fresh probe{'s' if num_probes > 1 else ''} per cluster" if num_probes else "exact factors"
    return f"U-statistic over pairs of clusters, {drawn}, {route} route, jackknife over {groups} groups"


def _recorded(settings: Settings) -> dict[str, Any]:
    """The options that belong to the record."""
    return {
        "positions": settings.positions,
        "outputs": None if settings.outputs is None else list(settings.outputs),
        "center": settings.center,
        "scale": settings.scale,
    }
