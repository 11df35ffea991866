"""A fit as it shows itself: in a few lines at a prompt, as a table in a notebook, as plain values in JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd

from interlaw.charted import Charted
from interlaw.errors import InterlawError, first_problem
from interlaw.laws.claim import Claim
from interlaw.laws.joint_law import JointLaw
from interlaw.laws.result import BudgetFit, PooledInterval
from interlaw.laws.stability import Stability
from interlaw.laws.table import LeftOut
from interlaw.laws.verdicts import status_text, verdict
from interlaw.plain import Json, plain
from interlaw.size import format_range, format_ratio, format_size

MOST_LINES, WIDTH = 15, 118  # what a prompt shows without scrolling, in a terminal of 120 columns
MOST_BUDGETS = 5  # lines of budgets, largest last: the verdict speaks of the largest


@dataclass(frozen=True, kw_only=True, repr=False)
class LawFit(Charted):
    """What a table of runs says about depth / width.

    `to_dict()` is the JSON that `interlaw fit --json` prints: the fields below as keys, each dataclass a nested object
    with its own fields as keys, tuples as lists, "the data do not say" as null. `interlaw.laws.result`, `joint_law` and
    `stability` say what every field means.

    Attributes:
        budgets: One `BudgetFit` a budget, by size.
        law: The `JointLaw` over budgets; None with one budget.
        interaction_interval: The `PooledInterval` over budgets; None where the table has no `aofe` and `aofe_ratio`.
        stability: How R* moves with the budget: `Stability`.
        claims: What the paper claims, each put to one test (`interlaw.laws.Claim`).
        warnings: Sentences; empty when nothing needs care.
        delta: Tolerance of the loss interval.
        confidence: Level of every interval.
        seed: Seed of the resampling.
        left_out: Rows that were not used, and the bias that may follow.
        view: The measured view behind the interaction columns; empty when the table does not say.
    """

    budgets: tuple[BudgetFit, ...]
    law: JointLaw | None
    interaction_interval: PooledInterval | None
    stability: Stability
    claims: tuple[Claim, ...]
    warnings: tuple[str, ...]
    delta: float
    confidence: float
    seed: int
    left_out: LeftOut
    view: str = ""

    def to_dict(self) -> Json:
        """Plain dicts, lists, numbers, strings and None."""
        return dict(plain(self))

    def to_frame(self) -> pd.DataFrame:
        """One row a budget: its status in words, R* with interval, best shape, loss interval."""
        return pd.DataFrame([_row(each) for each in self.budgets])

    def __str__(self) -> str:
        """The verdict's three lines, the largest budgets and how many notes there are: at most 15 lines."""
        lines: list[str] = []
        for label, words in verdict(self).lines:
            # of three lines each: the budgets and the notes take the other six
            lines += textwrap.wrap(f"{label}: {words}", WIDTH, subsequent_indent="  ", max_lines=3, placeholder=" ...")
        shown = self.budgets[-MOST_BUDGETS:]
        hidden = len(self.budgets) - len(shown)
        lines += [f"{format_size(each.budget):>6}  R* {_star(each)}, best {_best(each)}" for each in shown]
        notes = f"{len(self.warnings)} notes in .warnings" if self.warnings else "no notes"
        more = f"; {hidden} smaller budgets in .to_frame()" if hidden else ""
        return "\n".join([*lines[: MOST_LINES - 1], f"{notes}{more}; every test in verdict(fit).details"])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """For a notebook: the verdict's three lines and a row a budget."""
        said = "".join(f"<p><b>{label}.</b> {escape(words)}</p>" for label, words in verdict(self).lines)
        table = self.to_frame()
        formats: dict[Any, Any] = dict.fromkeys(("budget", "params"), format_size)
        ratios = [name for name in map(str, table) if name.startswith(("r_star", "within_delta"))]
        formats |= dict.fromkeys(ratios, format_ratio)
        return said + table.to_html(index=False, na_rep="", float_format="{:.4g}".format, formatters=formats)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> LawFit:
        """Read back what `to_dict` gave, also after a trip through JSON; other keys are left out.

        Raises:
            InterlawError: A key is missing, or a value is of another kind.
        """
        from pydantic import TypeAdapter, ValidationError

        try:
            return TypeAdapter(cls).validate_python(data)
        except ValidationError as error:
            raise InterlawError(
                f"expected the JSON of a fit, found {first_problem(error)}; write it again: "
                "interlaw fit RUNS --out FILE"
            ) from error


def _row(budget: BudgetFit) -> Json:
    star, near = budget.r_star, budget.loss_interval
    return {
        "budget": budget.budget,
        "params": budget.params_mean,
        "shapes": budget.num_shapes,
        "runs": budget.num_runs,
        "status": status_text(star),
        "r_star": star.value,
        "r_star_low": star.low,
        "r_star_high": star.high,
        "best_depth": budget.best.depth,
        "best_width": budget.best.width,
        "best_loss": budget.best.loss,
        "within_delta_low": None if near is None else near.low,
        "within_delta_high": None if near is None else near.high,
    }


def _star(budget: BudgetFit) -> str:
    star = budget.r_star
    if star.value is None:
        return f"unknown ({status_text(star)})"
    return f"{format_ratio(star.value)} ({'given' if star.status == 'given' else format_range(star.low, star.high)})"


def _best(budget: BudgetFit) -> str:
    return f"{budget.best.depth} x {budget.best.width}, loss {budget.best.loss_text}"
