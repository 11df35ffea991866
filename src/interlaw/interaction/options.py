"""What is measured, and how: every option of `measure`, checked once, before the first batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from numbers import Integral, Real
from typing import Any, Literal, TypedDict

import torch

from interlaw.errors import InterlawError, did_you_mean
from interlaw.interaction.grams import LEAST_CLUSTERS, LEVEL
from interlaw.interaction.intervals import INTERVALS
from interlaw.interaction.views import VIEWS, View

Probes = int | Literal["exact"] | None
Progress = Callable[[int], None]

ROUTES = (None, "gram", "dense")

# Options that a view has no use for may still say what it does anyway.
HARMLESS: dict[str, tuple[object, ...]] = {"layer": (None, "embeddings"), "probes": (None, "exact")}


class MatrixOptions(TypedDict, total=False):
    """The options that say which matrix G is meant, and how the work is done; `measure` documents each."""

    view: str
    layer: str | None
    probes: Probes
    seed: int
    positions: str | None
    outputs: Sequence[int] | None
    center: bool
    scale: str | None
    max_clusters: int | None
    batch_size: int | None
    memory_limit: int | None
    dtype: torch.dtype | None
    progress: Progress | None


class MeasureOptions(MatrixOptions, total=False):
    """All options."""

    groups: object
    route: str | None
    level: float
    interval: str
    rel_error: float | None
    name: str | None


@dataclass(frozen=True, kw_only=True)
class Options:
    """One measurement's options and their defaults; `measure` documents each.

    Raises:
        InterlawError: An option has no such value, or the view has no use for it.
    """

    view: str = "input"
    layer: str | None = None
    probes: Probes = None
    seed: int = 0
    positions: str | None = None
    outputs: Sequence[int] | None = None
    center: bool = False
    scale: str | None = None
    groups: object = None
    route: str | None = None
    level: float = LEVEL
    interval: str = "jackknife"
    rel_error: float | None = None
    max_clusters: int | None = None
    batch_size: int | None = None
    memory_limit: int | None = None
    dtype: torch.dtype | None = None
    progress: Progress | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        """Checks everything that can be checked without the model."""
        _require_among("a view", self.view, VIEWS)
        _require_among("an interval", self.interval, INTERVALS)
        for name, known in (("scale", (None, "rms")), ("positions", (None, "last", "all")), ("route", ROUTES)):
            if getattr(self, name) not in known:
                raise InterlawError(f"expected {name} to be one of {known}, found {getattr(self, name)!r}")
        self._check_numbers()
        self._check_outputs()
        self._check_use()

    @property
    def record(self) -> View:
        """What the view is."""
        return VIEWS[self.view]

    def _check_numbers(self) -> None:
        """Numbers of the right kind, in their range."""
        if not isinstance(self.seed, Integral):
            raise InterlawError(f"expected a whole number as seed, found {self.seed!r}; 0 will do")
        if not (self.probes is None or self.probes == "exact" or (type(self.probes) is int and self.probes >= 1)):
            raise InterlawError(f"expected probes to be a positive number, 'exact' or None, found {self.probes!r}")
        for name, least, why in (
            ("max_clusters", LEAST_CLUSTERS, "an interval needs them"),
            ("batch_size", 1, "None chooses one"),
        ):
            count = getattr(self, name)
            if not isinstance(count, Integral | None):
                raise InterlawError(f"expected a whole number or None as {name}, found {count!r}; choose one")
            if count is not None and count < least:
                raise InterlawError(f"expected {name} of at least {least}, found {count}; {why}")
        if not isinstance(self.level, Real) or not 0 < self.level < 1:
            raise InterlawError(f"expected a level between 0 and 1, found {self.level!r}; 0.95 stands for 95%")
        if self.rel_error is not None and not (isinstance(self.rel_error, Real) and 0 < self.rel_error < math.inf):
            raise InterlawError(f"expected a rel_error above 0, found {self.rel_error!r}; choose one such as 0.02")
        if self.dtype is not None and not (isinstance(self.dtype, torch.dtype) and self.dtype.is_floating_point):
            raise InterlawError(
                f"expected a dtype of real numbers, found {self.dtype!r}; use torch.float32 or torch.float64"
            )

    def _check_outputs(self) -> None:
        """A list of indices."""
        outputs = self.outputs
        if outputs is not None and not isinstance(outputs, Sequence):
            raise InterlawError(
                f"expected a list of indices as outputs, found {outputs!r}; write outputs=[{outputs!r}]"
            )
        if outputs is not None and len(outputs) == 0:
            raise InterlawError("expected at least one output, found none; leave outputs out to take all")

    def _check_use(self) -> None:
        """Options that mean nothing to the view."""
        for name in self.record.useless:
            value = getattr(self, name)
            if value not in HARMLESS.get(name, (None, False)):
                others = ", ".join(other for other, view in VIEWS.items() if name not in view.useless)
                raise InterlawError(
                    f"the {self.view} view has no use for {name}, found {value!r}; leave it out, or use one of the "
                    f"views {others}"
                )


def _require_among(what: str, name: str, known: Mapping[str, object] | Sequence[str]) -> None:
    """Refuses a name that is not known."""
    if name not in known:
        raise InterlawError(f"expected {what} among {', '.join(known)}, found '{name}'{did_you_mean(name, known)}")


def options_from(given: Mapping[str, Any], *, without: Sequence[str] = (), **fixed: Any) -> Options:
    """The options of a public function from its keywords.

    Args:
        given: The keywords.
        without: Options that the function does not take.
        fixed: Defaults of its own.

    Raises:
        TypeError: A keyword is none of them.
    """
    known = [field.name for field in fields(Options) if field.name not in without]
    for name in given:
        if name not in known:
            raise TypeError(f"expected options among {', '.join(known)}, found '{name}'{did_you_mean(name, known)}")
    return Options(**{**fixed, **given})
