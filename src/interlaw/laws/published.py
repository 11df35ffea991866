"""Published statements about the best depth / width, as data: evaluate R*(N) for any N, with source and trust.

Trust: `P` read in the primary source or its data, `D` derived from such by calculation, `S` read in notes about it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import scipy
from pydantic import TypeAdapter

from interlaw.errors import InterlawError, require_among
from interlaw.files import packaged_rows
from interlaw.plain import Json
from interlaw.registry import Registry

Trust = Literal["P", "D", "S"]
Standing = Literal["measured", "packaged", "derived", "chosen", "convention", "claim", "flat", "slope", "vision"]
SIZE_TOLERANCE = 1.1  # sources round sizes and count embeddings differently


@dataclass(frozen=True, kw_only=True)
class PublishedLaw:
    """One published line.

    Attributes:
        key: Short stable name.
        name: For legends.
        source: Where it was published.
        trust: P, D or S; see the module.
        standing: What the line rests on: `measured` (optima between trained shapes), `packaged` (the same, from a table
            that comes with the package), `derived` (a fit to shapes that were chosen), `chosen`, `convention`, `claim`
            (the paper's), `flat` (no best ratio), `slope` (no level) or `vision` (no language model).
        measured_at: Sizes at which optima were measured, for `measured` lines.
        statement: What the source says, in words.
        params_low: Smallest size that the statement covers.
        params_high: Largest.
        ratio_low: Lower end of a stated interval of good ratios, or None.
        ratio_high: Upper end.
        points: (N, R) of a table, ascending in N, interpolated in log-log; one point is a constant.
        formula: R*(N), where the source gives it as a formula.
        stated_slope: d log R / d log N where only that is stated.

    Raises:
        InterlawError: `standing` or `trust` is another word, or both `points` and `formula` are given.

    Example:
        >>> rule = dict(key="mine", name="Mine", source="a note", trust="P", standing="convention", statement="")
        >>> law = PublishedLaw(**rule, params_low=1e6, params_high=1e9, formula=lambda params: 0.5 * params**-0.25)
        >>> law.ratio(1e8), round(law.slope(1e6, 1e9), 3)
        (0.005, -0.25)
    """

    key: str
    name: str
    source: str
    trust: Trust
    standing: Standing
    measured_at: tuple[float, ...] = ()
    statement: str
    params_low: float
    params_high: float
    ratio_low: float | None = None
    ratio_high: float | None = None
    points: tuple[tuple[float, float], ...] = ()
    formula: Callable[[float], float] | None = None
    stated_slope: float | None = None

    def __post_init__(self) -> None:
        """Refuses words that no page knows, and two answers to one question."""
        for name, known in (("trust", get_args(Trust)), ("standing", get_args(Standing))):
            require_among(f"{name}= of the law {self.key}", getattr(self, name), known=known)
        if self.points and self.formula:
            raise InterlawError(f"expected points= or formula= of the law {self.key}, found both; give one")

    def covers(self, params: float) -> bool:
        """Whether N lies in the range of sizes that the source speaks about, counting conventions allowed for."""
        return self.params_low / SIZE_TOLERANCE <= params <= self.params_high * SIZE_TOLERANCE

    def ratio(self, params: float) -> float | None:
        """R*(N); None where the source states no level.

        A table is interpolated in log-log and keeps its end values beyond its ends, where it says nothing (`covers`);
        a formula is evaluated at any N.
        """
        if not params > 0:
            raise InterlawError(f"expected a positive number of parameters, found {params}: give a size such as 350e6")
        if self.formula is not None:
            return self.formula(params)
        if not self.points:
            return None
        sizes, ratios = (np.log(column) for column in np.array(self.points).T)
        return float(np.exp(np.interp(np.log(params), sizes, ratios)))

    def slope(self, params_low: float, params_high: float) -> float | None:
        """D log R* / d log N between two sizes; a table's over its own range; None where no best ratio is stated."""
        if self.stated_slope is not None:
            return self.stated_slope
        if self.formula is not None and params_high > params_low:
            ends = self.formula(params_low), self.formula(params_high)
            return float(np.log(ends[1] / ends[0]) / np.log(params_high / params_low))
        if not self.points and self.formula is None:
            return None
        if len(self.points) < 2:
            return 0.0
        sizes, ratios = (np.log(column) for column in np.array(self.points).T)
        return float(np.polynomial.polynomial.polyfit(sizes, ratios, 1)[1])


def _levine(params: float) -> float:
    """Width = exp(5.039 + 0.0555 depth) with N = 12 depth width^2, solved for depth."""
    start, slope = 5.039, 0.0555  # arXiv 2006.12467, equation 11
    # the left side rises with depth: any bracket of all depths does
    depth = scipy.optimize.brentq(lambda d: np.log(12 * d) + 2 * (start + slope * d) - np.log(params), 1e-9, 1000.0)
    return float(depth / np.exp(start + slope * depth))


def _depth_scaling(params: float) -> float:
    """Depth of least 333 w^-0.977 + 1284 (100 depth)^-1.20 at w = sqrt(N / (12 depth))."""

    def excess(log_depth: float) -> float:
        depth = np.exp(log_depth)  # the factors and exponents are those of the code of arXiv 2602.05970
        return float(333 * (params / 12 / depth) ** (-0.977 / 2) + 1284 * (100 * depth) ** -1.20)

    # from .05 to 8,000 layers: any bounds of all depths do
    depth = float(np.exp(scipy.optimize.minimize_scalar(excess, bounds=(-3.0, 9.0), method="bounded").x))
    return float(depth / (params / 12 / depth) ** 0.5)


# by the name in the table's column `formula`
_FORMULAS: dict[str, Callable[[float], float]] = {"levine": _levine, "depth_scaling": _depth_scaling}


def _packaged() -> Iterator[PublishedLaw]:
    """The project's table; lists stand in one cell, 3e5:0.01;6e5:0.02."""
    rows: list[Json] = [*packaged_rows("interlaw.laws", "published.csv")]
    for row in rows:
        row["formula"] = _FORMULAS[row["formula"]] if "formula" in row else None
        row["measured_at"] = row["measured_at"].split(";") if "measured_at" in row else ()
        row["points"] = [pair.split(":") for pair in row["points"].split(";")] if "points" in row else ()
    yield from TypeAdapter(list[PublishedLaw]).validate_python(rows)


# every law by its key; other packages and this process may add some
LAWS: Registry[PublishedLaw] = Registry("interlaw.laws", {law.key: law for law in _packaged()})


def published_laws() -> tuple[PublishedLaw, ...]:
    """Every line of the project's table, and what is registered in `LAWS`.

    Example:
        >>> levine = next(law for law in published_laws() if law.key == "levine2020")
        >>> round(levine.ratio(98e6), 4)
        0.0411
    """
    return tuple(LAWS.everything().values())


def published_slopes(params_low: float, params_high: float) -> dict[str, tuple[float, str]]:
    """Slopes of every law that states one, between two sizes: {name: (slope, source)}.

    A law that does not cover the span is marked in its source: its slope there is an extrapolation.
    """
    result = {}
    for law in published_laws():
        if (slope := law.slope(params_low, params_high)) is not None:
            note = "" if law.covers(params_low) and law.covers(params_high) else "; stated for other sizes"
            result[law.name] = (slope, f"{law.source} ({law.trust}{note})")
    return result
