"""Which option applies to which view, and what it may be: all that can be checked before the first batch."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real

import torch

from interlaw.errors import InterlawError, did_you_mean
from interlaw.interaction.contribution import Settings
from interlaw.interaction.views import VIEWS

LEAST_CLUSTERS = 3

OF_OUTPUTS = ("probes", "positions", "outputs", "center", "scale")
"""Options about the outputs whose Jacobian is taken; a loss and a closed form have no choice of them."""

WITHOUT = {"loss": OF_OUTPUTS, "bottleneck": ("layer", *OF_OUTPUTS), "token": ("layer",)}
"""Options that a view has no use for."""

HARMLESS = {"layer": (None, "embeddings"), "probes": (None, "exact")}
"""Values that say what such a view does anyway."""


def require_settings(settings: Settings) -> None:
    """Checks what is to be measured.

    Raises:
        InterlawError: An option has no such value, or the view has no use for it.
    """
    probes, outputs = settings.probes, settings.outputs
    if settings.view not in VIEWS:
        near = did_you_mean(settings.view, VIEWS)
        raise InterlawError(f"expected a view among {', '.join(VIEWS)}, found '{settings.view}'{near}")
    if not (probes is None or probes == "exact" or (type(probes) is int and probes >= 1)):
        raise InterlawError(f"expected probes to be a positive number, 'exact' or None, found {probes!r}")
    if not isinstance(settings.seed, Integral):
        raise InterlawError(f"expected a whole number as seed, found {settings.seed!r}; 0 will do")
    if outputs is not None and not isinstance(outputs, Sequence):
        raise InterlawError(f"expected a list of indices as outputs, found {outputs!r}; write outputs=[{outputs!r}]")
    if outputs is not None and len(outputs) == 0:
        raise InterlawError("expected at least one output, found none; leave outputs out to take all")
    for name, found, known in (
        ("scale", settings.scale, (None, "rms")),
        ("positions", settings.positions, (None, "last", "all")),
        ("route", settings.route, (None, "gram", "dense")),
    ):
        if found not in known:
            raise InterlawError(f"expected {name} to be one of {known}, found {found!r}")
    for name in WITHOUT.get(settings.view, ()):
        found = getattr(settings, name)
        if found not in HARMLESS.get(name, (None, False)):
            others = ", ".join(view for view in VIEWS if name not in WITHOUT.get(view, ()))
            raise InterlawError(
                f"the {settings.view} view has no use for {name}, found {found!r}; leave it out, or use one of "
                f"the views {others}"
            )


def require_work(*, level: float, max_clusters: int | None, batch_size: int | None, dtype: torch.dtype | None) -> None:
    """Checks how it is to be measured.

    Raises:
        InterlawError: An option has no such value.
    """
    for name, count in (("max_clusters", max_clusters), ("batch_size", batch_size)):
        if not isinstance(count, Integral | None):
            raise InterlawError(f"expected a whole number or None as {name}, found {count!r}; choose one")
    if not isinstance(level, Real) or not 0 < level < 1:
        raise InterlawError(f"expected a level between 0 and 1, found {level!r}; 0.95 stands for 95%")
    if max_clusters is not None and max_clusters < LEAST_CLUSTERS:
        raise InterlawError(
            f"expected max_clusters of at least {LEAST_CLUSTERS}, found {max_clusters}; an interval needs them"
        )
    if batch_size is not None and batch_size < 1:
        raise InterlawError(f"expected a batch_size of at least 1, found {batch_size}; None chooses one")
    if dtype is not None and not (isinstance(dtype, torch.dtype) and dtype.is_floating_point):
        raise InterlawError(f"expected a dtype of real numbers, found {dtype!r}; use torch.float32 or torch.float64")
