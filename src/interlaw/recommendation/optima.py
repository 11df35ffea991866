"""Measured optima: where R* lies between shapes that were trained, a row a size, and by which route.

The packaged table is what `fit_optima` gives for the packaged sweeps (`interlaw evidence --refit` makes it again).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from pydantic import TypeAdapter
from scipy import special

from interlaw.files import packaged_rows
from interlaw.laws import published_laws
from interlaw.plain import Json
from interlaw.published import Sweep, packaged_sweeps
from interlaw.size import format_range

if TYPE_CHECKING:
    from interlaw.laws import BudgetFit, LawFit, SurfaceOptimum

# A published optimum comes without an interval. R* by another form of the curve is off by 10 to 30% (docs/law.md).
PUBLISHED_STDERR = 0.3
ASSUMED = "*"  # beside an interval of that error
# A budget of so many shapes is read from its own curve; one of fewer from the shapes of all sizes.
ENOUGH_SHAPES = 5
# Interaction plays no part here, and its tests take most of a fit's time.
_UNUSED = ("aofe", "aofe_ratio")


@dataclass(frozen=True, kw_only=True)
class Optimum:
    """What one sweep, on one task, says of R* at one size.

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

    @property
    def assumed(self) -> bool:
        """Whether its error is assumed: a publication that states R* without its runs states none."""
        return self.route == "published"

    @property
    def estimate(self) -> tuple[float, float]:
        """(log R*, its standard error) of one that counts."""
        assert self.ratio is not None
        assert self.log_stderr is not None
        return math.log(self.ratio), self.log_stderr

    def interval(self) -> str:
        """R* a standard error of its logarithm up and down, in words; `ASSUMED` marks an assumed one."""
        y, stderr = self.estimate
        return format_range(math.exp(y - stderr), math.exp(y + stderr)) + (ASSUMED if self.assumed else "")


@cache
def measured_optima() -> tuple[Optimum, ...]:
    """Everything the packaged sweeps and the published laws of `measured` standing say, optimum or not."""
    rows = packaged_rows("interlaw.recommendation", "optima.csv")
    return (*TypeAdapter(list[Optimum]).validate_python(rows), *published_optima())


def published_optima() -> tuple[Optimum, ...]:
    """Optima that a publication states without its runs, at the sizes where they were measured."""
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


def fit_optima(sweeps: Sequence[Sweep] | None = None) -> tuple[Optimum, ...]:
    """Fits sweeps again: by budget, then as a surface, then by the joint law, the first route that gives an optimum.

    Args:
        sweeps: The packaged ones when not given.
    """
    return tuple(one for sweep in (packaged_sweeps() if sweeps is None else sweeps) for one in _fit(sweep))


def write_optima(optima: Sequence[Optimum]) -> str:
    """The packaged table as CSV text, four significant digits."""
    import pandas as pd  # which reading the packaged optima does without

    return pd.DataFrame(optima, columns=list(Optimum.__dataclass_fields__)).to_csv(
        index=False, float_format="%.4g", lineterminator="\n"
    )


def optima_of_fit(law: LawFit, *, sweep: str, dataset: str) -> Iterator[Optimum]:
    """R* of every budget of a fit; of those with too few shapes, by the joint law where it has one inside the grid."""
    for budget in law.budgets:
        own = Optimum(
            sweep=sweep,
            dataset=dataset,
            route="budget",
            params=budget.params_mean,
            status=budget.r_star.status,
            **_by_curve(budget, confidence=law.confidence),
        )
        yield replace(own, **_by_joint_law(budget, law=law)) if budget.num_shapes < ENOUGH_SHAPES else own


def _fit(sweep: Sweep) -> Iterator[Optimum]:
    from interlaw.laws import fit_law, surface_optima  # scipy.stats, which reading the packaged optima does without

    table = sweep.table()
    columns = {str(name): table[name].to_numpy() for name in table.columns if name not in _UNUSED}
    if "budget" not in columns:
        yield from (_by_surface(place, sweep=sweep) for place in surface_optima(columns))
        return
    # the fewest permutations that are allowed: no claim is read here
    law = fit_law(columns, window=sweep.window, num_permutations=100)
    surface = surface_optima(columns, sizes=[budget.params_mean for budget in law.budgets])
    each = optima_of_fit(law, sweep=sweep.name, dataset=sweep.dataset)
    for budget, one, place in zip(law.budgets, each, surface, strict=True):
        asks = budget.num_shapes < ENOUGH_SHAPES and place.status == "optimum"
        yield _by_surface(place, sweep=sweep) if asks else one


def _by_surface(place: SurfaceOptimum, *, sweep: Sweep) -> Optimum:
    said = {name: getattr(place, name) for name in ("params", "status", "ratio", "log_stderr", "curvature")}
    return Optimum(sweep=sweep.name, dataset=sweep.dataset, route="surface", **said)


def _by_curve(budget: BudgetFit, *, confidence: float) -> Json:
    """R* by the curve of the budget's own shapes; nothing without an optimum."""
    star, curve = budget.r_star, budget.curve
    if star.status != "optimum" or star.value is None or star.low is None or star.high is None:
        return {}
    bend = curve.curvature / curve.loss_min if curve is not None and curve.loss_min and curve.curvature > 0 else None
    stderr = log_stderr_of(star.low, star.high, confidence=confidence)
    return {"ratio": star.value, "log_stderr": stderr, "curvature": bend}


def _by_joint_law(budget: BudgetFit, *, law: LawFit) -> Json:
    """R* by the law over budgets, where it has an optimum that lies between the shapes of this budget; else nothing."""
    if law.law is None or law.law.status != "optimum":
        return {}
    point = law.law.ratio(budget.params_mean)
    tried = [shape.ratio for shape in budget.points]
    if not min(tried) < point.low < point.high < max(tried):
        return {}
    stderr = log_stderr_of(point.low, point.high, confidence=law.confidence)
    return {"route": "joint", "status": "optimum", "ratio": point.ratio, "log_stderr": stderr}


def log_stderr_of(low: float, high: float, *, confidence: float) -> float:
    """Standard error of a logarithm whose interval is normal."""
    return math.log(high / low) / (2 * float(special.ndtri((1 + confidence) / 2)))


def by_dataset(optima: Sequence[Optimum]) -> dict[str, tuple[Optimum, ...]]:
    """The optima that count, each data set's own; those of sweeps that do not vote are left out."""
    silent = {sweep.dataset for sweep in packaged_sweeps() if not sweep.votes}
    voting: dict[str, tuple[Optimum, ...]] = {one.dataset: () for one in optima if one.dataset not in silent}
    for one in sorted(optima, key=lambda one: one.params):
        if one.counts and one.dataset in voting:
            voting[one.dataset] += (one,)
    return {name: ones for name, ones in voting.items() if ones}
