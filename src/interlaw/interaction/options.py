"""What is measured: a view says which matrix G is meant, other options say how."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Literal, TypedDict

import torch
from torch import nn

from interlaw.errors import InterlawError, require_among
from interlaw.interaction.batches import Batch
from interlaw.interaction.grams import LEAST_CLUSTERS, LEVEL
from interlaw.interaction.intervals import INTERVALS
from interlaw.interaction.layout import Place
from interlaw.interaction.network import find_place
from interlaw.interaction.place import Outputs, Places
from interlaw.interaction.routes import Contribution

Probes = int | Literal["exact"] | None
Progress = Callable[[int], None]
Contribute = Callable[[Places, Batch], dict[str, Contribution]]
"""A view at work: batches in order, what they add at every place out; it may remember what it has seen."""


@dataclass(frozen=True, kw_only=True)
class View:
    """One answer to which matrix G is meant; `VIEWS` holds them by name.

    Attributes:
        start: From the options, and the outputs that they read, to what makes contributions of batches.
        place: From a model, a batch and layer=, the option, to where h lives; None where nothing is differentiated.
        null: The ratio by chance, a name in `NULLS`.
        positions: Which outputs of sequences count unless the options say so: "all" or the "last".
        useless: Options that mean nothing to it.
        with_targets: Whether the model reads all tokens but the last, and the token after each is its target.
        layers: Whether it can be taken at every layer at once.
        cost: Of a sample, in samples of training (a forward and a backward pass each).

    Example:
        >>> from interlaw.interaction import VIEWS
        >>> VIEWS["loss"].with_targets, VIEWS["projected"].positions
        (True, 'last')
    """

    start: Callable[[Options, Outputs], Contribute]
    place: Callable[..., Place] | None = find_place
    null: str = "haar"
    positions: str = "all"
    useless: tuple[str, ...] = ()
    with_targets: bool = False
    layers: bool = False
    cost: float = 1.0

    def find(self, model: nn.Module, batch: Batch, *, layer: str | None) -> list[Place]:
        """Its place in a model, where it has one."""
        return [] if self.place is None else [self.place(model, batch, layer=layer)]


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
        InterlawError: An option has no such value.
    """

    view: str
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
        for name, fits, expected, remedy in VALUES:
            if not fits(getattr(self, name)):
                raise InterlawError(f"expected {expected}, found {getattr(self, name)!r}; {remedy}")
        require_among("an interval", self.interval, known=INTERVALS)


CHOICES = {"scale": (None, "rms"), "positions": (None, "last", "all"), "route": (None, "gram", "dense")}


def _whole(least: int) -> Callable[[Any], bool]:
    """Whether a value is None or a whole number of at least so much."""
    return lambda v: v is None or (isinstance(v, Integral) and int(v) >= least)


# option, whether a value fits, what was expected, what to do
VALUES: tuple[tuple[str, Callable[[Any], bool], str, str], ...] = (
    *((name, known.__contains__, f"{name} to be one of {known}", "leave it out") for name, known in CHOICES.items()),
    (
        "seed",
        lambda v: isinstance(v, Integral) and -(2**63) <= int(v) < 2**64,  # what a generator of torch takes
        "a whole number as seed",
        "0 will do, 64 bits are the most",
    ),
    (
        "probes",
        lambda v: v in (None, "exact") or (type(v) is int and v >= 1),  # True is no number of probes
        "probes to be a positive number, 'exact' or None",
        "None chooses",
    ),
    (
        "max_clusters",
        _whole(LEAST_CLUSTERS),
        f"a whole number or None as max_clusters, at least {LEAST_CLUSTERS}",
        "an interval needs them",
    ),
    ("batch_size", _whole(1), "a whole number or None as batch_size, at least 1", "None chooses one"),
    ("level", lambda v: isinstance(v, Real) and 0 < float(v) < 1, "a level between 0 and 1", "0.95 stands for 95%"),
    (
        "rel_error",
        lambda v: v is None or (isinstance(v, Real) and 0 < float(v) < math.inf),
        "a rel_error above 0",
        "choose one such as 0.02",
    ),
    (
        "dtype",
        lambda v: v is None or (isinstance(v, torch.dtype) and v.is_floating_point),
        "a dtype of real numbers",
        "use torch.float32 or torch.float64",
    ),
    ("outputs", lambda v: isinstance(v, Sequence | None), "a list of indices as outputs", "write outputs=[3] for one"),
    (
        "outputs",
        lambda v: v is None or all(isinstance(index, Integral) for index in v),
        "whole numbers as outputs",
        "write outputs=[3] for one",
    ),
    ("outputs", lambda v: v is None or len(v) > 0, "at least one output", "leave outputs out to take all"),
)
