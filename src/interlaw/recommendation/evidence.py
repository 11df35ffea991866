"""Everything that is known of R* against size: measured optima, their pool, and what stands beside them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache

import numpy as np
from scipy import special

from interlaw.laws import LEVEL, STATUS_WORDS, PublishedLaw, published_laws
from interlaw.plain import Json
from interlaw.published import PAPER_INTERVAL, PublishedRow, centre_of, packaged_sweeps, published_models
from interlaw.recommendation.optima import Optimum, by_dataset, measured_optima
from interlaw.recommendation.pooling import Coverage, Pool, Prediction, pool

# Curvatures of one budget differ by about as much between forms of the curve and between neighbouring budgets.
CURVATURE_STDERR = 0.4
# Sizes at which `interlaw evidence` prints the pool: half a decade apart, over the sizes that anyone trains.
SIZES = tuple(float(f"{size:.2g}") for size in np.geomspace(1e6, 1e11, 11))
COMMON_SIZE = 1e9  # parameters: what most who choose a shape train; titles and first lines name R* there
PAPER = "sun2026"
SIMILAR_SIZE_FACTOR = 1.5  # of N: over it the steepest published slope, -.5, moves R* by a fifth
SAME_SIZE = 1.1  # shapes of one budget on several tasks differ by less in N, budgets by more


@dataclass(frozen=True, kw_only=True)
class Source:
    """One data set or published line.

    Attributes:
        name: The data set's or line's name.
        standing: `measured` counts in the pool; `packaged` lines are superseded by their table; the others stand beside
            (`derived`, `chosen`, `convention`, `claim`, `flat`, `slope`, `vision`; see `PublishedLaw`).
        source: Where it was published.
        statement: What it says, in words.
        optima: Of a data set: what every sweep of it says at every size, optimum or not.
        line: Of a published line: (N, R) at the ends of its range and at the sizes it names.
        votes: Whether its optima are pooled, if it has any; `Sweep` has the rule.
        reason: Why they are not, in words.
    """

    name: str
    standing: str
    source: str
    statement: str
    optima: tuple[Optimum, ...] = ()
    line: tuple[tuple[float, float], ...] = ()
    votes: bool = True
    reason: str = ""

    @property
    def counts(self) -> bool:
        """Whether it has a vote in the pool."""
        return self.votes and any(one.counts for one in self.optima)

    @property
    def ends(self) -> tuple[tuple[float, float], ...]:
        """The first and the last (N, R) of a line."""
        return tuple(dict.fromkeys((*self.line[:1], *self.line[-1:])))

    @property
    def silence(self) -> str:
        """Why a data set has no vote, in words; empty where it has one."""
        if self.counts or not self.optima:
            return ""
        if not self.votes:
            return self.reason
        return "; or ".join(STATUS_WORDS[status] for status in dict.fromkeys(one.status for one in self.optima))

    @property
    def by_size(self) -> list[list[Optimum]]:
        """What the tasks of a data set say, size by size."""
        groups: list[list[Optimum]] = []
        for one in sorted(self.optima, key=lambda one: one.params):
            if not groups or one.params > SAME_SIZE * groups[-1][0].params:
                groups.append([])
            groups[-1].append(one)
        return groups

    def to_dict(self) -> Json:
        """All attributes as plain values."""
        optima = [{**asdict(one), "assumed": one.assumed} for one in self.optima]
        return {**asdict(self), "optima": optima, "counts": self.counts, "silence": self.silence}


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Sources, their pool, and how well the pool predicts a source that it has not seen.

    Attributes:
        sources: Data sets first, then published lines.
        pool: What `recommend` uses.
        pooled: The pool at several sizes.
        measured_only: The same without data sets whose errors are assumed; empty where the others are too few.
        coverage: Leave one data set out.
    """

    sources: tuple[Source, ...]
    pool: Pool
    pooled: tuple[Prediction, ...]
    measured_only: tuple[Prediction, ...]
    coverage: tuple[Coverage, ...]

    @property
    def sure_coverage(self) -> float:
        """The true coverage is above this (95%, one-sided; Clopper and Pearson 1934): few data sets say little.

        A data set counts as covered where all its optima are. Whether an interval is too wide cannot be seen so.
        """
        covered = sum(one.inside == 1 for one in self.coverage)
        return float(special.betaincinv(covered, len(self.coverage) - covered + 1, LEVEL)) if covered else 0.0

    def to_dict(self) -> Json:
        """The keys of the command's JSON."""
        return {
            "sources": [source.to_dict() for source in self.sources],
            "pooled": [asdict(one) for one in self.pooled],
            "measured_only": [asdict(one) for one in self.measured_only],
            "spread": self.pool.tau,
            "drift": self.pool.carry,
            "trend": self.pool.trend,
            "coverage": [asdict(one) for one in self.coverage],
            "sure_coverage": self.sure_coverage,
        }


@cache
def measured_pool() -> Pool:
    """The pool of every measured optimum."""
    return pool(by_dataset(measured_optima()))


@cache
def measured_curvature() -> Pool:
    """The pool of kappa / L at every measured optimum that has one, in the place of R*, carried flat beyond."""
    bends = [
        replace(one, ratio=one.curvature, log_stderr=CURVATURE_STDERR)
        for one in measured_optima()
        if one.counts and one.curvature is not None
    ]
    return replace(pool(by_dataset(bends)), trend=0.0)


def gather_evidence(optima: Sequence[Optimum] | None = None, *, sizes: Sequence[float] = SIZES) -> Evidence:
    """Every source, and the pool.

    Args:
        optima: Measured optima; the packaged ones when not given.
        sizes: N at which to show the pool.

    Example:
        >>> at_1b = gather_evidence(sizes=[COMMON_SIZE]).pooled[0]
        >>> at_1b.low < at_1b.ratio < at_1b.high
        True
    """
    optima = measured_optima() if optima is None else optima
    pooled = pool(by_dataset(optima))
    alone = pooled.without_assumed()
    return Evidence(
        sources=(*_datasets(optima), *_lines()),
        pool=pooled,
        pooled=tuple(pooled.predict(size) for size in sizes),
        measured_only=() if alone is None else tuple(alone.predict(size) for size in sizes),
        coverage=pooled.leave_one_out(),
    )


def _datasets(optima: Sequence[Optimum]) -> Iterator[Source]:
    """One source a data set."""
    laws = {law.name: law for law in published_laws()}
    for name in dict.fromkeys(one.dataset for one in optima):
        sweeps = [sweep for sweep in packaged_sweeps() if sweep.dataset == name]
        said = sweeps[0].title if sweeps else laws[name].statement
        yield Source(
            name=name,
            standing="measured",
            source=(sweeps[0] if sweeps else laws[name]).source,
            statement=said if len({sweep.title for sweep in sweeps}) < 2 else f"{len(sweeps)} sweeps that share models",
            optima=tuple(one for one in optima if one.dataset == name),
            votes=all(sweep.votes for sweep in sweeps),
            reason=next((sweep.silence for sweep in sweeps if not sweep.votes), ""),
        )


def _lines() -> Iterator[Source]:
    """Published lines without a vote."""
    for law in published_laws():
        if law.standing != "measured":
            sizes = sorted({law.params_low, law.params_high, *(size for size, _ in law.points)})
            line = tuple((params, ratio) for params in sizes if (ratio := law.ratio(params)) is not None)
            yield Source(name=law.name, standing=law.standing, source=law.source, statement=law.statement, line=line)


@dataclass(frozen=True, kw_only=True)
class LawOpinion:
    """One published line at one size.

    Attributes:
        law: The line with its source, trust mark, standing and words.
        ratio: Its R*; outside the sizes it speaks about, that at the nearest of them. None without a level.
        covered: Whether the sizes that the line speaks about hold this one.
    """

    law: PublishedLaw
    ratio: float | None
    covered: bool

    def to_dict(self) -> Json:
        """What the command's JSON says of it."""
        names = ("key", "name", "source", "trust", "standing", "statement", "params_low", "params_high")
        return {
            **{name: getattr(self.law, name) for name in names},
            "ratio": self.ratio,
            "low": self.law.ratio_low,
            "high": self.law.ratio_high,
            "covered": self.covered,
        }


def law_opinions(params: float) -> tuple[LawOpinion, ...]:
    """Every published line at N, those that name a ratio first, from shallow to deep."""
    opinions = []
    for law in published_laws():
        # at the size, or at the nearest that it speaks about: tables are not continued beyond their ends
        nearest, covered = min(max(params, law.params_low), law.params_high), law.covers(params)
        ratio = law.ratio(nearest)
        if law.key == PAPER:
            ratio = centre_of(PAPER_INTERVAL)  # it claims one interval for all sizes
        opinions.append(LawOpinion(law=law, ratio=ratio, covered=covered))
    return tuple(sorted(opinions, key=lambda one: one.ratio if one.ratio is not None else math.inf))


def similar_models(params: float) -> tuple[PublishedRow, ...]:
    """Published base models within a factor of 1.5 of N, from shallow to deep."""
    reach = math.log(SIMILAR_SIZE_FACTOR)
    near = [model for model in published_models() if abs(math.log(model.params_total / params)) <= reach]
    return tuple(sorted(near, key=lambda model: (model.ratio, model.name)))
