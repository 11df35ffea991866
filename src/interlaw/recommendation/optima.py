"""Measured optima: where R* was found between shapes that were trained, a row a size, and how each was found.

The packaged table is what `fit_optima` gives for the packaged sweeps (`interlaw evidence --refit` makes it again).
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from scipy import special

from interlaw.laws import published_laws
from interlaw.published import Sweep, packaged_sweeps

if TYPE_CHECKING:
    from interlaw.laws import BudgetFit, LawFit

# A published optimum comes without an interval. R* by another form of the curve is off by 10 to 30% (docs/law.md).
PUBLISHED_STDERR = 0.3
# A budget with as many shapes has a curve of its own, and what that says stands; below, shapes of all sizes are asked.
ENOUGH_SHAPES = 5
# Interaction plays no part here, and its tests take most of a fit's time.
_UNUSED = ("aofe", "aofe_ratio")


@dataclass(frozen=True, kw_only=True)
class Optimum:
    """What one sweep says of R* at one size.

    Attributes:
        sweep: Name of the packaged sweep, or key of the published law.
        dataset: Optima of one data set share one vote.
        route: `budget` (curve of one budget), `surface`, `joint` (the law over budgets) or `published`.
        params: N.
        status: Of the fit; only `optimum` counts.
        ratio: R*; None without an optimum.
        log_stderr: Standard error of log R*.
        curvature: kappa / L at R*, log L = log L* + curvature (log R - log R*)^2; None where it is not known.
    """

    sweep: str
    dataset: str
    route: str
    params: float
    status: str
    ratio: float | None = None
    log_stderr: float | None = None
    curvature: float | None = None

    @property
    def counts(self) -> bool:
        """Whether it is an optimum, bounded on both sides."""
        return self.status == "optimum" and self.ratio is not None and self.log_stderr is not None


@cache
def measured_optima() -> tuple[Optimum, ...]:
    """Everything the packaged sweeps and the published laws of `measured` standing say, optimum or not."""
    text = files("interlaw.recommendation").joinpath("optima.csv").read_text(encoding="utf-8")
    rows = [_read(row) for row in csv.DictReader(text.splitlines())]
    return (*rows, *published_optima())


def _read(row: Mapping[str, str]) -> Optimum:
    """One row of the packaged table; an empty cell is None."""
    cells: dict[str, Any] = dict(row)
    for name in ("params", "ratio", "log_stderr", "curvature"):
        cells[name] = float(row[name]) if row[name] else None
    return Optimum(**cells)


def published_optima() -> tuple[Optimum, ...]:
    """Optima that a publication states and whose runs are not at hand, at the sizes where they were measured."""
    return tuple(
        Optimum(
            sweep=law.key,
            dataset=law.name,
            route="published",
            params=params,
            status="optimum",
            ratio=law.ratio(params),
            log_stderr=PUBLISHED_STDERR,
        )
        for law in published_laws()
        if law.standing == "measured"
        for params in law.measured_at
    )


def fit_optima(sweeps: Sequence[Sweep] | None = None, *, num_bootstrap: int = 1000) -> tuple[Optimum, ...]:
    """Fits sweeps anew: by budget, then as a surface, then by the joint law, the first route that gives an optimum.

    Args:
        sweeps: The packaged ones when not given.
        num_bootstrap: Draws a fit.
    """
    return tuple(
        one
        for sweep in (packaged_sweeps() if sweeps is None else sweeps)
        for one in _fit(sweep, num_bootstrap=num_bootstrap)
    )


def write_optima(optima: Sequence[Optimum]) -> str:
    """The packaged table as CSV text, four significant digits."""
    names = [field.name for field in fields(Optimum)]
    lines = [",".join(names)]
    for one in optima:
        cells = [getattr(one, name) for name in names]
        lines.append(",".join("" if c is None else f"{c:.4g}" if isinstance(c, float) else str(c) for c in cells))
    return "\n".join(lines) + "\n"


def optima_of_fit(law: LawFit, *, sweep: str, dataset: str) -> Iterator[Optimum]:
    """R* of every budget of a fit; of those with too few shapes, by the joint law where it has one inside the grid."""
    for budget in law.budgets:
        one = _of_budget(budget, law, sweep=sweep, dataset=dataset)
        yield one if budget.num_shapes >= ENOUGH_SHAPES else _of_joint_law(budget, law, one)


def _fit(sweep: Sweep, *, num_bootstrap: int) -> Iterator[Optimum]:
    """One sweep."""
    from interlaw.laws import fit_law, surface_optima  # scipy.stats, which reading the packaged optima does without

    table = sweep.table()
    columns = {str(name): table[name].to_numpy() for name in table.columns if name not in _UNUSED}
    if "budget" not in columns:
        for found in surface_optima(columns, num_bootstrap=num_bootstrap):
            yield Optimum(sweep=sweep.name, dataset=sweep.dataset, **_of_surface(found.to_dict()))
        return
    law = fit_law(columns, num_bootstrap=num_bootstrap, num_permutations=100)
    sizes = [budget.params_mean for budget in law.budgets]
    surface = surface_optima(columns, sizes=sizes, num_bootstrap=num_bootstrap)
    each = optima_of_fit(law, sweep=sweep.name, dataset=sweep.dataset)
    for budget, one, found in zip(law.budgets, each, surface, strict=True):
        asks = budget.num_shapes < ENOUGH_SHAPES and found.status == "optimum"
        yield replace(one, **_of_surface(found.to_dict())) if asks else one


def _of_surface(found: Mapping[str, Any]) -> dict[str, Any]:
    names = ("params", "status", "ratio", "log_stderr", "curvature")
    return {"route": "surface", **{name: found[name] for name in names}}


def _of_budget(budget: BudgetFit, law: LawFit, *, sweep: str, dataset: str) -> Optimum:
    star, curve = budget.r_star, budget.curve
    one = Optimum(
        sweep=sweep, dataset=dataset, route="budget", params=float(budget.params_mean), status=str(star.status)
    )
    if star.status != "optimum" or star.value is None or star.low is None or star.high is None:
        return replace(one, status="open") if star.status == "optimum" else one
    bends = curve is not None and curve.loss_min is not None and curve.curvature > 0
    return replace(
        one,
        ratio=float(star.value),
        log_stderr=log_stderr_of(star.low, star.high, law.confidence),
        curvature=float(curve.curvature / curve.loss_min) if bends and curve and curve.loss_min else None,
    )


def _of_joint_law(budget: BudgetFit, law: LawFit, one: Optimum) -> Optimum:
    """By the law over budgets, where it has an optimum that lies between the shapes of this budget."""
    if law.law is None or law.law.status != "optimum":
        return one
    point = law.law.ratio(budget.params_mean)
    tried = [shape.ratio for shape in budget.points]
    if not min(tried) < point.low < point.high < max(tried):
        return one
    return replace(
        one,
        route="joint",
        status="optimum",
        ratio=float(point.ratio),
        log_stderr=log_stderr_of(point.low, point.high, law.confidence),
    )


def log_stderr_of(low: float, high: float, confidence: float) -> float:
    """Standard error of a logarithm whose interval is normal."""
    return math.log(high / low) / (2 * float(special.ndtri((1 + confidence) / 2)))


def by_dataset(optima: Sequence[Optimum]) -> dict[str, tuple[Optimum, ...]]:
    """The optima that count, each data set's own; those of other networks than language models have no vote."""
    silent = {sweep.dataset for sweep in packaged_sweeps() if not sweep.votes}
    found: dict[str, list[Optimum]] = {}
    for one in optima:
        if one.counts and one.dataset not in silent:
            found.setdefault(one.dataset, []).append(one)
    return {name: tuple(sorted(ones, key=lambda one: one.params)) for name, ones in found.items()}
