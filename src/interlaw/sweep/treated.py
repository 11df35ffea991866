"""Runs whose treatments are to be compared: alike in everything but how the learning rate was chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from interlaw.errors import InterlawError
from interlaw.runs import TrialSpec, load_table, require_run
from interlaw.tasks import Units

# what a treatment decides, and the seed; everything else must be the same
_DECIDED = {"learning_rate", "parametrization", "base_width", "base_depth", "seed"}
_SHOWN = 40  # characters of a value: four fit a line of a message

ShapeName = tuple[float, str]  # nominal budget and, in words, the shape
Facts = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class TreatedRuns:
    """The trials of several runs in one table.

    Attributes:
        table: As `load_table` gives it, one row a trial that ended.
        units: Of their task.
        budget_kind: Kind of their budgets.
    """

    table: pd.DataFrame
    units: Units
    budget_kind: str


def read_treated(runs: Sequence[str | Path]) -> TreatedRuns:
    """The trials of runs that differ in `training.treatment` alone.

    Args:
        runs: Run folders; each treatment comes from one of them.

    Raises:
        InterlawError: When two hold the same treatment, when none has ended trials, or when treatments differ in data,
            training or shapes: their difference would not be the treatment's.
    """
    tables: list[pd.DataFrame] = []
    planned: dict[str, dict[ShapeName, Facts]] = {}
    holders: dict[str, str | Path] = {}
    spec: TrialSpec | None = None
    for path in runs:
        for trial in require_run(path).trials():
            spec = trial.spec()
            if holders.setdefault(spec.treatment, path) != path:
                raise InterlawError(
                    f"expected each treatment in one run, found {spec.treatment} in {str(holders[spec.treatment])!r} "
                    f"and {str(path)!r}; leave one out"
                )
            planned.setdefault(spec.treatment, {})[_name(spec)] = _facts(spec)
        tables.append(load_table(path))
    table = pd.concat(tables, ignore_index=True)
    if spec is None or table.empty:
        raise InterlawError(
            f"expected runs with ended trials, found none in {', '.join(map(str, runs))}; finish the sweeps first"
        )
    _require_alike(planned)
    return TreatedRuns(table=table, units=spec.task.units, budget_kind=spec.budget.kind)


def _name(spec: TrialSpec) -> ShapeName:
    """What makes two trials of different treatments the same shape."""
    rest = ", ".join(f"{name} {value}" for name, value in sorted(spec.shape.items()) if name not in ("depth", "width"))
    return spec.budget.amount, f"{spec.shape['depth']}x{spec.shape['width']} ({rest})"


def _facts(spec: TrialSpec) -> Facts:
    """What must not differ between treatments; a text is known by its digest, wherever it lies."""
    return {
        "family": spec.family,
        "budget.kind": spec.budget.kind,
        **{f"task.{name}": value for name, value in spec.task.model_dump(exclude={"corpus"}).items()},
        **{f"training.{name}": value for name, value in spec.training.model_dump(exclude=_DECIDED).items()},
    }


def _require_alike(planned: Mapping[str, Mapping[ShapeName, Facts]]) -> None:
    """Every treatment trains the same shapes in the same way."""
    (first, theirs), *others = planned.items()
    for second, ours in others:
        for name in (name for name in theirs if name in ours):
            _require_equal({first: theirs[name], second: ours[name]}, shape=name)
        alone = sorted(theirs.keys() ^ ours.keys())
        if not alone:
            continue
        if not theirs.keys() & ours.keys():  # a family or a budget of another kind says more than its shapes
            _require_equal({first: next(iter(theirs.values())), second: next(iter(ours.values()))}, shape=None)
        amount, shape = alone[0]
        holder = first if alone[0] in theirs else second
        more = f" and {len(alone) - 1} more" if len(alone) > 1 else ""
        raise InterlawError(
            f"expected the same shapes under {first} and {second}, found {shape} of budget {amount}{more} under "
            f"{holder} alone; give runs that differ in training.treatment alone"
        )


def _require_equal(by_treatment: Mapping[str, Facts], *, shape: ShapeName | None) -> None:
    """Two treatments of one shape agree in every fact."""
    (first, theirs), (second, ours) = by_treatment.items()
    differ = [name for name in {**theirs, **ours} if theirs.get(name) != ours.get(name)]
    if not differ:
        return
    differences = " and ".join(
        f"{name} {str(theirs.get(name))[:_SHOWN]} under {first} but {str(ours.get(name))[:_SHOWN]} under {second}"
        for name in differ[:2]
    )
    more = f" and {len(differ) - 2} more" if len(differ) > 2 else ""
    place = "" if shape is None else f" for {shape[1].partition(' ')[0]} of budget {shape[0]}"
    raise InterlawError(
        f"expected runs that differ in training.treatment alone, found {differences}{more}{place}; the "
        "difference would not be the treatment's: give runs trained alike"
    )
