"""What a fit returns: plain frozen values that survive a trip through JSON unchanged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from interlaw.size import format_size

MOST_LISTED = 6  # shapes or budgets in one sentence, which then fits two lines
# of budgets that count no parameters; a bare size is read as parameters
_UNITS = {
    "tokens_per_param": "tokens per parameter",
    "flops_per_token": "training FLOPs a token",
    "train_flops": "training FLOPs",
}
# what each status of a minimum means, in words
STATUS_WORDS = {
    "given": "given",
    "too_few_shapes": "too few shapes",
    "not_comparable": "sizes too unequal",
    "flat": "no difference seen",
    "edge": "the loss still falls at an end of the grid",
    "open": "the loss turns, but the data bound R* on one side at most",
    "optimum": "optimum",
}


@dataclass(frozen=True, kw_only=True)
class Point:
    """One shape of a budget: what was measured, averaged over its runs.

    `loss` is the measured mean; `adjusted` is what the curve was fitted to (moved to the budget's mean parameters).
    `in_window` says that the curve used the shape; `within_delta` that its loss is within (1 + delta) of the lowest;
    `pareto` that its means are Pareto-optimal for (high aofe_ratio, low aofe), `front_probability` how sure that is.
    Interaction values are None where they were not measured.
    """

    depth: int
    width: int
    ratio: float
    params: float
    loss: float
    adjusted: float
    num_runs: int
    in_window: bool
    within_delta: bool
    aofe: float | None = None
    aofe_ratio: float | None = None
    aofe_scale_free: float | None = None
    excess_ratio: float | None = None
    pareto: bool | None = None
    front_probability: float | None = None


@dataclass(frozen=True, kw_only=True)
class BestShape:
    """The shape with the lowest loss: at equal size (`BudgetFit.best`), or as measured (`BudgetFit.measured_best`).

    Attributes:
        depth: Its layers.
        width: Its width.
        ratio: depth / width.
        loss: Its mean loss as measured.
        adjusted: Its loss moved to the budget's mean size along the sweep's slope.
        num_tied: How many others lie within the seed noise (0 when unknown).
    """

    depth: int
    width: int
    ratio: float
    loss: float
    adjusted: float
    num_tied: int

    @property
    def is_corrected(self) -> bool:
        """Whether its size was corrected for, to the four digits that are shown."""
        return f"{self.loss:.4g}" != f"{self.adjusted:.4g}"

    @property
    def loss_text(self) -> str:
        """The loss in words: 2.278, or 2.234 at equal size (2.278 as measured)."""
        if self.is_corrected:
            return f"{self.adjusted:.4g} at equal size ({self.loss:.4g} as measured)"
        return f"{self.loss:.4g}"


@dataclass(frozen=True, kw_only=True)
class RStar:
    """The ratio at the minimum of a budget's loss curve.

    Statuses, in the order in which they are decided:

    - `given`: the user says that the shape is an optimum, measured elsewhere;
    - `too_few_shapes`: no room for an error bar;
    - `not_comparable`: sizes rise or fall with R by so much that R only mirrors N;
    - `flat`: an F test cannot distinguish the curve from a constant;
    - `edge`: the curve does not turn inside the grid;
    - `open`: it turns, but the data give no bound of the minimum on one side, or on neither;
    - `optimum`: both bounds lie inside the grid.

    Attributes:
        value: R*, or None unless `status` is `optimum`.
        low: Lower end of the bootstrap interval; None where the data give no bound inside the grid.
        high: Upper end, likewise.
        edge: `low` or `high`, the end of the grid towards which the loss still falls, where `status` is `edge`.
        open_side: `low`, `high` or `both`, the side without a bound, where `status` is `open`.
        status: See above.
        reason: One plain sentence.
        log_stderr: Bootstrap standard deviation of log R* (from the quartiles); None where they are unbounded.
        detectable: Where `status` is `flat`, how much worse than its middle the ends of the curve must be, relative to
            the loss, to be seen with 80% power; None where every loss is the same.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    edge: str | None = None
    status: str
    reason: str
    open_side: str | None = None
    log_stderr: float | None = None
    detectable: float | None = None

    @property
    def none_text(self) -> str:
        """What a budget without R* lacks: where the loss turns, only the bounds."""
        return "no bounded optimum" if self.status == "open" else "no optimum"

    @property
    def detectable_text(self) -> str:
        """The detectable rise in two or three digits: 120%, 2.1%, or 0.31%."""
        rise = self.detectable or 0.0
        return f"{rise:.{0 if rise >= 0.1 else 1 if rise >= 0.01 else 2}%}"


@dataclass(frozen=True, kw_only=True)
class SeedNoise:
    """Seed noise as a relative standard deviation of the loss; `low` to `high` are the shapes within it of the best."""

    relative: float
    dof: int
    delta: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class LossInterval:
    """Ratios whose fitted loss is within (1 + delta) of the minimum; there is one only where there is an optimum.

    An open end means that the interval reaches the end of the fitted shapes and probably goes on.
    """

    low: float
    high: float
    low_open: bool
    high_open: bool
    delta: float


@dataclass(frozen=True, kw_only=True)
class FrontShape:
    """A shape and its probability of being Pareto-optimal for (high aofe_ratio, low aofe).

    `measured` says that its measured means are; `probability` counts the error of seeds and of measuring, and is None
    where neither is known.
    """

    budget: float
    depth: int
    width: int
    ratio: float
    measured: bool
    probability: float | None


@dataclass(frozen=True, kw_only=True)
class InteractionInterval:
    """The ratios of the shapes that are surely Pareto-optimal for (high aofe_ratio, low aofe); the loss played no part.

    `status` is `determined` or `not determined`; without it `low` and `high` are None. `reason` is a plain sentence.
    """

    status: str
    reason: str
    low: float | None = None
    high: float | None = None
    num_shapes: int
    front_probability: tuple[FrontShape, ...]


@dataclass(frozen=True, kw_only=True)
class Curve:
    """The fitted curve, ready to draw, and its curvature at the minimum: half the second derivative in log ratio.

    `loss_min` is None where the curve does not turn; a vertex outside the grid is no optimum. `ratio`, `loss` and the
    pointwise band `low`, `high` (None without noise estimate) hold one entry a drawn point. `error` is the standard
    deviation of a shape's loss behind every interval, known from `error_dof` degrees of freedom: `rmse`, the
    residuals', or what the seeds show where that is more.
    """

    curvature: float
    loss_min: float | None
    rmse: float
    num_shapes: int
    num_coefficients: int
    ratio: tuple[float, ...]
    loss: tuple[float, ...]
    low: tuple[float, ...] | None
    high: tuple[float, ...] | None
    error: float | None = None
    error_dof: int | None = None


@dataclass(frozen=True, kw_only=True)
class BudgetFit:
    """Everything about one budget.

    `loss_interval` is None unless the budget has an optimum; then `near_best` says which shapes are within delta.
    `kind` says what `budget` counts, by the table's column `budget_kind`; empty where it does not say.
    """

    budget: float
    params_mean: float
    budget_spread: float
    num_shapes: int
    num_runs: int
    best: BestShape
    measured_best: BestShape
    r_star: RStar
    loss_interval: LossInterval | None
    seed_noise: SeedNoise | None
    interaction_interval: InteractionInterval | None
    curve: Curve | None
    points: tuple[Point, ...]
    kind: str = ""

    @property
    def amount(self) -> str:
        """The budget with its unit, where that is no count of parameters: 16M, or 2.5 tokens per parameter."""
        return amounts([self])

    @property
    def is_symmetric(self) -> bool:
        """Whether the curve has no cubic term, because the shapes are too few for one."""
        return self.curve is not None and self.curve.num_coefficients < 4

    @property
    def leads_as_measured(self) -> bool:
        """Whether the best shape at equal size is the one of the lowest measured loss."""
        return (self.best.depth, self.best.width) == (self.measured_best.depth, self.measured_best.width)

    @property
    def near_best(self) -> tuple[Point, ...]:
        """Measured shapes whose loss is within (1 + delta) of the lowest, by ratio."""
        return tuple(point for point in self.points if point.within_delta)


def amounts(budgets: Sequence[BudgetFit]) -> str:
    """Several budgets with their unit once, `MOST_LISTED` at most."""
    unit = _UNITS.get(budgets[0].kind, "")
    return listed([format_size(each.budget) for each in budgets]) + (f" {unit}" if unit else "")


def listed(names: Sequence[str]) -> str:
    """At most `MOST_LISTED` names, then how many more."""
    more = len(names) - MOST_LISTED
    return ", ".join(names[:MOST_LISTED]) + (f" and {more} more" if more > 0 else "")


@dataclass(frozen=True, kw_only=True)
class PooledInterval:
    """The interaction interval over all budgets; determined where it is in each of them.

    `low`, `high` are geometric means of the budgets' ends; `common_low`, `common_high` their intersection (None when
    empty). `front_probability` holds the shapes of all budgets.
    """

    status: str
    reason: str
    low: float | None = None
    high: float | None = None
    common_low: float | None = None
    common_high: float | None = None
    num_budgets: int
    front_probability: tuple[FrontShape, ...]
