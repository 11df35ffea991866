"""Options that are handed to the library by name: each reaches it or is the command's own, and defaults agree."""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, signature
from typing import get_type_hints

import pytest

from interlaw import laws, recommendation, subject
from interlaw.cli.diff import diff
from interlaw.cli.fit import fit
from interlaw.cli.layers import layers
from interlaw.cli.measure import measure
from interlaw.cli.recommend import recommend
from interlaw.cli.rerun import rerun
from interlaw.cli.shapes import shapes
from interlaw.recommendation.dimensions import CONTEXT, MULTIPLE_OF
from interlaw.sweep.rerun import RERUN_TOLERANCE

LAW, SHAPE = signature(laws.fit_law).parameters, signature(recommendation.recommend).parameters
MEASURED = subject.NamedOptions.__annotations__


@pytest.mark.parametrize(
    ("command", "names", "own"),
    [
        (fit, {*LAW}, "sources column split view out resamples details"),
        (recommend, {*SHAPE}, "law figure export pick details measure device devices utilization batch"),
        (measure, {*MEASURED}, "model inputs out exact float32 places rms rotate"),
        (layers, {*MEASURED}, "model inputs out figure float32"),
        (diff, {*MEASURED}, "a b inputs by_layer figure float32"),
    ],
)
def test_no_option_is_dropped(command: Callable[..., None], names: set[str], own: str) -> None:
    assert {*signature(command).parameters} - names - {"ctx"} == {"as_json", *own.split()}


@pytest.mark.parametrize(("command", "library"), [(fit, LAW), (recommend, SHAPE)])
def test_defaults_are_the_librarys(command: Callable[..., None], library: dict[str, Parameter]) -> None:
    given = {name: each.default for name, each in signature(command).parameters.items() if name in library}
    assert len(given) > 5
    for name, default in given.items():
        assert default is None or default == library[name].default, name


@pytest.mark.parametrize(
    ("command", "option", "default"),
    [
        (recommend, "context", CONTEXT),
        (shapes, "multiple_of", MULTIPLE_OF),
        (rerun, "tolerance", RERUN_TOLERANCE),
    ],
)
def test_help_names_the_librarys_default(command: Callable[..., None], option: str, default: float) -> None:
    """Where the number stands in a library that is too slow to load for a help text."""
    said = get_type_hints(command, include_extras=True)[option].__metadata__[0].help
    assert f"{default:g}".removeprefix("0") in said
